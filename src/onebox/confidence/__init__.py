"""How sure a prediction is: formulas on arrays, and the record of what calibration found.

Nothing here reads images or runs a model: `onebox.calibration` does.
"""
