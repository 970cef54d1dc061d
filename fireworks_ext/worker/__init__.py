"""The worker: takes fireworks by the lot, carries them out, writes down how they ended."""
