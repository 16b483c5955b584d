"""Environments of other packages, by uv: none of them becomes a dependency of onebox."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_TORCH = ("torch==2.15.0", "torchvision==0.29.2", "timm==1.0.31", "safetensors")
_ONNX = ("onnx==1.23.2", "onnxruntime==1.31.1", "onnxslim==0.1.98")
# What each environment holds; torch and ONNX Runtime are the same as onebox's own.
ENVIRONMENTS: dict[str, Sequence[str]] = {
    "torchvision": _TORCH,
    "fastai": (*_TORCH, "fastai==2.8.12"),
    "ultralytics": (*_TORCH[:2], "ultralytics==8.4.190", *_ONNX),
}


def make_environments(
    folder: Path, torch_backend: str | None, names: Sequence[str] = tuple(ENVIRONMENTS)
) -> None:
    """Make those environments that are not there yet."""
    backend = ["--torch-backend", torch_backend] if torch_backend else []
    for name in names:
        place = folder / name
        lines = "\n".join(ENVIRONMENTS[name])
        ready = place / "ready.txt"
        if not ready.is_file() or ready.read_text("utf-8") != lines:
            install(place, [*backend, *ENVIRONMENTS[name]])
            ready.write_text(lines, "utf-8")


def install(place: Path, words: Sequence[str]) -> None:
    """Make one environment anew: what ``uv pip install`` is told after its name."""
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    made = [uv, "venv", "--clear", "--python", sys.executable, str(place)]
    subprocess.run(made, check=True)
    command = [uv, "pip", "install", "--python", str(program_of(place, "python")), *words]
    subprocess.run(command, check=True)


def program_of(environment: Path, name: str) -> Path:
    """A program of an environment."""
    inside = ("Scripts", f"{name}.exe") if os.name == "nt" else ("bin", name)
    return environment.joinpath(*inside).absolute()


def clean_variables() -> dict[str, str]:
    """The variables of this process without those that lead Python to packages of its own."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
