"""Runs of networks: initial weights, fit, export and evaluation, within a time budget."""
