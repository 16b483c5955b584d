"""Install the wheel into clean environments and try what it promises there.

    python release/check_wheel.py [--out dist] [--python FILE ...] [light] [EXTRA ...]

The light install is tried on every Python that onebox supports and this machine has; each extra
on the Python that runs this script. ``--python`` names others, for both. Versions are those of
requirements.lock. Importing onebox must import no package of an extra, not even an installed one.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from dependencies import PROJECT
from environments import clean_variables, find_pythons, make_environment, program, version_of
from exports import ROOT
from operations import IMPORTED, LIGHT, OF_EXTRA, Words
from packaging.requirements import Requirement

LIGHT_INSTALL = "light"
"""The name of the install without extras."""

_FILES = ROOT / "tests/compatibility/0.1.0"
_LIMIT_S = 600
_IMPORTS = """
import json, sys
import onebox, onebox.cli
from onebox.cli import app
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


class WheelError(Exception):
    """Something that the wheel does not do; its words say what and where."""


def main() -> None:
    options = _options()
    [wheel] = options.out.glob("onebox-*.whl")
    failures = [
        failure
        for install in options.installs or [LIGHT_INSTALL, *OF_EXTRA]
        for python in options.python or _pythons_for(install)
        if (failure := _failure_of(wheel, python, install))
    ]
    if failures:
        raise SystemExit("\n".join(failures))


def check(wheel: Path, python: Path, install: str) -> None:
    """Install the wheel with an extra, or alone, into a new environment, and try it.

    Raises:
        WheelError: If it cannot be installed, or does not do what it promises.
    """
    with tempfile.TemporaryDirectory() as scratch:
        environment, folder = Path(scratch, "environment"), Path(scratch, "work")
        _install(wheel, python, install, environment)
        shutil.copytree(_FILES, folder)
        _check_imports(environment, folder)
        for words in LIGHT if install == LIGHT_INSTALL else (*LIGHT[:3], *OF_EXTRA[install]):
            run(words, environment, folder)


def _failure_of(wheel: Path, python: Path, install: str) -> str:
    """Check, and print how it ended; the words of a failure, or an empty string."""
    name = f"{install} on Python {'.'.join(map(str, version_of(python)))}"
    try:
        check(wheel, python, install)
    except WheelError as failure:
        print(f"failed  {name}", flush=True)
        return f"{name}: {failure}"
    print(f"ok      {name}", flush=True)
    return ""


def run(words: Words, environment: Path, folder: Path) -> str:
    """Run an operation without the variables of this process that change imports.

    Returns:
        What it printed.

    Raises:
        WheelError: If it does not end with code 0, or not in time.
    """
    command = [str(program(environment, words[0])), *words[1:]]
    variables = clean_variables(ONEBOX_CACHE=str(folder / "cache"), OMP_NUM_THREADS="1")
    shown = " ".join(words[:3])
    options = {"cwd": folder, "env": variables, "capture_output": True, "text": True}
    try:
        ended = subprocess.run(command, **options, timeout=_LIMIT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise WheelError(f"'{shown}' did not end within {_LIMIT_S} s") from error
    if ended.returncode:
        raise WheelError(
            f"'{shown}' ended with code {ended.returncode}: {ended.stderr.strip()[-2000:]}"
        )
    return ended.stdout


def _install(wheel: Path, python: Path, install: str, environment: Path) -> None:
    asked = str(wheel.resolve()) + ("" if install == LIGHT_INSTALL else f"[{install}]")
    pinned = ["--constraints", str(ROOT / "requirements.lock")]
    try:
        make_environment(environment, python, [*pinned, asked])
    except subprocess.CalledProcessError as error:
        raise WheelError("cannot be installed; the lines above say why") from error


def _check_imports(environment: Path, folder: Path) -> None:
    imported = set(json.loads(run(("python", "-c", _IMPORTS), environment, folder)))
    if wrong := sorted(imported & modules_of_extras()):
        raise WheelError(
            f"importing onebox imports {', '.join(wrong)}, which only an extra may need"
        )


def modules_of_extras() -> set[str]:
    """The modules of packages that only extras ask for."""
    project = PROJECT["project"]
    light = {Requirement(line).name for line in project["dependencies"]}
    groups = project["optional-dependencies"].values()
    only = {Requirement(line).name for group in groups for line in group} - light
    return {IMPORTED.get(name, name.replace("-", "_")) for name in only}


def _pythons_for(install: str) -> list[Path]:
    return find_pythons() if install == LIGHT_INSTALL else [Path(sys.executable)]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="folder of the wheel")
    parser.add_argument("--python", type=Path, action="append", help="an interpreter; repeatable")
    names = [LIGHT_INSTALL, *OF_EXTRA]
    parser.add_argument("installs", nargs="*", metavar="INSTALL", help=f"of {', '.join(names)}")
    options = parser.parse_args()
    if unknown := [each for each in options.installs if each not in names]:
        parser.error(f"there is no install {', '.join(unknown)}; there are {', '.join(names)}")
    return options


if __name__ == "__main__":
    main()
