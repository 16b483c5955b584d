"""JPEG decoders compared, and `images.load` compared with the bare decoder that it uses.

README.md defines what is timed.
"""

import importlib.metadata
import importlib.util
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from unittest import mock

import cv2
import numpy as np
import simplejpeg
from machine import arguments, percentiles, publish
from numpy import ndarray
from photographs import IMAGES, write
from PIL import Image

from onebox import images, jpegs

_SIZES = {"12 MP": (4000, 3000), "0.3 MP": (640, 480)}
_WARM_UP = 2
_OPENCV = "opencv-python-headless"
_REDUCED = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}

Decoder = Callable[[Path], ndarray]


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--at-least", type=int, nargs="+", default=(224, 384), metavar="PIXELS")
    parser.add_argument("--turns", type=int, nargs=2, default=(10, 100), help="large, small")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            row
            for (kind, size_wh), turns in zip(_SIZES.items(), options.turns, strict=True)
            for at_least in (None, *options.at_least)
            for row in _rows(kind, _files(Path(folder), size_wh), at_least, turns)
        ]
    publish("From a JPEG file to RGB pixels, ms", rows, options.json)


def _files(folder: Path, size_wh: tuple[int, int]) -> list[Path]:
    """Enlarged photographs with a camera's grain: quality 90, 4:2:0."""
    files = [folder / f"{name}-{size_wh[0]}.jpg" for name in IMAGES]
    for seed, (name, file) in enumerate(zip(IMAGES, files, strict=True)):
        if not file.exists():
            write(name, size_wh, seed, file)
    return files


def _rows(
    kind: str, files: list[Path], at_least: int | None, turns: int
) -> Iterator[Mapping[str, str | float]]:
    """The decoders on all files, and how much their pixels differ from Pillow's."""
    size_wh = images.read_header(files[0]).size_wh
    shrink = 1 if at_least is None else jpegs.shrink_for(size_wh, at_least, 1)
    decoders = _decoders(shrink)
    off = {name: _off_pillow(name, decode, files, shrink) for name, decode in decoders.items()}
    timed = decoders | _loaders(at_least)
    times = _interleaved(timed, files, turns)
    bare = percentiles(times[_named("simplejpeg")])[0]
    for name, measured in times.items():
        median, high = percentiles(measured)
        yield {
            "file": kind,
            "at least": at_least or "all",
            "scale": f"1/{shrink}",
            "what": name,
            "median": median,
            "p95": high,
            "images per second": 1000 / median,
            "fraction of simplejpeg": bare / median,
            "largest difference": off.get(name, "-"),
        }


def _decoders(shrink: int) -> dict[str, Decoder]:
    """From a file to RGB (OpenCV: BGR) at one scale, as each library recommends."""
    decoders: dict[str, Decoder] = {
        _named("simplejpeg"): lambda file: _by_simplejpeg(file, shrink),
        _named("Pillow"): lambda file: _by_pillow(file, shrink),
        _named(_OPENCV): lambda file: _by_opencv(file, shrink),
    }
    if importlib.util.find_spec("turbojpeg") is not None:
        decoders[_named("PyTurboJPEG")] = _turbojpeg(shrink)
    return decoders


def _loaders(at_least: int | None) -> dict[str, Decoder]:
    """`images.load` as it is, and as if simplejpeg were not installed."""

    def load(file: Path) -> ndarray:
        return images.load(file, at_least=at_least).pixels

    def load_by_pillow(file: Path) -> ndarray:
        with mock.patch.object(jpegs, "_simplejpeg", _not_installed):
            return load(file)

    return {"images.load": load, "images.load, Pillow": load_by_pillow}


def _not_installed() -> None:
    """Stands for a library that is not installed."""


def _by_simplejpeg(file: Path, shrink: int) -> ndarray:
    data = file.read_bytes()
    if shrink == 1:
        return simplejpeg.decode_jpeg(data)
    height, width, _, _ = simplejpeg.decode_jpeg_header(data)
    minimum = {"min_height": -(-height // shrink), "min_width": -(-width // shrink)}
    return simplejpeg.decode_jpeg(data, **minimum, min_factor=float(shrink))


def _by_pillow(file: Path, shrink: int) -> ndarray:
    with Image.open(file) as image:
        image.draft(None, (image.width // shrink, image.height // shrink))
        return np.asarray(image)


def _by_opencv(file: Path, shrink: int) -> ndarray:
    flags = _REDUCED[shrink] | cv2.IMREAD_IGNORE_ORIENTATION
    return cv2.imdecode(np.fromfile(file, np.uint8), flags)


def _turbojpeg(shrink: int) -> Decoder:
    """PyTurboJPEG; it needs the system's libjpeg-turbo."""
    from turbojpeg import TJPF_RGB, TurboJPEG  # noqa: PLC0415  # measured only if it is installed

    library = TurboJPEG()
    return lambda file: library.decode(
        file.read_bytes(), pixel_format=TJPF_RGB, scaling_factor=(1, shrink)
    )


def _named(package: str) -> str:
    return f"{package} {importlib.metadata.version(package)}"


def _off_pillow(name: str, decode: Decoder, files: list[Path], shrink: int) -> float:
    """The largest difference of a pixel value from Pillow's, of 255."""
    order = slice(None, None, -1 if name == _named(_OPENCV) else 1)
    return max(
        float(np.abs(decode(file)[:, :, order].astype(np.int16) - _by_pillow(file, shrink)).max())
        for file in files
    )


def _interleaved(
    decoders: Mapping[str, Decoder], files: list[Path], turns: int
) -> dict[str, list[float]]:
    """Milliseconds of each call; decoders take turns on each file, and the first one changes."""
    times: dict[str, list[float]] = {name: [] for name in decoders}
    names = list(decoders)
    for turn in range(-_WARM_UP, turns):
        for file in files:
            for position in range(len(names)):
                name = names[(turn + position) % len(names)]
                start = time.perf_counter()
                decoders[name](file)
                spent = time.perf_counter() - start
                if turn >= 0:
                    times[name].append(spent * 1000)
    return times


if __name__ == "__main__":
    main()
