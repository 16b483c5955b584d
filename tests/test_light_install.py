"""The light install: it predicts and evaluates where no package of an extra is installed.

One process hides those packages, runs every command line, and reports how each ended.
"""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from PIL import Image

import onebox
from onebox import formats, synthetic

HIDDEN = [
    *(
        "av",
        "cv2",
        "huggingface_hub",
        "lightning",
        "lightning_fabric",
        "onnx",
        "onnxscript",
        "openvino",
        "platformdirs",
    ),
    *("pyarrow", "pytorch_lightning", "safetensors", "scipy", "skimage", "sklearn", "timm"),
    *("torch", "torchmetrics", "torchvision"),
    *("fsspec", "mlflow", "ray", "tensorboard", "wandb"),
    *("httptools", "prometheus_client", "python_multipart", "starlette", "uvicorn", "uvloop"),
]
COUNTS = {"train": 2, "val": 1, "test": 3}
LINES = {
    "predict": ["predict", "MODEL", "discs/images", "--json"],
    "predict --draw": ["predict", "MODEL", "discs/images", "--draw", "drawn", "--csv", "p.csv"],
    "evaluate": ["evaluate", "MODEL", "discs", "--json", "--report", "report.html"],
    "convert": ["convert", "discs", "out.json", "--to", "coco"],
    "info": ["info", "MODEL", "--json"],
    "recipes": ["recipes", "--json"],
    "recipes show": ["recipes", "show", "default"],
    "synth blobs": ["synth", "blobs", "more", "--count", "2", "--size", "32"],
    "synth cutouts": ["synth", "cutouts", "cats", "--count", "2", "--size", "32"],
    "own cutouts": ["synth", "cutouts-black", "own", "--count", "2", "--cutouts", "mine"],
    "train": ["train", "discs", "--no-pretrained"],
    "demo": ["demo"],
    "annotate": ["annotate", "haar", "discs/images", "faces.csv"],
    "serve": ["serve", "MODEL"],
    "help": ["train", "--help"],
}

_HIDE = """
import sys

class Without:
    def __init__(self, finders, hidden):
        self.finders, self.hidden = finders, hidden

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.hidden:
            return None
        specs = (finder.find_spec(name, path, target) for finder in self.finders)
        return next((spec for spec in specs if spec is not None), None)

    def find_distributions(self, *words):
        return (found for finder in self.finders if hasattr(finder, "find_distributions")
                for found in finder.find_distributions(*words))

def hide(*names):
    sys.meta_path[:] = [Without(list(sys.meta_path), set(names))]
"""

_RUN = (
    _HIDE
    + """
import contextlib, io, json

hidden, lines = json.loads(sys.argv[1])
hide(*hidden)
import onebox
from onebox.cli import main

ends = {}
for name, words in lines.items():
    out, err = io.StringIO(), io.StringIO()
    sys.argv = ["onebox", *words]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
    except SystemExit as ended:
        ends[name] = [ended.code or 0, out.getvalue(), err.getvalue()]
ends["has"] = {name: hasattr(onebox, name) for name in onebox.__all__}
ends["imported"] = sorted({name.partition(".")[0] for name in sys.modules} & set(hidden))
try:
    onebox.train(onebox.read("discs"))
except onebox.OneboxError as error:
    ends["onebox.train"] = str(error)
print(json.dumps(ends))
"""
)

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Generated discs with labels, and a cut-out of the user's own."""
    folder = tmp_path_factory.mktemp("light")
    samples = synthetic.dataset("synth:blobs", size=64, counts=COUNTS)
    saved = synthetic.save(samples, folder / "discs", sum(COUNTS.values()))
    formats.write(onebox.Dataset(saved, ("disc",)), folder / "discs/labels.csv", "csv")
    (folder / "mine").mkdir()
    cut = Image.new("RGBA", (20, 20))
    cut.paste((255, 0, 0, 255), (5, 5, 15, 15))
    cut.save(folder / "mine/fox.png")
    return folder


@pytest.fixture(scope="module")
def ends(folder, model_file):
    """How each command line ended: exit code, standard output, standard error."""
    lines = {
        name: [str(model_file) if word == "MODEL" else word for word in words]
        for name, words in LINES.items()
    }
    words = [sys.executable, "-c", _RUN, json.dumps([HIDDEN, lines])]
    ended = subprocess.run(
        words, cwd=folder, stdout=subprocess.PIPE, text=True, timeout=120, check=True
    )
    return json.loads(ended.stdout)


def test_all_packages_of_the_extras_are_hidden():
    project = tomllib.loads(Path(__file__).with_name("..").joinpath("pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    added = [re.split(r"[\[>]", line)[0] for extra in extras.values() for line in extra]
    module_of = {
        "mlflow-skinny": "mlflow",
        "opencv-python-headless": "cv2",
        "scikit-image": "skimage",
        "scikit-learn": "sklearn",
    }
    assert {module_of.get(name, name.replace("-", "_")) for name in added} <= set(HIDDEN)


def test_no_hidden_package_was_imported(ends):
    assert ends["imported"] == []


@pytest.mark.parametrize(
    "name",
    ["convert", "info", "recipes", "recipes show", "synth blobs", "own cutouts", "help"],
)
def test_a_command_that_does_not_train_needs_only_the_light_install(name, ends):
    code, out, err = ends[name]
    assert (code, err) == (0, "")
    assert out


def test_predictions_are_those_of_the_full_install(ends, folder, model_file):
    code, out, err = ends["predict"]
    localizer = onebox.load(model_file)
    printed = [json.loads(line) for line in out.splitlines()]
    assert (code, err, len(printed)) == (0, "", 6)
    for one in printed:
        prediction = localizer.predict(folder / one["image"])
        assert one["box"] == pytest.approx(prediction.box, abs=1e-3)


def test_images_are_drawn_and_listed(ends, folder):
    assert ends["predict --draw"] == [0, "", ""]
    assert len(list((folder / "drawn").iterdir())) == 6
    assert len((folder / "p.csv").read_text().splitlines()) == 1 + 6


def test_a_model_is_measured_with_a_report(ends, folder):
    code, out, err = ends["evaluate"]
    assert (code, err, json.loads(out)["images"]) == (0, "", COUNTS["test"])
    assert (folder / "report.html").read_text("utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize("name", ["train", "demo"])
def test_training_names_the_extra_that_it_needs(name, ends, folder):
    code, out, err = ends[name]
    assert (code, out) == (1, "")
    assert "pip install 'onebox[train]'" in err
    assert not (folder / "runs").exists()


def test_training_from_python_names_the_extra_that_it_needs(ends):
    assert "pip install 'onebox[train]'" in ends["onebox.train"]


def test_every_public_name_can_be_asked_for(ends):
    assert list(ends["has"]) == onebox.__all__


def test_cutouts_name_the_extra_that_they_need(ends, folder):
    code, out, err = ends["synth cutouts"]
    assert (code, out) == (1, "")
    assert "pip install 'onebox[synth]'" in err
    assert not (folder / "cats").exists()


def test_serving_names_the_extra_that_it_needs(ends):
    code, out, err = ends["serve"]
    assert (code, out) == (1, "")
    assert "pip install 'onebox[serve]'" in err


def test_labels_by_a_cascade_name_the_extra_that_they_need(ends, folder):
    code, out, err = ends["annotate"]
    assert (code, out) == (1, "")
    assert "pip install 'onebox[classic]'" in err
    assert not (folder / "faces.csv").exists()


def test_importing_onebox_imports_no_pytorch_where_it_is_installed():
    code = "import sys, onebox, onebox.cli; print(*sorted(set(sys.modules) & set(sys.argv[1:])))"
    words = [sys.executable, "-c", code, *HIDDEN]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout.split() == []
