"""The batch-prediction job: images → predictions → a sink, in the order of the sources."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from onebox.errors import ImageError
from onebox.images import Source
from onebox.localizer import Localizer
from onebox.prediction.items import Found, SourceItem, UnreadableSource
from onebox.streaming import Answer
from onebox.structures import Prediction


@runtime_checkable
class Sink(Protocol):
    """Where predictions go."""

    def has(self, item: SourceItem) -> bool:
        """Whether it has a prediction for the image already."""

    def write(self, item: SourceItem, prediction: Prediction) -> None:
        """Take a prediction."""

    def write_unreadable(self, item: SourceItem) -> None:
        """Take note of an image that cannot be read."""


@dataclass(slots=True)
class Tally:
    """How many images and sources had which outcome so far; a sink had the skipped ones already."""

    predicted: int = 0
    unreadable_images: int = 0
    unreadable_sources: int = 0
    skipped: int = 0

    @property
    def unreadable(self) -> int:
        """Images and sources that could not be read."""
        return self.unreadable_images + self.unreadable_sources

    @property
    def done(self) -> int:
        """Images and sources that were read or could not be."""
        return self.predicted + self.unreadable


@dataclass(frozen=True, slots=True)
class Job:
    """Predicts all images of some sources.

    ``report`` is called with each problem of an image or source, a sentence; from two threads.
    """

    localizer: Localizer
    threads: int
    report: Callable[[str], None]
    tally: Tally = field(default_factory=Tally)

    def run(
        self,
        found: Iterable[Found],
        sink: Sink,
        progress: Callable[[Tally], object] = lambda _: None,
    ) -> None:
        """Predict all images; an image or source that cannot be read does not stop the others.

        Raises:
            KeyboardInterrupt: If the user stops the job; the tally then says how far it got.
            RuntimeError: If the model fails with one.
        """
        items: dict[int, SourceItem] = {}  # those in progress, by the index of their answer
        sources = self._sources(found, sink, items)
        try:
            with closing(self.localizer.predict_many(sources, threads=self.threads)) as answers:
                for answer in answers:
                    self._write(items.pop(answer.index), answer, sink)
                    progress(self.tally)
        except RuntimeError as error:
            # Ctrl-C can leave a lock of Python released that its `with` then fails to release.
            if isinstance(error.__context__, KeyboardInterrupt):
                raise KeyboardInterrupt from error
            raise

    def _sources(
        self, found: Iterable[Found], sink: Sink, items: dict[int, SourceItem]
    ) -> Iterator[Source]:
        # Runs in the thread that draws sources: of the tally, it alone counts these two.
        index = 0
        for one in found:
            if isinstance(one, UnreadableSource):
                self.report(one.message)
                self.tally.unreadable_sources += 1
            elif sink.has(one):
                self.tally.skipped += 1
            else:
                items[index] = one
                index += 1
                yield one.source

    def _write(self, item: SourceItem, answer: Answer, sink: Sink) -> None:
        try:
            sink.write(item, answer.unwrap())
        except ImageError as error:
            self.report(item.explain(error))
            sink.write_unreadable(item)
            self.tally.unreadable_images += 1
        else:
            self.tally.predicted += 1
