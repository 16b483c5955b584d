"""The files and folders that results go to, looked at before the work."""

from pathlib import Path

from onebox.errors import OneboxError, SettingError
from onebox.files import check_writable
from onebox.prediction.writers import KINDS, part_of

_LINE = b'{"image'


def prepare_folder(option: str, folder: Path) -> None:
    """Make a folder where it is missing, and see that files can be made in it.

    Raises:
        SettingError: If a file has its name.
        OneboxError: If it cannot be made or written to.
    """
    if folder.exists() and not folder.is_dir():
        raise SettingError(f"{option} {folder}: is a file. Name a folder.")
    try:
        check_writable(folder)
    except OneboxError as error:
        raise OneboxError(f"{option} {error}") from error


def prepare_file(option: str, file: Path, beginning: bytes) -> None:
    """See that a file can be written, and that no file of another kind is lost by it.

    Args:
        option: What names the file, for messages.
        file: May be there already.
        beginning: How each file begins that the option writes. One that begins so is an earlier
            result and may be replaced; labels or a model under the same name may not.

    Raises:
        SettingError: If a folder has its name, or a file of another kind.
        OneboxError: If its folder cannot be made or written to.
    """
    if file.is_dir():
        raise SettingError(f"{option} {file}: is a folder. Name a file.")
    if file.is_file() and not _may_be_replaced(file, beginning):
        raise SettingError(
            f"{option} {file}: exists already and is no earlier result. Remove it, or choose "
            "another place."
        )
    if file.is_file() or not file.exists():  # a pipe or a device is written to as it stands
        prepare_folder(option, file.parent)


def prepare_results(name: str, file: Path) -> None:
    """See that a results file can be written, and what it is made of meanwhile.

    Raises:
        SettingError: If a folder has one of their names, or a file of another kind.
        OneboxError: If its folder cannot be made or written to, or a package is missing.
    """
    kind = KINDS[name]
    if kind.whole is not None:
        kind.whole.check()
    prepare_file(f"--{name}", file, kind.beginning)
    prepare_file(f"--{name}", part_of(kind, file), _LINE if kind.whole else kind.beginning)


def _may_be_replaced(file: Path, beginning: bytes) -> bool:
    with file.open("rb") as opened:
        # One that was killed at once may have written less.
        return beginning.startswith(opened.read(len(beginning)))
