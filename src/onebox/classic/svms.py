"""Windows of one shape → a `FilterBank`: linear SVMs with hard negatives, and box regression.

References:
    Dalal and Triggs, "Histograms of oriented gradients for human detection", CVPR 2005 (windows,
    linear SVMs, one round of hard negatives).
    Girshick et al., arXiv:1311.2524, appendix C (box regression from a window).
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float32, Int
from numpy import ndarray

from onebox.classic import examples
from onebox.classic.examples import BACKGROUND, TrainingWindows
from onebox.classic.filter_bank import FilterBank, regression_targets
from onebox.classic.packages import require_classic
from onebox.classic.settings import HogSettings
from onebox.classic.windows import WindowShape, feature_count, score_windows
from onebox.errors import DataError

# LinearSVC penalizes the bias like a weight; this scale makes that penalty small. Not tuned.
_BIAS_SCALE = 10.0

Features = Float32[ndarray, "windows features"]
ClassIndices = Int[ndarray, " windows"]


def fit_filter_bank(
    windows: Sequence[TrainingWindows],
    shape: WindowShape,
    class_indices: tuple[int, ...],
    settings: HogSettings,
    generator: np.random.Generator,
) -> FilterBank:
    """Fit the SVMs and the box regression of all classes whose windows have one shape.

    The windows are those of every class; only ``class_indices`` get an SVM.

    Raises:
        DataError: If no window is background.
    """
    features, labels = _initial_windows(windows, settings, generator)
    if BACKGROUND not in labels:
        raise DataError(
            "the subjects fill their images so far that no window is left as background. Add "
            "images that show more around the subject, or images without it."
        )
    weights, bias = _fit_svms(features, labels, class_indices, settings)
    mined = _mine_hard_negatives(windows, weights, bias, settings)
    if len(mined):
        features = np.concatenate([features, mined])
        labels = np.concatenate([labels, np.full(len(mined), BACKGROUND)])
        weights, bias = _fit_svms(features, labels, class_indices, settings)
    own = [each for each in windows if each.example.class_index in class_indices]
    count = feature_count(shape, settings)
    return FilterBank(
        shape, class_indices, weights, bias, *_fit_box_regression(own, count, settings, generator)
    )


def _initial_windows(
    windows: Sequence[TrainingWindows], settings: HogSettings, generator: np.random.Generator
) -> tuple[Features, ClassIndices]:
    """The positive windows, and random background windows."""
    parts: list[Features] = []
    counts: list[tuple[int, int]] = []
    for each in windows:
        subject = each.describe(examples.positives(each, settings), settings)
        background = each.describe(examples.negatives(each, settings, generator), settings)
        parts += [subject, background]
        counts += [(each.example.class_index, len(subject)), (BACKGROUND, len(background))]
    labels, lengths = np.array(counts).T
    return np.concatenate(parts), np.repeat(labels, lengths)


def _fit_svms(
    features: Features, labels: ClassIndices, class_indices: tuple[int, ...], settings: HogSettings
) -> tuple[Float32[ndarray, "features svms"], Float32[ndarray, " svms"]]:
    """Fit one linear SVM per class, against background and all other classes."""
    wide = features.astype(np.float64)
    # Without balanced weights, a class with a few images would hardly ever be predicted.
    svm = require_classic("sklearn.svm").LinearSVC(
        C=settings.svm_c, dual=False, intercept_scaling=_BIAS_SCALE, class_weight="balanced"
    )
    weights, bias = [], []
    for class_index in class_indices:
        svm.fit(wide, labels == class_index)
        weights.append(svm.coef_[0])
        bias.append(svm.intercept_[0])
    return np.stack(weights, axis=1).astype(np.float32), np.array(bias).astype(np.float32)


def _mine_hard_negatives(
    windows: Sequence[TrainingWindows],
    weights: Float32[ndarray, "features svms"],
    bias: Float32[ndarray, " svms"],
    settings: HogSettings,
) -> Features:
    """Background windows that the first SVMs take for a subject."""
    parts = []
    for each in windows:
        by_svm = score_windows(each.example.pyramid, each.grid, weights, settings) + bias
        chosen = examples.hard_negatives(each, by_svm.max(axis=1), settings)
        parts.append(each.describe(chosen, settings))
    return np.concatenate(parts)


def _fit_box_regression(
    windows: Sequence[TrainingWindows],
    count: int,
    settings: HogSettings,
    generator: np.random.Generator,
) -> tuple[Float32[ndarray, "features 4"], Float32[ndarray, " 4"]]:
    """Fit a ridge regression from a window's features to the offsets of the true box."""
    features: list[Features] = []
    targets: list[Float[ndarray, "windows 4"]] = []
    for each in windows:
        truth = each.example.truth
        chosen = examples.regression_windows(each, settings, generator)
        if truth is not None and len(chosen):
            features.append(each.describe(chosen, settings))
            targets.append(regression_targets(truth, each.grid.boxes[chosen]))
    if not features:
        return np.zeros((count, 4), np.float32), np.zeros(4, np.float32)
    ridge = require_classic("sklearn.linear_model").Ridge(alpha=settings.regression_penalty)
    ridge.fit(np.concatenate(features).astype(np.float64), np.concatenate(targets))
    return ridge.coef_.T.astype(np.float32), ridge.intercept_.astype(np.float32)
