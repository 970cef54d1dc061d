"""Where a long calculation is saved, and from where it goes on."""
