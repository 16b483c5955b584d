"""The runtime: ``model.onnx`` in, predictions out, without PyTorch.

The file holds the whole way from pixels to the answer: resizing, normalising, the network, the
decoding of the box. What is left here is to read images and to name the classes.
"""

import dataclasses
import os
from collections.abc import Generator, Iterable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime
from numpy import ndarray

from onebox import images, streaming
from onebox.errors import ModelError
from onebox.images import LoadedImage, Source
from onebox.inference import Found, Looks
from onebox.model_card import METADATA_KEY, ModelCard
from onebox.outputs import KEYPOINTS_OUTPUT, PRESENCE_OUTPUT, outputs_of
from onebox.refinement import FINER
from onebox.sessions import CPU, Provider, Sessions
from onebox.streaming import Answer
from onebox.structures import Box, KeypointSet, Prediction
from onebox.threads import resolve_threads


class Localizer:
    """A loaded model. Threads may share one.

    Attributes:
        card: What the model file says of itself.
        name: The file.
    """

    def __init__(self, sessions: Sessions, card: ModelCard, name: str) -> None:
        self.card = card
        self.name = name
        self._sessions = sessions
        self._looks = Looks(_outputs(card), card.refinement)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the probabilities."""
        return self.card.classes

    @property
    def mean_box(self) -> Box | None:
        """The mean training box, in shares of the image's sides."""
        return self.card.mean_box

    @property
    def keypoints(self) -> KeypointSet | None:
        """What the keypoints of its predictions are called; None without keypoints."""
        return self.card.keypoints

    def predict(self, source: Source) -> Prediction:
        """Find the subject of one image.

        Args:
            source: A path, encoded bytes, a Pillow image, or an array of uint8 with shape
                (height, width), (height, width, 3) or (height, width, 4).

        Returns:
            The class, how sure, and the box in pixels of the upright image; ``present`` says
            whether there is a subject at all, where the model learned that.

        Raises:
            ImageError: If the image cannot be read.
        """
        return self._locate(self._sessions.single, [self._opened(source)])[0]

    def predict_many(
        self,
        sources: Iterable[Source],
        *,
        threads: int | None = None,
        batch: int = 1,
    ) -> Generator[Answer, None, None]:
        """Find the subjects of many images, as fast as all threads can.

        Each thread decodes an image and runs the model on it, so that the two overlap. Answers
        come in the order of the sources, as they are made. Memory does not grow with their
        number: the sources may be endless. Closing the iterator stops the threads.

        Args:
            sources: What `predict` takes, drawn from as answers are taken; in a thread of their
                own, where ``threads`` is more than 1.
            threads: By default those that the model was loaded for.
            batch: Images that the model sees in one call, as a GPU wants it. Those of one size
                among ``batch`` in a row go together; threads then only decode. On a processor
                it gains nothing.

        Returns:
            An answer for each source. An image that cannot be read does not stop the others:
            its answer has an ``error`` in place of a ``prediction``.

        Raises:
            ValueError: If ``threads`` or ``batch`` is less than 1.
        """
        workers = self._sessions.threads if threads is None else resolve_threads(threads)
        if batch < 1:
            raise ValueError(f"batch must be at least 1, got {batch}.")
        if batch > 1 and self._sessions.takes_batches:
            locate = partial(self._locate, self._sessions.single)
            return streaming.predict_batches(
                self._opened, locate, sources, threads=workers, batch=batch
            )
        return streaming.predict_each(self._predict_beside, sources, threads=workers)

    def with_refinement(self, margin: float | None) -> "Localizer":
        """The same model with another second look, or none; see `ModelCard`."""
        card = dataclasses.replace(self.card, refinement=margin)
        return Localizer(self._sessions, card, self.name)

    def _predict_beside(self, source: Source) -> Prediction:
        """Answer in one of several threads."""
        return self._locate(self._sessions.stream, [self._opened(source)])[0]

    def _opened(self, source: Source) -> LoadedImage:
        # A part that is looked at again has the pixels for it only if the image has more.
        looks = 1 if self.card.refinement is None else FINER
        return images.load(source, at_least=looks * self.card.size)

    def _locate(
        self, session: onnxruntime.InferenceSession, images: Sequence[LoadedImage]
    ) -> list[Prediction]:
        found = self._looks.find(session, [image.pixels for image in images])
        pairs = zip(found, images, strict=True)
        return [_prediction(one, image, self.classes) for one, image in pairs]


def load(
    path: str | os.PathLike[str],
    *,
    threads: int | None = None,
    providers: Sequence[Provider] = (CPU,),
) -> Localizer:
    """Load a model file that `onebox train` made.

    Args:
        path: The file.
        threads: That share the work; by default all cores that the process may use.
        providers: What runs the model, in order of preference, by ONNX Runtime's names.

    Raises:
        ModelError: If the file is missing, no ONNX file, or no onebox model.
        SettingError: If this ONNX Runtime lacks a provider.
        ValueError: If ``threads`` is less than 1.
    """
    file = Path(path)
    sessions = Sessions(file, resolve_threads(threads), providers)
    text = sessions.single.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    if text is None:
        raise ModelError(
            f"{file}: is an ONNX file but no onebox model: it has no '{METADATA_KEY}' metadata. "
            "Name a model.onnx that onebox train wrote."
        )
    try:
        card = ModelCard.from_json(text)
    except (ValueError, TypeError) as error:
        raise ModelError(f"{file}: its metadata cannot be read: it {error}.") from error
    outputs = {output.name for output in sessions.single.get_outputs()}
    if missing := {*_outputs(card)} - outputs:
        raise ModelError(f"{file}: lacks the outputs {', '.join(sorted(missing))}. Export it anew.")
    return Localizer(sessions, card, str(file))


def _outputs(card: ModelCard) -> tuple[str, ...]:
    return outputs_of(keypoints=card.keypoints is not None, presence=card.presence)


def _prediction(found: Found, image: LoadedImage, classes: tuple[str, ...]) -> Prediction:
    # Plain numbers: for so few, arrays cost more than the arithmetic, right after a network's run.
    keypoints, presence = found.get(KEYPOINTS_OUTPUT), found.get(PRESENCE_OUTPUT)
    probabilities = found["probability"].tolist()
    return Prediction(
        label=classes[probabilities.index(max(probabilities))],
        score=float(found["score"]),
        box=_unshrunk(found["box"].tolist(), image),
        probabilities=tuple(probabilities),
        keypoints=None if keypoints is None else _points(keypoints, image),
        present=None if presence is None else float(presence),
    )


def _unshrunk(box: list[float], image: LoadedImage) -> Box:
    """A box on the decoded pixels, on the whole image."""
    (across, down), (width, height) = image.scale_xy, map(float, image.size_wh)
    x_min, y_min, x_max, y_max = box
    return (
        min(x_min * across, width),
        min(y_min * down, height),
        min(x_max * across, width),
        min(y_max * down, height),
    )


def _points(keypoints: ndarray, image: LoadedImage) -> tuple[tuple[float, float, float], ...]:
    """Keypoints on the decoded pixels, on the whole image."""
    scaled = keypoints * np.array([*image.scale_xy, 1.0])
    limits = np.array([*image.size_wh, 1.0])
    return tuple((x, y, confidence) for x, y, confidence in np.minimum(scaled, limits).tolist())
