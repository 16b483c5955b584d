"""Predictions of a model over HTTP."""
