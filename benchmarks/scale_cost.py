"""What the prediction of up to a billion images takes: hours, bytes, requests and money.

Measures on this machine what one image costs, and multiplies. README.md defines what is measured.
The prices and the cluster are assumptions; give your own.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import photographs
from machine import arguments, make_untrained, publish

import onebox
from onebox import stores
from onebox.prediction.writers import KINDS, Layout, Row, certainty_of
from onebox.structures import Prediction, as_box

IMAGES = (1_000_000, 10_000_000, 100_000_000, 1_000_000_000)
KINDS_OF_IMAGES = {"12 MP": (4000, 3000), "0.3 MP": (640, 480)}
SHARD = 10_000  # images of a shard
_DISTINCT = 8
_ROWS = 20_000
_FILES = 20_000
_LIST_KEYS = 1000  # of one LIST request: the most that S3's API gives


@dataclass(frozen=True, slots=True)
class Costs:
    """What one image costs, as measured.

    Attributes:
        seconds: Of one core: reading from the disk, decoding, inference.
        image_bytes: Of the encoded image.
        row_bytes: Of its row in the Parquet file.
        listed_per_s: Loose files that a folder lists in a second.
    """

    seconds: float
    image_bytes: float
    row_bytes: float
    listed_per_s: float


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--cores", type=int, default=1000, help="of the cluster")
    parser.add_argument("--core-hour", type=float, default=0.0425, help="price, in dollars")
    parser.add_argument("--gigabit-s", type=float, default=10.0, help="network of 8 cores")
    parser.add_argument("--get", type=float, default=0.0004, help="price of 1,000 reads")
    parser.add_argument("--list", type=float, default=0.005, help="price of 1,000 listings")
    parser.add_argument("--put", type=float, default=0.005, help="price of 1,000 writes")
    parser.add_argument("--gigabyte-month", type=float, default=0.023, help="price of storage")
    parser.add_argument("--images", type=int, default=200, help="timed images of each kind")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        costs = dict(measure(Path(folder), options.images))
    print(json.dumps({kind: asdict(cost) for kind, cost in costs.items()}, indent=1))
    rows = [row(kind, cost, images, options) for kind, cost in costs.items() for images in IMAGES]
    publish("prediction of many images: hours, bytes, requests, dollars", rows, options.json)


def measure(folder: Path, images: int) -> Iterator[tuple[str, Costs]]:
    """What one image of each kind costs on this machine."""
    model = make_untrained(folder / "model.onnx")
    listed_per_s = measure_listing(folder / "many")
    row_bytes = measure_rows(model, folder / "rows.parquet")
    for number, (kind, size_wh) in enumerate(KINDS_OF_IMAGES.items()):
        files = photographs.fill(folder / f"{number}", size_wh, count=images, distinct=_DISTINCT)
        names = sorted(files.iterdir())
        image_bytes = sum(name.stat().st_size for name in names) / len(names)
        yield kind, Costs(seconds_per_image(model, names), image_bytes, row_bytes, listed_per_s)


def seconds_per_image(model: Path, names: list[Path]) -> float:
    """Seconds of one core for one image, after a warm-up."""
    localizer = onebox.load(model, threads=1)
    for answer in localizer.predict_many(names[:_DISTINCT], threads=1):
        answer.unwrap()
    begin = time.perf_counter()
    for answer in localizer.predict_many(names, threads=1):
        answer.unwrap()
    return (time.perf_counter() - begin) / len(names)


def measure_rows(model: Path, file: Path) -> float:
    """Bytes of one row of a Parquet file of predictions, whose numbers differ as real ones do."""
    localizer = onebox.load(model, threads=1)
    card, kind = localizer.card, KINDS["parquet"]
    certainty = certainty_of(card, coverage=None, max_risk=None)
    layout = Layout(card.classes, card.keypoints, card.presence, certainty=certainty)
    answer = localizer.predict(photographs.photograph("coffee", (320, 240), 0))
    random = np.random.default_rng(0)
    rows = (
        Row(f"s3://bucket/shard-{number // SHARD:05}.tar:{number:08}.jpg", _varied(answer, random))
        for number in range(_ROWS)
    )
    kind.write((kind.record(each, layout) for each in rows), layout, file)
    return file.stat().st_size / _ROWS


def _varied(answer: Prediction, random: np.random.Generator) -> Prediction:
    """The prediction with other numbers."""
    edges = (random.random(4) * 300).tolist()
    sigmas = None if answer.sigma is None else as_box((random.random(4) * 9).tolist())
    probabilities = tuple(random.random(len(answer.probabilities)).tolist())
    return replace(
        answer, score=random.random(), box=as_box(edges), sigma=sigmas, probabilities=probabilities
    )


def measure_listing(folder: Path) -> float:
    """Files that a folder on the disk lists in a second."""
    folder.mkdir()
    for number in range(_FILES):
        (folder / f"{number:06}.jpg").touch()
    begin = time.perf_counter()
    count = sum(1 for _ in stores.find(str(folder), {".jpg"}))
    return count / (time.perf_counter() - begin)


def row(
    kind: str, cost: Costs, images: int, options: argparse.Namespace
) -> Mapping[str, str | float]:
    """The totals of a number of images."""
    core_hours = images * cost.seconds / 3600
    shards = images / SHARD
    out_gb = images * cost.row_bytes / 1e9
    per_core_s = options.gigabit_s * 1e9 / 8 / 8  # bytes that one core's part of the network takes
    need_s = cost.image_bytes / cost.seconds
    loose = images / 1000 * options.get + images / _LIST_KEYS / 1000 * options.list
    packed = shards / 1000 * (options.get + options.put)
    return {
        "images": kind,
        "number": f"{images:.0e}",
        "core hours": core_hours,
        f"hours on {options.cores} cores": core_hours / options.cores,
        "read, TB": images * cost.image_bytes / 1e12,
        "network used": need_s / per_core_s,
        "written, GB": out_gb,
        "listing loose, h": images / cost.listed_per_s / 3600,
        "cores, $": core_hours * options.core_hour,
        "requests loose, $": loose,
        "requests in shards, $": packed,
        "answers, $ a month": out_gb * options.gigabyte_month,
    }


if __name__ == "__main__":
    main()
