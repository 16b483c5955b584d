"""The folder of a job's results, on the disk or in an object store.

``_plan.jsonl`` has a line for each shard, ``_job.json`` what was asked and how many shards there
are, and ``part-00000-of-00042.parquet`` the answers for one shard. ``_manifest.json`` comes last.
``_job.json`` is written after the plan, so a plan without it is no plan. Every file appears whole:
it is written in ``_temporary``, or outside the store, and then moved to its name.
"""

import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from onebox import stores
from onebox.distributed.prediction.records import JobRecord, PartSummary, Request
from onebox.errors import OneboxError, SettingError

PLAN, JOB, MANIFEST = "_plan.jsonl", "_job.json", "_manifest.json"
_TEMPORARY = "_temporary"
_PART = re.compile(r"part-\d{5,}-of-\d{5,}\.parquet")
_KINDS = (".parquet", ".json", ".jsonl")
_SETTINGS = {
    "onebox": "the version of onebox",
    "model": "the SHA-256 of the model",
    "coverage": "--coverage",
    "max_risk": "--max-risk",
    "working_folder": "the working folder",
    "sources": "SOURCE",
    "listed": "the SHA-256 of the list on standard input",
}


def part_name(number: int, parts: int) -> str:
    """The name of a part file."""
    return f"part-{number:05}-of-{parts:05}.parquet"


def prepare(folder: str) -> JobRecord | None:
    """Make the folder if it is missing, and remove what a killed job left half written.

    Returns:
        The job that the folder holds; None if it is new.

    Raises:
        SettingError: If it is a file, or holds anything but the results of a job.
        OneboxError: If it cannot be written to.
    """
    if not stores.is_uri(folder):
        _make(Path(folder))
    others = [name for name in _names(folder) if not _is_ours(name)]
    if others:
        raise SettingError(
            f"--parquet {folder}: holds other files, such as {others[0]}. Name a new or an empty "
            "folder; with --on, the results are a folder of Parquet files."
        )
    return read_job(folder)


def read_job(folder: str) -> JobRecord | None:
    """The job that a folder holds; None if there is none.

    Raises:
        SettingError: If its file is damaged.
        DataError: If the folder cannot be reached.
    """
    file = stores.join(folder, JOB)
    if not stores.exists(file):
        return None
    try:
        return JobRecord.from_json(stores.read(file))
    except ValueError as error:
        raise SettingError(
            f"{file}: is no job that this onebox can read ({error}). Name another folder, or "
            "remove this one."
        ) from error


def check_same(folder: str, job: JobRecord, wanted: Request) -> None:
    """Check that a rerun asks for what the folder holds.

    Raises:
        SettingError: If it asks for anything else.
    """
    for name, label in _SETTINGS.items():
        known, asked = getattr(job.request, name), getattr(wanted, name)
        if known != asked:
            raise SettingError(
                f"--parquet {folder}: holds results of another job: {label} was {_show(known)}, "
                f"and now is {_show(asked)}. Name another folder, or remove this one."
            )


def write_text(folder: str, name: str, text: str) -> None:
    """Write a small file as a whole.

    Raises:
        OneboxError: If it cannot be written.
    """
    with publishing(folder, name) as file:
        file.write_text(text, "utf-8")


def write_manifest(folder: str, job: JobRecord, summaries: Sequence[PartSummary]) -> None:
    """Write what the folder holds: the last file of a job.

    Raises:
        OneboxError: If it cannot be written.
    """
    content = {
        **json.loads(job.as_json()),
        "rows": sum(each.rows for each in summaries),
        "errors": sum(each.errors for each in summaries),
        "parts": [
            {"file": part_name(each.number, job.plan.parts), "rows": each.rows,
             "errors": each.errors}
            for each in summaries
        ],
    }  # fmt: skip
    write_text(folder, MANIFEST, f"{json.dumps(content, indent=1)}\n")


def sweep(folder: str) -> None:
    """Remove what was not finished: half written files of a killed job."""
    if not stores.is_uri(folder):
        shutil.rmtree(Path(folder, _TEMPORARY), ignore_errors=True)


@contextmanager
def publishing(folder: str, name: str) -> Iterator[Path]:
    """Yield a path to write a file at; it moves to its name in the folder if the body succeeds.

    Raises:
        OneboxError: If it cannot be written.
    """
    try:
        with _scratch(folder) as scratch:
            temporary = scratch / f"{uuid4().hex}-{name}"
            try:
                yield temporary
                stores.put(temporary, stores.join(folder, name))
            finally:
                temporary.unlink(missing_ok=True)
    except OSError as error:
        raise OneboxError(
            f"{folder}: cannot be written ({error.strerror or error}). Free space on the disk, "
            "change the permissions, or choose another folder."
        ) from error


def plan_lines(folder: str) -> Iterator[tuple[int, int]]:
    """Offset and length of each line of the plan, in bytes.

    Raises:
        DataError: If it cannot be read.
    """
    with stores.open_input(stores.join(folder, PLAN)) as file:
        offset = 0
        for line in file:
            yield offset, len(line)
            offset += len(line)


@contextmanager
def _scratch(folder: str) -> Iterator[Path]:
    if stores.is_uri(folder):
        with tempfile.TemporaryDirectory(prefix="onebox-") as scratch:
            yield Path(scratch)
    else:
        scratch_folder = Path(folder, _TEMPORARY)  # on the same disk, so that a rename suffices
        scratch_folder.mkdir(exist_ok=True)
        yield scratch_folder


def _make(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise SettingError(
            f"--parquet {folder}: is a file. With --on, the results are a folder of Parquet files; "
            "name a folder."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        sweep(str(folder))
    except OSError as error:
        raise OneboxError(
            f"--parquet {folder}: cannot be written ({error.strerror}). Change its permissions, or "
            "choose another folder."
        ) from error


def _names(folder: str) -> Iterator[str]:
    """Names in the folder; in a store, of the files that could be taken for results."""
    if not stores.is_uri(folder):
        yield from sorted(path.name for path in Path(folder).iterdir())
    elif stores.exists(folder):
        start = len(folder.partition("?")[0].rstrip("/")) + 1
        for file in stores.find(folder, _KINDS):
            yield file.name.partition("?")[0][start:]


def _is_ours(name: str) -> bool:
    return name in {PLAN, JOB, MANIFEST, _TEMPORARY} or _PART.fullmatch(name) is not None


def _show(value: object) -> str:
    if isinstance(value, tuple):
        return " ".join(value)
    return "not given" if value is None else str(value)
