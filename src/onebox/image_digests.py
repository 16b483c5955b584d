"""A digest of the content of a sample's image."""

import hashlib
from pathlib import Path

import numpy as np

from onebox.errors import ImageError
from onebox.structures import PackedImage, Sample


def content_digest(sample: Sample) -> bytes:
    """A digest of an image's bytes, or of how it is drawn.

    An image has the same digest in a shard as in a file of its own.

    Raises:
        ImageError: If the image cannot be read.
    """
    if isinstance(sample.image, PackedImage):
        return hashlib.blake2b(sample.image.read()).digest()
    if isinstance(sample.image, np.ndarray):
        return hashlib.blake2b(repr(sample.image.shape).encode() + sample.image.tobytes()).digest()
    if not isinstance(sample.image, Path):
        return repr(sample.image).encode()  # it names all that the image depends on
    try:
        with sample.image.open("rb") as file:
            return hashlib.file_digest(file, "blake2b").digest()
    except OSError as error:
        reason = error.strerror or str(error)
        raise ImageError(
            f"{sample.name}: cannot be read ({reason}). Check the disk that it lies on."
        ) from error
