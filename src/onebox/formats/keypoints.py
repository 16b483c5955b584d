"""Makes and checks keypoints: their names, skeleton and flip pairs, and the values of a row."""

import re
from collections.abc import Sequence

from onebox.errors import DataError
from onebox.structures import VISIBILITIES, Keypoints, KeypointSet

Pairs = tuple[tuple[int, int], ...]

VALUES_PER_KEYPOINT = 3
"""x, y and visibility."""

_MIRRORED = (("left", "right"), ("Left", "Right"))


def make_keypoint_set(
    names: Sequence[str],
    skeleton: Sequence[Sequence[int]] = (),
    flip_pairs: Sequence[Sequence[int]] | None = None,
) -> KeypointSet:
    """Make a set of keypoints; pairs are of keypoint indices, from 0.

    If ``flip_pairs`` is None, ``left`` and ``right`` in the names tell the pairs.

    Raises:
        DataError: If a pair has an index without a keypoint, two keypoints share a name, or a
            keypoint is in two flip pairs.
    """
    if twice := sorted({name for name in names if list(names).count(name) > 1}):
        raise DataError(f"the keypoint '{twice[0]}' is named twice; give each its own name.")
    flips = _pairs(mirrored_pairs(names) if flip_pairs is None else flip_pairs, len(names))
    swapped = [index for pair in flips for index in pair]
    if twice_swapped := sorted({index for index in swapped if swapped.count(index) > 1}):
        raise DataError(
            f"the keypoint '{names[twice_swapped[0]]}' is in two flip pairs, or twice in one. Keep "
            "the pair that a mirrored image swaps."
        )
    return KeypointSet(tuple(names), _pairs(skeleton, len(names)), flips)


def mirrored_pairs(names: Sequence[str]) -> Pairs:
    """Return the index pairs of names that differ only in left and right.

    Examples:
        >>> mirrored_pairs(["nose", "left_eye", "right_eye"])
        ((1, 2),)
    """
    index = {name: number for number, name in enumerate(names)}
    pairs = (
        (number, index[other])
        for name, number in index.items()
        for left, right in _MIRRORED
        if (other := _mirrored(name, left, right)) in index and _is_left(name, left, right)
    )
    return tuple((min(pair), max(pair)) for pair in pairs)


def _mirrored(name: str, left: str, right: str) -> str:
    """The name with left and right exchanged."""
    return re.sub(f"{left}|{right}", lambda found: right if found[0] == left else left, name)


def _is_left(name: str, left: str, right: str) -> bool:
    """Whether the first word of the two in a name is the left one: else its partner counts."""
    found = re.search(f"{left}|{right}", name)
    return found is not None and found[0] == left


def make_keypoints(values: Sequence[float], keypoints: KeypointSet) -> Keypoints:
    """Make keypoints from a flat list ``x, y, visibility, x, y, visibility, ...``.

    Raises:
        DataError: If a keypoint has not three values, or a visibility is not 0, 1 or 2.
    """
    count = len(keypoints.names)
    if len(values) != VALUES_PER_KEYPOINT * count:
        raise DataError(
            f"has {len(values)} values for {count} keypoints; three each make "
            f"{VALUES_PER_KEYPOINT * count}. Correct the row."
        )
    triples = list(zip(values[0::3], values[1::3], values[2::3], strict=True))
    wrong = [visibility for _, _, visibility in triples if visibility not in VISIBILITIES]
    if wrong:
        raise DataError(f"visibility must be 0, 1 or 2, got {wrong[0]:g}. Correct the row.")
    return tuple((float(x), float(y), int(visibility)) for x, y, visibility in triples)


def _pairs(pairs: Sequence[Sequence[int]], count: int) -> Pairs:
    for pair in pairs:
        if len(pair) != 2 or not all(0 <= index < count for index in pair):  # noqa: PLR2004
            raise DataError(
                f"{list(pair)} (counted from 0) is not a pair of keypoints; there are {count}. "
                "Correct it."
            )
    return tuple((first, second) for first, second in pairs)
