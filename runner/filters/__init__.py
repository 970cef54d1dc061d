"""Scores that thin out candidates, one module each; the file's name is the score's."""
