"""`Localizer.predict` on an array, compared with a bare `session.run` on the same array.

README.md defines what is timed.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
from machine import arguments, model_or_untrained, percentiles, publish
from turns import interleaved

from onebox import images
from onebox.outputs import INPUT, OUTPUTS
from onebox.runtime import NetworkLocalizer, load
from onebox.threads import available_threads

_SHAPES = ((224, 224), (480, 640))
_WARM_UP = 50

Row = Mapping[str, str | float]


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--model", type=Path, help="a model.onnx; by default an untrained one")
    parser.add_argument("--runs", type=int, default=1000, help="calls of each competitor")
    parser.add_argument(
        "--threads", type=int, default=available_threads(), help="threads of the session"
    )
    options = parser.parse_args()
    with model_or_untrained(options.model) as model:
        rows = list(timed(model, options.threads, options.runs))
    publish("Localizer.predict above session.run, ms", rows, options.json)


def timed(model: Path, threads: int, runs: int) -> Iterator[Row]:
    """A row for each array and competitor; ``above`` is the time above ``session.run``."""
    localizer = load(model, threads=threads).with_refinement(None)
    for height, width in _SHAPES:
        yield from _rows(localizer, (height, width), runs)


def _rows(localizer: NetworkLocalizer, shape: tuple[int, int], runs: int) -> Iterator[Row]:
    array = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)
    shrunk = images.load(array, at_least=localizer.card.size).pixels
    # One session for all competitors: two would fight for the cores.
    run = localizer.engine.session.run
    competitors: dict[str, Callable[[], object]] = {
        "predict": lambda: localizer.predict(array),
        "session.run": lambda: run(OUTPUTS, {INPUT: array[None]}),
        "session.run, shrunk": lambda: run(OUTPUTS, {INPUT: shrunk[None]}),
    }
    times = interleaved(competitors, runs, warm_up=_WARM_UP)
    bare = percentiles(times["session.run"])[0]
    for name, measured in times.items():
        median, high = percentiles(measured)
        size = f"{shape[0]}x{shape[1]}"
        yield {
            "threads": localizer.engine.threads,
            "array": size,
            "what": name,
            "median": median,
            "p95": high,
            "above": median - bare,
        }


if __name__ == "__main__":
    main()
