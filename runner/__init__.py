"""From a campaign file to results: load, enumerate, filter, plan, compile, submit, monitor, export."""
