"""Other tools on the same images: mean IoU and seconds of training.

    python benchmarks/peers.py environments --environments DIR
    python benchmarks/peers.py train --shared DIR --keep DIR --environments DIR results.json
    python benchmarks/peers.py table results.json
    python benchmarks/peers.py plot results.json --svg FILE

README.md defines what is measured.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from environments import make_environments
from machine import facts
from numpy import ndarray
from peer_runs import OURS, PEERS, Settings, run_peer
from scatter import Mark, scatter

import onebox
from onebox.boxes import paired_iou
from onebox.structures import Box, Sample

_DATA = ("raccoon", "pets", "caltech3")
_SEEDS = (0, 1, 2)
_DRAWS = 10_000  # bootstrap samples


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("verb", choices=_VERBS)
    parser.add_argument("results", type=Path, nargs="?", metavar="FILE.json")
    parser.add_argument("--environments", type=Path, help="the folder of the environments")
    parser.add_argument("--torch-backend", help="as for uv, such as cpu; by default PyPI's build")
    parser.add_argument("--shared", type=Path, help="the folder of data sets and weights")
    parser.add_argument("--keep", type=Path, help="the folder of the runs")
    parser.add_argument("--peer", action="append", choices=PEERS, help="repeatable")
    parser.add_argument("--data", action="append", choices=_DATA, help="repeatable")
    parser.add_argument("--seed", action="append", type=int, help="repeatable")
    parser.add_argument("--minutes", type=float, default=4.0, help="time budget, the same for all")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="write the plot here")
    options = parser.parse_intermixed_args()
    needed = _NEEDED[options.verb]
    missing = [name for name in needed if getattr(options, name) is None]
    if missing:
        parser.error(f"{options.verb} needs {', '.join(missing)}")
    _VERBS[options.verb](options)


def _environments(options: argparse.Namespace) -> None:
    """Make the environments that are missing."""
    make_environments(options.environments, options.torch_backend)


def _train(options: argparse.Namespace) -> None:
    """Train what the results lack; write them after each run."""
    known = _read(options.results)
    done = {(row["peer"], row["data"], row["seed"], row["minutes"]) for row in known}
    for peer, data, seed in _runs(options):
        if (peer, data, seed, options.minutes) not in done:
            known.append(_measured(peer, data, seed, options))
            options.results.write_text(json.dumps(known), "utf-8")
            keys = ("peer", "data", "seed", "minutes", "seconds", "mean_iou")
            print(json.dumps({key: known[-1][key] for key in keys}), flush=True)


def _runs(options: argparse.Namespace) -> Iterator[tuple[str, str, int]]:
    for seed in options.seed or _SEEDS:
        for data in options.data or _DATA:
            for peer in options.peer or PEERS:
                yield peer, data, seed


def _measured(peer: str, data: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    name = "".join(letter if letter.isalnum() else "-" for letter in peer)
    source = options.shared / "data" / data / "labels.csv"
    samples = [sample for sample in onebox.read(source, on_bad="skip") if sample.box is not None]
    outcome = run_peer(
        peer,
        options.keep / f"{name}-{data}-{seed}-{options.minutes:g}",
        Settings(source, samples, options.minutes, seed, options.shared, options.environments),
    )
    ious = _ious(outcome.boxes, samples)
    return {
        "peer": peer,
        "start": PEERS[peer].start,
        "data": data,
        "seed": seed,
        "minutes": options.minutes,
        "seconds": outcome.seconds,
        "mean_iou": float(np.mean(ious)),
        "ious": ious,
        "unanswered": sum(box is None for box in outcome.boxes),
        "about": outcome.about,
        "machine": facts(),
    }


def _ious(boxes: Sequence[Box | None], samples: Sequence[Sample]) -> list[float]:
    """The IoU of each test image, in the order of the label file; 0 without a box."""
    pairs = zip(boxes, [one.box for one in samples if one.split == "test"], strict=True)
    answers, truth = zip(*[(box or (0.0,) * 4, true) for box, true in pairs], strict=True)
    return paired_iou(np.array(answers, dtype=float), np.array(truth, dtype=float)).tolist()


def _table(options: argparse.Namespace) -> None:
    """Print the results as Markdown, one table per data set and budget."""
    known = _read(options.results)
    for data, minutes in dict.fromkeys((row["data"], row["minutes"]) for row in known):
        rows = [row for row in known if (row["data"], row["minutes"]) == (data, minutes)]
        print(f"\n### {data}, {minutes:g} minutes\n")
        print(
            "| tool | initial weights | seeds | mean IoU, 95 % | ≥ 0.5 | ≥ 0.75 | ≥ 0.9, 95 % "
            "| onebox ahead by, 95 % | s |"
        )
        print("|---" * 9 + "|")
        groups = [_of(peer, rows) for peer in dict.fromkeys(row["peer"] for row in rows)]
        for group in sorted(groups, key=lambda group: -_by_image(group).mean()):
            print(_line(group, _of(OURS, rows)))
        _note_unanswered(groups)


def _line(group: list[dict[str, Any]], ours: list[dict[str, Any]]) -> str:
    ious = np.array([row["ious"] for row in group])
    middle, high = ((ious >= level).mean() for level in (0.5, 0.75))
    cells = [
        group[0]["peer"],
        group[0]["start"],
        str(len(group)),
        _with_interval(ious.mean(axis=0)),
        f"{middle:.2f}",
        f"{high:.2f}",
        _with_interval((ious >= 0.9).mean(axis=0), digits=2),
        _lead(group, ours),
        f"{np.median([row['seconds'] for row in group]):.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def _lead(group: list[dict[str, Any]], ours: list[dict[str, Any]]) -> str:
    """By how much onebox is ahead on the same images and seeds."""
    by_seed = {row["seed"]: row for row in ours}
    pairs = [(by_seed[row["seed"]], row) for row in group if row["seed"] in by_seed]
    if not pairs or group[0]["peer"] == OURS:
        return ""
    gains = [np.array(our["ious"]) - np.array(their["ious"]) for our, their in pairs]
    return _with_interval(np.mean(gains, axis=0), sign="+")


def _with_interval(values: ndarray, *, digits: int = 3, sign: str = "") -> str:
    """The mean, and its 95 % interval by drawing images with replacement."""
    random = np.random.default_rng(0)
    draws = values[random.integers(0, len(values), (_DRAWS, len(values)))].mean(axis=1)
    low, high = np.percentile(draws, [2.5, 97.5])
    mean, low, high = (f"{each:{sign}.{digits}f}" for each in (values.mean(), low, high))
    return f"{mean} ({low} to {high})"


def _note_unanswered(groups: list[list[dict[str, Any]]]) -> None:
    counts = {group[0]["peer"]: sum(row["unanswered"] for row in group) for group in groups}
    text = ", ".join(f"{peer} {number}" for peer, number in counts.items() if number)
    if text:
        print(f"\nImages without a box, over all seeds: {text}.")


def _plot(options: argparse.Namespace) -> None:
    """Draw mean IoU against seconds: one panel per data set, one mark per tool and budget."""
    known = _read(options.results)
    panels: dict[str, list[Mark]] = {}
    for data, minutes in dict.fromkeys((row["data"], row["minutes"]) for row in known):
        rows = [row for row in known if (row["data"], row["minutes"]) == (data, minutes)]
        panels.setdefault(data, []).extend(
            Mark(peer, _seconds(_of(peer, rows)), float(_by_image(_of(peer, rows)).mean()))
            for peer in dict.fromkeys(row["peer"] for row in rows)
        )
    names = [peer for peer in PEERS if any(row["peer"] == peer for row in known)]
    options.svg.write_text(scatter(panels, names), "utf-8")


def _of(peer: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if row["peer"] == peer]


def _by_image(group: list[dict[str, Any]]) -> ndarray:
    return np.mean([row["ious"] for row in group], axis=0)


def _seconds(group: list[dict[str, Any]]) -> float:
    return float(np.median([row["seconds"] for row in group]))


def _read(file: Path) -> list[dict[str, Any]]:
    return json.loads(file.read_text("utf-8")) if file.is_file() else []


_VERBS: dict[str, Callable[[argparse.Namespace], None]] = {
    "environments": _environments,
    "train": _train,
    "table": _table,
    "plot": _plot,
}
_NEEDED = {
    "environments": ("environments",),
    "train": ("results", "shared", "keep", "environments"),
    "table": ("results",),
    "plot": ("results", "svg"),
}


if __name__ == "__main__":
    main()
