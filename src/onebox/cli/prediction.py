"""``onebox predict``."""

import glob
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from onebox import images, results, runtime
from onebox.cli.console import complain
from onebox.cli.measuring import ModelFile
from onebox.cli.options import AsJson
from onebox.errors import DataError, OneboxError, PictureError, SettingError
from onebox.results import Named
from onebox.structures import Prediction


def predict(
    model: ModelFile,
    sources: Annotated[
        list[str], typer.Argument(metavar="SOURCE...", help="Pictures, folders of them, or globs.")
    ],
    as_json: AsJson = False,
    csv: Annotated[Path | None, typer.Option(help="Write a CSV file.")] = None,
    coco: Annotated[Path | None, typer.Option(help="Write a COCO results file.")] = None,
    draw: Annotated[
        Path | None, typer.Option(help="Write each picture with its box into this folder.")
    ] = None,
) -> None:
    """Find the subject of pictures.

    Prints one line a picture: a JSON object with --json, else name, label, score and box. A
    picture that cannot be read is named, and the others are answered all the same; the exit code
    is then 3.
    """
    if sum([as_json, csv is not None, coco is not None]) > 1:
        raise SettingError("--json, --csv and --coco exclude each other; choose one.")
    files = {"csv": csv, "coco": coco}
    localizer = runtime.load(model)
    paths = find_sources(sources)
    _prepare(draw, [path for path in files.values() if path is not None])
    answers: list[Named] = []
    unread = 0
    for path in paths:
        try:
            prediction = localizer.predict(path)
            if draw is not None:
                _draw(path, prediction, draw)
        except PictureError as error:
            complain(str(error))
            unread += 1
            continue
        answers.append((str(path), prediction))
        if csv is None and coco is None:
            _print(answers[-1], localizer.classes, as_json=as_json)
    for kind, file in files.items():
        if file is not None:
            results.write_results(file, results.WRITERS[kind](answers, localizer.classes))
    if unread:
        raise DataError(
            f"{unread} of {len(paths)} pictures could not be read; they are named above."
        )


def find_sources(sources: Sequence[str]) -> list[Path]:
    """The pictures that files, folders and globs name, each once, in the order given.

    Raises:
        DataError: If a folder or a glob holds no picture.
    """
    return list(dict.fromkeys(path for source in sources for path in _expanded(source)))


def _expanded(source: str) -> Iterator[Path]:
    path = Path(source)
    if path.is_dir():
        found = images.find_pictures(path)
    elif glob.has_magic(source) and not path.exists():
        found = sorted(Path(name) for name in glob.glob(source, recursive=True))  # noqa: PTH207
    else:
        found = [path]
    if not found:
        suffixes = ", ".join(sorted(images.SUFFIXES))
        raise DataError(f"{source}: holds no picture (files that end in {suffixes}).")
    yield from found


def _prepare(folder: Path | None, files: Sequence[Path]) -> None:
    """See that what is asked for can be written, before the work.

    Raises:
        OneboxError: If a folder is missing and cannot be made.
    """
    try:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OneboxError(f"{error.filename}: cannot be made ({error.strerror}).") from error


def _print(answer: Named, classes: Sequence[str], *, as_json: bool) -> None:
    if as_json:
        typer.echo(results.as_json_line(answer, classes))
        return
    image, prediction = answer
    box = " ".join(f"{edge:.1f}" for edge in prediction.box)
    typer.echo(f"{image}\t{prediction.label}\t{prediction.score:.3f}\t{box}")


def _draw(path: Path, prediction: Prediction, folder: Path) -> None:
    """Write the picture with its box, under a free name."""
    from onebox.visualization import draw

    drawn = draw(images.load(path).pixels, prediction=prediction)
    target = folder / f"{path.stem}.png"
    number = 1
    while target.exists():
        number += 1
        target = folder / f"{path.stem}-{number}.png"
    drawn.save(target)
