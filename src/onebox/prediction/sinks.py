"""Sinks of a batch-prediction job: a results file, and a folder of drawings."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from onebox import images
from onebox.files import LONGEST_NAME, shorten_name, write_atomically
from onebox.prediction.items import SourceItem
from onebox.prediction.job import Sink
from onebox.prediction.writers import Journal, Row
from onebox.structures import KeypointSet, Prediction


@dataclass(frozen=True, slots=True)
class JournalSink:
    """Writes predictions into the file of a journal, with names that are made from paths."""

    journal: Journal
    name: Callable[[Path], str]

    def has(self, item: SourceItem) -> bool:
        """Whether the file has a prediction for the image."""
        return self.journal.has(self._name(item), item.frame)

    def write(self, item: SourceItem, prediction: Prediction) -> None:
        """Write a prediction."""
        self.journal.write(Row(self._name(item), prediction, item.frame, item.time_s))

    def write_unreadable(self, item: SourceItem) -> None:
        """Keep the image's number."""
        self.journal.write_unreadable(self._name(item))

    def _name(self, item: SourceItem) -> str:
        if item.path is None:
            return item.name
        name = self.name(item.path)
        return name if item.member is None else f"{name}:{item.member}"


@dataclass(frozen=True, slots=True)
class DrawingSink:
    """Draws each prediction as PNG under the image's name or the next free one; passes it on."""

    folder: Path
    keypoints: KeypointSet | None
    sink: Sink

    def has(self, item: SourceItem) -> bool:
        """Whether the other sink has a prediction for the image."""
        return self.sink.has(item)

    def write(self, item: SourceItem, prediction: Prediction) -> None:
        """Draw a prediction, and pass it on.

        Raises:
            ImageError: If the image cannot be read again.
            OneboxError: If the drawing cannot be written.
        """
        from onebox.visualization import draw  # noqa: PLC0415 - needed for drawings alone

        pixels = images.load(item.source).pixels
        drawn = draw(pixels, prediction=prediction, keypoints=self.keypoints)
        encoded = io.BytesIO()
        drawn.save(encoded, "PNG")
        write_atomically(_free_path(self.folder, item), encoded.getvalue())
        self.sink.write(item, prediction)

    def write_unreadable(self, item: SourceItem) -> None:
        """Pass an image on that cannot be read."""
        self.sink.write_unreadable(item)


def _free_path(folder: Path, item: SourceItem) -> Path:
    stem, frame = _stem(item), "" if item.frame is None else f"-{item.frame:06d}"
    path, number = _join(folder, stem, f"{frame}.png"), 1
    while path.exists():
        number += 1
        path = _join(folder, stem, f"{frame}-{number}.png")
    return path


def _join(folder: Path, stem: str, ending: str) -> Path:
    """The path of a drawing; of too long a name, the end of the stem is left out."""
    return folder / f"{shorten_name(stem, LONGEST_NAME - len(ending))}{ending}"


def _stem(item: SourceItem) -> str:
    # "camera:0" would be read as a URL of the scheme "camera".
    name = urlsplit(item.name).path if "://" in item.name else item.name
    path = item.path if item.member is None else Path(item.member)
    stem = (path or Path(name.replace(":", "-"))).stem or "image"
    return stem.replace("\0", "-")  # a shard's names can hold what no file's can
