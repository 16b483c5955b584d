"""Environments of other packages, made by uv, so that none becomes a dependency of onebox."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_TORCH = ("torch==2.15.0", "torchvision==0.29.2", "timm==1.0.31", "safetensors")
_ONNX = ("onnx==1.23.2", "onnxruntime==1.31.1", "onnxslim==0.1.98")
# What each environment contains; torch and ONNX Runtime have onebox's own versions.
ENVIRONMENTS: dict[str, Sequence[str]] = {
    "torchvision": _TORCH,
    "fastai": (*_TORCH, "fastai==2.8.12"),
    "ultralytics": (*_TORCH[:2], "ultralytics==8.4.190", *_ONNX),
}


def make_environments(
    folder: Path, torch_backend: str | None, names: Sequence[str] = tuple(ENVIRONMENTS)
) -> None:
    """Make the environments that do not exist yet."""
    backend = ["--torch-backend", torch_backend] if torch_backend else []
    for name in names:
        path = folder / name
        lines = "\n".join(ENVIRONMENTS[name])
        ready = path / "ready.txt"
        if not ready.is_file() or ready.read_text("utf-8") != lines:
            install(path, [*backend, *ENVIRONMENTS[name]])
            ready.write_text(lines, "utf-8")


def install(path: Path, words: Sequence[str]) -> None:
    """Make one environment from scratch; ``words`` are arguments of ``uv pip install``."""
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    create = [uv, "venv", "--clear", "--python", sys.executable, str(path)]
    subprocess.run(create, check=True)
    command = [uv, "pip", "install", "--python", str(program_of(path, "python")), *words]
    subprocess.run(command, check=True)


def program_of(environment: Path, name: str) -> Path:
    """The path of a program in an environment."""
    inside = ("Scripts", f"{name}.exe") if os.name == "nt" else ("bin", name)
    return environment.joinpath(*inside).absolute()


def clean_variables() -> dict[str, str]:
    """Environment variables of this process, without those that affect Python's imports."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
