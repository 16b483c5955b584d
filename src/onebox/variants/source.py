"""What every variant is made from."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from onebox.runtime import ModelFacts
from onebox.variants.inputs import Shown


@dataclass(frozen=True, slots=True)
class Source:
    """A model, and what its variant is to say of itself.

    Attributes:
        model: The ``model.onnx``.
        facts: For the variant's metadata.
        images: Gives the images to calibrate on, as the network sees them.
    """

    model: Path
    facts: ModelFacts
    images: Callable[[], Iterator[Shown]]
