"""Generated samples as a data set, or as image files."""

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from PIL import Image

from onebox import images
from onebox.errors import SettingError, suggest
from onebox.files import temporary_beside
from onebox.structures import SPLITS, Dataset, Sample, Split
from onebox.synthetic.discs import blobs
from onebox.synthetic.material import Background, find_cutouts
from onebox.synthetic.scenes import cutouts as draw_cutouts

# Name → the background of the cut-outs; None for discs.
_BACKGROUNDS: dict[str, Background | None] = {
    "synth:blobs": None,
    "synth:cutouts-black": "black",
    "synth:cutouts": "natural",
}

NAMES = tuple(_BACKGROUNDS)
"""Names of the generated data sets, usable wherever a data set is read."""

COUNTS: Mapping[Split, int] = MappingProxyType({"train": 2000, "val": 250, "cal": 100, "test": 500})
"""Default number of samples of each split; not tuned."""


def dataset(  # noqa: PLR0913 - the options of `onebox synth`; keyword-only except the name
    name: str,
    *,
    size: int = 224,
    seed: int = 0,
    counts: Mapping[Split, int] = COUNTS,
    absent: float = 0.0,
    cutouts: Path | None = None,
    backgrounds: Path | None = None,
) -> Dataset:
    """Make a data set of generated samples; each image is drawn when it is read.

    Args:
        name: One of `NAMES`.
        size: Width and height of the images, in pixels.
        seed: Another seed gives other images.
        counts: Number of samples of each split. Splits have no image in common, whatever the
            counts are.
        absent: Fraction of the images without the subject, as a probability for each image; it
            does not change the images with the subject.
        cutouts: A folder of RGBA PNGs to use instead of the cat.
        backgrounds: A folder of images to use instead of the bundled photographs.

    Returns:
        The samples, split by split, as a data set of that name.

    Raises:
        SettingError: If the name is unknown or takes no such folder, or if a number is out of
            range.
        DataError: If a folder has no images, or bad ones.
        OneboxError: If the packages of the bundled photographs are needed and not installed.
    """
    if name not in _BACKGROUNDS:
        names = ", ".join(NAMES)
        raise SettingError(f"data {name!r} is not one of {names}.{suggest(name, NAMES)}")
    _check_folders(name, cutouts, backgrounds)
    background = backgrounds or _BACKGROUNDS[name]

    def stream(split: Split) -> Iterator[Sample]:
        if background is None:
            return blobs(size=size, seed=seed, split=split, absent=absent)
        return draw_cutouts(
            size=size,
            seed=seed,
            split=split,
            absent=absent,
            backgrounds=background,
            cutouts=cutouts,
        )

    parts = (itertools.islice(stream(split), counts.get(split, 0)) for split in SPLITS)
    samples = tuple(itertools.chain.from_iterable(parts))
    return Dataset(samples, _classes(background, cutouts), name=name)


def split_counts(count: int) -> dict[Split, int]:
    """Split a number of samples into 75 of 100 ``train``, 5 ``val``, 10 ``cal`` and 10 ``test``.

    Examples:
        >>> split_counts(45)
        {'train': 35, 'val': 2, 'cal': 4, 'test': 4}
    """
    tenth = count // 10
    twentieth = (tenth + 1) // 2  # rounded up: ten images have one for validation
    return {"train": count - 2 * tenth - twentieth, "val": twentieth, "cal": tenth, "test": tenth}


def save(samples: Iterable[Sample], folder: Path, count: int) -> tuple[Sample, ...]:
    """Write the images of the first ``count`` samples to ``folder/images``, all or none.

    Returns:
        The samples with the files as their images.

    Raises:
        SettingError: If the folder is not empty, or is a file.
        OneboxError: If the images cannot be written.
    """
    _check_empty(folder)
    finished = folder / "images"
    with temporary_beside(folder) as unfinished:
        folder.mkdir(parents=True, exist_ok=True)
        unfinished.mkdir()
        saved = []
        for number, sample in enumerate(itertools.islice(samples, count)):
            path = unfinished / f"{number:06d}.png"
            Image.fromarray(images.load(sample.image).pixels).save(path)
            saved.append(dataclasses.replace(sample, image=finished / path.name))
        unfinished.rename(finished)
    return tuple(saved)


def _check_empty(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise SettingError(f"{folder}: is a file. Name a folder for the images.")
    if folder.is_dir() and any(folder.iterdir()):
        raise SettingError(f"{folder}: is not empty. Empty it or name another folder.")


def _check_folders(name: str, cutouts: Path | None, backgrounds: Path | None) -> None:
    if cutouts and _BACKGROUNDS[name] is None:
        raise SettingError(f"{name} takes no cutouts. Use synth:cutouts, or leave them out.")
    if backgrounds and _BACKGROUNDS[name] != "natural":
        raise SettingError(f"{name} takes no backgrounds. Use synth:cutouts, or leave them out.")


def _classes(background: Background | None, cutouts: Path | None) -> tuple[str, ...]:
    if background is None:
        return ("disc",)
    found = find_cutouts(cutouts.resolve() if cutouts else None)
    return tuple(sorted({cutout.label for cutout in found}))
