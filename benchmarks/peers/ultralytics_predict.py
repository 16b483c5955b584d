"""Ultralytics' YOLO26n in ONNX: export it, or let it predict folders of images on request.

    python ultralytics_predict.py export FILE --size N
    python ultralytics_predict.py passes FILE --threads N --cores 0 1

It has random weights, which does not change its time; its batch norms get the statistics of noise,
so that values neither vanish nor overflow. ``passes`` reads names of folders from standard input,
one per line, and answers each with a line of JSON: number of images and seconds.

References:
    docs.ultralytics.com: modes/export (``nms=False``: a head without suppression), modes/predict.
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
_NOISE_BATCHES = 2  # for the statistics of the batch norms


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
            os.sched_setaffinity(0, options.cores)  # before any library counts the cores
            _answer(options.file, options.threads)


def _stay_offline(folder: str) -> None:
    """Prevent downloads, installations and reports; the package reads this at import."""
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
        for _ in range(_NOISE_BATCHES):
            model.model(torch.rand(2, 3, size, size))
        model.model.eval()
    os.chdir(folder)
    made = model.export(format="onnx", imgsz=size, nms=False, device="cpu")
    file.write_bytes(Path(made).read_bytes())


def _answer(file: Path, threads: int) -> None:
    # Messages of the libraries go to standard error; standard output is for answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    model = _load_model(file, threads)
    for line in sys.stdin:
        start = time.perf_counter()
        results = model.predict(line.rstrip("\n"), stream=True, verbose=False)
        images = sum(1 for _ in results)
        spent = time.perf_counter() - start
        print(json.dumps({"images": images, "seconds": spent}), file=answers, flush=True)


def _load_model(file: Path, threads: int) -> Any:  # noqa: ANN401 - a class of another environment
    """The model, with the given number of threads.

    By itself, ONNX Runtime counts the cores of the machine, not those that the process may use.
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
