"""The images of a session's folder: names and ids at once, sizes when they are asked for."""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from onebox.errors import ImageError, SettingError, encoding_problem
from onebox.files import leads_nowhere, real_path
from onebox.images import SUFFIXES, read_header
from onebox.labelling.records import image_id

SESSION_SUFFIX = ".onebox"
"""End of the name of a session's own folder, whose images are nobody's to label."""


class ImageFolder:
    """The images in a folder and below, sorted by name; links to folders are not followed.

    Attributes:
        folder: The folder, with links followed.
        ids: Id of each image.
        names: Path of each image relative to the folder, with slashes.
        index_of: Id → index.
        unreadable: Id → why the image cannot be read, for those found so far.
    """

    def __init__(self, folder: Path) -> None:
        """List the folder; no image is opened.

        Raises:
            SettingError: If it is no folder, cannot be listed, or holds no image.
        """
        self.folder = real_path(folder)
        self.names: Sequence[str] = _names(self.folder)
        self.ids: Sequence[str] = [image_id(name) for name in self.names]
        self.index_of = {key: index for index, key in enumerate(self.ids)}
        self.unreadable: dict[str, str] = _unnameable(self.names)
        self._folded = [name.casefold() for name in self.names]
        self._sizes: dict[str, tuple[int, int]] = {}

    def __len__(self) -> int:
        return len(self.names)

    def name(self, key: str) -> str:
        """Name of an image by its id; KeyError if there is none."""
        return self.names[self.index_of[key]]

    def path(self, key: str) -> Path:
        """File of an image by its id; KeyError if there is none."""
        return self.folder / self.name(key)

    def key(self, path: Path) -> str | None:
        """Id of an image file; None for a file that is not one of the images."""
        try:
            name = path.relative_to(self.folder).as_posix()
        except ValueError:
            return None
        key = image_id(name)
        return key if key in self.index_of else None

    def size_wh(self, key: str) -> tuple[int, int]:
        """Width and height of the upright image, read from its header once.

        Raises:
            ImageError: If it cannot be read; the image is then `unreadable`.
        """
        if key in self.unreadable:
            raise ImageError(self.unreadable[key])
        if key not in self._sizes:
            try:
                self._sizes[key] = read_header(self.path(key)).size_wh
            except ImageError as error:
                self.unreadable[key] = str(error)
                raise
        return self._sizes[key]

    def search(self, query: str) -> list[str]:
        """Ids of the images whose name contains all words of the query, whatever their case.

        Images that cannot be read are left out.
        """
        found: list[str] = list(self.ids)
        for word in query.casefold().split():
            folded, index_of = self._folded, self.index_of
            found = [key for key in found if word in folded[index_of[key]]]
        return [key for key in found if key not in self.unreadable] if self.unreadable else found


def _names(folder: Path) -> list[str]:
    if not folder.is_dir():
        raise SettingError(f"{folder}: is not a folder. Name the folder of the images.")
    found = sorted(path.relative_to(folder).as_posix() for path in _walk(folder))
    if not found:
        suffixes = ", ".join(sorted(SUFFIXES))
        raise SettingError(f"{folder}: holds no image (files that end in {suffixes}).")
    return found


def _unnameable(names: Iterable[str]) -> dict[str, str]:
    """Id of each image that no label file and no page can name → why."""
    return {image_id(name): why for name in names if (why := encoding_problem(name))}


def _walk(folder: Path) -> Iterator[Path]:
    """The image files in a folder and below.

    Raises:
        SettingError: If a folder cannot be listed.
    """
    try:
        with os.scandir(folder) as scan:
            entries = list(scan)
    except OSError as error:
        raise SettingError(
            f"{folder}: cannot be listed ({error.strerror}). Change its permissions."
        ) from error
    for entry in entries:
        path = folder / entry.name
        if entry.is_dir(follow_symlinks=False):
            if path.suffix != SESSION_SUFFIX:
                yield from _walk(path)
        elif path.suffix.lower() in SUFFIXES and (leads_nowhere(entry) or entry.is_file()):
            yield path
