"""The mean training box: the answer that every trained model has to beat."""

from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from onebox import images
from onebox.structures import Box, Dataset, Sample


def size_of(sample: Sample) -> tuple[int, int]:
    """Width and height of a sample's upright image, read from the image if they are not known.

    Raises:
        ImageError: If the image cannot be read.
    """
    if sample.size_wh is not None:
        return sample.size_wh
    if isinstance(sample.image, Path):
        return images.read_header(sample.image).size_wh
    height, width = np.asarray(sample.image).shape[:2]
    return int(width), int(height)


def normalized_boxes(dataset: Dataset) -> Float[ndarray, "n 4"]:
    """The ``xyxy`` boxes of the samples that have one, as fractions of image width and height.

    Raises:
        ImageError: If an image whose size is not known cannot be read.
    """
    boxes = [
        np.array(sample.box) / np.array(size_of(sample) * 2)
        for sample in dataset
        if sample.box is not None
    ]
    return np.array(boxes, dtype=np.float64).reshape(-1, 4)


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
