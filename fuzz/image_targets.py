"""Encoded images: decoded whole, and shrunk while they are decoded."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from mutation import Input
from PIL import Image
from target import Opening, Target, check

from onebox import images

_MODES = {"GIF": "P", "TIFF": "RGB", "PNG": "RGBA", "WEBP": "RGB", "BMP": "RGB", "PPM": "L"}
_AT_LEAST = 24


@contextmanager
def _open(_: Path) -> Iterator[Target]:
    yield Target(
        [*_pictures()], _attempt, (b"Exif\0\0", b"\xff\xd8", b"\xff\xda", b"IHDR", b"IEND")
    )


@contextmanager
def _open_jpegs(_: Path) -> Iterator[Target]:
    words = (b"\xff\xc0", b"\xff\xc2", b"\xff\xda", b"\xff\xd9", b"\xff\xe1", b"Exif\0\0", b"Adobe")
    yield Target([*_jpegs()], _attempt, words)


def _attempt(given: Input) -> None:
    for at_least in (None, _AT_LEAST):
        loaded = images.load(given.content, at_least=at_least)
        pixels = loaded.pixels
        is_rgb = pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3
        check(holds=is_rgb and pixels.size > 0, promise="an image is RGB of uint8")
        sides = zip(
            loaded.size_wh, (pixels.shape[1], pixels.shape[0]), loaded.scale_xy, strict=True
        )
        for whole, here, scale in sides:
            check(holds=abs(here * scale - whole) <= scale, promise="the scale leads to the size")


def _pictures() -> Iterator[Input]:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (31, 47, 3), dtype=np.uint8)
    for kind, mode in _MODES.items():
        yield _encoded(Image.fromarray(pixels).convert(mode), kind.lower(), kind)
    yield _encoded(Image.fromarray(pixels).convert("1"), "png of one bit", "PNG")
    yield _encoded(Image.fromarray(pixels[..., 0].astype(np.uint16) * 256), "png of 16 bits", "PNG")
    frames = [Image.fromarray(pixels), Image.fromarray(255 - pixels)]
    yield _encoded(frames[0], "gif of two frames", "GIF", save_all=True, append_images=frames[1:])
    yield _encoded(frames[0], "tiff by lzw", "TIFF", compression="tiff_lzw")
    yield from _jpegs()


def _jpegs() -> Iterator[Input]:
    random = np.random.default_rng(1)
    pixels = random.integers(0, 256, (67, 90, 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    yield _encoded(image, "jpeg", "JPEG", quality=70)
    yield _encoded(image, "jpeg to be turned", "JPEG", quality=50, exif=exif)
    yield _encoded(image, "progressive jpeg", "JPEG", progressive=True, quality=40)
    yield _encoded(image.convert("L"), "grey jpeg", "JPEG")
    yield _encoded(image.convert("CMYK"), "jpeg of four colours", "JPEG", quality=30)
    yield _encoded(image, "jpeg of whole colours", "JPEG", subsampling=0, quality=30)


def _encoded(image: Image.Image, name: str, kind: str, **options: object) -> Input:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return Input(name, file.getvalue())


IMAGE_TARGETS: dict[str, Opening] = {"images": _open, "jpegs": _open_jpegs}
