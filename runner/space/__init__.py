"""Generators of candidates, one module each: the file's name is the generator's name in a campaign file."""
