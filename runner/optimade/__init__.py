"""Databases that speak OPTIMADE: asking them, keeping what they answered, reading it."""
