"""What every variant is made from."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from onebox.model_card import ModelCard
from onebox.variants.inputs import Shown


@dataclass(frozen=True, slots=True)
class Source:
    """A model, and what its variant is to say of itself.

    Attributes:
        model: The ``model.onnx``.
        card: For the variant's metadata.
        images: Gives the images to calibrate on, as the network sees them.
    """

    model: Path
    card: ModelCard
    images: Callable[[], Iterator[Shown]]
