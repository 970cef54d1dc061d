"""What runs on a worker: Firetasks, engines, handlers, and the stores that hold fireworks."""
