"""From an image file to a box: the targets of the runtime and what it reaches, part by part.

    python benchmarks/inference.py all --environments DIR [--json FILE] [--svg FILE]

README.md defines what is timed.
"""

import argparse
import dataclasses
import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from environments import make_environments
from inference_parts import calls, endurance, networks, resuming, startup, throughput
from inference_parts.claims import SMALL, Claim, PartResult, Sizes, Workspace
from machine import arguments, facts, model_or_untrained, show

_PARTS: dict[str, Callable[[Workspace], PartResult]] = {
    "networks": networks.show,
    "throughput": throughput.show,
    "calls": calls.show,
    "startup": startup.show,
    "endurance": endurance.show,
    "resuming": resuming.show,
}
_WITH_PEER = {"networks", "throughput"}
_ALL = "all"


def main() -> None:
    options = _options()
    names = list(_PARTS) if _ALL in options.parts else options.parts
    claims: list[Claim] = []
    with (
        tempfile.TemporaryDirectory(dir=options.scratch) as scratch,
        model_or_untrained(options.model) as model,
    ):
        workspace = Workspace(
            _sizes(options), Path(scratch), model, options.environments, options.svg
        )
        if _WITH_PEER & {*names}:
            make_environments(workspace.environments, options.torch_backend, ["ultralytics"])
        for name in names:
            result = _PARTS[name](workspace)
            claims += result.claims
            show(name, result.rows)
            _keep(name, result, workspace.sizes, options.json)
    show("targets and measurements", [claim.row() for claim in claims])
    for key, value in facts().items():
        print(f"  {key}: {value}")


def _options() -> argparse.Namespace:
    parser = arguments(__doc__ or "")
    parser.add_argument("parts", nargs="+", choices=(*_PARTS, _ALL), metavar="PART",
                        help=", ".join((*_PARTS, _ALL)))  # fmt: skip
    parser.add_argument("--model", type=Path, help="a model.onnx; by default an untrained one")
    parser.add_argument(
        "--environments", type=Path, help="the folder of environments, shared with peers.py"
    )
    parser.add_argument("--torch-backend", help="as for uv, such as cpu; by default PyPI's build")
    parser.add_argument("--scratch", type=Path, help="a folder for generated images, 2 GB")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="write the plot of endurance here")
    parser.add_argument("--small", action="store_true", help="small sizes, for a trial")
    for field in dataclasses.fields(Sizes):
        parser.add_argument(f"--{field.name}", type=int, help=f"by default {field.default}")
    options = parser.parse_args()
    chosen = {*_PARTS} if _ALL in options.parts else {*options.parts}
    if chosen & _WITH_PEER and options.environments is None:
        parser.error(f"{', '.join(sorted(chosen & _WITH_PEER))} needs --environments")
    return options


def _sizes(options: argparse.Namespace) -> Sizes:
    preset = SMALL if options.small else Sizes()
    named = {field.name: getattr(options, field.name) for field in dataclasses.fields(Sizes)}
    return dataclasses.replace(preset, **{k: v for k, v in named.items() if v is not None})


def _keep(name: str, result: PartResult, sizes: Sizes, file: Path | None) -> None:
    """Write a part when it is finished; parts of other runs stay in the file."""
    if file is None:
        return
    parts: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    parts[name] = {
        "machine": facts(),
        "sizes": dataclasses.asdict(sizes),
        "rows": _plain(result.rows),
        "claims": _plain([claim.row() for claim in result.claims]),
        "raw": dict(result.raw),
    }
    file.write_text(json.dumps(parts, indent=1), "utf-8")


def _plain(rows: Sequence[Any]) -> list[dict[str, Any]]:
    return [dict(row) for row in rows]


if __name__ == "__main__":
    main()
