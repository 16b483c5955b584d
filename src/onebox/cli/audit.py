"""``onebox audit``."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onebox import reading
from onebox.audit import job
from onebox.audit.corrections import NewLabels, check_absent, corrections_of
from onebox.audit.csv_list import read_corrections, write_list
from onebox.audit.job import DEFAULT_FOLDS, DEFAULT_RATE, AuditOptions
from onebox.audit.preflight import check_data, check_rate, check_recipe
from onebox.cli.audit_results import print_applied, print_audit
from onebox.cli.cluster_options import On, Workers, check_cluster
from onebox.cli.console import ConsoleListener, print_note, print_notes
from onebox.cli.options import AsJson, DataName, FormatName, OnBad, OnMultiple
from onebox.cli.output_checks import prepare_folder
from onebox.cli.task_runners import task_runner
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
from onebox.runs.folder import free_folder, stem_of
from onebox.structures import Dataset

if TYPE_CHECKING:
    from onebox.recipes.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Places:
    """Where an audit goes, and where it trains.

    Attributes:
        out: Its folder; None for a free one.
        labels: Corrected labels, if any.
        on: The value of ``--on``; None for this machine.
        workers: Folds at once on a cluster; None for as many as it has room for.
    """

    out: Path | None
    labels: NewLabels | None
    on: str | None = None
    workers: int | None = None


def audit(
    data: DataName,
    recipe: RecipeName = None,
    changes: Changes = None,
    weights: Weights = None,
    no_pretrained: NoPretrained = False,
    minutes: Annotated[
        float | None, typer.Option(metavar="M", help="Finish within this many minutes.")
    ] = None,
    seed: Seed = None,
    folds: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help=f"Parts of the data, each judged by a network trained on the others; "
            f"by default {DEFAULT_FOLDS}.",
        ),
    ] = None,
    fdr: Annotated[
        float | None,
        typer.Option(
            metavar="RATE",
            help="False-discovery rate: the share of a list that may be right after all; "
            f"by default {DEFAULT_RATE:g}.",
        ),
    ] = None,
    on: On = None,
    workers: Workers = None,
    format_name: FormatName = None,
    on_multiple: OnMultiple = "error",
    on_bad: OnBad = "error",
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="The folder of the results, new or empty; by default the next free "
            "runs/audit-NAME-1, -2, ...",
        ),
    ] = None,
    apply: Annotated[
        Path | None,
        typer.Option(
            metavar="NEW",
            help="Write corrected labels here: a .csv or .json file, or a folder. It must not "
            "exist.",
        ),
    ] = None,
    from_list: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="Apply the listed rows of this audit.csv, without a new audit.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find labels that are probably wrong.

    Each image is judged by a network that was not trained on it. Writes audit.csv, which can be
    edited and applied, and audit.html, which shows the images.
    """
    started_s = time.monotonic()
    given = {
        "--recipe": recipe is not None,
        "--set": bool(changes),
        "--weights": weights is not None,
        "--no-pretrained": no_pretrained,
        "--minutes": minutes is not None,
        "--seed": seed is not None,
        "--folds": folds is not None,
        "--fdr": fdr is not None,
        "--out": out is not None,
        "--on": on is not None,
        "--workers": workers is not None,
    }
    rate = DEFAULT_RATE if fdr is None else fdr
    check_rate(rate)
    _check_options([name for name, is_given in given.items() if is_given], apply, from_list)
    _check_places(out, apply)
    check_cluster(on, workers)
    read = partial(reading.read, data, format_name, on_multiple=on_multiple, on_bad=on_bad)
    if from_list is not None and apply is not None:
        _apply_list(read(), from_list, NewLabels(apply, format_name), as_json=as_json)
        return
    changed = all_changes(changes, minutes=minutes, no_pretrained=no_pretrained)
    settings = read_changed_recipe(recipe, changed, seed)
    check_recipe(settings, recipe)
    options = AuditOptions(started_s, DEFAULT_FOLDS if folds is None else folds, rate, weights)
    samples = read(classes=settings.data.classes)
    labels = None if apply is None else NewLabels(apply, format_name)
    places = Places(out, labels, on, workers)
    _audit(samples, settings, options, places, as_json=as_json)


def _check_options(given: Sequence[str], apply: Path | None, from_list: Path | None) -> None:
    """Check that no two options exclude each other; a list is applied without a new audit."""
    if from_list is not None and apply is None:
        raise SettingError(
            "--from names the list to apply; name the new labels too, with --apply NEW.csv."
        )
    if from_list is not None and given:
        raise SettingError(
            f"--from applies a list without a new audit; leave out {', '.join(given)}."
        )
    check_start(given)


def _check_places(out: Path | None, apply: Path | None) -> None:
    """Check the places of the results before anything is read or imported, which takes seconds."""
    if out is not None and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise SettingError(
            f"--out {out}: exists and is not an empty folder. Choose another, or remove it."
        )
    if apply is not None:
        check_absent(apply)


def _apply_list(data: Dataset, path: Path, labels: NewLabels, *, as_json: bool) -> None:
    print_notes(data.notes)
    labels.check(data)
    changed = labels.write(data, read_corrections(path, data))
    print_applied(labels.path, changed, len(data), as_json=as_json)


def _audit(
    data: Dataset, recipe: "Recipe", options: AuditOptions, places: Places, *, as_json: bool
) -> None:
    from onebox.audit.page import write_page

    print_notes(data.notes)
    check_data(data, options.folds, print_note)
    if places.labels is not None:
        places.labels.check(data)
    folder = places.out or free_folder(f"audit-{stem_of(data.name)}")
    prepare_folder("--out", folder)
    files = {"list": folder / "audit.csv", "page": folder / "audit.html"}
    with (
        ConsoleListener() as progress,
        task_runner(places.on, places.workers, options.folds) as runner,
    ):
        progress.stage("Loading PyTorch")
        found = job.audit(data, recipe, options, progress, runner).audit
        progress.stage("Writing the lists")
        write_list(found, data, files["list"])
        write_page(found, data, files["page"], facts=_facts(data, recipe, options))
    print_notes(found.notes)
    changed = None
    if places.labels is not None:
        print_note("the suggestions are applied unseen, and some change a label that was right.")
        changed = places.labels.write(data, corrections_of(found))
        files["labels"] = places.labels.path
    print_audit(found, data, files, changed=changed, as_json=as_json)


def _facts(data: Dataset, recipe: "Recipe", options: AuditOptions) -> Mapping[str, str]:
    return {
        "Data": data.name,
        "Backbone": recipe.model.backbone,
        "Folds": str(options.folds),
        "Seed": str(recipe.train.seed),
    }
