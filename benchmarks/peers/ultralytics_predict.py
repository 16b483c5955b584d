"""YOLO26n of Ultralytics in ONNX: exported, or predicting folders of images when told to.

    python ultralytics_predict.py export FILE --size N
    python ultralytics_predict.py passes FILE --threads N --cores 0 1

It has no weights, which cost no more and no less time; its batch norms are given the statistics of
noise, so that values neither die out nor overflow. ``passes`` reads names of folders from standard
input, one a line, and answers each with a line of JSON: how many images, how many seconds.

References:
    docs.ultralytics.com: modes/export (``nms=False``: the head that needs none), modes/predict.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

_NETWORK = "yolo26n.yaml"
_SETTLING = 2  # batches of noise, for the batch norms


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("verb", choices=("export", "passes"))
    parser.add_argument("file", type=Path)
    parser.add_argument("--size", type=int)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--cores", type=int, nargs="+")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        _stay_offline(folder)
        if options.verb == "export":
            _export(options.file, options.size, Path(folder))
        else:
            os.sched_setaffinity(0, options.cores)  # before any library counts them
            _answer(options.file, options.threads)


def _stay_offline(folder: str) -> None:
    """Nothing is downloaded, installed or reported; read at its import."""
    os.environ |= {
        "YOLO_CONFIG_DIR": folder,
        "YOLO_OFFLINE": "true",
        "YOLO_AUTOINSTALL": "false",
    }


def _export(file: Path, size: int, folder: Path) -> None:
    import torch  # noqa: PLC0415 - after the environment is set
    from ultralytics import YOLO  # noqa: PLC0415

    torch.manual_seed(0)
    model = YOLO(_NETWORK)
    with torch.no_grad():
        model.model.train()
        for module in model.model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = None  # the mean of all batches
        for _ in range(_SETTLING):
            model.model(torch.rand(2, 3, size, size))
        model.model.eval()
    os.chdir(folder)
    made = model.export(format="onnx", imgsz=size, nms=False, device="cpu")
    file.write_bytes(Path(made).read_bytes())


def _answer(file: Path, threads: int) -> None:
    # What the libraries say goes to standard error: standard output is for answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    model = _opened(file, threads)
    for line in sys.stdin:
        start = time.perf_counter()
        results = model.predict(line.rstrip("\n"), stream=True, verbose=False)
        images = sum(1 for _ in results)
        spent = time.perf_counter() - start
        print(json.dumps({"images": images, "seconds": spent}), file=answers, flush=True)


def _opened(file: Path, threads: int) -> Any:  # noqa: ANN401 - its package is not onebox's
    """The model; ONNX Runtime has as many threads as there are cores, which it may count wrongly.

    It counts the cores of the machine, not those that the process may use.
    """
    import onnxruntime  # noqa: PLC0415 - after the cores are set
    from ultralytics import YOLO  # noqa: PLC0415

    make = onnxruntime.InferenceSession

    def session(path: str, options: onnxruntime.SessionOptions | None, **more: object) -> object:
        chosen = options or onnxruntime.SessionOptions()
        chosen.intra_op_num_threads = threads
        return make(path, chosen, **more)

    onnxruntime.InferenceSession = session
    return YOLO(str(file), task="detect")


if __name__ == "__main__":
    main()
