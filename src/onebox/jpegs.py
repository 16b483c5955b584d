"""JPEG → pixels as stored, shrunk by 2, 4 or 8 while they decode (DCT scaling).

There are two decoders. simplejpeg is tried first: its array needs no copy, and it releases the GIL.
Pillow decodes the rest: any JPEG if simplejpeg is not installed, CMYK, and files that simplejpeg
refuses, so that all errors of damaged files are Pillow's. Both are libjpeg-turbo with the same
settings and give the same pixels.
"""

import functools
import importlib
import math
from types import ModuleType

from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

_SHRINKS = (8, 4, 2)
_BLOCK = 8  # pixels, width and height of the DCT blocks
_SIMPLEJPEG_MODES = frozenset({"RGB", "L"})

# EXIF orientation → whether applying it reverses the order of the stored columns, of the rows.
_REVERSED = {
    2: (True, False),
    3: (True, True),
    4: (False, True),
    6: (False, True),
    7: (True, True),
    8: (True, False),
}


def shrink_for(size_wh: tuple[int, int], at_least: int, orientation: int) -> int:
    """Largest factor by which the decoder may shrink an image: 1, 2, 4 or 8.

    Args:
        size_wh: Width and height as stored, in pixels.
        at_least: Width and height that must remain, in pixels.
        orientation: The EXIF orientation, 1 to 8. The factor must divide a width or height that it
            reverses: an incomplete last block would become the first and shift the others.
    """
    largest = min(size_wh) // at_least
    lengths = zip(size_wh, _REVERSED.get(orientation, (False, False)), strict=True)
    divisible = math.gcd(*(length for length, is_reversed in lengths if is_reversed))
    return next((one for one in _SHRINKS if one <= largest and divisible % one == 0), 1)


def decode(image: JpegImageFile, shrink: int) -> UInt8[ndarray, "height width 3"] | Image.Image:
    """Decode a JPEG that Pillow has opened but not decoded.

    Args:
        image: The image as `PIL.Image.open` returns it. If Pillow decodes it, it is shrunk in
            place.
        shrink: 1, 2, 4 or 8; the last column and row may cover fewer pixels than this.

    Returns:
        RGB pixels if simplejpeg decoded it; otherwise the image itself, of any mode, which Pillow
        decodes on first access to its pixels.
    """
    pixels = _decode_by_simplejpeg(image, shrink)
    if pixels is not None:
        return pixels
    if shrink > 1:
        image.draft(None, (image.width // shrink, image.height // shrink))
    return image


def _decode_by_simplejpeg(image: JpegImageFile, shrink: int) -> ndarray | None:
    """RGB pixels, or None if simplejpeg is missing or refuses the file."""
    library = _import_simplejpeg()
    # simplejpeg takes a size, not a factor, and below one block two factors give the same size.
    if library is None or image.mode not in _SIMPLEJPEG_MODES or max(image.size) < _BLOCK:
        return None
    width, height = (-(-length // shrink) for length in image.size)
    data = _read_bytes(image)
    try:
        # Both libraries must read one size; only Pillow's was checked against the limit.
        if library.decode_jpeg_header(data)[1::-1] != image.size:
            return None
        pixels = library.decode_jpeg(
            data, min_height=height, min_width=width, min_factor=float(shrink), strict=True
        )
    except (ValueError, RuntimeError):
        return None
    return pixels if pixels.shape == (height, width, 3) else None


def _read_bytes(image: JpegImageFile) -> bytes:
    if image.fp is None:
        raise ValueError("the image's file is closed; open it again")
    image.fp.seek(0)
    return image.fp.read()


@functools.cache
def _import_simplejpeg() -> ModuleType | None:
    try:
        return importlib.import_module("simplejpeg")
    except ImportError:
        return None
