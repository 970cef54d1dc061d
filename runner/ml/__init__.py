"""Pre-trained models of materials: what there is, and what it predicts for cells.

Importing this package imports no model: the heavy packages come in when a model is set up.
"""
