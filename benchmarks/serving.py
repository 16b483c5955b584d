"""A model over HTTP: requests per second and memory under load, and hostile requests.

    python benchmarks/serving.py load --shared DIR [--seconds 600] [--json FILE]
    python benchmarks/serving.py hostile [--requests 1000] [--seed 0] [--json FILE]

README.md defines what is measured.
"""

import argparse
import json
import tempfile
from pathlib import Path

from inference_parts.claims import PartResult
from machine import arguments, facts, model_or_untrained, show
from serving_parts import hostile, load


def main() -> None:
    options = _options()
    with (
        tempfile.TemporaryDirectory() as scratch,
        model_or_untrained(options.model) as model,
    ):
        result = options.measure(options, model, Path(scratch))
    show(options.part, result.rows)
    show("targets and measurements", [claim.row() for claim in result.claims])
    for key, value in facts().items():
        print(f"  {key}: {value}")
    if options.json is not None:
        _keep(options, result)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parts = parser.add_subparsers(dest="part", required=True)
    common = arguments(__doc__ or "")
    common.add_argument("--model", type=Path, help="a model.onnx; by default an untrained one")
    loaded = parts.add_parser("load", parents=[common], add_help=False, help=load.__doc__)
    loaded.set_defaults(measure=_measure_load)
    loaded.add_argument("--shared", type=Path, required=True, help="the folder with data/raccoon")
    loaded.add_argument("--seconds", type=float, default=600.0, help="load, for each kind of image")
    loaded.add_argument("--rounds", type=int, default=10, help="parts of the load")
    loaded.add_argument("--connections", type=int, default=4, help="requests at once")
    loaded.add_argument("--kinds", nargs="+", choices=load.KINDS, default=list(load.KINDS))
    attacked = parts.add_parser("hostile", parents=[common], add_help=False, help=hostile.__doc__)
    attacked.set_defaults(measure=_measure_hostile)
    attacked.add_argument("--requests", type=int, default=1000)
    attacked.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def _measure_load(options: argparse.Namespace, model: Path, scratch: Path) -> PartResult:
    plan = load.Plan(options.seconds, options.rounds, options.connections)
    images = {kind: load.KINDS[kind](options.shared, scratch) for kind in options.kinds}
    return load.show(model, images, plan, scratch)


def _measure_hostile(options: argparse.Namespace, model: Path, scratch: Path) -> PartResult:
    return hostile.show(model, options.requests, options.seed, scratch)


def _keep(options: argparse.Namespace, result: PartResult) -> None:
    content = {
        "benchmark": f"serving {options.part}",
        "machine": facts(),
        "rows": [dict(row) for row in result.rows],
        "claims": [dict(claim.row()) for claim in result.claims],
        "raw": dict(result.raw),
    }
    options.json.write_text(json.dumps(content, indent=1), "utf-8")


if __name__ == "__main__":
    main()
