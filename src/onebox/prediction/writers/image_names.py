"""The names of images in a results file."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from onebox.files import real_path
from onebox.formats.writing import format_path

_FOLDERS = 256  # remembered at once; not tuned: images come folder by folder


def names_in(file: Path) -> Callable[[Path], str]:
    """A function that names images in a results file.

    Names are relative to the file's folder, as in label files: those that the user wrote if that
    is the working folder. A file that is not regular (``/dev/stdout``) or a link keeps the user's
    names.
    """
    is_plain = not file.exists() or (file.is_file() and not file.is_symlink())
    return names_from(file.parent) if is_plain else str


def names_from(folder: Path) -> Callable[[Path], str]:
    """A function that names images in the results files of a folder."""
    if real_path(folder) == Path.cwd():
        return str

    @lru_cache(_FOLDERS)
    def relative(parent: Path) -> Path:
        return Path(format_path(parent / "any", folder)).parent

    def name(image: Path) -> str:
        if image.is_absolute():
            return str(image)
        return (relative(image.parent) / image.name).as_posix()

    return name
