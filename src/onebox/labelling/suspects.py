"""The suspects of an audit: what ``audit.csv`` lists, by image."""

from collections.abc import Iterable
from pathlib import Path

from onebox.audit.csv_list import ListedRow, read_listed
from onebox.labelling.image_folder import ImageFolder
from onebox.labelling.records import Suspect
from onebox.structures import Dataset, KeypointSet, Sample

# The present label of an image does not matter: its suspect may be settled already.
_ANY_BOX = (0.0, 0.0, 1.0, 1.0)


def read_suspects(
    path: Path,
    images: ImageFolder,
    classes: Iterable[str],
    keypoints: KeypointSet | None,
) -> dict[str, Suspect]:
    """Read what an audit lists, in its order.

    Several findings of one image become one suspect, with the first box and the first class.

    Args:
        path: The ``audit.csv``.
        images: The images of the session.
        classes: Class names.
        keypoints: Of the session.

    Raises:
        DataError: If the file or rows of it are wrong; ``problems`` lists all, with their lines.
    """
    keys = list(images.ids)
    samples = tuple(Sample(images.path(key), box=_ANY_BOX) for key in keys)
    data = Dataset(samples, tuple(classes), keypoints, str(images.folder))
    found: dict[str, Suspect] = {}
    for row in read_listed(path, data):
        key = keys[row.correction.row]
        found[key] = _joined(found.get(key), _suspect(row))
    return found


def _suspect(row: ListedRow) -> Suspect:
    return Suspect(row.kind, row.why, row.correction.box, row.correction.label)


def _joined(first: Suspect | None, second: Suspect) -> Suspect:
    if first is None:
        return second
    return Suspect(
        ", ".join(filter(None, dict.fromkeys((first.kind, second.kind)))),
        " ".join(filter(None, dict.fromkeys((first.why, second.why)))),
        second.box if first.box is None else first.box,
        second.label if first.label is None else first.label,
    )
