"""The labels of one image in a shard, checked value by value; what a shard states of the data set.

Shards that onebox wrote state the classes, the keypoints, and that the sizes of their images are
those of the upright images. Their images need not be opened to read the labels.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from onebox.errors import DataError
from onebox.formats.keypoints import VALUES_PER_KEYPOINT, make_keypoint_set, make_keypoints
from onebox.formats.splitting import parse_split
from onebox.structures import Box, Dataset, Keypoints, KeypointSet, Split, as_box

_VERSION = 1
_CORNERS = 4


@dataclass(frozen=True, slots=True)
class ShardFacts:
    """What a shard states of its data set.

    Attributes:
        classes: Class names, in the order in which a model numbers them; None if it states none.
        keypoints: Names, skeleton and flip pairs; None without keypoints.
        has_upright_sizes: Whether its sizes are those of upright images, as onebox writes them.
    """

    classes: tuple[str, ...] | None = None
    keypoints: KeypointSet | None = None
    has_upright_sizes: bool = False

    def as_json(self) -> str:
        """What the shard keeps."""
        points = self.keypoints
        named = points and {
            "names": points.names,
            "skeleton": points.skeleton,
            "flip_pairs": points.flip_pairs,
        }
        facts = {"version": _VERSION, "classes": self.classes, "keypoints": named}
        return json.dumps(facts, ensure_ascii=False)


def facts_of(dataset: Dataset) -> ShardFacts:
    """What the shards of a data set state."""
    return ShardFacts(dataset.classes, dataset.keypoints, has_upright_sizes=True)


def parse_facts(content: bytes) -> ShardFacts:
    """Read what `ShardFacts.as_json` wrote.

    Raises:
        DataError: If it is something else, or of a later version.
    """
    facts = load_object(content)
    if facts.get("version") != _VERSION:
        raise DataError(
            f"states version {facts.get('version')!r} of onebox's shards; this onebox reads "
            f"{_VERSION}. Update onebox, or write the shard again."
        )
    try:
        classes = tuple(text_of("classes", name) or "" for name in facts["classes"])
        points = facts["keypoints"]
        named = points and make_keypoint_set(
            points["names"], points["skeleton"], points["flip_pairs"]
        )
    except (KeyError, TypeError) as error:
        raise DataError(
            "states classes and keypoints in a form that onebox does not write. Write the shard "
            "again."
        ) from error
    return ShardFacts(classes, named or None, has_upright_sizes=True)


def load_object(content: bytes) -> Mapping[str, Any]:
    """Read a JSON object.

    Raises:
        DataError: If it is none.
    """
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DataError(f"is not JSON ({error}). Correct it.") from error
    if not isinstance(found, dict):
        raise DataError(f"is a JSON {type(found).__name__}; an object is needed. Correct it.")
    return found


def text_of(name: str, value: object) -> str | None:
    """A text; None if there is none.

    Raises:
        DataError: If it is something else.
    """
    if value is None or isinstance(value, str):
        return value or None
    raise DataError(f"{name} is {value!r}, which is no text. Correct it.")


def split_of(value: object) -> Split | None:
    """The split that a value names; None if there is none.

    Raises:
        DataError: If it is not the name of a split.
    """
    return parse_split(text_of("split", value) or "")


def box_of(value: object) -> Box | None:
    """A box of four corners; None if there is none.

    Raises:
        DataError: If it is not four numbers.
    """
    if value is None:
        return None
    numbers = numbers_of("box", value)
    if len(numbers) != _CORNERS:
        raise DataError(
            f"box has {len(numbers)} values; it is [x_min, y_min, x_max, y_max]. Correct it."
        )
    return as_box(numbers)


def corners_of(values: Mapping[str, object]) -> Box | None:
    """A box whose corners have names of their own; None if all are missing.

    Raises:
        DataError: If some are missing, or one is not a number.
    """
    missing = [name for name, value in values.items() if value is None]
    if len(missing) == len(values):
        return None
    if missing:
        raise DataError(
            f"{', '.join(missing)} is empty. Write all four numbers, or none for an image without "
            "the subject."
        )
    return as_box(_number(name, value) for name, value in values.items())


def size_of_values(width: object, height: object) -> tuple[int, int] | None:
    """Width and height in pixels; None if one is missing.

    Raises:
        DataError: If one is not a positive whole number.
    """
    if width is None or height is None:
        return None
    for name, value in (("width", width), ("height", height)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise DataError(f"{name} is {value!r}, which is no positive whole number. Correct it.")
    return int(str(width)), int(str(height))


def points_of(value: object, keypoints: KeypointSet | None) -> Keypoints | None:
    """Keypoints, flat or as a list of ``[x, y, visibility]``; None if there are none.

    Raises:
        DataError: If the list has another form, or the shard does not name its keypoints.
    """
    if value is None or value == []:
        return None
    numbers = numbers_of("keypoints", _flat(value))
    if keypoints is None:
        raise DataError(
            f"has {len(numbers) // VALUES_PER_KEYPOINT} keypoints, and the shard does not name "
            "them. Keep keypoints in COCO or YOLO, and convert from there."
        )
    return make_keypoints(numbers, keypoints)


def numbers_of(name: str, value: object) -> list[float]:
    """A list of numbers.

    Raises:
        DataError: If it is something else.
    """
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise DataError(f"{name} is {value!r}, which is no list of numbers. Correct it.")
    return [_number(name, each) for each in value]


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise DataError(f"{name} is {value!r}, which is not a number. Correct it.")
    return float(value)


def _flat(value: object) -> object:
    if isinstance(value, Sequence) and all(isinstance(one, Sequence) for one in value):
        return [number for one in value for number in one]
    return value
