"""The mean training box: the answer that every trained model has to beat."""

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from onebox.image_sizes import size_of
from onebox.structures import Box, Dataset


def normalized_boxes(dataset: Dataset) -> Float[ndarray, "n 4"]:
    """The ``xyxy`` boxes of the samples that have one, as fractions of image width and height.

    Raises:
        ImageError: If an image whose size is not known cannot be read.
    """
    boxed = [sample for sample in dataset if sample.box is not None]
    sides = np.array([size_of(sample) * 2 for sample in boxed]).reshape(-1, 4)
    return dataset.boxes() / sides


def mean_box(dataset: Dataset) -> Box | None:
    """The mean of `normalized_boxes`; None without boxes.

    Raises:
        ImageError: If an image whose size is not known cannot be read.
    """
    boxes = normalized_boxes(dataset)
    if not len(boxes):
        return None
    x_min, y_min, x_max, y_max = boxes.mean(axis=0).tolist()
    return x_min, y_min, x_max, y_max
