"""Recipes: every setting of a training run, checked, and the TOML files that come with onebox."""
