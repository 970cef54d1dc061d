"""The program of the rehearsal: the standard library alone, so that it starts in milliseconds."""
