"""What onebox needs, as this environment has it: every package, and which of them needs which.

The packages of all extras count. What only the development tools need is listed apart.
"""

import importlib.metadata
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from exports import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


@dataclass(frozen=True)
class Package:
    """An installed package.

    Attributes:
        name: Its name in the form of package indexes.
        version: Its version.
        needs: Names of the installed packages that it needs directly, sorted.
    """

    name: str
    version: str
    needs: tuple[str, ...]

    @cached_property
    def metadata(self) -> importlib.metadata.PackageMetadata:
        """What its author says of it."""
        return importlib.metadata.metadata(self.name)


def product_requirements() -> list[Requirement]:
    """What pyproject.toml asks for: the light install and every extra."""
    project = PROJECT["project"]
    groups = (project["dependencies"], *project["optional-dependencies"].values())
    return [Requirement(line) for group in groups for line in group]


def tool_requirements() -> list[Requirement]:
    """What pyproject.toml asks for to develop onebox."""
    return [Requirement(line) for line in PROJECT["dependency-groups"]["dev"]]


def find_packages(requirements: Iterable[Requirement]) -> dict[str, Package]:
    """The installed packages that requirements need, directly or through others, by name.

    Raises:
        SystemExit: If a package that this machine needs is not installed.
    """
    needs: dict[str, set[str]] = {}
    waiting, seen = [*requirements], set()
    while waiting:
        requirement = waiting.pop()
        name, extras = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if (name, extras) in seen or not _is_for_here(requirement, ()):
            continue
        seen.add((name, extras))
        found = [each for each in _requirements_of(name) if _is_for_here(each, extras)]
        needs.setdefault(name, set()).update(canonicalize_name(each.name) for each in found)
        waiting += [_without_marker(each) for each in found]
    return {
        name: Package(name, importlib.metadata.version(name), tuple(sorted(needs[name])))
        for name in sorted(needs)
    }


def tools_only(product: Mapping[str, Package]) -> dict[str, Package]:
    """The installed packages that the development tools need and the product does not."""
    found = find_packages(tool_requirements())
    return {name: package for name, package in found.items() if name not in product}


def _requirements_of(name: str) -> Iterator[Requirement]:
    try:
        lines = importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:
        message = (
            f"{name} is needed and not installed. Install what requirements.lock pins: make test"
        )
        raise SystemExit(message) from None
    return (Requirement(line) for line in lines)


def _is_for_here(requirement: Requirement, extras: Iterable[str]) -> bool:
    """Whether this Python needs it; ``extras`` are those of the package that asks."""
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras))


def _without_marker(requirement: Requirement) -> Requirement:
    """The requirement that was found to hold, whatever extra it belongs to."""
    plain = Requirement(str(requirement))
    plain.marker = None
    return plain
