"""What all benchmarks share: the machine's facts, medians, tables."""

import argparse
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

_PACKAGES = ("onebox", "numpy", "pillow", "onnxruntime", "torch", "timm", "lightning")
_CPU_FACTS = Path("/proc/cpuinfo")

Table = Sequence[Mapping[str, str | float]]


def facts() -> dict[str, Any]:
    """The processor, the cores that this process may use, the load, and versions."""
    return {
        "cpu": _cpu_name(),
        "cores": len(os.sched_getaffinity(0)) if _is_linux() else os.cpu_count(),
        "load_1_min": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in _PACKAGES},
    }


def arguments(description: str) -> argparse.ArgumentParser:
    """A parser with the options of every benchmark."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write table and facts to this file"
    )
    return parser


@contextmanager
def model_or_untrained(model: Path | None) -> Iterator[Path]:
    """The given model, or a temporary untrained one."""
    if model is not None:
        yield model
        return
    with tempfile.TemporaryDirectory() as folder:
        yield make_untrained(Path(folder, "model.onnx"))


def make_untrained(file: Path, *words: str) -> Path:
    """The default network with random weights, exported by a process with the options ``words``."""
    maker = Path(__file__).with_name("untrained.py")
    subprocess.run([sys.executable, str(maker), str(file), *words], check=True)
    return file


def percentiles(values: Sequence[float]) -> tuple[float, float]:
    """The median and the 95th percentile."""
    median, high = np.percentile(values, [50, 95]).tolist()
    return median, high


def publish(name: str, table: Table, file: Path | None) -> None:
    """Print a table and the machine's facts; write both as JSON if a file is given."""
    about = facts()
    show(name, table)
    for key, value in about.items():
        print(f"  {key}: {value}")
    if file is not None:
        content = {"benchmark": name, "machine": about, "rows": [dict(row) for row in table]}
        file.write_text(json.dumps(content, indent=1), "utf-8")


def show(name: str, table: Table) -> None:
    """Print a table with its name above."""
    print(f"\n{name}")
    for row in _aligned(table):
        print(f"  {row}")


def _aligned(table: Table) -> list[str]:
    columns = list(table[0])
    texts = [columns, *[[_text(row[column]) for column in columns] for row in table]]
    widths = [max(len(row[index]) for row in texts) for index in range(len(columns))]
    return [
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in texts
    ]


def _text(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.4g}"


def _cpu_name() -> str:
    lines = _CPU_FACTS.read_text("utf-8").splitlines() if _CPU_FACTS.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


def _is_linux() -> bool:
    return sys.platform == "linux"
