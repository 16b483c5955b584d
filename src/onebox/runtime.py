"""A network's file in, predictions out, without PyTorch.

The file holds everything between pixels and outputs: resizing, normalization, the network, the
decoding of the box. What is left here is to read images, to name the classes, and to run a model
with a refinement pass twice: then on a crop around the first box.
"""

import dataclasses
import os
from collections.abc import Generator, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy import ndarray

from onebox import images, streaming
from onebox.confidence.applying import calibrated, guaranteed
from onebox.confidence.guarantees import Guarantees, guarantees
from onebox.engines.engine import Engine, Provider
from onebox.engines.opening import open_engine
from onebox.errors import ModelError
from onebox.images import LoadedImage, Source
from onebox.model_card import ModelCard, read_card
from onebox.outputs import (
    KEYPOINTS_OUTPUT,
    PRESENCE_OUTPUT,
    RAW_OUTPUTS,
    Arrays,
    array_problem,
    outputs_in,
)
from onebox.refinement import Crop, cut, decoded_size, find_crop
from onebox.streaming import Answer
from onebox.structures import PRESENT, Prediction
from onebox.threads import resolve_threads

_Promises = tuple[float | None, float | None]
_ReloadArgs = tuple[Path, int, tuple[Provider, ...] | None, float | None, _Promises]


class NetworkLocalizer:
    """A network as a `Localizer`.

    Pickling keeps the path of the file, not the network: unpickling opens the file again.

    Attributes:
        card: What the model says about itself.
        name: The model file.
        engine: What runs the network.
    """

    def __init__(
        self, engine: Engine, card: ModelCard, name: str, promised: Guarantees | None = None
    ) -> None:
        self.card = card
        self.name = name
        self.engine = engine
        self._promised = promised
        self._calibration = card.active_calibration
        self._outputs = outputs_in(card)
        self._keys = tuple(output.name for output in self._outputs)
        self._names = tuple(_name_in_file(key, card) for key in self._keys)
        self._shapes = tuple(output.shape(card) for output in self._outputs)

    def __reduce__(self) -> tuple[object, _ReloadArgs]:
        """Say how to load the file again: with the same threads, providers and settings."""
        engine = self.engine
        file, margin = engine.file.absolute(), self.card.refine_margin
        return _reload, (file, engine.threads, engine.providers, margin, self._promises)

    def predict(self, source: Source) -> Prediction:
        """Predict the subject of one image; see `Localizer.predict`.

        Raises:
            ImageError: If the image cannot be read.
        """
        return self._predict([self._decode(source)], self.engine)[0]

    def predict_many(
        self, sources: Iterable[Source], *, threads: int | None = None, batch: int = 1
    ) -> Generator[Answer, None, None]:
        """Predict the subjects of many images; see `Localizer.predict_many`.

        Raises:
            ValueError: If ``threads`` or ``batch`` is less than 1.
        """
        workers = self.engine.threads if threads is None else resolve_threads(threads)
        if batch < 1:
            raise ValueError(f"batch must be at least 1, got {batch}.")
        if batch > 1 and self.engine.takes_batches:
            predict = partial(self._predict, engine=self.engine)
            return streaming.predict_batches(
                self._decode, predict, sources, threads=workers, batch=batch
            )
        return streaming.predict_each(self._predict_in_thread, sources, threads=workers)

    def with_refinement(self, margin: float | None) -> "NetworkLocalizer":
        """The same model with another refinement margin, or None; see `ModelCard`.

        With a margin that it was not calibrated for, it is not calibrated.

        Raises:
            SettingError: If the model has guarantees, and its calibration for this margin does not
                support them.
        """
        card = dataclasses.replace(self.card, refine_margin=margin)
        if margin != self.card.refine_margin:
            card = dataclasses.replace(card, refined_calibration=None)
        return self._with(card, self._promises)

    def with_guarantees(
        self, *, coverage: float | None = None, max_risk: float | None = None
    ) -> "NetworkLocalizer":
        """The same model with outer and inner boxes, and accepted predictions; see `Localizer`.

        Raises:
            SettingError: If the calibration images do not allow the promise.
        """
        return self._with(self.card, (coverage, max_risk))

    def _with(self, card: ModelCard, promises: _Promises) -> "NetworkLocalizer":
        is_asked = promises != (None, None)
        promised = guarantees(card.active_calibration, self.name, *promises) if is_asked else None
        return NetworkLocalizer(self.engine, card, self.name, promised)

    @property
    def _promises(self) -> _Promises:
        promised = self._promised
        return (None, None) if promised is None else (promised.coverage, promised.max_risk)

    def run_once(self, pixels: ndarray) -> Arrays:
        """The outputs for the pixels of one image, as they are: without the refinement pass."""
        return self._run_once([pixels], self.engine)[0]

    def _predict_in_thread(self, source: Source) -> Prediction:
        return self._predict([self._decode(source)], self.engine.per_thread())[0]

    def _decode(self, source: Source) -> LoadedImage:
        return images.load(source, at_least=decoded_size(self.card.size, self.card.refine_margin))

    def _predict(self, images: Sequence[LoadedImage], engine: Engine) -> list[Prediction]:
        found = self._run(images, engine)
        return [self._prediction(*pair) for pair in zip(found, images, strict=True)]

    def _prediction(self, arrays: Arrays, image: LoadedImage) -> Prediction:
        fields = {each.field: each.to_field(arrays[each.name], image) for each in self._outputs}
        probabilities = fields["probabilities"]
        label = self.card.classes[probabilities.index(max(probabilities))]
        prediction = Prediction(label, **fields)
        if self._calibration is not None:
            prediction = calibrated(prediction, self._calibration)
            if self._promised is not None:
                prediction = guaranteed(prediction, self._promised, image.size_wh)
        return prediction

    def _run(self, images: Sequence[LoadedImage], engine: Engine) -> list[Arrays]:
        """The outputs for each image, in its pixels, after the refinement pass if there is one."""
        found = self._run_once([image.pixels for image in images], engine)
        crops = self._crops(images, found)
        if crops:
            parts = [cut(images[index].pixels, crop) for index, crop in crops.items()]
            refined = self._run_once(parts, engine)
            for (index, crop), arrays in zip(crops.items(), refined, strict=True):
                first = found[index]
                found[index] = {
                    each.name: each.from_crop(arrays, first, crop) for each in self._outputs
                }
        return found

    def _run_once(self, images: Sequence[ndarray], engine: Engine) -> list[Arrays]:
        """The outputs for each image; images of one size go through the network together."""
        if len(images) == 1:  # most calls: grouping by shape would cost more than all else here
            rows = [array[0] for array in self._arrays(images[0][None], engine)]
            return [dict(zip(self._keys, rows, strict=True))]
        groups: dict[tuple[int, ...], list[int]] = {}
        for index, pixels in enumerate(images):
            groups.setdefault(pixels.shape, []).append(index)
        found: list[Arrays] = [{}] * len(images)
        for indices in groups.values():
            arrays = self._arrays(np.stack([images[index] for index in indices]), engine)
            for index, *rows in zip(indices, *arrays, strict=True):
                found[index] = dict(zip(self._keys, rows, strict=True))
        return found

    def _arrays(self, images: ndarray, engine: Engine) -> list[ndarray]:
        """The outputs for images of one size, as the card says that they are.

        Raises:
            ModelError: If they are not.
        """
        arrays = engine.run(images, self._names)
        for name, array, shape in zip(self._names, arrays, self._shapes, strict=True):
            if problem := array_problem(array, (len(images), *shape)):
                raise ModelError(f"{self.name}: its output {name!r} {problem}. Export it anew.")
        return arrays

    def _crops(self, images: Sequence[LoadedImage], found: Sequence[Arrays]) -> Mapping[int, Crop]:
        """The crops to refine, by the indices of their images."""
        margin, crops = self.card.refine_margin, {}
        if margin is None:
            return {}
        for index, (image, arrays) in enumerate(zip(images, found, strict=True)):
            if arrays.get(PRESENCE_OUTPUT, 1.0) < PRESENT:
                continue
            box = tuple(arrays["box"].tolist())
            crop = find_crop(box, image, margin, is_square=self.card.refine_square)
            if crop is not None:
                crops[index] = crop
        return crops


def load(
    path: str | os.PathLike[str],
    *,
    threads: int | None = None,
    providers: Sequence[Provider] | None = None,
) -> NetworkLocalizer:
    """Load a network's file: an ``.xml`` of OpenVINO, or a model of ONNX under any other name.

    The other arguments are those of `onebox.load`.

    Raises:
        ModelError: If the file is missing, cannot be opened, or is not a model of onebox.
        OneboxError: If the file needs OpenVINO, which is not installed.
        SettingError: If a provider is not available.
        ValueError: If ``threads`` is less than 1.
    """
    file = Path(path)
    engine = open_engine(file, resolve_threads(threads), providers)
    card = read_card(engine.metadata, file)
    expected = {_name_in_file(output.name, card) for output in outputs_in(card)}
    if missing := expected.difference(engine.output_names):
        raise ModelError(f"{file}: lacks the outputs {', '.join(sorted(missing))}. Export it anew.")
    return NetworkLocalizer(engine, card, str(file))


def _name_in_file(output: str, card: ModelCard) -> str:
    """The name in the model file of an output as the network gives it."""
    # A calibrated file is calibrated for predictions without the refinement pass.
    calibration = card.calibration
    if calibration is None or (output == KEYPOINTS_OUTPUT and calibration.keypoints is None):
        return output
    return RAW_OUTPUTS.get(output, output)


def _reload(
    file: Path,
    threads: int,
    providers: tuple[Provider, ...] | None,
    margin: float | None,
    promises: _Promises,
) -> NetworkLocalizer:
    model = load(file, threads=threads, providers=providers).with_refinement(margin)
    coverage, max_risk = promises
    return model.with_guarantees(coverage=coverage, max_risk=max_risk)
