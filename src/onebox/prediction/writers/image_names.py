"""The names of images in a results file."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from onebox.formats.writing import format_path

_FOLDERS = 256


def names_in(file: Path) -> Callable[[Path], str]:
    """How images are named in a results file: as the user wrote it where that leads there.

    Names in a file resolve against its folder, as they do in label files. What is no plain file
    (``/dev/stdout``) has no folder that counts.
    """
    is_plain = not file.exists() or (file.is_file() and not file.is_symlink())
    if not is_plain or file.parent.resolve() == Path.cwd():
        return str

    @lru_cache(_FOLDERS)
    def folder_from_file(folder: Path) -> Path:
        return Path(format_path(folder / "any", file.parent)).parent

    def name(image: Path) -> str:
        return str(image) if image.is_absolute() else _joined(folder_from_file(image.parent), image)

    return name


def _joined(folder: Path, image: Path) -> str:
    return (folder / image.name).as_posix()
