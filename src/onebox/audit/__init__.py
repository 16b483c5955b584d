"""Finds wrong labels: compares each label with the prediction of a network that never saw it."""
