"""Files and folders for results, checked before the work."""

from collections.abc import Callable
from pathlib import Path

from onebox.errors import OneboxError, SettingError
from onebox.files import check_writable
from onebox.prediction.writers import BEGINNING, KINDS, journal_path

_HEAD = 1024  # bytes that hold the mark of a page or a drawing


def prepare_folder(option: str, folder: Path) -> None:
    """Create a folder if it is missing, and check that files can be created in it.

    Raises:
        SettingError: If a file has its name.
        OneboxError: If it cannot be created or written to.
    """
    if folder.exists() and not folder.is_dir():
        raise SettingError(f"{option} {folder}: is a file. Name a folder.")
    try:
        check_writable(folder)
    except OneboxError as error:
        raise OneboxError(f"{option} {error}") from error


def prepare_file(
    option: str,
    file: Path,
    beginning: bytes,
    is_earlier: Callable[[Path], bool] = lambda _: True,
) -> None:
    """Check that a file can be written, and that it replaces no file of another kind.

    Args:
        option: The option that names the file, for messages.
        file: The file; it may exist.
        beginning: The first bytes of every file that the option writes. An existing file that
            begins so may be an earlier result, which is replaced; labels or a model may not be.
        is_earlier: Whether a file that begins so is an earlier result.

    Raises:
        SettingError: If a folder has its name, or a file of another kind.
        OneboxError: If the file cannot be read, or its folder cannot be created or written to.
    """
    if file.is_dir():
        raise SettingError(f"{option} {file}: is a folder. Name a file.")
    if file.is_file() and not _is_earlier(option, file, beginning, is_earlier):
        raise SettingError(
            f"{option} {file}: exists already and is no earlier result. Remove it, or choose "
            "another place."
        )
    if file.is_file() or not file.exists():  # a pipe or a device needs no folder
        prepare_folder(option, file.parent)


def has_mark(mark: bytes) -> Callable[[Path], bool]:
    """Whether a file is empty, or has a mark in its first bytes: for `prepare_file`."""

    def is_earlier(file: Path) -> bool:
        with file.open("rb") as opened:
            head = opened.read(_HEAD)
        return not head or mark in head

    return is_earlier


def prepare_model(option: str, file: Path, model: Path) -> None:
    """Check that a changed model can be written, and that it replaces nothing but a model.

    Raises:
        SettingError: If its suffix is not the model's, a folder has its name, or a file that is no
            model of onebox.
        OneboxError: If its folder cannot be created or written to.
    """
    if file.suffix.lower() != model.suffix.lower():
        raise SettingError(
            f"{option} {file}: does not end in {model.suffix}, as the model does. Choose another "
            "name."
        )
    if file.is_dir():
        raise SettingError(f"{option} {file}: is a folder. Name a file.")
    if file.is_file() and not _is_model(file):
        raise SettingError(
            f"{option} {file}: exists already and is no model of onebox. Remove it, or choose "
            "another place."
        )
    prepare_folder(option, file.parent)


def _is_model(file: Path) -> bool:
    from onebox.loading import load

    try:
        load(file, threads=1)
    except OneboxError:
        return False
    return True


def prepare_results(name: str, file: Path) -> None:
    """Check that a results file and its journal can be written.

    Raises:
        SettingError: If a folder has one of their names, or a file of another kind.
        OneboxError: If the folder cannot be created or written to, or a package is missing.
    """
    kind = KINDS[name]
    kind.check()
    prepare_file(f"--{name}", file, kind.beginning, kind.is_results)
    prepare_file(f"--{name}", journal_path(file), BEGINNING)


def _is_earlier(
    option: str, file: Path, beginning: bytes, is_earlier: Callable[[Path], bool]
) -> bool:
    try:
        return _begins(file, beginning) and is_earlier(file)
    except OSError as error:
        raise OneboxError(
            f"{option} {file}: exists already and cannot be read ({error.strerror or error}). "
            "Check its permissions and its disk, or choose another place."
        ) from error


def _begins(file: Path, beginning: bytes) -> bool:
    with file.open("rb") as opened:
        # A process that was killed at once may have written less.
        return beginning.startswith(opened.read(len(beginning)))
