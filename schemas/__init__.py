"""Models of all that is written down: campaign files, candidates, results, failures, profiles."""
