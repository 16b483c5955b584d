"""`Localizer.predict` on an array against a bare `session.run` on the same array.

README.md says what is timed.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
from machine import arguments, model_or_untrained, percentiles, publish
from numpy import ndarray
from onnxruntime import InferenceSession

from onebox import images
from onebox.runtime import INPUT, OUTPUTS, Localizer, load
from onebox.sessions import Sessions
from onebox.threads import allowed

_SHAPES = ((224, 224), (480, 640))
_WARM_UP = 50


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--model", type=Path, help="a model.onnx; an untrained one where absent")
    parser.add_argument("--runs", type=int, default=1000, help="calls of each competitor")
    options = parser.parse_args()
    with model_or_untrained(options.model) as model:
        # One session for all competitors: two would fight for the cores.
        sessions = Sessions(model, allowed())
        localizer, session = Localizer(sessions, load(model).facts, str(model)), sessions.single
    rows = [row for shape in _SHAPES for row in _rows(localizer, session, shape, options.runs)]
    publish("Localizer.predict above session.run, ms", rows, options.json)


def _rows(
    localizer: Localizer, session: InferenceSession, shape: tuple[int, int], runs: int
) -> Iterator[Mapping[str, str | float]]:
    """Time the competitors in turn; the order turns too, so that none always goes first."""
    array = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)
    shrunk = images.load(array, at_least=localizer.facts.size).pixels

    def run(pixels: ndarray) -> object:
        return session.run(OUTPUTS, {INPUT: pixels[None]})

    competitors: dict[str, Callable[[], object]] = {
        "predict": lambda: localizer.predict(array),
        "session.run": lambda: run(array),
        "session.run, shrunk": lambda: run(shrunk),
    }
    times = _interleaved(competitors, runs)
    bare = percentiles(times["session.run"])[0]
    for name, measured in times.items():
        median, high = percentiles(measured)
        size = f"{shape[0]}x{shape[1]}"
        yield {"array": size, "what": name, "median": median, "p95": high, "above": median - bare}


def _interleaved(
    competitors: Mapping[str, Callable[[], object]], runs: int
) -> dict[str, list[float]]:
    """Milliseconds of each call, after a warm-up."""
    times: dict[str, list[float]] = {name: [] for name in competitors}
    names = list(competitors)
    for turn in range(-_WARM_UP, runs):
        for place in range(len(names)):
            name = names[(turn + place) % len(names)]
            start = time.perf_counter()
            competitors[name]()
            spent = time.perf_counter() - start
            if turn >= 0:
                times[name].append(spent * 1000)
    return times


if __name__ == "__main__":
    main()
