"""``history.csv``: one row for each reported epoch, complete after every one of them."""

import csv
import io
from dataclasses import asdict
from pathlib import Path

from onebox.files import write_atomically
from onebox.progress import EpochMetrics, Silent

_LOSS_PREFIX = "loss/"


class History(Silent):
    """A listener that writes the epochs into a file."""

    def __init__(self, path: Path, *, is_resumed: bool) -> None:
        """Start a file, or continue the rows that the resumed run left."""
        self._path = path
        self._rows: list[dict[str, object]] = []
        if is_resumed and path.is_file():
            with path.open(newline="", encoding="utf-8") as file:
                self._rows = [dict(row) for row in csv.DictReader(file)]

    def epoch(self, metrics: EpochMetrics) -> None:
        """Add the epoch; it replaces the rows of later epochs that the resumed run had written."""
        row = asdict(metrics)
        row |= {f"{_LOSS_PREFIX}{name}": value for name, value in row.pop("losses").items()}
        earlier = [each for each in self._rows if int(str(each["epoch"])) < metrics.epoch]
        self._rows = [*earlier, row]
        columns = dict.fromkeys(name for each in self._rows for name in each)
        text = io.StringIO()
        writer = csv.DictWriter(text, [*columns])
        writer.writeheader()
        writer.writerows(self._rows)
        write_atomically(self._path, text.getvalue().encode())
