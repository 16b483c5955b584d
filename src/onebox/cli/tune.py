"""``onebox tune``."""

import json
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from onebox import reading
from onebox.cli.cluster_options import Workers, check_cluster
from onebox.cli.console import ConsoleListener, format_metric, print_note, print_rows, print_table
from onebox.cli.options import AsJson, DataName, FormatName, OnBad, OnMultiple
from onebox.cli.output_checks import prepare_folder
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

if TYPE_CHECKING:
    from onebox.distributed.tuning.job import Tuned
    from onebox.distributed.tuning.records import Found

DEFAULT_TRIALS = 12
MOST_TRIALS = 100
"""Trials that are drawn where ``--minutes`` alone says how many there are."""

_SHOWN = 5  # of the best trials, on the console


def tune(
    data: DataName,
    trials: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=2,
            help=f"Number of trials, the recipe itself included; by default {DEFAULT_TRIALS}, or "
            "with --minutes as many as fit.",
        ),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            metavar="M", help="Finish within this many minutes, the full training included."
        ),
    ] = None,
    space: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The settings to search, as TOML."),
    ] = None,
    recipe: RecipeName = None,
    changes: Changes = None,
    weights: Weights = None,
    no_pretrained: NoPretrained = False,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="The folder of the search, new or empty; by default the next free "
            "runs/tune-NAME-1, -2, ...",
        ),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Continue the search in this folder."),
    ] = None,
    no_train: Annotated[
        bool, typer.Option("--no-train", help="Do not train with the best recipe at the end.")
    ] = False,
    seed: Seed = None,
    on: Annotated[
        str,
        typer.Option(
            "--on",
            metavar="ray[://ADDRESS]",
            help="The Ray cluster of the trials: one on this machine, or the running one at an "
            "address.",
        ),
    ] = "ray",
    workers: Workers = None,
    format_name: FormatName = None,
    on_multiple: OnMultiple = "error",
    on_bad: OnBad = "error",
    as_json: AsJson = False,
) -> None:
    """Search for better settings, and train with the best.

    Trains several networks with different settings, compares them on the validation images, and
    stops the poor ones early. Writes the best recipe, a table and a page of all trials, and a run
    with the best recipe, whose report measures the test images once.
    """
    started_s = time.monotonic()
    from onebox.distributed.tuning import job, preflight
    from onebox.distributed.tuning.records import TuneOptions

    given = {
        "--trials": trials is not None,
        "--recipe": recipe is not None,
        "--set": bool(changes),
        "--weights": weights is not None,
        "--no-pretrained": no_pretrained,
        "--out": out is not None,
        "--seed": seed is not None,
    }
    _check_options([name for name, is_given in given.items() if is_given], resume, minutes)
    check_cluster(on, workers)
    options = TuneOptions(started_s, on, workers, minutes, is_trained=not no_train)
    read = partial(reading.read, data, format_name, on_multiple=on_multiple, on_bad=on_bad)
    if resume is not None:
        settings = job.read_recipe_of(resume)
    else:
        _check_out(out)
        changed = all_changes(changes, minutes=None, no_pretrained=no_pretrained)
        settings = read_changed_recipe(recipe, changed, seed)
        preflight.check_recipe(settings, recipe or "default")
    samples = read(classes=settings.data.classes)
    count = trials or (DEFAULT_TRIALS if minutes is None else MOST_TRIALS)
    with ConsoleListener() as progress:
        progress.stage("Loading PyTorch")
        if resume is not None:
            result = job.resume(samples, resume, space, options, progress)
        else:
            folder = out or free_folder(f"tune-{stem_of(samples.name)}")
            prepare_folder("--out", folder)
            request = job.Request(settings, count, space, weights)
            result = job.start(samples, request, folder, options, progress)
    _print_tuned(result, as_json=as_json)


def _check_options(given: list[str], resume: Path | None, minutes: float | None) -> None:
    """Check that no two options exclude each other; a resumed search keeps its question."""
    if resume is not None and given:
        raise SettingError(
            f"--resume continues the search of {resume} as it began; leave out {', '.join(given)}."
        )
    if minutes is not None and not minutes > 0:
        raise SettingError(f"--minutes must be above 0, got {minutes:g}. Correct it.")
    check_start(given)


def _check_out(out: Path | None) -> None:
    """Check the folder before anything is read or imported, which takes seconds."""
    if out is not None and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise SettingError(
            f"--out {out}: exists and is not an empty folder. Choose another, remove it, or "
            f"continue the search in it with --resume {out}."
        )


def _print_tuned(tuned: "Tuned", *, as_json: bool) -> None:
    trained = tuned.trained
    if trained is not None and trained.is_interrupted:
        print_note(
            "the full training was stopped; the checkpoint kept so far is exported. Continue with "
            f"onebox train --resume {tuned.files.run}."
        )
    facts = as_facts(tuned)
    if as_json:
        typer.echo(json.dumps(facts))
        return
    _print_trials(tuned.found)
    if trained is not None:
        for split, metrics in trained.metrics.items():
            headlines = {name: metrics.get(name) for name in ("images", "mean_iou")}
            print_table(f"{split} images", headlines)
    names = ("recipe", "page", "table", "model", "report")
    print_table("files", {name: facts[name] for name in names if facts.get(name)})


def as_facts(tuned: "Tuned") -> Mapping[str, Any]:
    """A search as ``--json`` prints it."""
    from onebox.distributed.tuning.results import count_by_status

    found, files, trained = tuned.found, tuned.files, tuned.trained
    first, best = found.unchanged, found.best
    facts: dict[str, Any] = {
        "folder": str(files.folder),
        "recipe": str(files.recipe),
        "page": str(files.page),
        "table": str(files.table),
        "trials": {**count_by_status(found), "drawn": len(found.question.trials)},
        "unchanged": {"val_mean_iou": None if first is None else first.value},
    }
    if best is not None:
        changes = dict(found.question.trials[best.number])
        facts["best"] = {"trial": best.number, "val_mean_iou": best.value, "changes": changes}
    if trained is not None:
        report = str(files.run / "report.html")
        facts |= {"model": str(trained.model), "report": report, "metrics": trained.metrics}
    return facts


def _print_trials(found: "Found") -> None:
    """Print the best trials, and the recipe itself if it is none of them."""
    shown = found.ended[:_SHOWN]
    first = found.unchanged
    if first is not None and first.status == "ended" and first not in shown:
        shown.append(first)
    rows = [("trial", "val mean IoU", "settings")]
    for one in shown:
        changes = found.question.trials[one.number]
        settings = ", ".join(f"{name}={value}" for name, value in changes.items())
        rows.append((str(one.number), format_metric(one.value), settings or "the recipe itself"))
    print_rows("best trials", rows, alignments=">><")
