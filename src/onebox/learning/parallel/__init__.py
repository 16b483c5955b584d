"""Training by several processes: which part each has, and what they agree on."""
