"""Python interpreters of this machine, and throw-away environments for them, made by uv."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

OLDEST = (3, 11)
"""The oldest Python that onebox supports, as pyproject.toml says."""

_LATEST_MINOR = 20
_PYENV = Path.home() / ".pyenv/versions"


def find_pythons() -> list[Path]:
    """One CPython of each minor version that onebox supports: this one, and others that are found.

    They are looked for on the path and among pyenv's versions. A shim that starts nothing does not
    count.
    """
    found = {sys.version_info[:2]: Path(sys.executable)}
    for candidate in _candidates():
        version = version_of(candidate)
        if version >= OLDEST:
            found.setdefault(version, candidate)
    return [found[version] for version in sorted(found)]


def version_of(python: Path) -> tuple[int, int]:
    """Major and minor version of an interpreter; (0, 0) if it does not start."""
    code = "import sys, json; print(json.dumps(sys.version_info[:2]))"
    ended = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    if ended.returncode:
        return (0, 0)
    major, minor = json.loads(ended.stdout)
    return (major, minor)


def make_environment(folder: Path, python: Path, words: Sequence[str]) -> Path:
    """Make an environment and install into it; ``words`` are arguments of ``uv pip install``.

    Returns:
        Its interpreter.
    """
    subprocess.run(
        [uv(), "venv", "--quiet", "--clear", "--python", str(python), str(folder)], check=True
    )
    own = program(folder, "python")
    command = [uv(), "pip", "install", "--quiet", "--python", str(own), *words]
    subprocess.run(command, check=True)
    return own


def uv() -> str:
    """The program uv: the one on the path, else the one beside this Python."""
    return shutil.which("uv") or str(Path(sys.executable).with_name("uv"))


def program(environment: Path, name: str) -> Path:
    """The path of a program in an environment."""
    inside = ("Scripts", f"{name}.exe") if os.name == "nt" else ("bin", name)
    return environment.joinpath(*inside).absolute()


def clean_variables(**changed: str) -> dict[str, str]:
    """The variables of this process, without those that change what Python imports."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return {**kept, **changed}


def _candidates() -> list[Path]:
    minors = [f"3.{minor}" for minor in range(OLDEST[1], _LATEST_MINOR)]
    of_pyenv = [
        path for minor in minors for path in sorted(_PYENV.glob(f"{minor}.*/bin/python{minor}"))
    ]
    on_path = [shutil.which(f"python{minor}") for minor in minors]
    return [*of_pyenv, *(Path(path) for path in on_path if path)]
