"""Any source of an image → upright RGB pixels.

Every image is loaded here: a path, encoded bytes, an image in a shard, a Pillow image or a NumPy
array, of any mode. The EXIF orientation is applied, grey becomes RGB, transparency is composited
over white, and only the first frame of an animation is read. A JPEG is shrunk while it decodes (DCT
scaling) if the caller needs few pixels.
"""

import errno
import io
import os
import struct
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
from onebox.structures import OpenedImage, PackedImage, Rendered

MAX_PIXELS = 178_956_970
"""Pixels of the largest image that is decoded: twice Pillow's warning limit, as in Pillow."""

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
"""The suffixes of the image files that a search of a folder finds."""

Source = str | os.PathLike[str] | bytes | Image.Image | PackedImage | Rendered | ndarray
Openable = str | os.PathLike[str] | bytes | Image.Image | PackedImage
Pixels = UInt8[ndarray, "height width 3"]
Decoded = Image.Image | Pixels

_REASONS: dict[type[Exception], str] = {
    FileNotFoundError: "there is no such file. Correct the path.",
    NotADirectoryError: "there is no such file: its folder is a file. Correct the path.",
    IsADirectoryError: "is a folder, not an image. Name the images in it.",
    PermissionError: "cannot be read: permission denied. Change its permissions.",
    MemoryError: "needs more memory to decode than there is. Shrink it or remove it.",
    Image.DecompressionBombError: (
        f"has more than the limit of {MAX_PIXELS} pixels. Shrink it, or remove it if it is not "
        "what it claims to be."
    ),
}

_DECODING_ERRORS = (
    *(OSError, SyntaxError, ValueError, EOFError, MemoryError, Image.DecompressionBombError),
    # These are damage, too: Pillow itself takes them so, but only while it opens a file.
    *(IndexError, KeyError, TypeError, struct.error),
)
_ENCODED = (str, os.PathLike, bytes, Image.Image, PackedImage)  # the last takes longest to check

_ORIENTATION = 0x0112
# An array this many times as large as needed is shrunk. A copy of a smaller one costs more than the
# network's resizing saves; the number itself is not tuned.
_MIN_ARRAY_FACTOR = 4
_WARNING_FILTERS = threading.Lock()
_FIRST_TRANSPOSED = 5  # of the EXIF orientations; from here on, rows are stored as columns
_TRANSPOSES = {
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
    """Upright RGB pixels, and the size of the whole image.

    Attributes:
        pixels: The pixels; fewer than the image has if it was shrunk while decoding.
        size_wh: Width and height of the whole upright image.
        scale_xy: Columns and rows of the whole image that one pixel covers. The last column and row
            may cover fewer, so the two sizes do not determine it.
    """

    pixels: Pixels
    size_wh: tuple[int, int]
    scale_xy: tuple[float, float] = (1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Header:
    """The size and orientation of an image file, read without decoding its pixels."""

    stored_wh: tuple[int, int]  # as in the file
    orientation: int  # EXIF, 1 (upright) to 8

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height of the upright image."""
        is_transposed = self.orientation >= _FIRST_TRANSPOSED
        return self.stored_wh[::-1] if is_transposed else self.stored_wh


def read_header(source: str | os.PathLike[str] | PackedImage) -> Header:
    """Read an image's size and orientation without decoding it.

    Of an image in a tar, no more is read than that takes.

    Raises:
        ImageError: If the file is missing, empty, not an image or too large.
    """
    with open_image(source, header_only=True) as image:
        return _read_header(image)


def load(source: Source, *, at_least: int | None = None, keeps_shape: bool = False) -> LoadedImage:
    """Decode an image to upright RGB.

    Args:
        source: A path, encoded bytes, an image in a shard, a Pillow image, or an array of uint8
            with shape (height, width), (height, width, 3) or (height, width, 4).
        at_least: Width and height that the caller needs, in pixels. A larger image is shrunk to
            between one and two times this (an array only if it is several times as large, since
            a copy costs more than it saves). None for all pixels.
        keeps_shape: Whether width and height are shrunk by one factor, which the shorter side
            limits. Otherwise each has its own, for callers that stretch images to a square.

    Returns:
        The pixels, the size of the whole upright image and the scale between them.

    Raises:
        ImageError: If the source cannot be read as an image; the message names it.
        TypeError: If the source is of another type, or an array that is not uint8.
        ValueError: If an array has another shape.
    """
    # Arrays first: checking whether an object is path-like takes longer than the rest of the work.
    if isinstance(source, np.ndarray) or not isinstance(source, _ENCODED):
        return _load_array(np.asarray(source), at_least, keeps_shape=keeps_shape)
    with open_image(source) as image:
        header = _read_header(image)
        if isinstance(image, JpegImageFile) and image is not source:
            stored, shrink = _decode_jpeg(image, header, at_least)
        else:
            stored, shrink = _convert_to_rgb(image), 1
        # Before blocks are averaged, so that an incomplete block is the last, not the first.
        upright = _apply_orientation(stored, 1 if _is_applied(image) else header.orientation)
        reduced, (across, down) = _average_blocks(upright, at_least, keeps_shape=keeps_shape)
        pixels = np.asarray(reduced)
    return LoadedImage(pixels, header.size_wh, (shrink * across, shrink * down))


def find_images(folder: Path) -> list[Path]:
    """List the image files in a folder and below, by suffix, sorted by path."""
    return sorted(
        path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file()
    )


def _load_array(array: ndarray, at_least: int | None, *, keeps_shape: bool) -> LoadedImage:
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
    is_large = at_least is not None and min(height, width) >= _MIN_ARRAY_FACTOR * at_least
    if array.shape[2] == _RGBA or is_large:
        image = _convert_to_rgb(Image.fromarray(array))
        reduced, factors = _average_blocks(image, at_least, keeps_shape=keeps_shape)
        return LoadedImage(np.asarray(reduced), (width, height), factors)
    return LoadedImage(np.ascontiguousarray(array), (width, height))


@contextmanager
def open_image(source: Openable, *, header_only: bool = False) -> Iterator[Image.Image]:
    """Open an image, and raise any error of Pillow in the body as one that names the source.

    With ``header_only``, an image in a shard is read in parts, as far as they are needed; without,
    it is read at once.

    Raises:
        ImageError: If Pillow cannot read the source.
    """
    try:
        if isinstance(source, Image.Image):
            yield source
            return
        with _encoded(source, header_only=header_only) as file, _open_quietly(file) as image:
            _check_size(image)
            yield image
    except _DECODING_ERRORS as error:
        raise ImageError(f"{_name(source)}: {_explain(source, error)}") from error


@contextmanager
def _encoded(
    source: str | os.PathLike[str] | bytes | PackedImage, *, header_only: bool
) -> Iterator[str | os.PathLike[str] | OpenedImage]:
    """What Pillow opens."""
    if isinstance(source, bytes):
        yield io.BytesIO(source)
    elif isinstance(source, str | os.PathLike):
        yield source
    elif header_only:
        with source.open() as file:
            yield file
    else:
        yield io.BytesIO(source.read())


def _open_quietly(source: str | os.PathLike[str] | OpenedImage) -> Image.Image:
    """Open an image without Pillow's warning of a large one: `_check_size` has its own limit."""
    # Warning filters belong to the whole process, and images are read in several threads.
    with _WARNING_FILTERS, warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(source)


def _name(source: Openable) -> str:
    if isinstance(source, bytes):
        return f"image of {len(source)} bytes"
    if isinstance(source, Image.Image):
        return str(getattr(source, "filename", "")) or "image"
    return str(source)


def _check_size(image: Image.Image) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise Image.DecompressionBombError


def _explain(source: Openable, error: Exception) -> str:
    for kind, sentence in _REASONS.items():
        if isinstance(error, kind):
            return sentence
    if _is_empty(source):
        return "is empty (0 bytes). Replace or remove it."
    if isinstance(error, UnidentifiedImageError):
        return "is not an image in a supported format. Save it as JPEG or PNG."
    if isinstance(error, OSError) and error.errno == errno.EIO:
        return f"cannot be read ({error.strerror}). Check the disk that it lies on."
    return f"cannot be decoded ({error}). Replace or remove it."


def _is_empty(source: Openable) -> bool:
    if isinstance(source, str | os.PathLike):
        return is_empty(Path(source))
    if isinstance(source, bytes | Image.Image):
        return source == b""
    with source.open() as file:
        return file.read(1) == b""


def _read_header(image: Image.Image) -> Header:
    header = Header(image.size, _read_orientation(image))
    return replace(header, stored_wh=header.size_wh) if _is_applied(image) else header


def _is_applied(image: Image.Image) -> bool:
    """Whether Pillow applies the orientation: to the size at once, to the pixels on loading."""
    return image.format == "TIFF"


def _read_orientation(image: Image.Image) -> int:
    # Not image.getexif(): that of a PNG decodes the pixels to find an EXIF chunk behind them.
    value = Image.Image.getexif(image).get(_ORIENTATION, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1  # noqa: PLR2004


def _convert_to_rgb(image: Image.Image) -> Image.Image:
    """Convert any mode to RGB: 16 bits are scaled to 8, transparency is composited over white.

    Raises:
        ValueError: If the values need more than 16 bits.
    """
    if image.mode == "RGB" and not image.has_transparency_data:
        return image
    if image.mode == "F":
        raise ValueError("its pixels are 32-bit floats; save it with 8 or 16 bits")
    if image.mode.startswith("I"):
        return _convert_16_bit(np.asarray(image)).convert("RGB")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    return image.convert("RGB")


def _convert_16_bit(values: ndarray) -> Image.Image:
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > _SIXTEEN_BIT:
        raise ValueError(f"its pixels lie in {low}..{high}; save it with 8 or 16 bits")
    return Image.fromarray(np.rint(values * (_EIGHT_BIT / _SIXTEEN_BIT)).astype(np.uint8))


def _decode_jpeg(image: JpegImageFile, header: Header, at_least: int | None) -> tuple[Decoded, int]:
    """Pixels as stored, in RGB, and the factor by which the decoder shrank them."""
    shrink = 1
    if at_least is not None:
        shrink = jpegs.shrink_for(header.stored_wh, at_least, header.orientation)
    decoded = jpegs.decode(image, shrink)
    return _convert_to_rgb(decoded) if isinstance(decoded, Image.Image) else decoded, shrink


def _average_blocks(
    decoded: Decoded, at_least: int | None, *, keeps_shape: bool
) -> tuple[Decoded, tuple[float, float]]:
    """Average blocks of pixels, as large as width and height of ``at_least`` allow."""
    width, height = decoded.size if isinstance(decoded, Image.Image) else decoded.shape[1::-1]
    if at_least is None or max(width, height) < 2 * at_least:
        return decoded, (1.0, 1.0)
    factors = (max(1, width // at_least), max(1, height // at_least))
    factors = (min(factors), min(factors)) if keeps_shape else factors
    return _as_image(decoded).reduce(factors), (float(factors[0]), float(factors[1]))


def _apply_orientation(decoded: Decoded, orientation: int) -> Decoded:
    transpose = _TRANSPOSES.get(orientation)
    return decoded if transpose is None else _as_image(decoded).transpose(transpose)


def _as_image(decoded: Decoded) -> Image.Image:
    return decoded if isinstance(decoded, Image.Image) else Image.fromarray(decoded)
