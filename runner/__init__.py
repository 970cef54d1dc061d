"""From a campaign file to results: load, screen, plan, compile, submit, monitor, export."""
