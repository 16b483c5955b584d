"""How well a model knows its own errors: what it says of its certainty against labelled images.

`confidence` has the formulas that predictions use; this package measures what they are worth.
"""
