"""The folder of a training run: which one a new run takes, and which ones can be resumed."""

import itertools
from pathlib import Path

from onebox.errors import SettingError
from onebox.files import real_path

HOG_MODEL = "model.npz"
"""The model file of a HOG run."""


def check_folder(out: Path | None, resume: Path | None) -> None:
    """Check the folder of a run before anything is read or imported, which takes seconds.

    Raises:
        SettingError: If a new run cannot be written to ``out``, or ``resume`` cannot be resumed.
    """
    if out is not None:
        choose_folder(out, "")
    if resume is not None:
        check_resumable(resume)


def choose_folder(out: Path | None, data_name: str) -> Path:
    """Return the folder of a new run: the user's, or the next free name below ``runs``.

    The free name begins with what the data was read from.

    Raises:
        SettingError: If the user's folder is a file or is not empty.
    """
    if out is not None:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise SettingError(
                f"--out {out}: exists and is not an empty folder. Choose another, remove it, or "
                f"resume the run in it with --resume {out}."
            )
        return out
    return free_folder(stem_of(data_name))


def free_folder(name: str) -> Path:
    """Return the first of ``runs/NAME-1``, ``-2``, ... that does not exist."""
    folders = (Path("runs") / f"{name}-{number}" for number in itertools.count(1))
    return next(folder for folder in folders if not folder.exists())


def check_resumable(folder: Path) -> None:
    """Check that a folder holds a run that can be resumed.

    Raises:
        SettingError: If it holds a HOG run, no checkpoint or no recipe.
    """
    if (folder / HOG_MODEL).is_file():
        raise SettingError(
            f"--resume {folder}: HOG windows are trained in one go and have no checkpoints to "
            "resume from. Start a new run."
        )
    if not last_checkpoint(folder).is_file():
        raise SettingError(
            f"--resume {folder}: holds no checkpoints/last.safetensors to resume from."
        )
    if not (folder / "recipe.toml").is_file():
        raise SettingError(
            f"--resume {folder}: holds no recipe.toml, and a run cannot be resumed without it. "
            "Start a new run."
        )


def last_checkpoint(folder: Path) -> Path:
    """Return the path of the checkpoint that a run in this folder resumes from."""
    return folder / "checkpoints" / "last.safetensors"


def stem_of(name: str) -> str:
    """Make a folder name of the data's name; a label file is named after its folder."""
    path = Path(name.replace(":", "-"))
    word = real_path(path).parent.name if path.suffix else path.name
    kept = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in word)
    return kept.strip("-") or "run"
