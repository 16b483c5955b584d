"""Predictions for every image of a data set by networks that were not trained on it."""
