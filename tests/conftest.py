"""What many tests share: a cache of their own, generated discs, and one trained model."""

import dataclasses
import itertools
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings

THREADS = "1"  # the tensors are tiny; more threads only wait for each other on shared cores
WHOLLY_MARKED = "\npytestmark = pytest.mark.train\n"
COUNTS = {"train": 128, "val": 12, "cal": 12, "test": 12}


def pytest_configure(config):
    # Read by PyTorch when it is imported, here and in every process that a test starts.
    os.environ["OMP_NUM_THREADS"] = THREADS
    # A slow machine is no failure.
    settings.register_profile("onebox", deadline=None)
    settings.load_profile("onebox")
    # As a plugin: a hook of this file would be asked about the files beside it alone.
    config.pluginmanager.register(InnerLoop())


def pytest_collection_modifyitems(items):
    """Let one process run the tests of a file, which share fixtures, and one those on Ray."""
    for item in items:
        is_on_ray = "local_cluster" in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group("ray" if is_on_ray else item.path.as_posix()))


class InnerLoop:
    """Imports no file of which ``-m "not train"`` would run nothing.

    Such are the files that are marked as a whole, and sources without an example: to import
    PyTorch Lightning and its like takes longer than the tests.
    """

    def pytest_ignore_collect(self, collection_path, config):
        if config.option.markexpr != "not train" or collection_path.suffix != ".py":
            return None
        text = collection_path.read_text("utf-8")
        is_test = collection_path.is_relative_to(Path(__file__).parent)
        is_idle = WHOLLY_MARKED in text if is_test else ">>>" not in text
        return is_idle or None  # None leaves the answer to others


@pytest.fixture(scope="session", autouse=True)
def cache_folder(tmp_path_factory):
    """The folder of decoded images, apart from the user's."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ONEBOX_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def discs():
    """A few dozen white discs on black, 64 pixels a side, in all splits."""
    from onebox import synthetic

    return synthetic.dataset("synth:blobs", size=64, counts=COUNTS)


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a disk of its own that holds 1 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount, unmount = shutil.which("mount"), shutil.which("umount")
    if not mount or not unmount:
        pytest.skip("this system mounts no tmpfs")
    options = ["-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if subprocess.run([mount, *options], check=False, capture_output=True).returncode:
        pytest.skip("only root may mount")
    yield folder
    subprocess.run([unmount, str(folder)], check=True)


@pytest.fixture(scope="session")
def shortened():
    """Keep the first samples of some splits: ``shortened(data, train=20, val=4)``."""

    def shorten(data, **counts):
        samples = (data.part(split).samples[:count] for split, count in counts.items())
        return dataclasses.replace(data, samples=tuple(itertools.chain.from_iterable(samples)))

    return shorten


@pytest.fixture(scope="session")
def faces(tmp_path_factory):
    """PNG files: the astronaut (``one``), no face (``cup``), and two astronauts (``two``).

    Of the two, the right one is whole and the left one half as large.
    """
    from PIL import Image

    skimage_data = pytest.importorskip("skimage.data")
    astronaut = Image.fromarray(skimage_data.astronaut())
    both = Image.new("RGB", (768, 512))
    both.paste(astronaut.resize((256, 256)), (0, 0))
    both.paste(astronaut, (256, 0))
    images = {"one": astronaut, "cup": Image.fromarray(skimage_data.coffee()), "two": both}
    folder = tmp_path_factory.mktemp("faces")
    for name, image in images.items():
        image.save(folder / f"{name}.png")
    return folder


@pytest.fixture(scope="session")
def new_diary():
    """Make a listener that keeps what it hears, and can stop the run that tells it.

    It stops at the report of an epoch (``stop_at_epoch``), or at that of a step (``stop_at_step``),
    of one stage only if that is named (``stop_in``), by Ctrl-C or by calling ``stop``.
    """
    from onebox.progress import Silent

    def interrupt():
        raise KeyboardInterrupt

    class Diary(Silent):
        def __init__(self, stop_at_epoch=0, stop_at_step=0, stop_in=None, stop=interrupt):
            self.stages, self.steps, self.epochs, self.notes = [], [], [], []
            self.steps_of = {}
            self._stop_at_epoch, self._stop_at_step = stop_at_epoch, stop_at_step
            self._stop_in, self._stop = stop_in, stop

        def stage(self, name):
            self.stages.append(name)
            self.steps_of[name] = []

        def advance(self, done, total):
            self.steps.append((done, total))
            stage = self.stages[-1] if self.stages else None
            self.steps_of.setdefault(stage, []).append((done, total))
            if self._stop_in in {None, stage} and done == self._stop_at_step:
                self._stop()

        def epoch(self, metrics):
            self.epochs.append(dataclasses.replace(metrics, seconds=0.0))
            if metrics.epoch == self._stop_at_epoch:
                self._stop()

        def note(self, sentence):
            self.notes.append(sentence)

    return Diary


@pytest.fixture(scope="session", autouse=True)
def heeded_interrupt():
    """Have this process heed Ctrl-C where it was started to ignore it, as in the background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def tiny_recipe():
    """The default's kind of network, as small as timm has them, from no weights."""
    from onebox.recipes.recipe import check_recipe

    settings = {
        "model": {
            "backbone": "test_byobnet",
            "pretrained": False,
            "size": 64,
            "width": 32,
            "bins_per_cell": 4,
            "refinement": "never",
        },
        "train": {
            "epochs": 12,
            "batch_size": 8,
            "learning_rate": 8e-3,
            "backbone_lr_scale": 1.0,
            "freeze_backbone_fraction": 0.0,
            "ema_decay": 0.9,
            "validate_every": 1,
            "checkpoint": "best",
        },
        "augment": {"geometric_probability": 0.2},
    }
    return check_recipe(settings, place="tiny_recipe")


@pytest.fixture(scope="session")
def trained_run(discs, tiny_recipe, tmp_path_factory):
    """One whole run, for every test that needs a model file."""
    import onebox

    return onebox.train(discs, tiny_recipe, out=tmp_path_factory.mktemp("runs") / "discs")


@pytest.fixture(scope="session")
def model_file(trained_run):
    """The model that `trained_run` left."""
    return trained_run.model


@pytest.fixture(scope="session")
def as_exported():
    """Undo what follows the export of a network: ``as_exported(model, out)``.

    The written file has features in place of a distance, and no calibration.
    """
    import onnx

    from onebox.calibration.onnx_nodes import remove_calibration
    from onebox.model_card import put_card
    from onebox.runtime import load

    def write(file, out):
        model = onnx.load(file)
        remove_calibration(model)
        for part in (model.graph.node, model.graph.initializer):
            for each in [one for one in part if one.name.startswith("distance/")]:
                part.remove(each)
        [distance] = [one for one in model.graph.output if one.name == "distance"]
        model.graph.output.remove(distance)
        number = onnx.TensorProto.FLOAT
        features = onnx.helper.make_tensor_value_info("features", number, ["n", None])
        model.graph.output.append(features)
        plain = {"distance": False, "calibration": None, "refined_calibration": None}
        put_card(model, dataclasses.replace(load(file).card, **plain))
        onnx.save(model, out)
        return out

    return write


@pytest.fixture(scope="session")
def exported_file(model_file, as_exported, tmp_path_factory):
    """The trained model as it was exported: not calibrated."""
    return as_exported(model_file, tmp_path_factory.mktemp("exported") / "model.onnx")


@pytest.fixture(scope="session")
def write_bright_model():
    """Write a model without training: its score is the mean brightness, its box a quarter.

    The box is the left upper quarter of the image, ``(0, 0, width / 2, height / 2)``; the only
    class has probability 1. With ``sigma``, the sigma of an edge is a tenth of the brightness
    times the width or height of the image, so the spread is a fifth of the brightness; the
    features, red and green, are an output then, as in an exported network. With ``classes``, which
    are two, the brightness is the probability of the first.
    """
    import numpy as np
    import onnx
    from onnx.helper import make_graph, make_model, make_node, make_opsetid
    from onnx.helper import make_tensor_value_info as value

    from onebox.model_card import METADATA_KEY, ModelCard

    def constant(name, values, kind):
        return onnx.numpy_helper.from_array(np.array(values, kind), name)

    nodes = [
        make_node("Cast", ["image"], ["bright"], to=onnx.TensorProto.FLOAT),
        make_node("ReduceMean", ["bright", "axes"], ["mean"], keepdims=0),
        make_node("Div", ["mean", "white"], ["score"]),
        make_node("Sub", ["score", "score"], ["zero"]),
        make_node("Exp", ["zero"], ["one"]),
        make_node("Unsqueeze", ["one", "columns"], ["one column"]),
        make_node("Shape", ["image"], ["shape"]),
        make_node("Gather", ["shape", "sides"], ["whole"]),
        make_node("Cast", ["whole"], ["frame"], to=onnx.TensorProto.FLOAT),
        make_node("Mul", ["frame", "quarter"], ["edges"]),
        make_node("Mul", ["one column", "edges"], ["box"]),
    ]
    of_one_class = [make_node("Identity", ["one column"], ["probability"])]
    of_sigma = [
        make_node("Mul", ["score", "tenth"], ["tenth of score"]),
        make_node("Unsqueeze", ["tenth of score", "columns"], ["share"]),
        make_node("Mul", ["share", "frame"], ["sigma"]),
        make_node("ReduceMean", ["bright", "area"], ["colour"], keepdims=0),
        make_node("Gather", ["colour", "red and green"], ["features"], axis=1),
    ]
    of_two_classes = [
        make_node("Unsqueeze", ["score", "columns"], ["first"]),
        make_node("Sub", ["one column", "first"], ["second"]),
        make_node("Concat", ["first", "second"], ["probability"], axis=1),
    ]
    constants = [
        constant("axes", [1, 2, 3], np.int64),
        constant("area", [1, 2], np.int64),
        constant("red and green", [0, 1], np.int64),
        constant("tenth", 0.1, np.float32),
        constant("white", 255, np.float32),
        constant("columns", [1], np.int64),
        constant("sides", [2, 1, 2, 1], np.int64),
        constant("quarter", [0, 0, 0.5, 0.5], np.float32),
    ]

    def write(path, *, images="n", classes=("disc",), **facts):
        number = onnx.TensorProto.FLOAT
        known = ModelCard(classes, 32, **facts)
        more = {"sigma": 4, "features": 2} if known.sigma else {}
        graph = make_graph(
            [
                *nodes,
                *(of_one_class if len(classes) == 1 else of_two_classes),
                *(of_sigma if known.sigma else []),
            ],
            "brightness",
            [value("image", onnx.TensorProto.UINT8, [images, "height", "width", 3])],
            [
                value("box", number, [images, 4]),
                value("probability", number, [images, len(classes)]),
                value("score", number, [images]),
                *(value(name, number, [images, count]) for name, count in more.items()),
            ],
            constants,
        )
        model = make_model(graph, opset_imports=[make_opsetid("", 18)], ir_version=10)
        onnx.helper.set_model_props(model, {METADATA_KEY: known.as_json()})
        onnx.save(model, path)
        return path

    return write


@pytest.fixture(scope="session")
def bright_file(write_bright_model, tmp_path_factory):
    """A model whose score is the mean brightness; see `write_bright_model`."""
    return write_bright_model(tmp_path_factory.mktemp("bright") / "model.onnx")


@pytest.fixture(scope="session")
def sure_outcomes():
    """Outcomes of a model that knows its errors: ``sure_outcomes(20, seed=1)``.

    Each edge of a predicted box is off by a normal error, whose standard deviation is its sigma.
    The images are 200 x 100 pixels, and every second one shows a cat, the others a dog. With
    ``calibration``, the predictions are calibrated; ``errors`` scales the errors.
    """
    import numpy as np

    from onebox.confidence.applying import calibrated
    from onebox.metrics import compare
    from onebox.structures import Prediction, Sample, as_box

    def predict(rng, label):
        probability = float(rng.uniform(0.6, 1))
        likely = rng.random() < probability
        predicted = label if likely else {"cat": "dog", "dog": "cat"}[label]
        width, height = rng.uniform(40, 80), rng.uniform(30, 50)
        x, y = rng.uniform(20, 160 - width), rng.uniform(20, 80 - height)
        sigma = np.exp(rng.normal(-3.3, 0.8)) * np.array([width, height, width, height])
        return Prediction(
            predicted,
            probability,
            as_box([x, y, x + width, y + height]),
            (probability, 1 - probability)
            if predicted == "cat"
            else (1 - probability, probability),
            sigma=as_box(sigma.tolist()),
        )

    def make(count, *, seed, calibration=None, errors=1.0):
        rng = np.random.default_rng(seed)
        outcomes = []
        for index in range(count):
            label = "cat" if index % 2 else "dog"
            answer = predict(rng, label)
            true = np.array(answer.box) + errors * np.array(answer.sigma) * rng.normal(size=4)
            truth = np.clip(true, 0, [200, 100, 200, 100])
            truth[2:] = np.maximum(truth[2:], truth[:2] + 1)
            if calibration is not None:
                answer = calibrated(answer, calibration)
            sample = Sample(Path(f"{index}.jpg"), label, as_box(truth.tolist()))
            outcomes.append(compare(sample, answer, size_wh=(200, 100), mean_box=None))
        return outcomes

    return make


@pytest.fixture(scope="session")
def calibration_of():
    """Calibrate on outcomes of `sure_outcomes`."""
    from onebox.calibration.fitting import fit

    return lambda outcomes: fit(outcomes, ("cat", "dog"))


@pytest.fixture
def run(monkeypatch, capsys):
    """Run a command line in this process: exit code, standard output, standard error."""

    from onebox.cli import main

    def run_line(*words):
        monkeypatch.setattr(sys, "argv", ["onebox", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        return (ended.value.code or 0, *capsys.readouterr())

    return run_line
