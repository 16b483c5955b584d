"""Size of a sample's image: stated by the sample, or looked up."""

import numpy as np

from onebox.images import read_header
from onebox.structures import Sample


def size_of(sample: Sample) -> tuple[int, int]:
    """Width and height of a sample's upright image.

    A sample that does not state its size has it read from the header of its image, or from the
    shape of its array; an image that is drawn on demand is drawn for it.

    Raises:
        ImageError: If the image cannot be read.
    """
    if sample.size_wh is not None:
        return sample.size_wh
    if sample.encoded is not None:
        return read_header(sample.encoded).size_wh
    height, width = np.asarray(sample.image).shape[:2]
    return int(width), int(height)
