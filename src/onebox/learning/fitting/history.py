"""``history.csv``: one row an epoch, whole after every one of them."""

import csv
import dataclasses
import io
from pathlib import Path

from onebox.files import write_atomically
from onebox.progress import EpochMetrics, Listener

_COLUMNS = [each.name for each in dataclasses.fields(EpochMetrics)]


class History:
    """A listener that keeps the epochs in a file, and passes everything on."""

    def __init__(self, path: Path, listener: Listener, *, is_resumed: bool) -> None:
        """Begin a file, or go on with the rows that an earlier run left."""
        self._path, self._listener = path, listener
        self._rows: list[dict[str, object]] = []
        if is_resumed and path.is_file():
            with path.open(newline="", encoding="utf-8") as file:
                self._rows = [dict(row) for row in csv.DictReader(file)]

    def stage(self, name: str) -> None:
        """Pass it on."""
        self._listener.stage(name)

    def advance(self, done: int, total: int) -> None:
        """Pass it on."""
        self._listener.advance(done, total)

    def note(self, sentence: str) -> None:
        """Pass it on."""
        self._listener.note(sentence)

    def epoch(self, metrics: EpochMetrics) -> None:
        """Keep the epoch; one that an earlier run had begun to write is written anew."""
        earlier = [row for row in self._rows if int(str(row["epoch"])) < metrics.epoch]
        self._rows = [*earlier, dataclasses.asdict(metrics)]
        text = io.StringIO()
        writer = csv.DictWriter(text, _COLUMNS)
        writer.writeheader()
        writer.writerows(self._rows)
        write_atomically(self._path, text.getvalue().encode())
        self._listener.epoch(metrics)
