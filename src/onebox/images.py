"""Any source of an image → upright RGB pixels.

Every image comes through this door: a path, encoded bytes, a Pillow image or a NumPy array,
of any mode, turned as its EXIF orientation asks, grey made RGB, transparency laid over white, the
first frame of an animation. A JPEG shrinks while it decodes (DCT scaling) when the caller needs
few pixels.
"""

import io
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile

from onebox import jpegs
from onebox.errors import ImageError
from onebox.files import is_empty
from onebox.structures import Rendered

MAX_PIXELS = 178_956_970
"""The largest image that is decoded; a larger one is taken for a decompression bomb."""

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
"""What is taken for an image when a folder is searched."""

Source = str | os.PathLike[str] | bytes | Image.Image | Rendered | ndarray
Pixels = UInt8[ndarray, "height width 3"]
Decoded = Image.Image | Pixels

_REASONS: dict[type[Exception], str] = {
    FileNotFoundError: "there is no such file. Correct the path.",
    NotADirectoryError: "there is no such file: it is looked for below a file. Correct the path.",
    IsADirectoryError: "is a folder, not an image. Name the images in it.",
    PermissionError: "may not be read. Change its permissions.",
    MemoryError: "takes more memory to decode than there is. Shrink it or remove it.",
    Image.DecompressionBombError: (
        f"has more than the {MAX_PIXELS} pixels that are decoded. Shrink it, or remove it if it "
        "is not what it claims to be."
    ),
}

_REFUSALS = (
    *(OSError, SyntaxError, ValueError, EOFError, MemoryError),
    Image.DecompressionBombError,
)

_ENCODED = (str, os.PathLike, bytes, Image.Image)

_ORIENTATION = 0x0112
_WORTH_SHRINKING = 4  # times the pixels needed; a smaller array costs more to shrink than to keep
_FILTERS = threading.Lock()
_FIRST_ON_ITS_SIDE = 5
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_RGB, _RGBA = 3, 4
_EIGHT_BIT, _SIXTEEN_BIT = 2**8 - 1, 2**16 - 1


@dataclass(frozen=True, slots=True, eq=False)
class LoadedImage:
    """Upright RGB pixels, and the size of the image that they show.

    Attributes:
        pixels: May be fewer than the image has, where it was shrunk while decoding.
        size_wh: Width and height of the whole upright image.
        scale_xy: Columns and rows of the whole image that one pixel here stands for; a last
            pixel may stand for fewer, so sizes alone do not tell.
    """

    pixels: Pixels
    size_wh: tuple[int, int]
    scale_xy: tuple[float, float] = (1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Header:
    """What an image file says of itself before its pixels are decoded.

    Attributes:
        stored_wh: Width and height as stored.
        orientation: The EXIF orientation, 1 (upright) to 8.
    """

    stored_wh: tuple[int, int]
    orientation: int

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height of the upright image."""
        return self.stored_wh if self.is_upright else self.stored_wh[::-1]

    @property
    def is_upright(self) -> bool:
        """Whether rows are stored as rows: turning upright swaps no sides."""
        return self.orientation < _FIRST_ON_ITS_SIDE


def read_header(path: str | os.PathLike[str]) -> Header:
    """Read an image's size and orientation without decoding it.

    Raises:
        ImageError: If the file is missing, empty, no image or too large.
    """
    with _opened(path) as image:
        return _header(image)


def load(source: Source, *, at_least: int | None = None) -> LoadedImage:
    """Decode an image to upright RGB.

    Args:
        source: A path, encoded bytes, a Pillow image, or an array of uint8 with shape
            (height, width), (height, width, 3) or (height, width, 4).
        at_least: Pixels that the caller needs on each side; a larger image may come back
            shrunk to between one and two times this (an array only where it is several times as
            large, since copying costs more than it saves). None for every pixel.

    Returns:
        The pixels and the size of the whole upright image.

    Raises:
        ImageError: If the source cannot be read as an image; the message names it.
        TypeError: If the source is of another type, or an array that is not uint8.
        ValueError: If an array has another shape.
    """
    # Arrays first: to ask whether something is path-like takes longer than all else they need.
    if isinstance(source, np.ndarray) or not isinstance(source, _ENCODED):
        return _from_array(np.asarray(source), at_least)
    with _opened(source) as image:
        header = _header(image)
        if isinstance(image, JpegImageFile) and image is not source:
            stored, shrink = _from_jpeg(image, header, at_least)
        else:
            stored, shrink = _to_rgb(image), 1
        # Turned before blocks are averaged: the block that is cut short stays the last.
        upright = _turned(stored, 1 if _turns_itself(image) else header.orientation)
        reduced, (across, down) = _reduced(upright, at_least)
        pixels = np.asarray(reduced)
    return LoadedImage(pixels, header.size_wh, (shrink * across, shrink * down))


def find_images(folder: Path) -> list[Path]:
    """List the image files below a folder, sorted, by their suffix."""
    return sorted(
        path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file()
    )


def _from_array(array: ndarray, at_least: int | None) -> LoadedImage:
    if array.dtype != np.uint8:
        raise TypeError(f"an image's array must be uint8, got {array.dtype}; scale it to 0..255.")
    if array.ndim == 2:  # noqa: PLR2004
        array = np.repeat(array[:, :, None], _RGB, axis=2)
    if array.ndim != 3 or array.shape[2] not in {_RGB, _RGBA} or 0 in array.shape:  # noqa: PLR2004
        raise ValueError(
            "an image's array must have shape (height, width), (height, width, 3) or "
            f"(height, width, 4), got {array.shape}."
        )
    height, width = array.shape[:2]
    is_large = at_least is not None and min(height, width) >= _WORTH_SHRINKING * at_least
    if array.shape[2] == _RGBA or is_large:
        image, factors = _reduced(_to_rgb(Image.fromarray(array)), at_least)
        return LoadedImage(np.asarray(image), (width, height), factors)
    return LoadedImage(np.ascontiguousarray(array), (width, height))


@contextmanager
def _opened(source: str | os.PathLike[str] | bytes | Image.Image) -> Iterator[Image.Image]:
    """Open an image; everything that Pillow says against it becomes one kind of error.

    Raises:
        ImageError: If Pillow has anything against the source.
    """
    try:
        if isinstance(source, Image.Image):
            yield source
            return
        with _open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
            _check_size(image)
            yield image
    except _REFUSALS as error:
        raise ImageError(f"{_name(source)}: {_reason(source, error)}") from error


def _open(source: str | os.PathLike[str] | io.BytesIO) -> Image.Image:
    """Read a header; our own limit speaks of large images, as an error that names the file."""
    # The filters of warnings belong to the process, and images are read in threads.
    with _FILTERS, warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(source)


def _name(source: str | os.PathLike[str] | bytes | Image.Image) -> str:
    if isinstance(source, bytes):
        return f"image of {len(source)} bytes"
    if isinstance(source, Image.Image):
        return str(getattr(source, "filename", "")) or "image"
    return str(source)


def _check_size(image: Image.Image) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise Image.DecompressionBombError(f"it has {width} x {height} pixels")


def _reason(source: str | os.PathLike[str] | bytes | Image.Image, error: Exception) -> str:
    for kind, sentence in _REASONS.items():
        if isinstance(error, kind):
            return sentence
    if source == b"" if isinstance(source, bytes | Image.Image) else is_empty(Path(source)):
        return "is empty (0 bytes). Replace or remove it."
    if isinstance(error, UnidentifiedImageError):
        return "is not an image in a format that can be read. Save it as JPEG or PNG."
    return f"cannot be decoded ({error}). Replace or remove it."


def _header(image: Image.Image) -> Header:
    header = Header(image.size, _orientation(image))
    return replace(header, stored_wh=header.size_wh) if _turns_itself(image) else header


def _turns_itself(image: Image.Image) -> bool:
    """Whether Pillow gives the upright size from the start and turns the pixels in loading."""
    return image.format == "TIFF"


def _orientation(image: Image.Image) -> int:
    # Not the method of its own class: a PNG's would decode the pixels to look behind them.
    value = Image.Image.getexif(image).get(_ORIENTATION, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1  # noqa: PLR2004


def _to_rgb(image: Image.Image) -> Image.Image:
    """Pixels of any mode as RGB: 16 bits keep their share of white, transparency lies over white.

    Raises:
        ValueError: If the values are neither 8 nor 16 bits.
    """
    if image.mode == "RGB" and not image.has_transparency_data:
        return image
    if image.mode == "F":
        raise ValueError("its pixels are 32-bit fractions; save it with 8 or 16 bits")
    if image.mode.startswith("I"):
        return _from_sixteen_bit(np.asarray(image)).convert("RGB")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    return image.convert("RGB")


def _from_sixteen_bit(values: ndarray) -> Image.Image:
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > _SIXTEEN_BIT:
        raise ValueError(f"its pixels lie in {low}..{high}; save it with 8 or 16 bits")
    return Image.fromarray(np.rint(values * (_EIGHT_BIT / _SIXTEEN_BIT)).astype(np.uint8))


def _from_jpeg(image: JpegImageFile, header: Header, at_least: int | None) -> tuple[Decoded, int]:
    """Pixels as stored, in RGB, and by how much the decoder shrank them."""
    shrink = 1
    if at_least is not None:
        shrink = jpegs.shrink_for(header.stored_wh, at_least, header.orientation)
    decoded = jpegs.decode(image, shrink)
    return _to_rgb(decoded) if isinstance(decoded, Image.Image) else decoded, shrink


def _reduced(decoded: Decoded, at_least: int | None) -> tuple[Decoded, tuple[float, float]]:
    """Average whole blocks of pixels while both sides stay at or above ``at_least``."""
    width, height = _size_wh(decoded)
    if at_least is None or max(width, height) < 2 * at_least:
        return decoded, (1.0, 1.0)
    factors = (max(1, width // at_least), max(1, height // at_least))
    return _as_image(decoded).reduce(factors), (float(factors[0]), float(factors[1]))


def _turned(decoded: Decoded, orientation: int) -> Decoded:
    turn = _TURNS.get(orientation)
    return decoded if turn is None else _as_image(decoded).transpose(turn)


def _size_wh(decoded: Decoded) -> tuple[int, int]:
    if isinstance(decoded, Image.Image):
        return decoded.size
    return decoded.shape[1], decoded.shape[0]


def _as_image(decoded: Decoded) -> Image.Image:
    return decoded if isinstance(decoded, Image.Image) else Image.fromarray(decoded)
