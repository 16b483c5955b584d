"""The image that a label file names → its path.

A name resolves against the label file's folder. Where nothing lies there, the places are tried
where the field's tools put images: a folder of images beside the label file or beside its
folder, and below it one called like the file (``annotations/instances_train.json``, ``train/``).
"""

import re
from pathlib import Path

from onebox.errors import DataError, shorten

IMAGE_FOLDERS = ("images", "Images", "JPEGImages", "img", "imgs")
LABEL_FOLDERS = frozenset({"annotations", "labels", "xmls"})


class ImageFinder:
    """Finds the images that one label file, or one folder of them, names."""

    def __init__(self, folder: Path, hint: str = "") -> None:
        """List the folders to search.

        Args:
            folder: Where names resolve against.
            hint: The label file's stem; folders of that name are searched too.
        """
        self._folder = folder
        self._roots = [place for place in _places(folder, _spellings(hint)) if place.is_dir()]
        self._below = sorted(folder.glob("*/"))
        self._resolved: dict[Path, Path] = {}

    def find(self, name: str) -> Path:
        """Return the image's path, absolute, with links in its folders followed.

        An image that is nowhere gets the path where it should lie, for the message.

        Raises:
            DataError: If several sub-folders hold an image of that name.
        """
        found = self.search(name)
        return self.settle(self._folder / _with_slashes(name) if found is None else found)

    def search(self, name: str) -> Path | None:
        """Return where a file of that name lies, or None.

        Raises:
            DataError: If several sub-folders hold an image of that name, or it can be no path.
        """
        if "\0" in name:
            raise DataError(f"{name!r} is no path. Correct it.")
        for spelled in dict.fromkeys([name, _with_slashes(name)]):
            for candidate in (root / spelled for root in self._roots):
                if candidate.is_file():
                    return candidate
        return self._search_below(_with_slashes(name))

    def settle(self, path: Path) -> Path:
        """Make a path absolute; the file's own name is kept, even where it is a link."""
        # One image must have one path, or an image listed twice goes unnoticed.
        if path.parent not in self._resolved:
            self._resolved[path.parent] = path.parent.resolve()
        return self._resolved[path.parent] / path.name

    def _search_below(self, name: str) -> Path | None:
        found = [folder for folder in self._below if (folder / name).is_file()]
        if len(found) > 1:
            raise DataError(
                f"image {name} is in several folders: {shorten([one.name for one in found])}. "
                "Write the folder before the name."
            )
        return found[0] / name if found else None


def _with_slashes(name: str) -> str:
    return name.replace("\\", "/")


def _spellings(stem: str) -> list[str]:
    """Names that a folder may share with a label file: its stem, last word, that without digits."""
    last = re.split(r"[_\-. ]", stem)[-1]
    return [word for word in dict.fromkeys([stem, last, last.rstrip("0123456789")]) if word]


def _places(folder: Path, hints: list[str]) -> list[Path]:
    above = folder.resolve().parent
    places = [*_around(folder, hints)]
    if not _holds_labels(folder.resolve()):
        return [*places, *_around(above, hints)[1:]]
    places += _around(above, hints)
    return [*places, *_around(above.parent, hints)] if _holds_labels(above) else places


def _holds_labels(folder: Path) -> bool:
    return folder.name.casefold() in LABEL_FOLDERS


def _around(base: Path, hints: list[str]) -> list[Path]:
    shelves = [base, *(base / name for name in IMAGE_FOLDERS)]
    return [*shelves, *(shelf / hint for shelf in shelves for hint in hints)]
