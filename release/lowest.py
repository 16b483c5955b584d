"""Run tests with the lowest versions that pyproject.toml allows.

    python release/lowest.py [--keep FOLDER] [TEST ...]

What onebox asks for itself gets its lowest version, and what others need the newest that fits, as
a user has it who holds a package back. A lower bound that the resolver does not reach is an error:
no test would see that version. Development tools are of any version that fits.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from dependencies import product_requirements
from environments import clean_variables, make_environment, program, uv
from exports import ROOT
from packaging.utils import canonicalize_name
from packaging.version import Version

_PIN = re.compile(r"^([\w.-]+)==([^\s;]+)", re.MULTILINE)
_OF_THE_LOCK = (
    "tests/test_release.py"
    "::test_every_package_of_the_bill_is_pinned_by_hash_and_every_reference_leads_to_one"
)
# Old packages use what newer ones deprecate: that is no failure of onebox. The plugin that checks
# shapes has no old version that works where a folder has fixtures of its own.
_OPTIONS = (
    *("-o", "filterwarnings=default", "-o", "addopts=--import-mode=importlib -q"),
    *("--numprocesses=logical", "--maxprocesses=4", "--dist=loadgroup"),
    *("--deselect", _OF_THE_LOCK),
)


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        pins = lowest_pins(folder)
        check_bounds(pins)
        command = [str(_install(pins, folder)), *_OPTIONS, *(options.tests or ["tests"])]
        raise SystemExit(
            subprocess.run(command, cwd=ROOT, env=_variables(), check=False).returncode
        )


def lowest_pins(folder: Path) -> dict[str, str]:
    """The lowest version of each package that onebox asks for, by name."""
    file = folder / "lowest.txt"
    _compile(["--resolution", "lowest-direct", "--output-file", str(file)])
    found = dict(_PIN.findall(file.read_text("utf-8")))
    names = {canonicalize_name(each.name) for each in product_requirements()}
    return {name: found[name] for name in sorted(names & found.keys())}


def check_bounds(pins: dict[str, str]) -> None:
    """Check that each lower bound is the version that is installed for it.

    Raises:
        SystemExit: If one is not; the message lists all.
    """
    wrong = []
    for each in product_requirements():
        bounds = [one.version for one in each.specifier if one.operator == ">="]
        pin = pins.get(canonicalize_name(each.name))
        if pin and not any(_same(bound, pin) for bound in bounds):
            wrong.append(f"{each}: the lowest version in this test is {pin}. Write >={pin}.")
    if wrong:
        raise SystemExit("pyproject.toml: lower bounds that no test reaches:\n" + "\n".join(wrong))


def _same(bound: str, pin: str) -> bool:
    """Whether a version is the first one of a bound: the same, or its first release with a build.

    ``>=4.10`` is first met by OpenCV's 4.10.0.82.
    """
    release = Version(bound).release
    return Version(pin).release[: len(release)] == release


def _install(pins: dict[str, str], folder: Path) -> Path:
    """Make an environment with these versions, the development tools and this checkout.

    Returns:
        Its program pytest.
    """
    constraints, chosen = folder / "constraints.txt", folder / "chosen.txt"
    constraints.write_text("".join(f"{name}=={pin}\n" for name, pin in pins.items()), "utf-8")
    _compile(["--group", "dev", "--constraints", str(constraints), "--output-file", str(chosen)])
    python = make_environment(folder / "environment", Path(sys.executable), ["-r", str(chosen)])
    own = ["--no-deps", "--no-build-isolation", "--editable", str(ROOT)]
    command = [uv(), "pip", "install", "--quiet", "--python", str(python), *own]
    subprocess.run(command, check=True)
    return program(folder / "environment", "pytest")


def _compile(words: Sequence[str]) -> None:
    version = ".".join(map(str, sys.version_info[:2]))
    command = [uv(), "pip", "compile", "--quiet", "--all-extras", "--python-version", version]
    subprocess.run([*command, *words, "pyproject.toml"], cwd=ROOT, check=True)


def _variables() -> dict[str, str]:
    return clean_variables(PYTHONPATH=str(ROOT / "src"))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the environment here")
    parser.add_argument("tests", nargs="*", metavar="TEST", help="files; by default all")
    return parser.parse_args()


if __name__ == "__main__":
    main()
