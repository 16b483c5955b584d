"""HTTP: predictions of a model, and the labelling page."""
