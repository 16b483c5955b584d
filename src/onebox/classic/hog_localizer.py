"""The HOG localizer: linear SVMs over a pyramid of windows, used like any other model."""

from collections.abc import Generator, Iterable
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from onebox import images, streaming
from onebox.classic.filter_bank import FilterBank, Vote, find_candidates, vote
from onebox.classic.pyramid import Pyramid, build_pyramid
from onebox.classic.score_calibration import Calibration
from onebox.classic.settings import HogSettings
from onebox.confidence.applying import calibrated, guaranteed
from onebox.confidence.guarantees import Guarantees, guarantees
from onebox.images import Source
from onebox.model_card import ModelCard
from onebox.streaming import Answer
from onebox.structures import Box, Prediction
from onebox.threads import resolve_threads


@dataclass(frozen=True, slots=True, eq=False)
class HogModel:
    """Everything that training learned.

    Attributes:
        settings: Settings of the training.
        level_lengths: Width or height of each pyramid level, whichever is longer, in pixels.
        banks: One filter bank for each window shape.
        calibration: Calibration of the scores.
    """

    settings: HogSettings
    level_lengths: tuple[int, ...]
    banks: tuple[FilterBank, ...]
    calibration: Calibration = field(default_factory=Calibration)

    @property
    def min_cells(self) -> tuple[int, int]:
        """Rows and columns that a level needs to hold a window of every shape."""
        rows, columns = zip(*(bank.shape for bank in self.banks), strict=True)
        return max(rows), max(columns)

    def localize(self, pyramid: Pyramid) -> tuple[Float[ndarray, " classes"], Vote]:
        """The largest decision value of each class, and the box as fractions of the extent."""
        found = [find_candidates(pyramid, bank, self.settings) for bank in self.banks]
        class_indices = np.concatenate([np.array(bank.class_indices) for bank in self.banks])
        maxima = np.concatenate([each.svm_maxima for each in found])[np.argsort(class_indices)]
        decision_values = np.concatenate([each.decision_values for each in found])
        boxes = np.concatenate([each.boxes for each in found])
        return maxima, vote(decision_values, boxes, self.settings.sharpness)


class HogLocalizer:
    """A trained HOG localizer.

    Attributes:
        card: What the model file says of itself; its size is that of the pyramid's finest level.
        model: What training learned.
        name: The model file, or a name for messages.
        threads: Images that `predict_many` works on at once; None for all available cores.
    """

    def __init__(
        self,
        model: HogModel,
        card: ModelCard,
        name: str = "hog-svm",
        *,
        threads: int | None = None,
        promised: Guarantees | None = None,
    ) -> None:
        self.model = model
        self.card = card
        self.name = name
        self.threads = threads
        self._promised = promised

    def with_card(self, card: ModelCard) -> "HogLocalizer":
        """The same localizer with another card, and without guarantees: they were the old one's."""
        return HogLocalizer(self.model, card, self.name, threads=self.threads)

    def with_threads(self, threads: int | None) -> "HogLocalizer":
        """The same localizer with another number of threads."""
        return HogLocalizer(
            self.model, self.card, self.name, threads=threads, promised=self._promised
        )

    def with_guarantees(
        self, *, coverage: float | None = None, max_risk: float | None = None
    ) -> "HogLocalizer":
        """The same localizer with guarantees; see `onebox.localizer.Localizer.with_guarantees`.

        Raises:
            SettingError: If the calibration does not support them.
        """
        calibration = self.card.active_calibration
        promised = guarantees(calibration, self.name, coverage, max_risk)
        return HogLocalizer(
            self.model, self.card, self.name, threads=self.threads, promised=promised
        )

    def predict(self, source: Source) -> Prediction:
        """Localize the subject of one image; see `onebox.localizer.Localizer.predict`.

        The score is the probability of the class times the expected IoU of the box. The windows
        give no distribution of an edge: its ``sigma`` is the box's width or height times
        1 - the expected IoU.

        Raises:
            ImageError: If the image cannot be read.
            OneboxError: If scikit-image is not installed.
        """
        model = self.model
        image = images.load(source, at_least=self.card.size)
        pyramid = build_pyramid(
            image, model.level_lengths, model.settings, min_cells=model.min_cells
        )
        decision_values, agreed = model.localize(pyramid)
        probabilities = model.calibration.probabilities(decision_values)
        best = int(probabilities.argmax())
        expected_iou = model.calibration.expected_iou(agreed.agreement)
        box = _in_pixels(agreed.box, pyramid)
        prediction = Prediction(
            label=self.card.classes[best],
            score=float(probabilities[best]) * expected_iou,
            box=box,
            probabilities=tuple(probabilities.tolist()),
            sigma=_sigma(box, expected_iou),
        )
        return self._with_certainty(prediction, pyramid.size_wh)

    def predict_many(
        self, sources: Iterable[Source], *, threads: int | None = None, batch: int = 1
    ) -> Generator[Answer, None, None]:
        """Localize the subjects of many images; see `onebox.localizer.Localizer.predict_many`.

        Raises:
            ValueError: If ``threads`` or ``batch`` is less than 1.
        """
        workers = resolve_threads(self.threads if threads is None else threads)
        if batch < 1:
            raise ValueError(f"batch must be at least 1, got {batch}.")
        return streaming.predict_each(self.predict, sources, threads=workers)

    def _with_certainty(self, prediction: Prediction, size_wh: tuple[int, int]) -> Prediction:
        """The prediction with what the calibration says of it, and with what is promised."""
        calibration = self.card.active_calibration
        if calibration is not None:
            prediction = calibrated(prediction, calibration)
        if self._promised is not None:
            prediction = guaranteed(prediction, self._promised, size_wh)
        return prediction


def _in_pixels(normalized: Float[ndarray, " 4"], pyramid: Pyramid) -> Box:
    frame = np.array(pyramid.size_wh * 2, dtype=np.float64)
    edges = np.minimum(normalized * np.array(pyramid.extent_wh * 2), frame)
    x_min, y_min, x_max, y_max = edges.tolist()
    return x_min, y_min, x_max, y_max


def _sigma(box: Box, expected_iou: float) -> Box:
    width, height = box[2] - box[0], box[3] - box[1]
    doubt = 1 - expected_iou
    return doubt * width, doubt * height, doubt * width, doubt * height
