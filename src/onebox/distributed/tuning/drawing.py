"""Drawing the trials of a search: all at once, from the seed, before the first one begins.

The first trial changes nothing. The others fill the space evenly: of N trials, one lies in each Nth
part of every setting (a Latin hypercube), which few random trials would not.

References:
    McKay, Beckman and Conover, "A Comparison of Three Methods for Selecting Values of Input
    Variables", Technometrics 21 (1979).
"""

import json

import numpy as np

from onebox.distributed.tuning.dimensions import Changes, Space

_ROUNDS = 20  # further hypercubes, where trials repeat because the space has few values; not tuned


def draw(space: Space, count: int, seed: int) -> tuple[Changes, ...]:
    """Draw at most ``count`` different trials; fewer if the space has no more.

    Args:
        space: The settings to draw from.
        count: Number of trials, the unchanged first one included.
        seed: The same seed gives the same trials.
    """
    rng = np.random.default_rng(seed)
    found: dict[str, Changes] = {"{}": {}}
    for _ in range(_ROUNDS):
        for changes in _hypercube(space, count - len(found), rng):
            found.setdefault(json.dumps(changes), changes)
        if len(found) >= count:
            break
    return tuple(found.values())


def _hypercube(space: Space, count: int, rng: np.random.Generator) -> list[Changes]:
    columns = {name: (rng.permutation(count) + rng.random(count)) / count for name in space}
    return [
        {name: space[name].at(float(columns[name][row])) for name in space} for row in range(count)
    ]
