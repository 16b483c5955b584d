"""Prediction on a Ray cluster: throughput, kills, and a million pictures.

    python benchmarks/scale.py throughput|kills|million --keep DIR --out FILE.jsonl

README.md defines what is timed. Each round adds a line to the file as soon as it is done.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

from machine import facts, model_or_untrained
from scale_parts import kills, million, throughput
from scale_parts.rounds import Trial

_PARTS: dict[str, Callable[[Trial], None]] = {
    "throughput": throughput.run,
    "kills": kills.run,
    "million": million.run,
}


def main() -> None:
    options = _options()
    options.keep.mkdir(parents=True, exist_ok=True)
    with model_or_untrained(options.model) as model:
        trial = Trial(
            model=model.absolute(),
            keep=options.keep.absolute(),
            out=options.out.absolute(),
            images=options.images,
            rounds=options.rounds,
            small=options.small,
        )
        _PARTS[options.part](trial)
    for key, value in facts().items():
        print(f"  {key}: {value}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("part", choices=[*_PARTS])
    parser.add_argument("--model", type=Path, help="a model.onnx; by default an untrained one")
    parser.add_argument("--keep", type=Path, required=True, help="a folder for images and results")
    parser.add_argument("--out", type=Path, required=True, help="lines of JSON are added here")
    parser.add_argument("--images", type=int, help="number of images; each part has a default")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of throughput")
    parser.add_argument("--small", action="store_true", help="small images, for a trial")
    return parser.parse_args()


if __name__ == "__main__":
    main()
