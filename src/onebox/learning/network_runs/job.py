"""What a worker is told to do: the recipe, the folder, and the samples that it owns."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from onebox.errors import SettingError, format_count
from onebox.learning.parallel.placement import Placement
from onebox.recipes.recipe import Recipe
from onebox.structures import Dataset, Sample

STOPPED = "training was stopped before its first epoch ended; there is nothing to export."


@dataclass(frozen=True, slots=True)
class Job:
    """What all workers of a run are told.

    Attributes:
        folder: The run's folder, an absolute path that every worker can read and write.
        recipe: Resolved, as in `PreparedRun`.
        weights: Name of the file of initial weights, or ``none``.
        presence: Whether the network learns presence.
        ends_at: Seconds since the epoch at which training has to be over; None for no limit, or
            for that of the run that is resumed.
        is_resumed: Whether the run was begun by an earlier command.
    """

    folder: Path
    recipe: Recipe
    weights: str
    presence: bool
    ends_at: float | None
    is_resumed: bool

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints."""
        return self.folder / "checkpoints"

    @property
    def initial(self) -> Path:
        """The initial weights, from which all workers start."""
        return self.checkpoints / "initial.safetensors"


def part_of(data: Dataset, placement: Placement) -> Dataset:
    """The training and validation samples that a worker owns, with absolute paths."""
    train, val = (data.part(split).samples for split in ("train", "val"))
    samples = [*placement.part(train), *placement.part(val)]
    return replace(data, samples=tuple(map(_with_absolute_path, samples)), notes=())


def _with_absolute_path(sample: Sample) -> Sample:
    if not isinstance(sample.image, Path):
        return sample
    return replace(sample, image=sample.image.absolute())


def check_workers(workers: int, data: Dataset, recipe: Recipe) -> None:
    """Check that data and batches can be divided among so many workers.

    Raises:
        SettingError: If there are more workers than images, or a batch cannot be divided equally.
    """
    for split, name in (("train", "training"), ("val", "validation")):
        images = len(data.part("train" if split == "train" else "val"))
        if workers > images:
            found = format_count(images, f"{name} image", f"{name} images")
            raise SettingError(
                f"{workers} workers: the data has {found}, and each worker needs one of its own. "
                f"Use at most {images}."
            )
    size = recipe.train.batch_size
    if size % workers:
        raise SettingError(
            f"{workers} workers: train.batch_size {size} cannot be divided equally. Use "
            f"{_named(divisors_below(workers, size))} workers, or --set train.batch_size="
            f"{-(-size // workers) * workers}."
        )


def most_workers(room: int, batch_size: int) -> int:
    """The largest number of workers, up to ``room``, that divides a batch equally.

    Examples:
        >>> most_workers(3, 32), most_workers(8, 32), most_workers(64, 32)
        (2, 8, 32)
    """
    return next(count for count in range(min(room, batch_size), 0, -1) if not batch_size % count)


def divisors_below(workers: int, batch_size: int) -> list[int]:
    """The numbers of workers below the given one that divide a batch equally.

    Examples:
        >>> divisors_below(6, 32)
        [1, 2, 4]
    """
    return [count for count in range(1, workers) if not batch_size % count]


def _named(counts: Sequence[int]) -> str:
    *others, last = map(str, counts)
    return f"{', '.join(others)} or {last}" if others else last
