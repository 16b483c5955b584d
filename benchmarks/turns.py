"""Competitors take turns, so that a slow minute affects all of them."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence


def order(names: Sequence[str], turn: int) -> Iterator[str]:
    """All names, starting with another one in each turn."""
    for index in range(len(names)):
        yield names[(turn + index) % len(names)]


def interleaved(
    competitors: Mapping[str, Callable[[], object]], turns: int, *, warm_up: int
) -> dict[str, list[float]]:
    """Milliseconds of each call, after a warm-up."""
    times: dict[str, list[float]] = {name: [] for name in competitors}
    for turn in range(-warm_up, turns):
        for name in order(list(competitors), turn):
            start = time.perf_counter()
            competitors[name]()
            spent = time.perf_counter() - start
            if turn >= 0:
                times[name].append(spent * 1000)
    return times
