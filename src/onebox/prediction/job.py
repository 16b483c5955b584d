"""Images → answers, and where they go: to standard output, or into a file."""

import io
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable
from urllib.parse import urlsplit

import typer

from onebox import images
from onebox.cli.console import print_error
from onebox.errors import ImageError
from onebox.files import write_atomically
from onebox.images import Source
from onebox.model_card import ModelCard
from onebox.prediction.sources import Found, Item, Problem
from onebox.prediction.writers import Layout, Recorder, Row, as_json_line
from onebox.streaming import Answer
from onebox.structures import KeypointSet, Prediction

_ABSENT = ("absent", "-")  # in place of label and box


@runtime_checkable
class Answerer(Protocol):
    """What is asked of a model."""

    @property
    def card(self) -> ModelCard:
        """What it says of itself."""
        ...

    def predict_many(
        self, sources: Iterable[Source], *, threads: int
    ) -> Generator[Answer, None, None]:
        """An answer for each source, in order."""
        ...


@runtime_checkable
class Sink(Protocol):
    """Where answers go."""

    def holds(self, item: Item) -> bool:
        """Whether it has an answer for the image already."""
        ...

    def write(self, item: Item, prediction: Prediction) -> None:
        """Take an answer."""
        ...

    def write_unread(self, item: Item) -> None:
        """Take note that there is none."""
        ...


class Printed:
    """Answers on standard output, one line each."""

    def __init__(self, layout: Layout, *, as_json: bool) -> None:
        self._layout = layout
        self._as_json = as_json

    def holds(self, item: Item) -> bool:  # noqa: ARG002
        """No."""
        return False

    def write(self, item: Item, prediction: Prediction) -> None:
        """Print an answer."""
        if self._as_json:
            row = Row(item.name, prediction, item.frame, item.time_s)
            typer.echo(as_json_line(row, self._layout))
            return
        label, box = _ABSENT
        if prediction.has_subject:
            label, box = prediction.label, " ".join(f"{edge:.1f}" for edge in prediction.box)
        typer.echo(f"{_shown(item)}\t{label}\t{prediction.score:.3f}\t{box}")

    def write_unread(self, item: Item) -> None:
        """Nothing: it was named on standard error."""


class Recorded:
    """Answers in a file."""

    def __init__(self, recorder: Recorder, name: Callable[[Path], str]) -> None:
        self._recorder = recorder
        self._name = name

    def holds(self, item: Item) -> bool:
        """Whether the file has an answer for the image."""
        return self._recorder.holds(self._named(item), item.frame)

    def write(self, item: Item, prediction: Prediction) -> None:
        """Write an answer."""
        self._recorder.write(Row(self._named(item), prediction, item.frame, item.time_s))

    def write_unread(self, item: Item) -> None:
        """Keep the image's number."""
        self._recorder.write_unread(self._named(item))

    def _named(self, item: Item) -> str:
        return item.name if item.path is None else self._name(item.path)


@dataclass(slots=True)
class Tally:
    """What came of the sources so far.

    Sources are drawn in one thread and answers taken in another; each counts on its own.

    Attributes:
        answered: Images with an answer.
        unreadable: Images that could not be read.
        problems: Sources that gave no image, or no more; counted as they are drawn.
        skipped: Images that the file had an answer for; likewise.
    """

    answered: int = 0
    unreadable: int = 0
    problems: int = 0
    skipped: int = 0

    @property
    def unread(self) -> int:
        """Sources that could not be read."""
        return self.unreadable + self.problems

    @property
    def looked_at(self) -> int:
        """Sources that were looked at."""
        return self.answered + self.unread


class Answering:
    """One run over the sources of a command.

    Attributes:
        tally: What came of them so far.
    """

    def __init__(self, model: Answerer, *, threads: int, draw: Path | None = None) -> None:
        self.tally = Tally()
        self._model = model
        self._threads = threads
        self._draw = draw
        self._waiting: deque[Item] = deque()

    def run(self, found: Iterable[Found], sink: Sink, progress: Callable[[Tally], None]) -> None:
        """Answer all sources; those that cannot be read are named on standard error."""
        sources = self._sources(found, sink)
        with closing(self._model.predict_many(sources, threads=self._threads)) as answers:
            for answer in answers:
                self._take(self._waiting.popleft(), answer, sink)
                progress(self.tally)

    def _sources(self, found: Iterable[Found], sink: Sink) -> Iterator[Source]:
        for one in found:
            if isinstance(one, Problem):
                print_error(one.sentence)
                self.tally.problems += 1
            elif sink.holds(one):
                self.tally.skipped += 1
            else:
                self._waiting.append(one)
                yield one.source

    def _take(self, item: Item, answer: Answer, sink: Sink) -> None:
        try:
            prediction = answer.unwrap()
            if self._draw is not None:
                _draw(item, prediction, self._model.card.keypoints, self._draw)
        except ImageError as error:
            print_error(str(error))
            sink.write_unread(item)
            self.tally.unreadable += 1
        else:
            sink.write(item, prediction)
            self.tally.answered += 1


def _shown(item: Item) -> str:
    if item.frame is None:
        return item.name
    moment = "" if item.time_s is None else f" at {item.time_s:.3f} s"
    return f"{item.name} frame {item.frame}{moment}"


def _draw(item: Item, prediction: Prediction, keypoints: KeypointSet | None, folder: Path) -> None:
    """Write the image with its box and keypoints, under a free name."""
    from onebox.visualization import draw

    drawn = draw(images.load(item.source).pixels, prediction=prediction, keypoints=keypoints)
    stem = _stem(item)
    target = folder / f"{stem}.png"
    number = 1
    while target.exists():
        number += 1
        target = folder / f"{stem}-{number}.png"
    encoded = io.BytesIO()
    drawn.save(encoded, "PNG")
    write_atomically(target, encoded.getvalue())


def _stem(item: Item) -> str:
    # A camera's name would be read as a URL of the scheme "camera".
    named = urlsplit(item.name).path if "://" in item.name else item.name
    stem = (item.path or Path(named.replace(":", "-"))).stem or "image"
    return stem if item.frame is None else f"{stem}-{item.frame:06d}"
