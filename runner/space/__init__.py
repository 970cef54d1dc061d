"""Generators of candidates, one module each; the file's name is the generator's."""
