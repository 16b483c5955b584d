"""The HOG localizer: a pyramid of windows and linear machines that answer like any other model."""

from collections.abc import Generator, Iterable
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from onebox import images, streaming
from onebox.classic.filter_bank import Bank, Vote, find_candidates, vote
from onebox.classic.pyramid import Pyramid, build_pyramid
from onebox.classic.score_calibration import Calibration
from onebox.classic.settings import HogSettings
from onebox.images import Source
from onebox.model_card import ModelCard
from onebox.streaming import Answer
from onebox.structures import Box, Prediction
from onebox.threads import resolve_threads


@dataclass(frozen=True, slots=True, eq=False)
class Machines:
    """All that was learned.

    Attributes:
        settings: What it was learned with.
        sides: The longer side of each level of the pyramid, in pixels.
        banks: For each shape of a window.
        calibration: How sure.
    """

    settings: HogSettings
    sides: tuple[int, ...]
    banks: tuple[Bank, ...]
    calibration: Calibration = field(default_factory=Calibration)

    @property
    def least_cells(self) -> tuple[int, int]:
        """Rows and columns that a level needs to hold a window of every shape."""
        rows, columns = zip(*(bank.shape for bank in self.banks), strict=True)
        return max(rows), max(columns)

    def answer(self, pyramid: Pyramid) -> tuple[Float[ndarray, " classes"], Vote]:
        """The largest margin of each class, and the box in shares of the pyramid's extent."""
        found = [find_candidates(pyramid, bank, self.settings) for bank in self.banks]
        numbers = np.concatenate([np.array(bank.members) for bank in self.banks])
        best = np.concatenate([one.best for one in found])[np.argsort(numbers)]
        margins = np.concatenate([one.margins for one in found])
        boxes = np.concatenate([one.boxes for one in found])
        return best, vote(margins, boxes, self.settings.sharpness)


class HogLocalizer:
    """A trained localizer of windows.

    Attributes:
        card: What it says of itself; its size is the longer side of the pyramid's finest level.
        machines: What it learned.
        name: The file, or what it is.
        threads: Images under way at once where there are many; None for all cores that the
            process may use.
    """

    def __init__(
        self,
        machines: Machines,
        card: ModelCard,
        name: str = "hog-svm",
        *,
        threads: int | None = None,
    ) -> None:
        self.machines = machines
        self.card = card
        self.name = name
        self.threads = threads

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the probabilities."""
        return self.card.classes

    @property
    def mean_box(self) -> Box | None:
        """The mean training box, in shares of the image's sides."""
        return self.card.mean_box

    @property
    def keypoints(self) -> None:
        """None: windows find no keypoints."""
        return

    def with_card(self, card: ModelCard) -> "HogLocalizer":
        """The same localizer, saying something else of itself."""
        return HogLocalizer(self.machines, card, self.name, threads=self.threads)

    def with_threads(self, threads: int | None) -> "HogLocalizer":
        """The same localizer for so many threads."""
        return HogLocalizer(self.machines, self.card, self.name, threads=threads)

    def predict(self, source: Source) -> Prediction:
        """Find the subject of one image.

        Args:
            source: A path, encoded bytes, a Pillow image, or an array of uint8 with shape
                (height, width), (height, width, 3) or (height, width, 4).

        Returns:
            The class, how sure, and the box in pixels of the upright image. The score is the
            class's probability times the overlap expected of the box.

        Raises:
            ImageError: If the image cannot be read.
            OneboxError: If scikit-image is not installed.
        """
        machines = self.machines
        image = images.load(source, at_least=self.card.size)
        pyramid = build_pyramid(
            image, machines.sides, machines.settings, least_cells=machines.least_cells
        )
        best, agreed = machines.answer(pyramid)
        probabilities = machines.calibration.probabilities(best)
        label = int(probabilities.argmax())
        overlap = machines.calibration.overlap(agreed.agreement)
        return Prediction(
            label=self.classes[label],
            score=float(probabilities[label]) * overlap,
            box=_in_pixels(agreed.box, pyramid),
            probabilities=tuple(probabilities.tolist()),
        )

    def predict_many(
        self, sources: Iterable[Source], *, threads: int | None = None
    ) -> Generator[Answer, None, None]:
        """Find the subjects of many images; see `onebox.runtime.Localizer.predict_many`.

        Raises:
            ValueError: If ``threads`` is less than 1.
        """
        workers = resolve_threads(self.threads if threads is None else threads)
        return streaming.predict_each(self.predict, sources, threads=workers)


def _in_pixels(shares: Float[ndarray, " 4"], pyramid: Pyramid) -> Box:
    frame = np.array(pyramid.size_wh * 2, dtype=np.float64)
    edges = np.minimum(shares * np.array(pyramid.extent_wh * 2), frame)
    x_min, y_min, x_max, y_max = edges.tolist()
    return x_min, y_min, x_max, y_max
