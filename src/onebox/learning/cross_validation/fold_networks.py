"""The network of one fold: trained on the other folds, it predicts the fold's images.

It works in any process: what it needs is small, but for the decoded images, which another process
maps, or decodes where there is no file of them.
"""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int64
from numpy import ndarray

from onebox.errors import SettingError
from onebox.learning.cross_validation.looks import (
    MARGINS,
    Look,
    Viewer,
    join_looks,
    mean_look,
    whole_windows,
    windows_around,
)
from onebox.learning.cross_validation.schedule import fold_recipe
from onebox.learning.data.decoded_cache import Decoded, decode
from onebox.learning.fitting.feature_cache import to_planes
from onebox.learning.fitting.fit import FitLimits, fit
from onebox.learning.network_runs.initial_weights import Start
from onebox.learning.network_runs.resolve import learns_presence
from onebox.learning.networks.network import Network
from onebox.progress import Listener
from onebox.structures import Dataset

_BATCH = 32  # images that are predicted at once


class DecodedImages:
    """The decoded images of a data set; a copy in another process maps or decodes them itself."""

    def __init__(self, data: Dataset, side: int) -> None:
        self._data, self._side = data, side
        self._decoded: Decoded | None = None

    def get(self, listener: Listener) -> Decoded:
        """All images; decoded at the first call, unless an earlier run left them.

        Raises:
            DataError: If images cannot be decoded.
        """
        if self._decoded is None:
            listener.stage("Decoding images")
            self._decoded = decode(self._data, self._side, progress=listener.advance)
        return self._decoded

    def __reduce__(self) -> tuple[type["DecodedImages"], tuple[Dataset, int]]:
        return DecodedImages, (self._data, self._side)


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """The task of one fold.

    Attributes:
        number: From 0.
        held: Rows of its images.
        kept: Rows of all other images.
        budget_s: Seconds for training and what comes before it; None without a time budget.
    """

    number: int
    held: Int64[ndarray, " held"]
    kept: Int64[ndarray, " kept"]
    budget_s: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class FoldTrainer:
    """Trains and predicts folds.

    Attributes:
        data: The whole data set.
        images: Its decoded images.
        start: The recipe and the initial weights.
        folds: Number of folds.
        trained: Number of images that one training run on the same data would train on.
    """

    data: Dataset
    images: DecodedImages
    start: Start
    folds: int
    trained: int

    def run(self, fold: Fold, listener: Listener) -> tuple[Look, Look]:
        """Train and predict a fold.

        Returns:
            The looks at the whole images of the fold and at windows, in the order of its rows.

        Raises:
            DataError: If images cannot be read.
            SettingError: If the time budget leaves no time to train.
            KeyboardInterrupt: If the user stopped it.
        """
        started_s = time.monotonic()
        decoded = self.images.get(listener)
        listener.stage(f"Training fold {fold.number + 1} of {self.folds}")
        budget_s = fold.budget_s
        if budget_s is not None:
            budget_s -= time.monotonic() - started_s
            if budget_s <= 0:
                raise SettingError(
                    f"--minutes: decoding the images of fold {fold.number + 1} took all of its "
                    "time. Give more minutes."
                )
        return self.predict(self._trained(decoded, fold, budget_s, listener), decoded, fold.held)

    def network(self) -> Network:
        """The network with its initial weights; the same one at each call."""
        keypoints = 0 if self.data.keypoints is None else len(self.data.keypoints.names)
        presence = learns_presence(self.start.recipe, self.data)
        return self.start.network(len(self.data.classes), keypoints, presence=presence)

    def predict(
        self, network: Network, decoded: Decoded, rows: Int64[ndarray, " n"]
    ) -> tuple[Look, Look]:
        """The looks at some whole images and at windows of them."""
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        viewer = Viewer(network.to(device).eval(), self.start.recipe.model.size, decoded.flip_pairs)
        looks: list[tuple[Look, Look]] = []
        with torch.inference_mode():
            for first in range(0, len(rows), _BATCH):
                squares = decoded.pixels[rows[first : first + _BATCH].tolist()]
                images = to_planes(torch.from_numpy(np.ascontiguousarray(squares)).to(device))
                looks.append(_look_at(viewer, images))
        whole, windows = zip(*looks, strict=True)
        return join_looks(whole), join_looks(windows)

    def rehearse_s(self, decoded: Decoded) -> float:
        """Seconds that the prediction of an image takes, by an untrained network."""
        rows = np.arange(min(_BATCH, len(decoded)))
        begin = time.monotonic()
        self.predict(self.network(), decoded, rows)
        return (time.monotonic() - begin) / len(rows)

    def _trained(
        self, decoded: Decoded, fold: Fold, budget_s: float | None, listener: Listener
    ) -> Network:
        network = self.network()
        recipe = fold_recipe(
            self.start.recipe, images=self.trained, kept=len(fold.kept), folds=self.folds
        )
        parts = {"train": decoded.select(fold.kept), "val": decoded.select(fold.held)}
        with tempfile.TemporaryDirectory() as folder:
            limits = FitLimits(budget_s=budget_s)
            fitted = fit(network, recipe, parts, Path(folder), listener, limits)
        if fitted.is_interrupted:
            raise KeyboardInterrupt
        return network


def _look_at(viewer: Viewer, images: torch.Tensor) -> tuple[Look, Look]:
    def look(windows: torch.Tensor) -> Look:
        both = (False, True)
        return mean_look([viewer.look(images, windows, is_flipped=each) for each in both])

    whole = look(whole_windows(len(images)))
    return whole, mean_look([look(windows_around(whole.boxes, margin)) for margin in MARGINS])
