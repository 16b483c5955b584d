"""Writes the images of shards to a folder, for formats that name image files."""

import dataclasses
from pathlib import Path

from onebox.errors import SettingError
from onebox.files import real_path, temporary_beside
from onebox.formats.encoded_images import content_of, file_names
from onebox.structures import Dataset, PackedImage


def extract_images(dataset: Dataset, folder: Path) -> Dataset:
    """Write the images of a data set to a folder as they are, all or none.

    An image keeps its file name as far as it is safe on every disk; of several of one name, all but
    the first are numbered. Folders in names are left out, so nothing is written elsewhere.

    Returns:
        The data set with these files as its images.

    Raises:
        SettingError: If an image does not lie in a shard, or the folder exists and is not empty.
        DataError: If an image cannot be read.
        OneboxError: If the disk refuses.
    """
    loose = [one.name for one in dataset if not isinstance(one.image, PackedImage)]
    if loose:
        raise SettingError(
            f"--images {folder}: the images of the data set are not in shards ({loose[0]}). Leave "
            "--images out."
        )
    _check_empty(folder)
    names = file_names(dataset)
    with temporary_beside(folder) as unfinished:
        unfinished.mkdir(parents=True)
        for sample, name in zip(dataset, names, strict=True):
            (unfinished / name).write_bytes(content_of(sample))
        if folder.is_dir():
            folder.rmdir()  # empty; not every system lets a folder replace another
        unfinished.rename(folder)
    place = real_path(folder)
    pairs = zip(dataset, names, strict=True)
    samples = tuple(dataclasses.replace(sample, image=place / name) for sample, name in pairs)
    return dataclasses.replace(dataset, samples=samples)


def _check_empty(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise SettingError(f"--images {folder}: is a file. Name a folder for the images.")
    if folder.is_dir() and any(folder.iterdir()):
        raise SettingError(f"--images {folder}: is not empty. Empty it or name another folder.")
