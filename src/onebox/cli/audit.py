"""``onebox audit``."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onebox import reading
from onebox.cli.console import ConsoleListener, print_notes, print_rows, print_table
from onebox.cli.options import AsJson, DataName, FormatName, OnBad, OnMultiple
from onebox.cli.training_options import (
    Changes,
    NoPretrained,
    RecipeName,
    Seed,
    Weights,
    all_changes,
    check_start,
    read_changed_recipe,
)
from onebox.errors import SettingError

if TYPE_CHECKING:
    from onebox.audit.job import Audited
    from onebox.audit.records import Finding
    from onebox.structures import Dataset

_SHOWN = 10  # findings of a list that are printed
_TABLE, _PAGE = "audit.csv", "audit.html"


def audit(
    data: DataName,
    recipe: RecipeName = None,
    changes: Changes = None,
    weights: Weights = None,
    no_pretrained: NoPretrained = False,
    folds: Annotated[
        int,
        typer.Option(
            metavar="N", min=2, max=20, help="Number of trainings; each leaves out one fold."
        ),
    ] = 4,
    fdr: Annotated[
        float,
        typer.Option(
            "--fdr",
            metavar="RATE",
            min=0.001,
            max=0.5,
            help="False-discovery rate: the fraction of a list that may be right.",
        ),
    ] = 0.1,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="The folder of the results, new or empty; by default the next free "
            "audits/NAME-1, -2, ...",
        ),
    ] = None,
    apply: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.csv|FILE.json",
            help="Write a new label file with the suggestions of the lists; never the old one.",
        ),
    ] = None,
    edited: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="audit.csv",
            help="With --apply: take the suggestions of this file, and train nothing.",
        ),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(metavar="M", help="Finish the whole audit within this many minutes."),
    ] = None,
    seed: Seed = None,
    format_name: FormatName = None,
    on_multiple: OnMultiple = "error",
    on_bad: OnBad = "error",
    as_json: AsJson = False,
) -> None:
    """Find wrong labels: compare each with the prediction of a network that never saw it.

    Trains a few short networks on all labelled images, whatever their split. Writes audit.html,
    to look at, and audit.csv, with two ranked lists: boxes and classes.
    """
    started_s = time.monotonic()
    settings = {
        "--recipe": recipe is not None,
        "--set": bool(changes),
        "--weights": weights is not None,
        "--no-pretrained": no_pretrained,
        "--out": out is not None,
        "--minutes": minutes is not None,
        "--seed": seed is not None,
    }
    _check_options(apply, edited, [name for name, is_given in settings.items() if is_given])
    if edited is not None and apply is not None:
        samples = reading.read(data, format_name, on_multiple=on_multiple, on_bad=on_bad)
        print_notes(samples.notes)
        _apply_table(samples, edited, apply, as_json=as_json)
        return
    from onebox.audit.job import AuditOptions
    from onebox.audit.job import audit as run
    from onebox.runs.folder import choose_folder

    folder = choose_folder(out, data, "audits")
    changed = all_changes(changes, minutes=minutes, no_pretrained=no_pretrained)
    chosen = read_changed_recipe(recipe, changed, seed)
    samples = reading.read(
        data, format_name, on_multiple=on_multiple, on_bad=on_bad, classes=chosen.data.classes
    )
    with ConsoleListener() as progress:
        progress.stage("Loading PyTorch")
        done = run(samples, chosen, AuditOptions(started_s, folds, fdr, weights), progress)
        progress.stage("Writing the lists")
        facts = {
            "Data": data,
            "Images": str(len(samples)),
            "Folds": str(folds),
            "Backbone": chosen.model.backbone,
            "Weights": "none"
            if no_pretrained
            else weights.name
            if weights
            else "the backbone's own",
            "Seed": str(chosen.train.seed),
        }
        if not chosen.model.pretrained:
            facts["Weights"] = "none"
        _write(done, samples, folder, facts)
    written = {} if apply is None else _apply(done, samples, apply)
    _print(done, samples, folder, written, as_json=as_json)


def _check_options(apply: Path | None, edited: Path | None, given: Sequence[str]) -> None:
    """Check that the options go together, and that nothing would be overwritten."""
    if edited is not None and apply is None:
        raise SettingError(f"--from {edited} goes with --apply FILE, the label file to write.")
    if edited is not None and given:
        raise SettingError(f"--from trains nothing; leave out {', '.join(given)}.")
    check_start(given)
    if apply is not None:
        from onebox.audit.corrections import check_new_file

        check_new_file("--apply", apply)


def _write(done: "Audited", samples: "Dataset", folder: Path, facts: dict[str, str]) -> None:
    from onebox.audit.page import write_page
    from onebox.audit.table import write_table

    folder.mkdir(parents=True, exist_ok=True)
    write_table(done.audit, samples, folder / _TABLE)
    write_page(done.audit, samples, done.found, folder / _PAGE, facts=facts)


def _apply(done: "Audited", samples: "Dataset", file: Path) -> dict[str, object]:
    from onebox.audit.corrections import listed_corrections, write_corrected

    changed = write_corrected(samples, listed_corrections(done.audit), file)
    return {"labels": str(file), "changed": changed}


def _apply_table(samples: "Dataset", edited: Path, file: Path, *, as_json: bool) -> None:
    from onebox.audit.corrections import write_corrected
    from onebox.audit.table import read_corrections

    changed = write_corrected(samples, read_corrections(edited, samples), file)
    if as_json:
        typer.echo(json.dumps({"labels": str(file), "changed": changed}))
    else:
        print_table("corrected labels", {"labels": file, "changed": changed})


def _print(
    done: "Audited",
    samples: "Dataset",
    folder: Path,
    written: dict[str, object],
    *,
    as_json: bool,
) -> None:
    found = done.audit
    lists = {"boxes": found.boxes, "classes": found.classes, "checks": found.checks}
    listed = {name: [one for one in each if one.is_listed] for name, each in lists.items()}
    if as_json:
        typer.echo(json.dumps(_as_json(done, samples, folder, listed, written)))
        return
    for name, findings in listed.items():
        if lists[name]:
            print_table(name, {"judged": len(lists[name]), "listed": len(findings)})
            rows = [_line(one, samples) for one in findings[:_SHOWN]]
            if rows:
                print_rows(f"first of {name}", rows, alignments=">" + "<" * (len(rows[0]) - 1))
    print_notes(found.notes)
    print_table("files", {"page": folder / _PAGE, "table": folder / _TABLE, **written})


def _line(finding: "Finding", samples: "Dataset") -> list[str]:
    name = samples.samples[finding.row].name
    return [str(finding.rank), name, finding.kind, finding.side, finding.given, finding.suggested]


def _as_json(
    done: "Audited",
    samples: "Dataset",
    folder: Path,
    listed: dict[str, list["Finding"]],
    written: dict[str, object],
) -> dict[str, object]:
    from onebox.audit.table import as_record

    records = {
        name: [as_record(one, samples.samples[one.row]) for one in findings]
        for name, findings in listed.items()
    }
    return {
        "page": str(folder / _PAGE),
        "table": str(folder / _TABLE),
        "images": len(samples),
        "fdr": done.audit.rate,
        "class_error_rate": done.audit.class_error_rate,
        **records,
        **written,
    }
