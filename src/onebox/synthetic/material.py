"""Cut-outs and backgrounds for scenes, bundled or the user's own.

A folder is listed and checked once per process. Only the last few dozen images read are cached, and
shrunk, so a folder of any size fits in memory.
"""

import functools
import importlib.util
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from PIL import Image, ImageOps

from onebox import images
from onebox.errors import DataError, ImageError, OneboxError
from onebox.synthetic.cat import cut_out_cat

# Distribution → (package, its images): photographs without a cat.
BUNDLED = {
    "scikit-image": (
        "skimage",
        (
            *("data/astronaut.png", "data/brick.png", "data/camera.png", "data/coffee.png"),
            *("data/grass.png", "data/gravel.png", "data/motorcycle_left.png", "data/rocket.jpg"),
        ),
    ),
    "scikit-learn": ("sklearn", ("datasets/images/china.jpg", "datasets/images/flower.jpg")),
}

MAX_CACHED = 640
"""Maximum width and height of a cached cut-out, in pixels; for a background, about the shorter of
the two. Bounds memory, and is more than a network sees; not tuned."""

Background = Literal["black", "natural"] | Path


@dataclass(frozen=True, slots=True)
class Cutout:
    """An image of a subject and nothing else."""

    label: str
    path: Path | None = None  # an RGBA PNG; None for the bundled cat

    def rgba(self) -> Image.Image:
        """The pixels, cropped to those that are not fully transparent.

        Raises:
            ImageError: If the image cannot be read, is opaque, or is fully transparent.
        """
        return _cat() if self.path is None else _user_cutout(self.path)


@functools.cache
def find_cutouts(folder: Path | None) -> tuple[Cutout, ...]:
    """List and check the cut-outs below a folder; the bundled cat for None.

    Args:
        folder: A folder of PNGs with transparency. A PNG in a subfolder is labelled with the name
            of the subfolder. Any other is labelled with its file name without the number at the
            end (``red_fox-02.png`` is a ``red_fox``), or with the name of the folder if nothing
            remains.

    Raises:
        DataError: If there is no PNG, or some are not cut-outs; the message names each of them.
        OneboxError: If the cat is needed and scikit-image, which has its photograph, is missing.
    """
    if folder is None:
        _cat()
        return (Cutout("cat"),)
    paths = [path for path in _images_in(folder, "cut-outs") if path.suffix.lower() == ".png"]
    if not paths:
        raise DataError(f"{folder}: holds no PNG. Cut-outs are RGBA PNGs; name a folder of them.")
    found = tuple(Cutout(_label(path, folder), path) for path in paths)
    _check_each(cutout.rgba for cutout in found)
    return found


@functools.cache
def find_backgrounds(background: Background) -> tuple[Path, ...]:
    """List the background images of a folder, or the bundled ones; none for ``black``.

    Raises:
        DataError: If the folder has no images, or some cannot be read; the message names each.
        OneboxError: If the package of a bundled image is missing.
    """
    if background == "black":
        return ()
    if background == "natural":
        return tuple(
            bundled_image(distribution, image)
            for distribution, (_, images) in BUNDLED.items()
            for image in images
        )
    paths = tuple(_images_in(background, "backgrounds"))
    _check_each(partial(images.read_header, path) for path in paths)
    return paths


@functools.lru_cache(maxsize=32)
def load_background(path: Path, size: int) -> tuple[Image.Image, tuple[float, float]]:
    """Read a background, perhaps shrunk, for images of a width and height of ``size`` pixels.

    Returns:
        The background, and the factors in x and y from its pixels to those of the file.

    Raises:
        ImageError: If the image cannot be read.
    """
    image = images.load(path, at_least=min(size, MAX_CACHED))
    return Image.fromarray(image.pixels), image.scale_xy


def bundled_image(distribution: str, image: str) -> Path:
    """Find an image that is installed with a package, without importing the package.

    Raises:
        OneboxError: If the package or the image is missing.
    """
    spec = importlib.util.find_spec(BUNDLED[distribution][0])
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / image
        if path.is_file():
            return path
    raise OneboxError(
        f"synthetic cut-outs need {image} of {distribution}, which is not installed. Install it "
        "with: pip install 'onebox[synth]', or give cut-outs and backgrounds of your own."
    )


@functools.cache
def _cat() -> Image.Image:
    return _cropped(cut_out_cat(bundled_image("scikit-image", "data/chelsea.png")))


@functools.lru_cache(maxsize=64)
def _user_cutout(path: Path) -> Image.Image:
    with images.open_image(path) as opened:
        has_transparency = opened.has_transparency_data
        rgba = ImageOps.exif_transpose(opened).convert("RGBA")
    if not has_transparency:
        raise ImageError(
            f"{path}: has no transparency; a cut-out is an RGBA PNG that is transparent around "
            "its subject. Cut the subject out or remove the file."
        )
    if not rgba.getchannel("A").getbbox():
        raise ImageError(f"{path}: is wholly transparent. Replace or remove it.")
    return _cropped(rgba)


def _cropped(rgba: Image.Image) -> Image.Image:
    visible = rgba.crop(rgba.getchannel("A").getbbox())
    visible.thumbnail((MAX_CACHED, MAX_CACHED))
    return visible


def _images_in(folder: Path, what: str) -> list[Path]:
    if not folder.is_dir():
        raise DataError(f"{folder}: is not a folder. Name a folder of {what}.")
    paths = images.find_images(folder)
    if not paths:
        raise DataError(f"{folder}: holds no images. Name a folder of {what}.")
    return paths


def _label(path: Path, folder: Path) -> str:
    if path.parent != folder:
        return path.parent.name
    return path.stem.rstrip("0123456789_-. ()") or folder.name


def _check_each(reads: Iterable[Callable[[], object]]) -> None:
    problems: list[str] = []
    for read in reads:
        try:
            read()
        except ImageError as error:
            problems.extend(error.problems)
    if problems:
        raise DataError(*problems)
