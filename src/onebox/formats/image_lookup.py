"""Finds the image file that a label file names.

A name is resolved against the label file's folder. If there is no such file, the folders are
searched in which other tools put images: a folder of images beside the label file or beside its
folder, and sub-folders named like the label file (``train/`` for ``instances_train.json``). At last
come other sub-folders. If one is named like the split of the label file, those of other splits are
left out: an image of that name there is another one.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from onebox.errors import DataError, shorten
from onebox.files import real_path
from onebox.formats.splitting import split_of_stem
from onebox.structures import Split

IMAGE_FOLDERS = ("images", "Images", "JPEGImages", "img", "imgs")
_WORDS = re.compile(r"[_\-. ]")
LABEL_FOLDERS = frozenset({"annotations", "labels", "xmls"})


class ImageFinder:
    """Finds the images that one label file, or one folder of them, names."""

    def __init__(self, folder: Path, hint: str = "") -> None:
        """Resolve names against ``folder``; ``hint`` is the label file's stem."""
        self._folder = folder
        self._roots = [root for root in _roots(folder, _spellings(hint)) if root.is_dir()]
        self._below = _without_other_splits(sorted(folder.glob("*/")), hint)
        self._resolved: dict[Path, Path] = {}

    def find(self, name: str) -> Path:
        """Return the image's absolute path, as `resolve` does; if missing, the expected path.

        Raises:
            DataError: If several sub-folders hold an image of that name.
        """
        found = self.search(name)
        return self.resolve(self._folder / _with_slashes(name) if found is None else found)

    def search(self, name: str) -> Path | None:
        """Return the path of an image of that name, or None.

        Raises:
            DataError: If several sub-folders hold such an image, or the name cannot be a path.
        """
        if "\0" in name or not _is_encodable(name):
            raise DataError(f"{name!r} is not a path. Correct it.")
        for spelled in dict.fromkeys([name, _with_slashes(name)]):
            for candidate in (root / spelled for root in self._roots):
                if candidate.is_file():
                    return candidate
        return self._search_below(_with_slashes(name))

    def resolve(self, path: Path) -> Path:
        """Make a path absolute and follow links in its folders, but not a link to the file."""
        # An image must have one path only, or an image listed twice goes unnoticed.
        if path.parent not in self._resolved:
            self._resolved[path.parent] = real_path(path.parent)
        return self._resolved[path.parent] / path.name

    def _search_below(self, name: str) -> Path | None:
        found = [folder for folder in self._below if (folder / name).is_file()]
        if len(found) > 1:
            raise DataError(
                f"image {name} is in several folders: {shorten([one.name for one in found])}. "
                "Write the folder before the name."
            )
        return found[0] / name if found else None


def _without_other_splits(folders: Sequence[Path], hint: str) -> list[Path]:
    """The folders that may have the images of a label file.

    If one of them is named like the split of the file, those of other splits have other images.
    """
    splits = [split_of_stem(folder.name) for folder in folders]
    own = _only_split(hint)
    if own not in splits:
        return list(folders)
    return [one for one, split in zip(folders, splits, strict=True) if split in {None, own}]


def _only_split(stem: str) -> Split | None:
    """The split that the last word of a stem names, if no other word names another one."""
    named = {split_of_stem(word) for word in _WORDS.split(stem)} - {None}
    return split_of_stem(stem) if len(named) == 1 else None


def _is_encodable(name: str) -> bool:
    # JSON can hold half of a surrogate pair, which no name of a file can.
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return False
    return True


def _with_slashes(name: str) -> str:
    return name.replace("\\", "/")


def _spellings(stem: str) -> list[str]:
    """Folder names that fit a label file: its stem, its last word, that word without digits."""
    last = _WORDS.split(stem)[-1]
    return [word for word in dict.fromkeys([stem, last, last.rstrip("0123456789")]) if word]


def _roots(folder: Path, hints: list[str]) -> list[Path]:
    parent = real_path(folder).parent
    roots = _image_folders(folder, hints)
    if not _holds_labels(real_path(folder)):
        return [*roots, *_image_folders(parent, hints)[1:]]
    roots += _image_folders(parent, hints)
    return [*roots, *_image_folders(parent.parent, hints)] if _holds_labels(parent) else roots


def _holds_labels(folder: Path) -> bool:
    return folder.name.casefold() in LABEL_FOLDERS


def _image_folders(base: Path, hints: list[str]) -> list[Path]:
    folders = [base, *(base / name for name in IMAGE_FOLDERS)]
    return [*folders, *(folder / hint for folder in folders for hint in hints)]
