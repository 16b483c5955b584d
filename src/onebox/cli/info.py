"""``onebox info``."""

import dataclasses
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from onebox import loading
from onebox.cli.console import print_note, print_rows, print_table
from onebox.cli.options import AsJson, ModelFile
from onebox.cli.output_checks import has_mark, prepare_file
from onebox.confidence.records import Calibration
from onebox.diagram import STYLE, draw_network, shapes_text
from onebox.errors import ModelError, SettingError
from onebox.files import write_atomically
from onebox.model_card import ModelCard, Part

_SVG = b"<svg"
_NO_PARTS = "does not list its parts: it has no network, or an older onebox wrote it"
_NO_SIGMA = (
    "cannot be calibrated: an older onebox wrote it, and its predictions have no sigma. Train it "
    "again"
)
_COVERAGE = 0.9  # of the promise that is shown
_COLUMNS = ("part", "kind", "layers", "parameters", "multiply-adds", "makes")


def info(
    model: ModelFile,
    diagram: Annotated[
        Path | None,
        typer.Option(metavar="FILE.svg", help="Write a diagram of the network to this file."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print what a model says about itself, and its promises."""
    card = loading.load(model).card
    if diagram is not None:
        _write_diagram(model, card, diagram)
    facts = dataclasses.asdict(card)
    if as_json:
        typer.echo(json.dumps(facts))
        return
    for apart in ("parts", "calibration", "refined_calibration"):
        del facts[apart]
    if card.keypoints is not None:
        facts["keypoints"] = card.keypoints.names
    print_table(str(model), facts)
    _print_calibration(str(model), card)
    if card.parts:
        print_rows("parts", _rows(card.parts), alignments="<<>>><")
    else:
        print_note(f"{model}: {_NO_PARTS}.")


def _print_calibration(model: str, card: ModelCard) -> None:
    """Print what the model promises, or a note that says what it takes."""
    from onebox.confidence.guarantees import guarantees, smallest_risk

    if not card.sigma:
        print_note(f"{model}: {_NO_SIGMA}.")
        return
    images = {"plain": _images(card.calibration)}
    if card.refine_margin is not None:
        images["refined"] = _images(card.refined_calibration)
    facts: dict[str, object] = {"calibration_images": images}
    calibration = card.active_calibration
    try:
        promised = guarantees(calibration, model, coverage=_COVERAGE)
    except SettingError as error:
        print_note(str(error))
    else:
        facts["promise"] = " ".join(promised.describe())
    if calibration is not None:
        facts["smallest_risk"] = smallest_risk(calibration)
    print_table("calibration", facts)


def _images(calibration: Calibration | None) -> int:
    return 0 if calibration is None else calibration.images


def _write_diagram(model: Path, card: ModelCard, path: Path) -> None:
    if not card.parts:
        raise ModelError(
            f"{model}: {_NO_PARTS}, so that there is nothing to draw. Train it again, or name a "
            "model with a network."
        )
    prepare_file("--diagram", path, _SVG, has_mark(STYLE.encode()))
    write_atomically(path, draw_network(card).encode())


def _rows(parts: Sequence[Part]) -> list[tuple[str, ...]]:
    """The table of the parts, with column names above and totals below."""
    counts = [(part.layers, part.parameters, part.multiply_adds) for part in parts]
    rows = [
        (part.name, part.kind, *_grouped(row), shapes_text(part))
        for part, row in zip(parts, counts, strict=True)
    ]
    totals = _grouped(sum(column) for column in zip(*counts, strict=True))
    return [_COLUMNS, *rows, ("total", "", *totals, "")]


def _grouped(counts: Iterable[int]) -> list[str]:
    return [f"{count:,}" for count in counts]
