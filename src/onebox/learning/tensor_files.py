"""Safetensors files, opened so that an error of the system keeps its reason."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import safe_open

from onebox.errors import is_out_of_memory


@contextmanager
def open_tensors(path: Path) -> Iterator[Any]:
    """Open a safetensors file to read tensors of PyTorch from it.

    Raises:
        OSError: If it cannot be opened or mapped.
        RuntimeError: If the memory does not suffice.
        SafetensorError: If it is no safetensors file.
    """
    with path.open("rb"):  # safetensors calls a file without permission a missing one
        pass
    try:
        file = safe_open(path, "pt")
    except RuntimeError as error:  # PyTorch has no class of its own for what the system refuses
        if is_out_of_memory(error):
            raise
        raise OSError(str(error)) from error
    with file as opened:
        yield opened
