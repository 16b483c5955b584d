"""Training runs: the checks before one, the folder of results after it."""
