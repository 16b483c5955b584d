"""Write the bill of materials: what onebox and its extras install, as CycloneDX JSON.

    python release/sbom.py [--out dist]

It describes the wheel in that folder, and the packages of this environment that requirements.lock
pins: version, licence, libraries inside, hashes of its files, and what needs what. The same
commit, lock and platform give the same bytes: it is dated by the commit, and its serial number
follows from its content.

References:
    CycloneDX 1.6 (ECMA-424).
"""

import argparse
import hashlib
import json
import re
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dependencies import PROJECT, Package, find_packages, product_requirements
from exports import ROOT, commit_time_s
from licences import libraries_of, licence_of
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_PIN = re.compile(r"^([\w.-]+)==(\S+)", re.MULTILINE)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="folder of the wheel")
    out = parser.parse_args().out
    [wheel] = out.glob("onebox-*.whl")
    packages = find_packages(product_requirements())
    content = as_bytes(bill_of_materials(wheel, packages, read_hashes(ROOT / "requirements.lock")))
    file = out / f"{wheel.name.partition('-py3')[0]}.cdx.json"
    file.write_bytes(content)
    print(f"{file.name}: {len(packages)} packages\n  {hashlib.sha256(content).hexdigest()}")


def bill_of_materials(
    wheel: Path, packages: Mapping[str, Package], hashes: Mapping[tuple[str, str], list[str]]
) -> dict[str, Any]:
    """The document, without anything that changes from one run to the next.

    Args:
        wheel: The wheel of onebox.
        packages: The packages that it needs, by name.
        hashes: Name and version → SHA-256 of the files that requirements.lock accepts.
    """
    light = find_packages(_light_requirements())
    own = _own_component(wheel)
    components = [
        _component(each, hashes.get((each.name, each.version), []), is_light=each.name in light)
        for each in packages.values()
    ]
    direct = {canonicalize_name(each.name) for each in product_requirements()}
    needs = {own["bom-ref"]: sorted(_url(packages[name]) for name in direct if name in packages)}
    needs |= {
        _url(each): [_url(packages[name]) for name in each.needs] for each in packages.values()
    }
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": datetime.fromtimestamp(commit_time_s(), UTC).isoformat(),
            "component": own,
        },
        "components": components,
        "dependencies": [{"ref": ref, "dependsOn": names} for ref, names in needs.items()],
    }
    return {**document, "serialNumber": f"urn:uuid:{_uuid_of(document)}"}


def read_hashes(lock: Path) -> dict[tuple[str, str], list[str]]:
    """Name and version → SHA-256 of the files that a lock accepts."""
    found = {}
    for entry in re.split(r"\n(?=\w)", lock.read_text("utf-8")):
        if pin := _PIN.match(entry):
            found[pin[1], pin[2]] = sorted(_HASH.findall(entry))
    return found


def as_bytes(document: Mapping[str, Any]) -> bytes:
    """The document as text: keys sorted, ASCII, one line end."""
    return json.dumps(document, indent=1, sort_keys=True).encode() + b"\n"


def _own_component(wheel: Path) -> dict[str, Any]:
    project = PROJECT["project"]
    url = f"pkg:pypi/{project['name']}@{project['version']}"
    content = hashlib.sha256(wheel.read_bytes()).hexdigest()
    return {
        "type": "library",
        "bom-ref": url,
        "name": project["name"],
        "version": project["version"],
        "purl": url,
        "licenses": [{"expression": project["license"]}],
        "hashes": [{"alg": "SHA-256", "content": content}],
    }


def _component(package: Package, hashes: Iterable[str], *, is_light: bool) -> dict[str, Any]:
    """One package; what the light install lacks is optional."""
    inside = [
        {"type": "library", "name": name, "licenses": [{"expression": licence}]}
        for licence, names in sorted(libraries_of(package).items())
        for name in sorted(set(names))
    ]
    licence = licence_of(package)
    return {
        "type": "library",
        "bom-ref": _url(package),
        "name": package.name,
        "version": package.version,
        "purl": _url(package),
        "scope": "required" if is_light else "optional",
        "licenses": [{"expression": licence}] if licence else [],
        # Of every file that may be installed, for all systems: not of one artifact.
        "properties": [{"name": "onebox:accepted-sha256", "value": each} for each in hashes],
        **({"components": inside} if inside else {}),
    }


def _light_requirements() -> list[Requirement]:
    return [Requirement(line) for line in PROJECT["project"]["dependencies"]]


def _url(package: Package) -> str:
    return f"pkg:pypi/{package.name}@{package.version}"


def _uuid_of(document: Mapping[str, Any]) -> uuid.UUID:
    return uuid.UUID(bytes=hashlib.sha256(as_bytes(document)).digest()[:16], version=4)


if __name__ == "__main__":
    main()
