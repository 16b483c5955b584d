"""What an audit suggests, as corrections of a data set, and the data set with them.

A correction is a finding that is listed and suggests a box, a class, or keypoints whose left and
right are exchanged. Where several findings suggest something for one image, those of checks come
first (a rule knows what was meant, a network guesses it), and the first box and the first class
are taken.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from onebox import formats
from onebox.audit.records import Audit, ListName
from onebox.errors import SettingError
from onebox.formats.discovery import find_sources
from onebox.formats.writing import image_file
from onebox.structures import Box, Dataset, Keypoints, KeypointSet, Sample

EXCHANGED = "left and right exchanged"
"""The suggestion of keypoints, in words."""

_FORMATS: dict[str, str] = {".csv": "csv", ".json": "coco"}
_ONE_FILE = {"csv": "CSV", "labelstudio": "Label Studio"}


@dataclass(frozen=True, slots=True)
class Correction:
    """What to write in place of one label.

    Attributes:
        row: Index of the sample in the data set.
        list: The list that suggests it.
        box: The new box, ``xyxy`` in pixels; None to keep the old one.
        label: The new class; None to keep the old one.
        swaps_keypoints: Whether to exchange left and right keypoints.
    """

    row: int
    list: ListName
    box: Box | None = None
    label: str | None = None
    swaps_keypoints: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing is to be changed."""
        return self.box is None and self.label is None and not self.swaps_keypoints


def corrections_of(audit: Audit) -> list[Correction]:
    """The corrections that an audit suggests: those of what it lists."""
    listed = (one for one in audit.findings() if one.is_listed)
    all_listed = [
        Correction(one.row, one.list, one.box, one.label, one.swaps_keypoints) for one in listed
    ]
    return [one for one in all_listed if not one.is_empty]


def corrected(data: Dataset, corrections: Iterable[Correction]) -> Dataset:
    """A data set with corrections; images without one stay as they are."""
    samples = list(data.samples)
    for row, one in _one_per_image(corrections).items():
        samples[row] = _corrected(samples[row], one, data.keypoints)
    return replace(data, samples=tuple(samples))


def check_absent(path: Path) -> None:
    """Check that nothing is at the place of the new labels.

    Raises:
        SettingError: If something is, even an empty file or a broken link.
    """
    if path.exists() or path.is_symlink():
        raise SettingError(
            f"--apply {path}: exists already, and corrected labels never replace anything. Choose "
            "another name."
        )


@dataclass(frozen=True, slots=True)
class NewLabels:
    """The place of corrected labels.

    Attributes:
        path: A ``.csv`` or ``.json`` file, or a folder, which has the format of the old labels.
        old_format: Format of the old labels; None to find it.
    """

    path: Path
    old_format: str | None = None

    def check(self, data: Dataset) -> None:
        """Check that a data set can be written here, before the work that leads there.

        Raises:
            SettingError: If something is here, its images are not files, or no format fits.
        """
        check_absent(self.path)
        for sample in data:
            image_file(sample)
        name = self._format(data)
        if data.keypoints is not None and not formats.FORMATS[name].keeps_keypoints:
            raise SettingError(
                f"--apply {self.path}: {name} has no place for keypoints, and this data set has "
                f"{len(data.keypoints.names)}. Name a .json file."
            )

    def write(self, data: Dataset, corrections: Iterable[Correction]) -> int:
        """Write a data set with corrections.

        Returns:
            Number of images whose labels changed.

        Raises:
            SettingError: If something is here by now.
            OneboxError: If the disk refuses.
        """
        after = corrected(data, corrections)
        check_absent(self.path)
        formats.write(after, self.path, self._format(data))
        return sum(old != new for old, new in zip(data, after, strict=True))

    def _format(self, data: Dataset) -> str:
        suffix = self.path.suffix.lower()
        if suffix in _FORMATS:
            return _FORMATS[suffix]
        if suffix:
            raise SettingError(
                f"--apply {self.path}: no labels are written to a '{suffix}' file. Name a .csv or "
                ".json file, or a folder."
            )
        old = find_sources(Path(data.name), self.old_format)[0].format
        if old in _ONE_FILE:
            raise SettingError(
                f"--apply {self.path}: {_ONE_FILE[old]} labels are one file, not a folder. Name a "
                f"file, such as {self.path}.csv."
            )
        return old


def _one_per_image(corrections: Iterable[Correction]) -> dict[int, Correction]:
    """All corrections of an image as one: the first box and the first class, of checks first."""
    joined: dict[int, Correction] = {}
    for one in sorted(corrections, key=lambda each: each.list != "checks"):
        first = joined.setdefault(one.row, one)
        joined[one.row] = replace(
            first,
            box=one.box if first.box is None else first.box,
            label=one.label if first.label is None else first.label,
            swaps_keypoints=first.swaps_keypoints or one.swaps_keypoints,
        )
    return joined


def _corrected(sample: Sample, one: Correction, keypoints: KeypointSet | None) -> Sample:
    points = sample.keypoints
    if one.swaps_keypoints and points is not None and keypoints is not None:
        points = _exchanged(points, keypoints.flip_pairs)
    return replace(
        sample,
        box=sample.box if one.box is None else one.box,
        label=sample.label if one.label is None else one.label,
        keypoints=points,
    )


def _exchanged(points: Keypoints, pairs: Iterable[tuple[int, int]]) -> Keypoints:
    exchanged = list(points)
    for left, right in pairs:
        exchanged[left], exchanged[right] = points[right], points[left]
    return tuple(exchanged)
