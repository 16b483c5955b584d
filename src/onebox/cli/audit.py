"""``onebox audit``."""

import importlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onebox import reading
from onebox.audit.corrections import NewLabels, check_absent, corrections_of
from onebox.audit.csv_list import read_corrections, write_list
from onebox.audit.preflight import check_data, check_rate
from onebox.audit.records import Audit, OutOfFold
from onebox.cli.audit_results import print_applied, print_audit
from onebox.cli.console import ConsoleListener, print_note, print_notes
from onebox.cli.options import AsJson, DataName, FormatName, OnBad, OnMultiple
from onebox.cli.output_checks import prepare_folder
from onebox.errors import OneboxError, SettingError
from onebox.progress import Listener
from onebox.runs.folder import free_folder, stem_of
from onebox.structures import Dataset

if TYPE_CHECKING:
    from onebox.recipes.recipe import Recipe

FOLDS = 4
"""By default."""

RATE = 0.1
"""False-discovery rate by default."""


@dataclass(frozen=True, slots=True)
class Job:
    """How to audit.

    Attributes:
        started_s: Value of `time.monotonic` from which ``train.minutes`` counts.
        recipe: Of the networks.
        weights: Their initial weights, as in `onebox.train`.
        folds: Number of parts; each is judged by a network that was trained on the others.
        rate: The false-discovery rate of the lists.
    """

    started_s: float
    recipe: "Recipe"
    weights: Path | None
    folds: int
    rate: float


def audit(
    data: DataName,
    recipe: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE", help="The name of a recipe (see onebox recipes), or a TOML file."
        ),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Change one setting, such as train.epochs=20; repeatable.",
        ),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Initial weights of the backbone (safetensors)."),
    ] = None,
    no_pretrained: Annotated[
        bool, typer.Option("--no-pretrained", help="Train from scratch, without initial weights.")
    ] = False,
    minutes: Annotated[
        float | None, typer.Option(metavar="M", help="Finish within this many minutes.")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=0, help="Seed of everything random; by default the recipe's."
        ),
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help=f"Parts of the data, each judged by a network trained on the others; "
            f"by default {FOLDS}.",
        ),
    ] = None,
    fdr: Annotated[
        float | None,
        typer.Option(
            metavar="RATE",
            help="False-discovery rate: the share of a list that may be right after all; "
            f"by default {RATE:g}.",
        ),
    ] = None,
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
    }
    rate = RATE if fdr is None else fdr
    check_rate(rate)
    _check_options([name for name, is_given in given.items() if is_given], apply, from_list)
    _check_places(out, apply)
    read = partial(reading.read, data, format_name, on_multiple=on_multiple, on_bad=on_bad)
    if from_list is not None and apply is not None:
        _apply_list(read(), from_list, NewLabels(apply, format_name), as_json=as_json)
        return
    changed = [*(changes or []), *(["model.pretrained=false"] if no_pretrained else [])]
    changed += [] if minutes is None else [f"train.minutes={minutes}"]
    settings = _read_recipe(recipe, changed, seed)
    job = Job(started_s, settings, weights, FOLDS if folds is None else folds, rate)
    samples = read(classes=settings.data.classes)
    labels = None if apply is None else NewLabels(apply, format_name)
    _audit(samples, job, out, labels, as_json=as_json)


def find_faults(data: Dataset, job: Job, listener: Listener) -> Audit:
    """Audit a data set; loads PyTorch.

    Raises:
        OneboxError: If a package is missing, weights cannot be had, or the disk is full.
        DataError: If images cannot be read.
        SettingError: If settings do not fit together, or leave no time to train.
    """
    from onebox.audit.find import find

    try:
        module = importlib.import_module("onebox.learning.cross_validation.out_of_fold")
    except ModuleNotFoundError as error:
        raise OneboxError(
            f"onebox audit needs the package '{error.name}', which the light install leaves out. "
            "Install it with: pip install 'onebox[train]'"
        ) from error
    options = module.FoldOptions(job.started_s, job.folds, job.weights)
    found: OutOfFold = module.predict_out_of_fold(data, job.recipe, options, listener)
    return find(data, found, job.rate)


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
    if "--weights" in given and "--no-pretrained" in given:
        raise SettingError("--weights and --no-pretrained exclude each other; leave one out.")


def _check_places(out: Path | None, apply: Path | None) -> None:
    """Check the places of the results before anything is read or imported, which takes seconds."""
    if out is not None and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise SettingError(
            f"--out {out}: exists and is not an empty folder. Choose another, or remove it."
        )
    if apply is not None:
        check_absent(apply)


def _read_recipe(name: str | None, changes: Sequence[str], seed: int | None) -> "Recipe":
    from onebox.recipes.loading import read_recipe

    recipe = read_recipe("default" if name is None else name, changes)
    if recipe.hog is not None:
        raise SettingError(
            f"recipe '{name}' trains HOG windows, which estimate no spread of their boxes. "
            "Audit with a recipe of a network, such as default."
        )
    return recipe if seed is None else recipe.with_seed(seed)


def _apply_list(data: Dataset, path: Path, labels: NewLabels, *, as_json: bool) -> None:
    print_notes(data.notes)
    labels.check(data)
    changed = labels.write(data, read_corrections(path, data))
    print_applied(labels.path, changed, len(data), as_json=as_json)


def _audit(
    data: Dataset, job: Job, out: Path | None, labels: NewLabels | None, *, as_json: bool
) -> None:
    from onebox.audit.page import write_page

    print_notes(data.notes)
    check_data(data, job.folds, print_note)
    if labels is not None:
        labels.check(data)
    folder = out or free_folder(f"audit-{stem_of(data.name)}")
    prepare_folder("--out", folder)
    files = {"list": folder / "audit.csv", "page": folder / "audit.html"}
    with ConsoleListener() as progress:
        progress.stage("Loading PyTorch")
        found = find_faults(data, job, progress)
        progress.stage("Writing the lists")
        write_list(found, data, files["list"])
        write_page(found, data, files["page"], facts=_facts(data, job))
    print_notes(found.notes)
    changed = None
    if labels is not None:
        print_note("the suggestions are applied unseen, and some change a label that was right.")
        changed = labels.write(data, corrections_of(found))
        files["labels"] = labels.path
    print_audit(found, data, files, changed=changed, as_json=as_json)


def _facts(data: Dataset, job: Job) -> Mapping[str, str]:
    recipe = job.recipe
    return {
        "Data": data.name,
        "Backbone": recipe.model.backbone,
        "Folds": str(job.folds),
        "Seed": str(recipe.train.seed),
    }
