"""Folds for cross-validation: which images are copies of one, and which fold each image is in."""
