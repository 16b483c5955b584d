"""HOG windows train, predict and are measured where PyTorch cannot be imported."""

import json
import subprocess
import sys

import pytest

pytest.importorskip("skimage")
pytest.importorskip("sklearn")
pytestmark = pytest.mark.train

_BLOCKED = ("torch", "torchvision", "onnx", "onnxscript", "timm", "lightning", "safetensors")

_PROGRAM = """
import json, sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[1:]:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker())

from onebox import evaluation, synthetic
from onebox.classic import hog_training, model_file
from onebox.classic.settings import HogSettings

data = synthetic.dataset("synth:blobs", size=48, counts={"train": 8, "test": 2})
model_file.save(hog_training.train(data, HogSettings(window=5, scales=1)), "model.npz")
report = evaluation.evaluate(model_file.load("model.npz"), data.part("test"))
imported = sorted({name.partition(".")[0] for name in sys.modules} & set(sys.argv[1:]))
print(json.dumps([report.overall.mean_iou, imported]))
"""


def test_hog_windows_need_no_pytorch(tmp_path):
    command = [sys.executable, "-c", _PROGRAM, *_BLOCKED]
    ended = subprocess.run(
        command, cwd=tmp_path, stdout=subprocess.PIPE, text=True, timeout=100, check=True
    )
    mean_iou, imported = json.loads(ended.stdout)
    assert mean_iou > 0.3
    assert imported == []
