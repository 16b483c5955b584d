"""Generated samples as a data set, and as images in a folder."""

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
from onebox.synthetic.material import Ground, find_cutouts
from onebox.synthetic.scenes import cutouts as draw_cutouts

# Name → the ground under the cut-outs; None for what has no cut-outs.
_GROUNDS: dict[str, Ground | None] = {
    "synth:blobs": None,
    "synth:cutouts-black": "black",
    "synth:cutouts": "natural",
}

NAMES = tuple(_GROUNDS)
"""What generated data sets are called where a data set is asked for."""

COUNTS: Mapping[Split, int] = MappingProxyType({"train": 2000, "val": 250, "test": 500})


def dataset(  # noqa: PLR0913 - one for each option of the command; the name aside, all by name
    name: str,
    *,
    size: int = 224,
    seed: int = 0,
    counts: Mapping[Split, int] = COUNTS,
    absent: float = 0.0,
    cutouts: Path | None = None,
    backgrounds: Path | None = None,
) -> Dataset:
    """Make a data set of generated samples; nothing is drawn until an image is asked for.

    Args:
        name: One of `NAMES`.
        size: Pixels of each side of the images.
        seed: Another seed gives other images.
        counts: Samples of each split. No split shares an image with another, whatever the
            counts are.
        absent: Share of the images without the subject, drawn for each image; those with it
            are the same for each share.
        cutouts: A folder of RGBA PNGs in place of the cat.
        backgrounds: A folder of images in place of the bundled ones.

    Returns:
        The samples, by split, under the name asked for.

    Raises:
        SettingError: If there is no such name, if it does not go with a folder given, or if a
            number is out of range.
        DataError: If a folder does not hold what it should.
        OneboxError: If bundled images are used and their packages are not installed.
    """
    if name not in _GROUNDS:
        names = ", ".join(NAMES)
        raise SettingError(f"data {name!r} is not one of {names}.{suggest(name, NAMES)}")
    _check_folders(name, cutouts, backgrounds)
    ground = backgrounds or _GROUNDS[name]

    def stream(split: Split) -> Iterator[Sample]:
        if ground is None:
            return blobs(size=size, seed=seed, split=split, absent=absent)
        return draw_cutouts(
            size=size, seed=seed, split=split, absent=absent, backgrounds=ground, cutouts=cutouts
        )

    parts = (itertools.islice(stream(split), counts.get(split, 0)) for split in SPLITS)
    samples = tuple(itertools.chain.from_iterable(parts))
    return Dataset(samples, _classes(ground, cutouts), name=name)


def split_counts(count: int) -> dict[Split, int]:
    """Share samples out: a tenth each to ``val`` and ``test``, rounded down, else to ``train``.

    Examples:
        >>> split_counts(25)
        {'train': 21, 'val': 2, 'test': 2}
    """
    tenth = count // 10
    return {"train": count - 2 * tenth, "val": tenth, "test": tenth}


def save(samples: Iterable[Sample], folder: Path, count: int) -> tuple[Sample, ...]:
    """Write the images of samples to ``folder/images``, all or none.

    Args:
        samples: May be endless.
        folder: Made where it is missing; must be empty where it is not.
        count: How many samples to write.

    Returns:
        The samples with the files as their images.

    Raises:
        SettingError: If the folder is not empty, or no folder.
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
    """Refuse to mix generated images with others.

    Raises:
        SettingError: If the folder is not empty, or no folder.
    """
    if folder.exists() and not folder.is_dir():
        raise SettingError(f"{folder}: is a file. Name a folder for the images.")
    if folder.is_dir() and any(folder.iterdir()):
        raise SettingError(f"{folder}: is not empty. Empty it or name another folder.")


def _check_folders(name: str, cutouts: Path | None, backgrounds: Path | None) -> None:
    """Refuse folders that the named data set would not use.

    Raises:
        SettingError: If a folder does not go with the name.
    """
    if cutouts and _GROUNDS[name] is None:
        raise SettingError(f"{name} takes no cutouts. Use synth:cutouts, or leave them out.")
    if backgrounds and _GROUNDS[name] != "natural":
        raise SettingError(f"{name} takes no backgrounds. Use synth:cutouts, or leave them out.")


def _classes(ground: Ground | None, cutouts: Path | None) -> tuple[str, ...]:
    if ground is None:
        return ("disc",)
    found = find_cutouts(cutouts.resolve() if cutouts else None)
    return tuple(sorted({cutout.label for cutout in found}))
