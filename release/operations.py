"""What is tried in a clean environment: small things that each extra promises.

An operation is a list of words: a program of the environment and its arguments. It runs in a folder
with ``model.onnx``, ``model.npz``, ``image.png`` and what the operations before it wrote.
"""

from collections.abc import Mapping, Sequence

Words = Sequence[str]

_ONE_IMAGE = ("synth", "blobs", "discs", "--count", "40", "--size", "48")

_WRITE_A_VIDEO = """
import av, numpy
with av.open("clip.avi", "w") as file:
    stream = file.add_stream("mjpeg", rate=5)
    stream.width, stream.height, stream.pix_fmt = 48, 48, "yuvj420p"
    for shade in (0, 100, 200):
        pixels = numpy.full((48, 48, 3), shade, numpy.uint8)
        file.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
    file.mux(stream.encode(None))
"""

_ASK_A_SERVER = """
import json, subprocess, sys, urllib.request
from pathlib import Path
program = Path(sys.executable).with_name("onebox")
server = subprocess.Popen([program, "serve", "model.onnx", "--port", "0"],
                          stdout=subprocess.PIPE, text=True)
try:
    line = server.stdout.readline()
    address = next(word for word in line.split() if word.startswith("http")).rstrip("/.")
    image = Path("image.png").read_bytes()
    request = urllib.request.Request(address + "/predict", image, {"Content-Type": "image/png"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert json.load(answer)["label"] == "disc"
finally:
    server.terminate()
assert server.wait(60) == 0
"""

_IMPORT = "import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]]"

LIGHT: Sequence[Words] = (
    ("onebox", "--version"),
    ("onebox", "--help"),
    ("onebox", "predict", "model.onnx", "image.png", "--json"),
    ("onebox", *_ONE_IMAGE),
    ("onebox", "evaluate", "model.onnx", "discs", "--split", "all", "--report", "report.html"),
    ("onebox", "convert", "discs", "labels.json", "--to", "coco"),
)
"""What the light install does; every extra does it too."""

OF_EXTRA: Mapping[str, Sequence[Words]] = {
    "classic": (
        ("python", "-c", _IMPORT, "cv2", "skimage", "sklearn"),
        ("onebox", "predict", "model.npz", "image.png", "--json"),
    ),
    "int8": (
        ("onebox", *_ONE_IMAGE),
        ("onebox", "calibrate", "model.onnx", "discs", "--split", "all", "--out", "other.onnx"),
    ),
    "mlflow": (("python", "-c", _IMPORT, "mlflow"),),
    "openvino": (
        ("onebox", "export", "model.onnx", "--to", "openvino"),
        ("onebox", "predict", "model.openvino.xml", "image.png", "--json"),
    ),
    "parquet": (("onebox", "predict", "model.onnx", "image.png", "--parquet", "found.parquet"),),
    "ray": (("python", "-c", _IMPORT, "fsspec", "pyarrow", "ray.data", "ray.train", "ray.tune"),),
    "serve": (("python", "-c", _ASK_A_SERVER),),
    "synth": (("onebox", "synth", "cutouts", "cats", "--count", "2", "--size", "32"),),
    "tensorboard": (("python", "-c", _IMPORT, "tensorboard.compat.proto.event_pb2"),),
    "train": (
        ("onebox", *_ONE_IMAGE),
        (
            *("onebox", "train", "discs", "--no-pretrained", "--out", "run"),
            *("--set", "model.backbone=test_byobnet", "--set", "model.size=64"),
            *("--set", "train.epochs=1", "--set", "model.refinement=never"),
        ),
        ("onebox", "predict", "run/model.onnx", "image.png", "--json"),
    ),
    "video": (
        ("python", "-c", _WRITE_A_VIDEO),
        ("onebox", "predict", "model.onnx", "clip.avi", "--json"),
    ),
    "wandb": (("python", "-c", _IMPORT, "wandb"),),
}
"""Extra → what it is for, in small."""

IMPORTED = {
    "huggingface-hub": "huggingface_hub",
    "mlflow-skinny": "mlflow",
    "opencv-python-headless": "cv2",
    "prometheus-client": "prometheus_client",
    "python-multipart": "python_multipart",
    "scikit-image": "skimage",
    "scikit-learn": "sklearn",
}
"""Package → the module that it installs, if the two names differ."""
