"""Predictions of the folds as JSON, and back: each image with a model that did not see it."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from onebox.evaluation import Report
from onebox.metrics import Outcome, compare
from onebox.structures import Dataset, Prediction, as_box

Record = Mapping[str, Any]

_KEPT = ("label", "score", "box", "probabilities", "keypoints", "present")


def as_records(report: Report) -> list[Record]:
    """What the metrics of a report were computed from, one record for each image, in order."""
    return [_as_record(outcome) for outcome in report.outcomes]


def outcomes_of_folds(
    data: Dataset, folds: Sequence[int], records: Mapping[int, Iterable[Record]]
) -> list[Outcome]:
    """The outcome of each image that a finished fold measured, in the order of the data set.

    Args:
        data: The whole data set.
        folds: The fold of each image.
        records: Number of a fold → its records, in the order of its images.
    """
    remaining = {fold: iter(found) for fold, found in records.items()}
    rows = [row for row, fold in enumerate(folds) if fold in remaining]
    return [_outcome(data, row, next(remaining[folds[row]])) for row in rows]


def _as_record(outcome: Outcome) -> Record:
    prediction = {name: getattr(outcome.prediction, name) for name in _KEPT}
    return {
        **prediction,
        "size_wh": outcome.size_wh,
        "mean_box_iou": outcome.mean_box_iou,
    }


def _outcome(data: Dataset, row: int, record: Record) -> Outcome:
    points = record["keypoints"]
    prediction = Prediction(
        record["label"],
        record["score"],
        as_box(record["box"]),
        tuple(record["probabilities"]),
        None if points is None else tuple((x, y, sure) for x, y, sure in points),
        record["present"],
    )
    width, height = record["size_wh"]
    outcome = compare(
        data.samples[row],
        prediction,
        size_wh=(width, height),
        mean_box=None,
        keypoints=data.keypoints,
    )
    return dataclasses.replace(outcome, mean_box_iou=record["mean_box_iou"])
