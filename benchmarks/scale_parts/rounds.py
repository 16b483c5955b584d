"""What the parts share: the settings of a trial, its results file, and the command under test."""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import photographs
from machine import facts

TWELVE_MEGAPIXELS = (4000, 3000)
SMALL = (320, 240)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What a part is asked to measure.

    Attributes:
        model: The model file.
        keep: The folder of images and results.
        out: The file of JSON lines.
        images: Number of images; None for the default of the part.
        rounds: Number of rounds.
        small: Whether images are small, for a trial whose results mean nothing.
    """

    model: Path
    keep: Path
    out: Path
    images: int | None
    rounds: int
    small: bool

    def add(self, part: str, result: Mapping[str, Any]) -> None:
        """Add a line to the results: written at once, so that an interruption loses none."""
        line = {"part": part, "time": time.time(), "machine": facts(), **result}
        with self.out.open("a", encoding="utf-8") as file:
            file.write(f"{json.dumps(line)}\n")

    def photographs(self, count: int, size: tuple[int, int] = TWELVE_MEGAPIXELS) -> Path:
        """A folder of JPEGs of a size, small for a trial: eight different ones, and copies."""
        size = SMALL if self.small else size
        folder = self.keep / f"jpegs-{size[0]}-{count}"
        if not folder.exists():
            photographs.fill(folder, size, count=count, distinct=8)
        return folder


def predict_command(model: Path, sources: Sequence[str], parquet: Path, *words: str) -> list[str]:
    """``onebox predict`` as a process."""
    return [
        *(sys.executable, "-m", "onebox", "predict", str(model), *sources),
        *("--parquet", str(parquet), *words),
    ]


def parts_in(folder: Path) -> list[Path]:
    """The part files that are there."""
    return sorted(folder.glob("part-*.parquet"))
