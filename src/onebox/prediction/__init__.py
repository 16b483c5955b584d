"""Batch prediction: the sources of images, the job, and the files that hold its results."""
