"""What ``onebox audit`` prints."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import typer

from onebox.audit.records import Audit, Finding
from onebox.cli.console import print_note, print_rows, print_table
from onebox.errors import format_box
from onebox.structures import Dataset, Sample

_PRINTED = 10  # findings of each list; the files have all of them
_HEADER = ("rank", "image", "kind", "suggested")

Files = Mapping[str, Path]
"""Files that were written, by what they are: ``list``, ``page`` and ``labels``."""


def print_audit(
    audit: Audit, data: Dataset, files: Files, *, changed: int | None, as_json: bool
) -> None:
    """Print the listed findings and where to look.

    Args:
        audit: What was found.
        data: The data set that was audited.
        files: The files that were written.
        changed: Number of images with corrected labels; None if none were asked for.
        as_json: Whether to print JSON.
    """
    lists = {"boxes": audit.boxes, "classes": audit.classes, "checks": audit.checks}
    listed = {name: [one for one in found if one.is_listed] for name, found in lists.items()}
    counts = {name: len(found) for name, found in listed.items()}
    if as_json:
        rates = {"rate": audit.rate, "class_error_rate": audit.class_error_rate}
        findings = [_as_json(one, data) for found in listed.values() for one in found]
        facts = {"images": len(data), **rates, "listed": counts, "findings": findings}
        _print_json(facts, files, changed)
        return
    for name, found in listed.items():
        if found:
            rows = [_row(one, data) for one in found[:_PRINTED]]
            print_rows(_title(name, len(found)), [_HEADER, *rows], alignments="><<<")
    judged = {"boxes": len(audit.boxes), "classes": len(audit.classes)}
    sums = {name: f"{counts[name]} of {count}" for name, count in judged.items() if count}
    rate = f"{audit.rate:.4g} of a list, or fewer, may be right after all"
    print_table("listed", {**sums, "checks": counts["checks"], "false-discovery rate": rate})
    _print_files(files, changed)


def print_applied(labels: Path, changed: int, images: int, *, as_json: bool) -> None:
    """Print how many labels an edited list changed."""
    if not changed:
        print_note("no listed row suggests a change; the new labels equal the old ones.")
    files = {"labels": labels}
    if as_json:
        _print_json({"images": images}, files, changed)
    else:
        _print_files(files, changed)


def _print_json(facts: Mapping[str, object], files: Files, changed: int | None) -> None:
    paths = {name: str(path) for name, path in files.items()}
    counted = {} if changed is None else {"changed": changed}
    typer.echo(json.dumps({**paths, **facts, **counted}))


def _print_files(files: Files, changed: int | None) -> None:
    counted = {} if changed is None else {"images changed": changed}
    print_table("files", {**files, **counted})


def _title(name: str, count: int) -> str:
    return name if count <= _PRINTED else f"{name}: the first {_PRINTED} of {count}"


def _row(one: Finding, data: Dataset) -> Sequence[str]:
    kind = f"{one.kind}: {one.side}" if one.side else one.kind
    return (str(one.rank), _name(data.samples[one.row]), kind, _suggested(one))


def _name(sample: Sample) -> str:
    """The path of an image, relative to the working folder if it is below it."""
    image = sample.image
    if isinstance(image, Path) and image.is_relative_to(Path.cwd()):
        return str(image.relative_to(Path.cwd()))
    return sample.name


def _suggested(one: Finding) -> str:
    if one.box is not None:
        return format_box(round(edge, 1) for edge in one.box)
    return one.suggested or "-"


def _as_json(one: Finding, data: Dataset) -> dict[str, object]:
    return {
        "image": _name(data.samples[one.row]),
        "list": one.list,
        "rank": one.rank,
        "score": one.score,
        "p_value": one.p_value,
        "q_value": one.q_value,
        "kind": one.kind,
        "side": one.side,
        "given": one.given,
        "box": one.box,
        "label": one.label,
        "swaps_keypoints": one.swaps_keypoints,
        "why": one.why,
    }
