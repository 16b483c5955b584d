"""What every model is to its callers, whichever system made it."""

from collections.abc import Generator, Iterable
from typing import Protocol, runtime_checkable

from onebox.images import Source
from onebox.model_card import ModelCard
from onebox.streaming import Answer
from onebox.structures import Prediction


@runtime_checkable
class Localizer(Protocol):
    """A loaded model, as `onebox.load` returns it. Threads may share one.

    It can be pickled: multiprocessing and Ray send it to other processes.

    Attributes:
        name: The model file, or what the model is if it was not saved.
        card: What the model says about itself: class names, keypoints, size, metrics.
    """

    name: str
    card: ModelCard

    def predict(self, source: Source) -> Prediction:
        """Predict the subject of one image.

        Args:
            source: A path, encoded bytes, a Pillow image, or an array of uint8 with shape
                (height, width), (height, width, 3) or (height, width, 4).

        Returns:
            The class, the score, and the box in pixels of the upright image; ``present`` is the
            probability that there is a subject at all, if the model learned it.

        Raises:
            ImageError: If the image cannot be read.
        """

    def predict_many(
        self, sources: Iterable[Source], *, threads: int | None = None, batch: int = 1
    ) -> Generator[Answer, None, None]:
        """Predict the subjects of many images, in several threads.

        Each thread decodes an image and runs the model on it. Answers come in the order of the
        sources, each as soon as it is ready. Memory does not grow with the number of sources,
        which may be endless. Closing the generator stops the threads.

        Args:
            sources: What `predict` takes, drawn as answers are taken; in a thread of their own
                if ``threads`` is more than 1.
            threads: By default those that the model was loaded with.
            batch: Images that a network sees in one call, for a GPU; on a CPU it gains nothing.
                Of ``batch`` images in a row, those of one size go together, and the threads only
                decode. HOG windows always take one image.

        Returns:
            An answer for each source. An image that cannot be read does not stop the others: its
            answer has an ``error`` in place of a ``prediction``.

        Raises:
            ValueError: If ``threads`` or ``batch`` is less than 1.
        """

    def with_guarantees(
        self, *, coverage: float | None = None, max_risk: float | None = None
    ) -> "Localizer":
        """The same model, whose predictions keep a promise that its calibration images support.

        Args:
            coverage: Fraction of new images whose true box lies in the ``outer_box`` and contains
                the ``inner_box``, each; in (0, 1). None sets neither.
            max_risk: Largest fraction of wrong predictions (IoU below 0.5, or another label) among
                the ``accepted`` ones, promised with 95 % confidence; in (0, 1). None accepts and
                refuses none.

        Returns:
            A model with these guarantees in place of earlier ones.

        Raises:
            SettingError: If the model is not calibrated, if it has too few calibration images for
                the coverage, or if they do not prove the risk; the message says what it takes.
        """
