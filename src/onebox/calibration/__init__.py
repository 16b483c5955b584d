"""A model, and images that trained and chose nothing → a model that knows how sure it is.

`calibrate_file` does it for every kind of model file, without PyTorch.
"""

from onebox.calibration.job import LEAST_IMAGES, Summary, calibrate_file

__all__ = ["LEAST_IMAGES", "Summary", "calibrate_file"]
