"""JPEGs like those of cameras: scikit-image's photographs, enlarged, with grain."""

import importlib.util
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

IMAGES = ("astronaut", "chelsea", "coffee", "motorcycle_left")
GRAIN = (
    6.0  # standard deviation of the noise; gives about three bits per pixel, as in a camera's JPEGs
)


def photograph(name: str, size_wh: tuple[int, int], seed: int) -> Image.Image:
    """One photograph in another size, with grain that depends on the seed.

    Raises:
        SystemExit: If scikit-image, which contains the photographs, is not installed.
    """
    package = importlib.util.find_spec("skimage")
    if package is None or package.origin is None:
        raise SystemExit("scikit-image, which contains the photographs, is not installed")
    with Image.open(Path(package.origin).parent / "data" / f"{name}.png") as image:
        enlarged = np.asarray(image.convert("RGB").resize(size_wh, Image.Resampling.BICUBIC))
    grain = np.random.default_rng(seed).normal(0, GRAIN, (*enlarged.shape[:2], 1))
    return Image.fromarray(np.clip(enlarged + grain, 0, 255).astype(np.uint8))


def write(name: str, size_wh: tuple[int, int], seed: int, file: Path) -> None:
    """Write one photograph as a JPEG: quality 90, 4:2:0."""
    photograph(name, size_wh, seed).save(file, quality=90, subsampling="4:2:0")


def fill(folder: Path, size_wh: tuple[int, int], *, count: int, distinct: int) -> Path:
    """A folder of ``count`` photographs: ``distinct`` different ones, and copies of them.

    Files take the photographs in turn; files of one photograph differ by their grain.
    """
    folder.mkdir(parents=True)
    for number in range(count):
        file = folder / f"{number:05}.jpg"
        if number < distinct:
            write(IMAGES[number % len(IMAGES)], size_wh, number, file)
        else:
            shutil.copyfile(folder / f"{number % distinct:05}.jpg", file)
    return folder
