"""The keypoints that a label file names: their skeleton, and the pairs a mirrored image swaps."""

from collections.abc import Sequence

from onebox.errors import DataError
from onebox.structures import Keypoints, KeypointSet

Pairs = tuple[tuple[int, int], ...]

_MIRRORED = (("left", "right"), ("Left", "Right"))
VISIBILITIES = (0, 1, 2)


def make_keypoint_set(
    names: Sequence[str],
    skeleton: Sequence[Sequence[int]] = (),
    flip_pairs: Sequence[Sequence[int]] | None = None,
) -> KeypointSet:
    """Make keypoints; where no flip pairs are given, ``left`` and ``right`` in the names tell them.

    Args:
        names: One for each keypoint.
        skeleton: Pairs of indices, from 0.
        flip_pairs: Pairs of indices, from 0; None where the file does not say.

    Raises:
        DataError: If a pair names a keypoint that is not there, or two keypoints share a name.
    """
    if twice := sorted({name for name in names if list(names).count(name) > 1}):
        raise DataError(f"the keypoint '{twice[0]}' is named twice; give each its own name.")
    pairs = swapped_sides(names) if flip_pairs is None else flip_pairs
    checked = [_pair(pair, len(names)) for pair in skeleton]
    return KeypointSet(
        tuple(names), tuple(checked), tuple(_pair(pair, len(names)) for pair in pairs)
    )


def swapped_sides(names: Sequence[str]) -> Pairs:
    """Return the pairs of names that differ in left and right only.

    Examples:
        >>> swapped_sides(["nose", "left_eye", "right_eye"])
        ((1, 2),)
    """
    place = {name: at for at, name in enumerate(names)}
    pairs = (
        (at, place[other])
        for name, at in place.items()
        for left, right in _MIRRORED
        if left in name and (other := name.replace(left, right)) in place
    )
    return tuple((min(pair), max(pair)) for pair in pairs)


def make_keypoints(values: Sequence[float], keypoints: KeypointSet) -> Keypoints:
    """Make keypoints of a flat list ``x, y, visibility, x, y, visibility, ...``.

    Raises:
        DataError: If there are not three values for each keypoint, or a visibility is not 0, 1 or 2.
    """
    needed = len(VISIBILITIES) * len(keypoints.names)
    if len(values) != needed:
        raise DataError(
            f"has {len(values)} values for {len(keypoints.names)} keypoints; three each make {needed}. "
            "Correct the row."
        )
    triples = list(zip(values[0::3], values[1::3], values[2::3], strict=True))
    odd = [seen for _, _, seen in triples if seen not in VISIBILITIES]
    if odd:
        raise DataError(f"visibility must be 0, 1 or 2, got {odd[0]:g}. Correct the row.")
    return tuple((float(x), float(y), int(seen)) for x, y, seen in triples)


def _pair(pair: Sequence[int], count: int) -> tuple[int, int]:
    first, second = pair if len(pair) == 2 else (-1, -1)  # noqa: PLR2004  (a pair has two)
    if not (0 <= first < count and 0 <= second < count):
        raise DataError(
            f"{list(pair)} (counted from 0) is not a pair of keypoints; there are {count}. Correct it."
        )
    return first, second
