"""Simulation engines, one package each; the folder's name is the engine's in a campaign."""
