"""Sources → a plan: what each shard of a job holds, written line by line as it is found.

A tar or a Parquet file is one shard. Loose images are cut into shards of up to 256; fewer images
are cut finer, so that many workers end at about the same time. The cut depends on the sources
alone, never on the cluster.
"""

import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from onebox.distributed.prediction.records import PlanFacts, PlannedShard
from onebox.errors import SettingError
from onebox.prediction.items import UnreadableSource
from onebox.prediction.shards import shown_name
from onebox.prediction.sources import is_video
from onebox.prediction.targets import Shard, StoredImage, Target, is_stored

MOST_IMAGES = 256
"""Loose images in a shard at most; not tuned: some ten seconds of work on one core."""

_LEAST_IMAGES = 8
_FINE_SHARDS = 64  # as many shards as are wanted where there are few images; not tuned
_PROBLEMS_KEPT = 1000

Name = Callable[[Path], str]
"""How a path is named in the results."""


@dataclass(slots=True)
class _Count:
    images: int = 0
    parts: int = 0
    has_packed: bool = False
    problems: list[str] = field(default_factory=list)

    def facts(self) -> PlanFacts:
        images = None if self.has_packed else self.images
        return PlanFacts(self.parts, images, tuple(self.problems))


def write_plan(targets: Iterable[Target], name: Name, file: Path) -> PlanFacts:
    """Write a plan; no more of the targets is in memory than a few shards.

    Args:
        targets: What the sources stand for, each once.
        name: How a path is named in the results.
        file: Where the plan is written.

    Raises:
        SettingError: If a target is a video, a camera or a URL.
    """
    count = _Count()
    with file.open("w", encoding="utf-8") as plan:
        for shard in _cut(_readable(targets, count), name):
            plan.write(shard.as_line())
            count.parts += 1
            count.images += len(shard.images)
            count.has_packed |= shard.packed is not None
    return count.facts()


def _readable(targets: Iterable[Target], count: _Count) -> Iterator[Path | Shard | StoredImage]:
    for target in targets:
        if isinstance(target, UnreadableSource):
            if len(count.problems) < _PROBLEMS_KEPT:
                count.problems.append(target.message)
        elif isinstance(target, str) or (isinstance(target, Path) and is_video(target)):
            raise SettingError(
                f"{target}: videos, cameras and URLs are read on one machine. Leave --on and "
                "--workers out for them."
            )
        else:
            yield target


def _cut(targets: Iterator[Path | Shard | StoredImage], name: Name) -> Iterator[PlannedShard]:
    first = list(itertools.islice(targets, _FINE_SHARDS * MOST_IMAGES))
    loose = sum(not isinstance(target, Shard) for target in first)
    size = max(_LEAST_IMAGES, min(MOST_IMAGES, loose // _FINE_SHARDS))
    numbers = itertools.count()
    kinds = itertools.groupby(itertools.chain(first, targets), lambda one: isinstance(one, Shard))
    for is_packed, group in kinds:
        named = (_named(target, name) for target in group)
        if is_packed:
            yield from (PlannedShard(next(numbers), packed=pair) for pair in named)
        else:
            while images := tuple(itertools.islice(named, size)):
                yield PlannedShard(next(numbers), images)


def _named(target: Path | Shard | StoredImage, name: Name) -> tuple[str, str]:
    """The name of an image or a shard in the results, and where any machine finds it."""
    address = str(target) if isinstance(target, Path) else target.name
    if is_stored(address):
        return shown_name(address), address
    return name(Path(address)), os.path.abspath(address)  # noqa: PTH100 - `..` stays as it is else
