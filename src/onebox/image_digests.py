"""A digest of the content of a sample's image."""

import hashlib
from pathlib import Path

from onebox.errors import ImageError
from onebox.structures import PackedImage, Sample


def content_digest(sample: Sample) -> bytes:
    """A digest of an image's bytes, or of how it is drawn; empty if it cannot be read.

    An image has the same digest in a shard as in a file of its own.
    """
    try:
        if isinstance(sample.image, Path):
            with sample.image.open("rb") as file:
                return hashlib.file_digest(file, "blake2b").digest()
        if isinstance(sample.image, PackedImage):
            return hashlib.blake2b(sample.image.read()).digest()
        return repr(sample.image).encode()
    except (OSError, ImageError):
        return b""  # decoding reports it, together with all other unreadable images
