"""Only networks, in ONNX Runtime: the default recipe's at 224 pixels, YOLO26n at three sizes."""

import subprocess
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime
from environments import clean_variables
from inference_parts.claims import THREADS, Claim, PartResult, Row, Workspace
from machine import make_untrained, percentiles
from numpy import ndarray
from onnxruntime import InferenceSession
from turns import interleaved

WORKER = Path(__file__).parents[1] / "peers" / "ultralytics_predict.py"

_SIZE = 224
_MAX_RATIO = {640: 1 / 12, 320: 1 / 3, 224: 0.6}  # fraction of the time of YOLO26n at that size
_WARM_UP = 10
_OURS = f"onebox, {_SIZE}"


def show(workspace: Workspace) -> PartResult:
    """Time them in turns, call by call."""
    models = _models(workspace)
    rows, claims = [], []
    for threads in THREADS:
        runs = {name: _runner(file, threads) for name, file in models.items()}
        times = interleaved(runs, workspace.sizes.calls, warm_up=_WARM_UP)
        rows += list(_rows(times, threads))
        claims += list(_claims(times, threads))
    return PartResult(rows, claims)


def exported(workspace: Workspace, size: int) -> Path:
    """YOLO26n at one size, exported by its own package in its own environment.

    Raises:
        RuntimeError: If that fails; the message has the end of its output.
    """
    file = workspace.scratch / f"yolo26n-{size}.onnx"
    if not file.is_file():
        python = str(workspace.python_of("ultralytics"))
        command = [python, str(WORKER), "export", str(file), "--size", str(size)]
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, env=clean_variables()
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}\n{done.stderr[-2000:]}")
    return file


def _models(workspace: Workspace) -> Mapping[str, Path]:
    ours = workspace.scratch / f"onebox-{_SIZE}.onnx"
    if not ours.is_file():
        make_untrained(ours, "--size", str(_SIZE))
    return {_OURS: ours, **{_theirs(size): exported(workspace, size) for size in _MAX_RATIO}}


def _theirs(size: int) -> str:
    return f"YOLO26n, {size}"


def _runner(file: Path, threads: int) -> Callable[[], object]:
    session = InferenceSession(file, _options(threads), providers=["CPUExecutionProvider"])
    [tensor] = session.get_inputs()
    return partial(session.run, None, {tensor.name: _noise(tensor.type, tensor.shape)})


def _options(threads: int) -> onnxruntime.SessionOptions:
    """The same for all: a session's threads stop spinning when the turn of another begins."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return options


def _noise(kind: str, shape: list[int | str]) -> ndarray:
    """An image of the network's input size, or of our size if it takes any."""
    random = np.random.default_rng(0)
    if kind == "tensor(uint8)":
        return random.integers(0, 256, (1, _SIZE, _SIZE, 3), dtype=np.uint8)
    return random.random([int(side) for side in shape], dtype=np.float32)


def _rows(times: Mapping[str, list[float]], threads: int) -> Iterator[Row]:
    ours = percentiles(times[_OURS])[0]
    for name, measured in times.items():
        median, high = percentiles(measured)
        yield {"threads": threads, "network": name, "median ms": median, "p95 ms": high,
               "onebox over it": ours / median}  # fmt: skip


def _claims(times: Mapping[str, list[float]], threads: int) -> Iterator[Claim]:
    ours = percentiles(times[_OURS])[0]
    for size, most in _MAX_RATIO.items():
        ratio = ours / percentiles(times[_theirs(size)])[0]
        yield Claim(f"1: network over YOLO26n at {size}, threads {threads}", ratio, most)
