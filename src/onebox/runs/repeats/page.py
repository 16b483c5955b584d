"""``report.html`` of several runs: one page that works offline."""

from collections.abc import Mapping
from dataclasses import dataclass

from onebox.files import write_atomically
from onebox.pages import template
from onebox.runs.repeats.intervals import Estimate
from onebox.runs.repeats.summary import Repeats

TITLES: Mapping[str, str] = {
    "mean_iou": "Mean IoU",
    "iou_at.0.5": "IoU ≥ 0.5",
    "iou_at.0.75": "IoU ≥ 0.75",
    "iou_at.0.9": "IoU ≥ 0.9",
    "class_accuracy": "Class accuracy",
    "top1_loc": "Top-1 localization",
    "gt_known_loc": "GT-known localization",
    "max_box_acc_v2": "MaxBoxAccV2",
    "mean_box_iou": "Mean box, mean IoU",
    "pck_0.2": "PCK@0.2",
    "presence_auroc": "Presence AUROC",
    "false_box_rate": "False boxes",
    "missed_rate": "Missed subjects",
}
"""Metrics by name → what the page calls them, in its order."""

_CHARTED = ("mean_iou", "iou_at.0.5", "iou_at.0.75", "iou_at.0.9", "class_accuracy", "pck_0.2")


@dataclass(frozen=True, slots=True)
class Row:
    """A metric: its title, the value of each run, and its estimates, None where it has none."""

    title: str
    values: tuple[float | None, ...]
    over_runs: Estimate
    over_images: Estimate | None


def write_page(repeats: Repeats, facts: Mapping[str, str]) -> None:
    """Write the report of several runs as one HTML file.

    Raises:
        OneboxError: If it cannot be written.
    """
    rows = {name: _row(repeats, name) for name in TITLES if name in repeats.over_runs}
    page = template("repeats.html.jinja").render(
        repeats=repeats,
        facts=dict(facts),
        rows=list(rows.values()),
        charted=[rows[name] for name in _CHARTED if name in rows],
        finished=[run for run in repeats.runs if not run.error],
        measured=sum(run.images for run in repeats.runs),
    )
    write_atomically(repeats.report, page.encode("utf-8", errors="replace"))


def _row(repeats: Repeats, name: str) -> Row:
    values = tuple(run.metrics.get(name) for run in repeats.runs if not run.error)
    return Row(TITLES[name], values, repeats.over_runs[name], repeats.over_images.get(name))
