"""What scenes are made of: cut-outs and backgrounds, bundled or the user's own.

Folders are listed and checked once in a process; of their images the latest few dozen are
kept, shrunk, so that a folder of any size fits in memory.
"""

import functools
import importlib.util
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import Image, ImageOps

from onebox import images
from onebox.errors import DataError, ImageError, OneboxError
from onebox.synthetic.cat import cut_out_cat

# Distribution → (package, its images): photographs, none with a cat in it.
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

LONGEST = 640
"""Cut-outs are kept with sides of at most this, backgrounds with a shorter side of about this."""

Ground = Literal["black", "natural"] | Path


@dataclass(frozen=True, slots=True)
class Cutout:
    """An image of a subject and nothing else.

    Attributes:
        label: What the subject is.
        path: An RGBA PNG; None for the bundled cat.
    """

    label: str
    path: Path | None = None

    def rgba(self) -> Image.Image:
        """Its pixels, cropped to what is not wholly transparent.

        Raises:
            ImageError: If the image cannot be read, or shows nothing.
        """
        return _cat() if self.path is None else _user_cutout(self.path)


@functools.cache
def find_cutouts(folder: Path | None) -> tuple[Cutout, ...]:
    """List and check the cut-outs below a folder; the bundled cat for None.

    Args:
        folder: Holds PNGs with transparency. A PNG in a sub-folder is labelled with that
            folder's name, one directly in it with its file name less the number at its end
            (``red_fox-02.png`` is a ``red_fox``), or with the folder's name where that leaves
            nothing.

    Raises:
        DataError: If there is no PNG, or some are no cut-outs; the message names each of them.
        OneboxError: If scikit-image, whose portrait the cat is cut from, is missing.
    """
    if folder is None:
        _cat()
        return (Cutout("cat"),)
    paths = [path for path in _images_in(folder, "cut-outs") if path.suffix.lower() == ".png"]
    if not paths:
        raise DataError(f"{folder}: holds no PNG. Cut-outs are RGBA PNGs; name a folder of them.")
    found = tuple(Cutout(_label(path, folder), path) for path in paths)
    problems = [problem for cutout in found for problem in _problems(cutout)]
    if problems:
        raise DataError(*problems)
    return found


@functools.cache
def find_backgrounds(ground: Ground) -> tuple[Path, ...]:
    """List the background images of a folder, or the bundled ones; none for ``black``.

    Raises:
        DataError: If the folder has no images, or some are none; the message names each.
        OneboxError: If a package whose images are used is missing.
    """
    if ground == "black":
        return ()
    if ground == "natural":
        return tuple(
            bundled_image(distribution, image)
            for distribution, (_, images) in BUNDLED.items()
            for image in images
        )
    paths = _images_in(ground, "backgrounds")
    problems = [problem for path in paths for problem in _header_problems(path)]
    if problems:
        raise DataError(*problems)
    return tuple(paths)


@functools.lru_cache(maxsize=32)
def load_background(path: Path, size: int) -> tuple[Image.Image, tuple[float, float]]:
    """Read a background for frames of ``size`` pixels a side.

    Returns:
        Its pixels, shrunk on each axis for itself, and how many pixels of the whole image one
        of them stands for, in x and in y.

    Raises:
        ImageError: If the image cannot be read.
    """
    image = images.load(path, at_least=min(size, LONGEST))
    return Image.fromarray(image.pixels), image.scale_xy


def bundled_image(distribution: str, image: str) -> Path:
    """Find an image that is installed with a package, without importing the package.

    Raises:
        OneboxError: If the package or its image is not there.
    """
    spec = importlib.util.find_spec(BUNDLED[distribution][0])
    for place in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(place) / image
        if path.is_file():
            return path
    raise OneboxError(
        f"{image} of {distribution} is not installed; cut-outs are made with it. "
        "Run pip install 'onebox[synth]', or give cut-outs and backgrounds of your own."
    )


@functools.cache
def _cat() -> Image.Image:
    return _cropped(cut_out_cat(bundled_image("scikit-image", "data/chelsea.png")))


@functools.lru_cache(maxsize=64)
def _user_cutout(path: Path) -> Image.Image:
    """Read an RGBA PNG, cropped and shrunk.

    Raises:
        ImageError: If it cannot be read, has no transparency, or shows nothing.
    """
    images.read_header(path)
    try:
        with warnings.catch_warnings():
            # The header was checked against our own limit already.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            opened = Image.open(path)
        with opened:
            has_transparency = opened.has_transparency_data
            rgba = ImageOps.exif_transpose(opened).convert("RGBA")
    except (OSError, SyntaxError, ValueError) as error:
        raise ImageError(f"{path}: cannot be decoded ({error}). Replace or remove it.") from error
    if not has_transparency:
        raise ImageError(
            f"{path}: has no transparency; a cut-out is an RGBA PNG that is transparent around "
            "its subject. Cut the subject out or remove the file."
        )
    if not rgba.getchannel("A").getbbox():
        raise ImageError(f"{path}: is wholly transparent. Replace or remove it.")
    return _cropped(rgba)


def _cropped(rgba: Image.Image) -> Image.Image:
    seen = rgba.crop(rgba.getchannel("A").getbbox())
    seen.thumbnail((LONGEST, LONGEST))
    return seen


def _images_in(folder: Path, what: str) -> list[Path]:
    """List a folder's images.

    Raises:
        DataError: If it is no folder, or has none.
    """
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


def _problems(cutout: Cutout) -> tuple[str, ...]:
    try:
        cutout.rgba()
    except ImageError as error:
        return error.problems
    return ()


def _header_problems(path: Path) -> tuple[str, ...]:
    try:
        images.read_header(path)
    except ImageError as error:
        return error.problems
    return ()
