"""Clean exports of the last commit: what is committed, and nothing else."""

import io
import os
import subprocess
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def export_head(folder: Path, *, time_s: int | None = None) -> None:
    """Write the files of HEAD into a new folder.

    Args:
        folder: The folder to make.
        time_s: The time of change of every file and folder, in seconds since 1970; None leaves
            the time of the commit.
    """
    archive = _git("archive", "--format=tar", "HEAD")
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(folder, filter="data")
    if time_s is not None:
        for path in (folder, *folder.rglob("*")):
            os.utime(path, (time_s, time_s))


def commit_time_s() -> int:
    """When HEAD was committed, or what ``SOURCE_DATE_EPOCH`` says, in seconds since 1970."""
    return int(os.environ.get("SOURCE_DATE_EPOCH") or _git("log", "-1", "--format=%ct"))


def changed_files() -> list[str]:
    """Files that differ from HEAD, which an export therefore does not have as they are."""
    return _git("status", "--porcelain").decode().splitlines()


def _git(*words: str) -> bytes:
    return subprocess.run(["git", *words], cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
