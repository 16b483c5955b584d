"""What a label file says of the images of a folder, checked against these images.

A labelling page is where people repair labels, so it opens files that training refuses: images with
several boxes, rows of images that do not exist or lie outside of the folder. Such rows stay as they
are. A row that is wrong by itself is a problem, and the file is not opened.
"""

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from onebox.boxes import box_areas
from onebox.errors import DataError, format_count
from onebox.formats.class_names import names_in_use
from onebox.formats.image_headers import HeaderResult, read_headers
from onebox.formats.rows import ParsedLabels, Problems, Row
from onebox.formats.validation import check_row
from onebox.images import Header
from onebox.labelling.records import FileContent, Label

Headers = MutableMapping[Path, Header]


@dataclass(frozen=True, slots=True)
class Reading:
    """The content of a label file, and the places of its rows.

    Attributes:
        content: What the file says.
        origins: Image of the folder → `Row.origin` of its rows.
    """

    content: FileContent
    origins: Mapping[Path, Sequence[str]]


def read_content(labels: ParsedLabels, folder: Path, headers: Headers) -> Reading:
    """Check the rows of the images of a folder.

    Args:
        labels: The parsed label file.
        folder: The folder; absolute, with links followed.
        headers: Headers of images that are known; those that are read are added.

    Raises:
        DataError: If rows are wrong; it holds every problem.
    """
    rows = _rows_in(folder, labels.rows)
    unreadable = _read_headers([image for image, _ in rows], headers)
    problems = Problems([*labels.faults, *labels.problems])
    images: dict[Path, list[Row]] = {}
    for image, row in rows:
        if image in headers:
            with problems.at(row.origin):
                checked = check_row(row, headers[image])
                images.setdefault(image, []).append(checked.row)
    if problems.sentences:
        raise DataError(*problems.sentences)
    content = FileContent(
        labels={image: _label(found) for image, found in images.items()},
        classes=labels.classes if labels.classes is not None else names_in_use(labels.rows),
        splits={image: one[0].split for image, one in images.items() if one[0].split is not None},
        crowded=frozenset(image for image, found in images.items() if len(found) > 1),
        notes=(*labels.notes, *_notes(len(labels.rows) - len(rows), unreadable)),
    )
    origins = {image: [row.origin for row in found] for image, found in images.items()}
    return Reading(content, origins)


def _rows_in(folder: Path, rows: Sequence[Row]) -> list[tuple[Path, Row]]:
    """The images of a folder with their rows; the formats that are edited name image files."""
    inside: dict[Path, bool] = {}
    files = [(row.image, row) for row in rows if isinstance(row.image, Path)]
    for image, _ in files:
        if image.parent not in inside:
            inside[image.parent] = image.parent.is_relative_to(folder)
    return [(image, row) for image, row in files if inside[image.parent]]


def _read_headers(images: Sequence[Path], headers: Headers) -> dict[Path, HeaderResult]:
    """Read the headers that are not known; return those that cannot be read."""
    results = read_headers(image for image in images if image not in headers)
    headers.update({image: one.header for image, one in results.items() if one.header is not None})
    return {image: one for image, one in results.items() if one.header is None}


def _label(rows: Sequence[Row]) -> Label:
    boxes = [row.box or (0.0, 0.0, 0.0, 0.0) for row in rows]
    largest = rows[int(np.argmax(box_areas(np.array(boxes, dtype=np.float64))))]
    return Label(largest.label, largest.box, largest.keypoints)


def _notes(count: int, unreadable: Mapping[Path, HeaderResult]) -> list[str]:
    """Notes on rows of images outside of the folder, and on images that cannot be read."""
    notes = []
    if count:
        outside = format_count(count, "row of an image", "rows of images")
        notes.append(f"{outside} outside of the folder: left as they are.")
    if unreadable:
        images = format_count(len(unreadable), "image", "images")
        first = next(iter(unreadable.values())).problem
        notes.append(f"{images} of the label file cannot be read, the first: {first}")
    return notes
