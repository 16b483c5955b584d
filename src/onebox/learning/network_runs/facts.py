"""``checkpoints/data.json``: what a resumed run must know of the data that the run began with."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onebox.errors import SettingError
from onebox.files import write_atomically
from onebox.structures import Dataset


def read_facts(folder: Path) -> dict[str, Any]:
    """What an earlier run in this folder noted of its data.

    Raises:
        SettingError: If it cannot be read.
    """
    file = _path(folder)
    try:
        facts: dict[str, Any] = json.loads(file.read_text("utf-8"))
        return {name: facts[name] for name in ("classes", "weights", "digests")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingError(
            f"{file}: cannot be read ({error}), and a run cannot be resumed without it. Start a "
            "new run."
        ) from error


def check_facts(folder: Path, facts: Mapping[str, Any], *, is_resumed: bool) -> None:
    """Write what a resumed run must know; for a resumed run, check that the data is unchanged.

    Raises:
        SettingError: If the data has changed since.
        OneboxError: If the file cannot be written.
    """
    if not is_resumed:
        _path(folder).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(_path(folder), json.dumps(facts, indent=1).encode())
    elif read_facts(folder) != facts:
        raise SettingError(
            f"--resume {folder}: its images or labels have changed since. Start a new "
            f"run, with --weights {folder / 'weights.safetensors'} to keep what it "
            "learned."
        )


def count_keypoints(data: Dataset) -> int:
    """The number of keypoints that the data names."""
    return 0 if data.keypoints is None else len(data.keypoints.names)


def _path(folder: Path) -> Path:
    return folder / "checkpoints" / "data.json"
