"""Losses: one value a row, and their weighted sum."""
