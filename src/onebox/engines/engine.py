"""What inference needs of a runtime."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from numpy import ndarray

from onebox.errors import is_out_of_memory

_PLACE = "Exception from "  # OpenVINO's first lines: where in its own sources it failed

Provider = str | tuple[str, Mapping[str, Any]]
"""An execution provider: ONNX Runtime's name for it, or the name and its options."""


@runtime_checkable
class Engine(Protocol):
    """An opened model file. Threads may share one.

    Attributes:
        file: The model file.
        threads: Threads that share the work of one call.
        providers: The execution providers asked for; None if the engine has none.
        metadata: The text of the model card in the file; None if there is none.
        output_names: Names of all outputs of the file.
        takes_batches: Whether one call takes several images of one size.
    """

    file: Path
    threads: int
    providers: tuple[Provider, ...] | None
    metadata: str | None
    output_names: tuple[str, ...]
    takes_batches: bool

    def per_thread(self) -> "Engine":
        """The engine to use if each of several threads makes its own calls."""

    def run(self, images: ndarray, outputs: Sequence[str]) -> list[ndarray]:
        """Run the network.

        Args:
            images: uint8 of shape (n, height, width, 3).
            outputs: Names of the outputs to compute.

        Returns:
            One array for each name, its first axis of length n.
        """


def refusal(file: Path, kind: str, error: Exception) -> str:
    """Why a file cannot be opened, as a message.

    Args:
        file: The file.
        kind: What it should be for which engine, such as ``a model that OpenVINO 2026.4``.
        error: The engine's error.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = next((line for line in lines if not line.startswith(_PLACE)), type(error).__name__)
    if is_out_of_memory(error):
        return (
            f"{file}: the memory does not suffice to open it ({said.rstrip('.')}). Close other "
            "programs, or raise the limit of this process. If the file may be damaged, copy or "
            "export it anew."
        )
    return (
        f"{file}: is not {kind} can open ({said.rstrip('.')}). If it was cut short or damaged, "
        "copy or export it anew."
    )
