"""Windows of one shape → a `Bank`: linear machines, hard negatives mined once, and the step.

References:
    Dalal and Triggs, "Histograms of oriented gradients for human detection", CVPR 2005 (windows,
    linear machines, one round of hard negatives).
    Girshick et al., arXiv:1311.2524, appendix C (the step from a window to a box).
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float32, Int
from numpy import ndarray

from onebox.classic.examples import (
    NOTHING,
    Tried,
    hard_negatives,
    near_windows,
    negatives,
    positives,
)
from onebox.classic.filter_bank import Bank, steps_to
from onebox.classic.packages import require_classic
from onebox.classic.settings import HogSettings
from onebox.classic.windows import Shape, feature_count, score_windows
from onebox.errors import DataError

_BIAS_SCALE = 10.0  # the bias is penalised like a weight; this much less

Features = Float32[ndarray, "windows features"]
Labels = Int[ndarray, " windows"]


def fit_bank(
    tried: Sequence[Tried],
    shape: Shape,
    members: tuple[int, ...],
    settings: HogSettings,
    generator: np.random.Generator,
) -> Bank:
    """Learn the machines of all classes whose windows have one shape.

    Args:
        tried: The windows of this shape over each training image, of every class.
        shape: Of the windows.
        members: The classes that get a machine, by their number.
        settings: What is drawn and how it is penalised.
        generator: Draws windows.

    Raises:
        DataError: If every window shows a subject, so that there is no background to learn.
    """
    features, labels = _first_windows(tried, settings, generator)
    if NOTHING not in labels:
        raise DataError(
            "the subjects fill their images so far that no window is left as background. Add "
            "images that show more around the subject, or images without it."
        )
    weights, bias = _fit_machines(features, labels, members, settings)
    mined = _mine(tried, weights, bias, settings)
    if len(mined):
        features = np.concatenate([features, mined])
        labels = np.concatenate([labels, np.full(len(mined), NOTHING)])
        weights, bias = _fit_machines(features, labels, members, settings)
    own = [one for one in tried if one.example.label in members]
    refine, refine_bias = _fit_step(own, feature_count(shape, settings), settings, generator)
    return Bank(shape, members, weights, bias, refine, refine_bias)


def _first_windows(
    tried: Sequence[Tried], settings: HogSettings, generator: np.random.Generator
) -> tuple[Features, Labels]:
    """Windows of subjects, and windows of background drawn at random."""
    parts: list[Features] = []
    counts: list[tuple[int, int]] = []
    for one in tried:
        shown = one.describe(positives(one, settings), settings)
        around = one.describe(negatives(one, settings, generator), settings)
        parts += [shown, around]
        counts += [(one.example.label, len(shown)), (NOTHING, len(around))]
    labels, lengths = np.array(counts).T
    return np.concatenate(parts), np.repeat(labels, lengths)


def _fit_machines(
    features: Features, labels: Labels, members: tuple[int, ...], settings: HogSettings
) -> tuple[Float32[ndarray, "features machines"], Float32[ndarray, " machines"]]:
    """One linear support vector machine a class, against background and all other classes."""
    wide = features.astype(np.float64)
    machine = require_classic("sklearn.svm").LinearSVC
    settled = {"C": settings.svm_c, "dual": False, "intercept_scaling": _BIAS_SCALE}
    # Balanced, or a class of a few images would be one that is hardly ever answered.
    machines = [
        machine(class_weight="balanced", **settled).fit(wide, labels == member)
        for member in members
    ]
    weights = np.stack([each.coef_[0] for each in machines], axis=1)
    bias = np.array([each.intercept_[0] for each in machines])
    return weights.astype(np.float32), bias.astype(np.float32)


def _mine(
    tried: Sequence[Tried],
    weights: Float32[ndarray, "features machines"],
    bias: Float32[ndarray, " machines"],
    settings: HogSettings,
) -> Features:
    """Windows of background that the first machines take for a subject."""
    found = []
    for one in tried:
        scores = score_windows(one.example.pyramid, one.grid, weights, settings) + bias
        found.append(one.describe(hard_negatives(one, scores.max(axis=1), settings), settings))
    return np.concatenate(found)


def _fit_step(
    tried: Sequence[Tried], count: int, settings: HogSettings, generator: np.random.Generator
) -> tuple[Float32[ndarray, "features 4"], Float32[ndarray, " 4"]]:
    """Ridge regression from the features of a window to the step from it to the true box."""
    features: list[Features] = []
    targets: list[Float[ndarray, "windows 4"]] = []
    for one in tried:
        truth, chosen = one.example.truth, near_windows(one, settings, generator)
        if truth is not None and len(chosen):
            features.append(one.describe(chosen, settings))
            targets.append(steps_to(truth, one.grid.boxes[chosen]))
    if not features:
        return np.zeros((count, 4), np.float32), np.zeros(4, np.float32)
    ridge = require_classic("sklearn.linear_model").Ridge(alpha=settings.refine_penalty)
    ridge.fit(np.concatenate(features).astype(np.float64), np.concatenate(targets))
    return ridge.coef_.T.astype(np.float32), ridge.intercept_.astype(np.float32)
