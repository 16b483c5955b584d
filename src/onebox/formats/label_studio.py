"""Label Studio: a JSON list of tasks; boxes and keypoints are in percent of the image.

Annotations of all annotators are read; what two of them say in the same way counts once. A
submitted annotation without a region is an image without the subject. Skipped annotations and
predictions of models are not read. Our own keys are ``data.split`` and ``meta.keypoints`` (names,
skeleton and flip pairs), which Label Studio keeps; the note ``hidden`` marks a keypoint that is not
visible.

References:
    https://labelstud.io/guide/export, https://labelstud.io/guide/tasks
"""

from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path

from onebox.errors import DataError, format_count, shorten
from onebox.formats.image_lookup import ImageFinder
from onebox.formats.keypoints import make_keypoint_set
from onebox.formats.label_studio_images import find_image, image_url
from onebox.formats.label_studio_regions import KEYPOINT, is_shape, subjects_of
from onebox.formats.label_studio_tasks import PlacedTask, Region, Task, is_labels, load
from onebox.formats.rows import ParsedLabels, Problems, Row
from onebox.formats.splitting import parse_split
from onebox.structures import KeypointSet, Split

__all__ = ["is_labels", "parse"]


def parse(path: Path) -> ParsedLabels:
    """Read a Label Studio export, with a problem for each task that cannot be used.

    Raises:
        DataError: If it is not a JSON list.
    """
    problems, faults = Problems(), Problems()
    placed = load(path, problems)
    tasks = [one.task for one in placed]
    keypoints = None
    with faults.at(path.name):
        keypoints = _keypoints(tasks)
    finder = ImageFinder(path.parent, path.stem)
    rows: list[Row] = []
    for one in placed:
        with problems.at(one.origin):
            rows.extend(_rows(one, keypoints, finder))
    return ParsedLabels(
        tuple(rows),
        keypoints=keypoints,
        notes=tuple(f"{path.name}: {note}" for note in _notes(tasks)),
        problems=tuple(problems.sentences),
        faults=tuple(faults.sentences),
    )


def _rows(placed: PlacedTask, keypoints: KeypointSet | None, finder: ImageFinder) -> list[Row]:
    task = placed.task
    if not task.submitted:
        return []
    image = find_image(image_url(task.data), finder)
    row = Row(placed.origin, image, split=_split(task))
    subjects = (subjects_of(row, one.result, keypoints) for one in task.submitted)
    return list(dict.fromkeys(chain.from_iterable(subjects)))


def _split(task: Task) -> Split | None:
    stated = task.data.get("split") or (task.meta.split if task.meta else "")
    if not isinstance(stated, str):
        raise DataError(f"split is {stated!r}, which is not a word. Correct it.")
    return parse_split(stated)


# The keypoints that the tasks declare, else their names in the order in which they appear.
def _keypoints(tasks: Sequence[Task]) -> KeypointSet | None:
    declared = [task.meta.keypoints for task in tasks if task.meta and task.meta.keypoints]
    if any(one != declared[0] for one in declared[1:]):
        raise DataError(
            "the tasks declare different keypoints in meta.keypoints; a data set has one set. "
            "Give every task the same."
        )
    if declared:
        return make_keypoint_set(declared[0].names, declared[0].skeleton, declared[0].flip_pairs)
    points = (region for region in _regions(tasks) if region.type == KEYPOINT)
    names = (point.value.get(KEYPOINT) for point in points)
    listed = chain.from_iterable(one for one in names if isinstance(one, list))
    unique = list(dict.fromkeys(map(str, listed)))
    return make_keypoint_set(unique) if unique else None


def _regions(tasks: Iterable[Task]) -> Iterable[Region]:
    return (region for task in tasks for one in task.submitted for region in one.result)


def _notes(tasks: Sequence[Task]) -> list[str]:
    left_out = sum(not task.submitted for task in tasks)
    predicted = sum(bool(task.predictions) for task in tasks)
    regions = list(_regions(tasks))
    turned = sum(bool(region.value.get("rotation")) for region in regions)
    shapes = sorted({region.type for region in regions if is_shape(region)})
    keys = sorted({one.class_key for task in tasks for one in task.submitted if one.class_key})
    notes = {
        f"{format_count(left_out, 'task', 'tasks')} without an annotation left out.": left_out,
        f"predictions of {format_count(predicted, 'task', 'tasks')} not read.": predicted,
        f"{format_count(turned, 'turned rectangle', 'turned rectangles')} read as "
        "the upright box around it.": turned,
        f"regions not read: {shorten(shapes)}.": len(shapes),
        f"JSON-MIN does not say what a text is: {shorten(keys)} read as the class.": len(keys),
    }
    return [note for note, count in notes.items() if count]
