"""Check the licences of everything that onebox or one of its extras installs.

    python release/licences.py [--list]

Licences are those that the installed packages state in their metadata, or `licence_tables`
where that says too little; and those of the shared libraries inside wheels. A licence that
is neither permissive nor a named exception, or that is unknown, ends the process with code 1. The
licences of tools that only develop onebox are listed, not judged.
"""

import argparse
import importlib.metadata
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

import licence_tables as tables
from dependencies import Package, find_packages, product_requirements, tools_only
from spdx import canonical, refused

_CLASSIFIER = "License :: "
_LONGEST = 60  # characters; a longer text is the licence itself, not its name
_OF_LIBRARY = {
    name: licence for licence, names in tables.LIBRARIES.items() for name in names.split()
}


@dataclass(frozen=True)
class Verdict:
    """What is found of one package.

    Attributes:
        package: The package.
        licence: Its licence as an SPDX expression; empty if it is unknown.
        libraries: Licence → names of the shared libraries inside its wheel.
        accepted: Why each exception is accepted.
        problems: What stands in the way, in words.
    """

    package: Package
    licence: str
    libraries: Mapping[str, list[str]]
    accepted: tuple[str, ...]
    problems: tuple[str, ...]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--list", action="store_true", help="print every package, not only a count")
    options = parser.parse_args()
    product = find_packages(product_requirements())
    verdicts = [judge(package) for package in product.values()]
    if options.list:
        _print_all(verdicts)
    _print_exceptions(verdicts)
    _print_tools(tools_only(product).values())
    problems = [problem for verdict in verdicts for problem in verdict.problems]
    if problems:
        raise SystemExit("\n".join(problems))
    print(f"licences: all {len(verdicts)} packages of onebox and its extras are accepted.")


def judge(package: Package) -> Verdict:
    """Compare the licences of a package and of the libraries inside its wheel with the tables."""
    licence = licence_of(package) or ""
    libraries = libraries_of(package)
    accepted, problems = [], []
    for each in refused(licence, tables.ALLOWED) if licence else []:
        reason = _exception(package.name, each)
        accepted += [f"{each}: {reason}"] if reason else []
        problems += [] if reason else [_refusal(package, each)]
    for each, names in libraries.items():
        if each in tables.LIBRARIES_ALLOWED:
            continue
        reason = tables.LIBRARY_EXCEPTIONS.get((package.name, each))
        accepted += [f"{each} inside: {reason}"] if reason else []
        problems += [] if reason else [_library_refusal(package, each, names)]
    if not licence:
        problems.append(_unknown(package))
    return Verdict(package, licence, libraries, tuple(accepted), tuple(problems))


def licence_of(package: Package) -> str | None:
    """The licence of a package as an SPDX expression; None if nobody states it clearly."""
    if package.name in tables.STATED_ELSEWHERE:
        return canonical(tables.STATED_ELSEWHERE[package.name][0])
    for words in _stated(package):
        expression = canonical(tables.EXPRESSION_OF.get(words, words))
        if expression is not None:
            return expression
    return None


def libraries_of(package: Package) -> dict[str, list[str]]:
    """The shared libraries that other projects made and that lie in a package, by licence.

    They are in folders named ``*.libs``, where tools that make wheels put them. A library that is
    in no table has the licence ``unknown``.
    """
    found: dict[str, list[str]] = {}
    for file in importlib.metadata.files(package.name) or []:
        if file.parts[0].endswith(".libs"):
            name = library_name(file)
            found.setdefault(_OF_LIBRARY.get(name, "unknown"), []).append(name)
    return found


def library_name(file: PurePosixPath) -> str:
    """The name of a library without the version and hash of its file.

    Examples:
        >>> library_name(PurePosixPath("a.libs/libpng16-4b5c1a2d.so.16.5.0"))
        'libpng'
        >>> library_name(PurePosixPath("a.libs/libxcb-shm-0be6dfbf.so.0.0.0"))
        'libxcb-shm'
    """
    stem = file.name.partition(".")[0]
    without_hash = re.sub(r"(-[0-9a-f]{8})+$", "", stem)
    if without_hash in _OF_LIBRARY:
        return without_hash  # a number may be part of the name, as in libx264
    return re.sub(r"[\d_-]+$", "", without_hash)


def _stated(package: Package) -> Iterator[str]:
    """What metadata says, the clearest first."""
    metadata = package.metadata
    for key in ("License-Expression", "License"):
        words = (metadata.get(key) or "").strip()
        if words and len(words.splitlines()) == 1:
            yield words
    classifiers = [
        each.removeprefix(_CLASSIFIER)
        for each in metadata.get_all("Classifier") or []
        if each.startswith(_CLASSIFIER)
    ]
    if len(classifiers) == 1:  # of several, nothing says whether they leave a choice
        yield classifiers[0]


def _exception(name: str, licence: str) -> str | None:
    if licence == tables.NVIDIA:
        return next((why for start, why in tables.OF_MAKER.items() if name.startswith(start)), None)
    return tables.EXCEPTIONS.get((name, licence))


def _refusal(package: Package, licence: str) -> str:
    return (
        f"{package.name} {package.version}: its licence {licence} is not permissive. Replace the "
        "package, or give the reason to accept it in EXCEPTIONS of release/licence_tables.py."
    )


def _library_refusal(package: Package, licence: str, names: Iterable[str]) -> str:
    inside = ", ".join(names)
    if licence == "unknown":
        return (
            f"{package.name} {package.version}: its wheel contains {inside}, whose licence is not "
            "known here. Look it up, and add it to LIBRARIES of release/licence_tables.py."
        )
    return (
        f"{package.name} {package.version}: its wheel contains {inside} under {licence}, which is "
        "not permissive. Replace the package, or give the reason to accept it in "
        "LIBRARY_EXCEPTIONS of release/licence_tables.py."
    )


def _unknown(package: Package) -> str:
    said = "; ".join(words[:_LONGEST] for words in _stated(package)) or "nothing"
    return (
        f"{package.name} {package.version}: its licence is unknown (its metadata says: {said}). "
        "Read its licence file, and add what it says to STATED_ELSEWHERE of "
        "release/licence_tables.py."
    )


def _print_all(verdicts: Iterable[Verdict]) -> None:
    for one in verdicts:
        inside = "; ".join(f"{each}: {' '.join(names)}" for each, names in one.libraries.items())
        print(f"{one.package.name}\t{one.package.version}\t{one.licence}\t{inside}")


def _print_exceptions(verdicts: Iterable[Verdict]) -> None:
    by_reason: dict[str, list[str]] = {}
    for one in verdicts:
        for reason in one.accepted:
            by_reason.setdefault(reason, []).append(one.package.name)
    for reason, names in by_reason.items():
        print(f"exception: {', '.join(names)}: {reason}.")


def _print_tools(packages: Iterable[Package]) -> None:
    """Which licences the development tools have, and how many of each."""
    counts: dict[str, list[str]] = {}
    for package in packages:
        counts.setdefault(licence_of(package) or "unknown", []).append(package.name)
    for licence, names in sorted(counts.items()):
        shown = ", ".join(names) if refused(licence, tables.ALLOWED) else f"{len(names)} packages"
        print(f"development only: {licence}: {shown}")


if __name__ == "__main__":
    main()
