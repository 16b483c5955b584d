"""Build the source archive and the wheel twice, and keep them if the bytes are the same.

    python release/build_twice.py [--out dist]

Each build gets a clean export of HEAD in a folder of its own. The second one also gets other times
of change, another time zone, another language and another umask. What is built is dated by
the commit.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from environments import clean_variables, uv
from exports import ROOT, changed_files, commit_time_s, export_head

_OTHER_PLACE = {"TZ": "Asia/Tokyo", "LC_ALL": "C", "PYTHONHASHSEED": "1"}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="folder of the files")
    out = parser.parse_args().out
    for line in changed_files():
        print(f"note: not in HEAD, so not built: {line}")
    with tempfile.TemporaryDirectory() as scratch:
        first, second = Path(scratch, "first"), Path(scratch, "somewhere", "second")
        built = build(first, {"TZ": "UTC"}), build(second, _OTHER_PLACE, now=True)
        check_equal(*(hashes(folder) for folder in built))
        keep(built[0], out)
    print(f"Both builds have the same bytes. They are in {out}.")


def build(place: Path, variables: Mapping[str, str], *, now: bool = False) -> Path:
    """Export HEAD into a folder and build it there; the archive first, and the wheel from it.

    Args:
        place: A new folder.
        variables: Variables of the environment of the build.
        now: Whether the exported files are of now, and read and written by their owner alone.

    Returns:
        The folder with the two files.
    """
    export_head(place / "source", time_s=int(time.time()) if now else None)
    command = [uv(), "build", "--quiet", "--require-hashes"]
    command += ["--build-constraints", "requirements.lock", "--out-dir", str(place / "dist")]
    dated = clean_variables(**variables, SOURCE_DATE_EPOCH=str(commit_time_s()))
    umask = 0o077 if now else 0o022
    subprocess.run(command, cwd=place / "source", env=dated, umask=umask, check=True)
    return place / "dist"


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of the archive and the wheel in a folder, by name."""
    files = sorted(path for path in folder.iterdir() if path.suffix in {".gz", ".whl"})
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def check_equal(first: Mapping[str, str], second: Mapping[str, str]) -> None:
    """Print the hashes of two builds.

    Raises:
        SystemExit: If they differ.
    """
    for name, value in first.items():
        print(f"{name}\n  first  {value}\n  second {second.get(name)}")
    if first != second:
        raise SystemExit(
            "The builds differ. Unpack both and compare them (diff -r): a date, a path or an order "
            "of files has come into what is built. No file was kept."
        )


def keep(folder: Path, out: Path) -> None:
    """Copy what was built, with the list of its hashes as ``sha256sum --check`` reads it."""
    out.mkdir(parents=True, exist_ok=True)
    for old in (*out.glob("onebox-*.whl"), *out.glob("onebox-*.tar.gz")):
        old.unlink()
    found = hashes(folder)
    for name in found:
        shutil.copyfile(folder / name, out / name)
    lines = [f"{value}  {name}\n" for name, value in found.items()]
    (out / "SHA256SUMS").write_text("".join(lines), "utf-8")


if __name__ == "__main__":
    os.chdir(ROOT)
    main()
