"""Whether resident memory stays flat over thousands of predictions.

README.md defines what is measured.
"""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import psutil
from machine import arguments, model_or_untrained, publish
from PIL import Image

import onebox
from onebox.images import Source

_EVERY = 50  # predictions between two readings
_MIB = 2**20


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--model", type=Path, help="a model.onnx; by default an untrained one")
    parser.add_argument("--predictions", type=int, default=10_000)
    parser.add_argument(
        "--warm-up", type=int, default=1_000, help="first predictions, which do not count"
    )
    options = parser.parse_args()
    with model_or_untrained(options.model) as model:
        localizer = onebox.load(model)
    readings = _readings(localizer, _sources(), options.predictions)
    rows = [_row(readings, options.warm_up)]
    publish("resident memory over predictions, MiB", rows, options.json)


def _sources() -> list[Source]:
    """Arrays and encoded images of several sizes, as a service would get them."""
    random = np.random.default_rng(0)
    shapes = ((224, 224), (480, 640), (600, 400), (97, 331))
    arrays = [random.integers(0, 256, (*shape, 3), dtype=np.uint8) for shape in shapes]
    return [*arrays, *(_jpeg(array) for array in arrays)]


def _jpeg(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, "JPEG")
    return file.getvalue()


def _readings(
    localizer: onebox.Localizer, sources: Sequence[Source], predictions: int
) -> list[tuple[int, float]]:
    """Pairs of number of predictions and resident MiB."""
    process = psutil.Process()
    readings = []
    for done in range(1, predictions + 1):
        localizer.predict(sources[done % len(sources)])
        if done % _EVERY == 0:
            readings.append((done, process.memory_info().rss / _MIB))
    return readings


def _row(readings: Sequence[tuple[int, float]], warm_up: int) -> Mapping[str, str | float]:
    """The slope of a line through the readings after the warm-up, and their range."""
    counted = np.array([reading for reading in readings if reading[0] > warm_up])
    done, memory = counted.T
    slope = np.polyfit(done, memory, deg=1)[0]
    return {
        "predictions": float(done[-1]),
        "first": memory[0],
        "last": memory[-1],
        "max - min": memory.max() - memory.min(),
        "slope / 1000": slope * 1000,
    }


if __name__ == "__main__":
    main()
