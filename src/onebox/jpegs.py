"""JPEG → pixels as stored, shrunk by 2, 4 or 8 while they decode (DCT scaling).

Two decoders stand behind one door. simplejpeg comes first: its array is handed on without a
copy, and other threads run meanwhile. Pillow takes what is left: any JPEG where simplejpeg is
not installed, CMYK, and whatever simplejpeg has something against, so that Pillow alone says
what is wrong with a damaged file. Both are libjpeg-turbo with the same settings and give the
same pixels.
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
_BLOCK = 8
_COLOURS = frozenset({"RGB", "L"})
_NEITHER_SIDE = (False, False)

# Orientation → whether turning upright reverses the order of the stored columns, of the rows.
_REVERSED = {
    2: (True, False),
    3: (True, True),
    4: (False, True),
    6: (False, True),
    7: (True, True),
    8: (True, False),
}


def shrink_for(size_wh: tuple[int, int], at_least: int, orientation: int) -> int:
    """By how much the decoder may shrink an image: 1, 2, 4 or 8.

    Args:
        size_wh: Width and height as stored, in pixels.
        at_least: Pixels that both sides must keep.
        orientation: The EXIF orientation, 1 to 8. On a side that it reverses the shrinking must
            leave no rest: a last block that is cut short would come first, and shift the others.
    """
    most = min(size_wh) // at_least
    sides = zip(size_wh, _REVERSED.get(orientation, _NEITHER_SIDE), strict=True)
    whole = math.gcd(*(side for side, is_reversed in sides if is_reversed))
    return next((shrink for shrink in _SHRINKS if shrink <= most and whole % shrink == 0), 1)


def decode(image: JpegImageFile, shrink: int) -> UInt8[ndarray, "height width 3"] | Image.Image:
    """Decode a JPEG of which Pillow has read the header, and nothing yet decoded.

    Args:
        image: As `PIL.Image.open` gives it. It is shrunk and decoded in place where Pillow
            decodes.
        shrink: 1, 2, 4 or 8; a last column or row may stand for fewer pixels than this.

    Returns:
        RGB where simplejpeg decoded it; else the image itself, of any mode, which Pillow
        decodes when its pixels are first asked for.
    """
    width, height = image.size
    pixels = _by_simplejpeg(image, shrink)
    if pixels is not None:
        return pixels
    if shrink > 1:
        image.draft(None, (width // shrink, height // shrink))
    return image


def _by_simplejpeg(image: JpegImageFile, shrink: int) -> ndarray | None:
    """RGB pixels, or None where simplejpeg is missing or has anything against the file."""
    library = _simplejpeg()
    # A scale is asked for by the size that it gives; below one block two scales may give the same.
    if library is None or image.mode not in _COLOURS or max(image.size) < _BLOCK:
        return None
    width, height = (-(-side // shrink) for side in image.size)
    data = _encoded(image)
    try:
        if not _is_as_large(image, library.decode_jpeg_header(data)):
            return None
        pixels = library.decode_jpeg(
            data, min_height=height, min_width=width, min_factor=float(shrink), strict=True
        )
    except (ValueError, RuntimeError):
        return None
    return pixels if pixels.shape == (height, width, 3) else None


def _is_as_large(image: JpegImageFile, header: tuple[int, int, str, str]) -> bool:
    """Whether both libraries read the same size: the limit on pixels was held to Pillow's."""
    return header[1::-1] == image.size


def _encoded(image: JpegImageFile) -> bytes:
    if image.fp is None:
        raise ValueError("the file of the image is closed; open it again")
    image.fp.seek(0)
    return image.fp.read()


@functools.cache
def _simplejpeg() -> ModuleType | None:
    try:
        return importlib.import_module("simplejpeg")
    except ImportError:
        return None
