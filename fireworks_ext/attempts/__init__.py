"""One attempt at a calculation: its program, its directory, how it ended."""
