"""What runs on a worker: Firetasks, engines, error handlers, and the stores that hold the fireworks."""
