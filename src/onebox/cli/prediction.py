"""``onebox predict``."""

import glob
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from onebox import images, loading, results
from onebox.cli.console import complain, counting
from onebox.cli.measuring import ModelFile
from onebox.cli.options import AsJson
from onebox.cli.outputs import prepare_file, prepare_folder
from onebox.errors import DataError, PictureError, SettingError
from onebox.evaluation import Predictor
from onebox.files import write_whole
from onebox.results import Named
from onebox.structures import Joints, Prediction

_ABSENT = ("absent", "-")  # in place of label and box


def predict(
    model: ModelFile,
    sources: Annotated[
        list[str], typer.Argument(metavar="SOURCE", help="Pictures, folders of them, or globs.")
    ],
    as_json: AsJson = False,
    csv: Annotated[Path | None, typer.Option(help="Write a CSV file.")] = None,
    coco: Annotated[Path | None, typer.Option(help="Write a COCO results file.")] = None,
    draw: Annotated[
        Path | None,
        typer.Option(help="Write each picture with its box and joints into this folder."),
    ] = None,
) -> None:
    """Find the subject of pictures.

    Prints one line a picture: a JSON object with --json, else name, label, score and box, or
    "absent" and no box where the model says that the subject is not there. A picture that cannot
    be read is named, and the others are answered all the same; the exit code is then 3.
    """
    if sum([as_json, csv is not None, coco is not None]) > 1:
        raise SettingError("--json, --csv and --coco exclude each other; choose one.")
    files = {kind: file for kind, file in (("csv", csv), ("coco", coco)) if file is not None}
    localizer = loading.load(model)
    paths, problems = find_sources(sources)
    if draw is not None:
        prepare_folder("--draw", draw)
    for kind, file in files.items():
        prepare_file(f"--{kind}", file, results.WRITERS[kind].beginning)
    for problem in problems:
        complain(problem)
    with counting("Predicting", is_shown=bool(files)) as progress:
        answers = []
        for path in paths:
            answers.append((path, _answer(localizer, path, draw)))
            if not files:
                _print(*answers[-1], localizer, as_json=as_json)
            progress(len(answers), len(paths))
    for kind, file in files.items():
        named: list[Named] = [(results.named_in(file, path), one) for path, one in answers]
        text = results.WRITERS[kind].write(named, localizer.classes, localizer.joints)
        # A name that is no UTF-8 goes out as the bytes it came in as.
        write_whole(file, text.encode("utf-8", "surrogateescape"))
    unread = len(problems) + sum(prediction is None for _, prediction in answers)
    if unread:
        count = len(problems) + len(paths)
        raise DataError(f"{unread} of {count} sources could not be read; they are named above.")


def find_sources(sources: Sequence[str]) -> tuple[list[Path], list[str]]:
    """Find the pictures that files, folders and globs name.

    Returns:
        The pictures, each once, in the order given; and a sentence for each folder or glob that
        holds none.

    Raises:
        SettingError: If a source is empty, as an unset variable of a script is.
    """
    if "" in sources:
        raise SettingError("a SOURCE is empty. Name a picture, a folder or a glob.")
    found = {source: _expanded(source) for source in sources}
    suffixes = ", ".join(sorted(images.SUFFIXES))
    problems = [
        f"{source}: holds no picture (files that end in {suffixes})."
        for source, paths in found.items()
        if not paths
    ]
    return list(dict.fromkeys(path for paths in found.values() for path in paths)), problems


def _expanded(source: str) -> list[Path]:
    if glob.has_magic(source) and not Path(source).exists():
        matches = sorted(glob.glob(source, recursive=True))  # noqa: PTH207
        return [path for match in matches for path in _pictures(Path(match))]
    return _pictures(Path(source))


def _pictures(path: Path) -> list[Path]:
    return images.find_pictures(path) if path.is_dir() else [path]


def _answer(localizer: Predictor, path: Path, folder: Path | None) -> Prediction | None:
    """Predict one picture, and draw it if a folder asks for that; None where it is unreadable."""
    try:
        prediction = localizer.predict(path)
        if folder is not None:
            _draw(path, prediction, localizer.joints, folder)
    except PictureError as error:
        complain(str(error))
        return None
    return prediction


def _print(
    image: Path, prediction: Prediction | None, localizer: Predictor, *, as_json: bool
) -> None:
    if prediction is None:
        return
    if as_json:
        names = localizer.classes, localizer.joints
        typer.echo(results.as_json_line(str(image), prediction, *names))
        return
    label, box = _ABSENT
    if prediction.has_subject:
        label, box = prediction.label, " ".join(f"{edge:.1f}" for edge in prediction.box)
    typer.echo(f"{image}\t{label}\t{prediction.score:.3f}\t{box}")


def _draw(path: Path, prediction: Prediction, joints: Joints | None, folder: Path) -> None:
    """Write the picture with its box and joints, under a free name."""
    from onebox.visualization import draw

    drawn = draw(images.load(path).pixels, prediction=prediction, joints=joints)
    target = folder / f"{path.stem}.png"
    number = 1
    while target.exists():
        number += 1
        target = folder / f"{path.stem}-{number}.png"
    encoded = io.BytesIO()
    drawn.save(encoded, "PNG")
    write_whole(target, encoded.getvalue())
