"""One training run, from data and recipe to a folder of results."""
