"""``onebox label``."""

import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onebox.cli.console import is_terminal, print_notes
from onebox.cli.options import FormatName
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
from onebox.errors import OneboxError, SettingError
from onebox.optional import require

if TYPE_CHECKING:
    from onebox.labelling.options import TrainingOptions

_DEFAULT_EVERY = 20


def label(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A folder of images; folders in it count.")
    ],
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The label file, new or not; by default the one in the folder, else a new "
            "DIR/labels.csv.",
        ),
    ] = None,
    format_name: FormatName = None,
    classes: Annotated[
        str | None,
        typer.Option(metavar="A,B,...", help="Class names, besides those of the label file."),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(metavar="MODEL", help="A model of onebox that proposes from the start."),
    ] = None,
    suspects: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Show the listed images of this audit.csv first."),
    ] = None,
    target: Annotated[
        float | None,
        typer.Option(metavar="IOU", help="The mean IoU that is good enough, such as 0.85."),
    ] = None,
    no_train: Annotated[
        bool, typer.Option("--no-train", help="Train no model in the background.")
    ] = False,
    every: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help=f"Train again after N further labels; by default {_DEFAULT_EVERY}.",
        ),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            metavar="M",
            help="Finish each training within this many minutes; by default it is short, with no "
            "time budget.",
        ),
    ] = None,
    recipe: RecipeName = None,
    changes: Changes = None,
    weights: Weights = None,
    no_pretrained: NoPretrained = False,
    seed: Seed = None,
    host: Annotated[
        str, typer.Option(metavar="HOST", help="What the server listens on.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar="N", min=0, max=65535, help="The port; 0 takes a free one.")
    ] = 0,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="ONEBOX_TOKEN",
            show_envvar=True,
            help="What a browser must show once; needed with a --host that other machines reach.",
        ),
    ] = None,
    allowed_hosts: Annotated[
        list[str] | None,
        typer.Option(
            "--allowed-host",
            metavar="NAME",
            help="A further name of the server, such as that of a reverse proxy; repeatable.",
        ),
    ] = None,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Print the address, and open no browser.")
    ] = False,
) -> None:
    """Label images in the browser, while a model learns.

    Prints the address of the page. Every label is on the disk before it is acknowledged; the label
    file follows within a second. Ctrl-C ends the session; the same command goes on with it.
    """
    require("uvicorn", extra="serve", purpose="the labelling page")
    from onebox.labelling.options import SessionOptions
    from onebox.labelling.session import Session
    from onebox.serving.label_api.job import Place, serve

    given = {
        "--every": every is not None,
        "--minutes": minutes is not None,
        "--recipe": recipe is not None,
        "--set": bool(changes),
        "--weights": weights is not None,
        "--no-pretrained": no_pretrained,
    }
    named = [name for name, is_given in given.items() if is_given]
    _check_options(named, no_train=no_train)
    if weights is not None and not weights.is_file():
        raise SettingError(f"--weights {weights}: there is no such file. Correct the path.")
    all_of_them = all_changes(changes, minutes=None, no_pretrained=no_pretrained)
    training = None if no_train else _training(recipe, all_of_them, weights, every, minutes)
    options = SessionOptions(
        folder, labels, format_name, _names(classes), model, suspects, training, target, seed or 0
    )
    place = Place(host, port, token, allowed_hosts or ())
    listener = place.open()
    with listener, Session.open(options) as session:
        told = session.notes
        print_notes(told)
        serve(session, place, listener, lambda address: _announce(address, no_browser=no_browser))
        print_notes(note for note in session.notes if note not in told)
    saved = session.summary().file
    if saved.state == "refused":
        raise OneboxError(
            f"{session.label_file_path}: does not have all labels: {saved.message} They are in "
            f"{session.session_folder}; the same command goes on with them."
        )


def _check_options(given: list[str], *, no_train: bool) -> None:
    if no_train and given:
        raise SettingError(f"--no-train trains no model; leave out {', '.join(given)}.")
    check_start(given)


def _training(
    recipe: str | None,
    changes: list[str],
    weights: Path | None,
    every: int | None,
    minutes: float | None,
) -> "TrainingOptions":
    from onebox.labelling.options import TrainingOptions

    read_changed_recipe(recipe, changes, None)  # a wrong setting is an error now, not at 20 labels
    return TrainingOptions(
        recipe or "default",
        tuple(changes),
        weights,
        minutes,
        every=every or _DEFAULT_EVERY,
    )


def _names(classes: str | None) -> tuple[str, ...]:
    """The class names of ``a,b``.

    Raises:
        SettingError: If one is empty, or there twice.
    """
    names = tuple(name.strip() for name in (classes or "").split(",")) if classes else ()
    if not all(names) or len({name.casefold() for name in names}) < len(names):
        raise SettingError(
            f"--classes '{classes}' has an empty name, or one name twice. Write each once, "
            "separated by commas."
        )
    return names


def _announce(address: str, *, no_browser: bool) -> None:
    typer.echo(address)
    if is_terminal() and not no_browser:
        webbrowser.open(address)
