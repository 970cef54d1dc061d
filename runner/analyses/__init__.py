"""Analyses: one module each, which binds `plugin`; its file name is its name in a campaign file."""
