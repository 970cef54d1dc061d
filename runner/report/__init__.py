"""One self-contained page about a campaign, made from its published tables alone."""
