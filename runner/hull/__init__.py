"""Convex hulls of energy over composition: facets, reference sets, the compounds that compete."""
