"""Every recipe trains, exports, predicts and evaluates through the same doors as the default."""

import dataclasses

import numpy as np
import pytest

import onebox
from onebox import synthetic
from onebox.errors import SettingError
from onebox.recipes.loading import read_recipe, recipe_names
from onebox.structures import KeypointSet

SIZE = 64
COUNTS = {"train": 24, "val": 6, "test": 4}
EXTREMES = KeypointSet(
    ("left", "right", "top", "bottom"), skeleton=((0, 1), (2, 3)), flip_pairs=((0, 1),)
)
# The recipe's own kind of network, as small as timm has them, for a few steps.
SMALL = [
    "model.backbone=test_byobnet",
    "model.pretrained=false",
    f"model.size={SIZE}",
    "train.epochs=8",
    "train.batch_size=8",
    "train.learning_rate=8e-3",
    "train.backbone_lr_scale=1.0",
]
FEWER = {
    "alexnet-softmax-l2": ["model.shared=[128, 128]"],
    "resnet50-gap-mse": ["model.neck=16", "model.size=96"],  # 3 x 3 cells for the neck
}

pytestmark = pytest.mark.train


def trains_a_network(name):
    return getattr(read_recipe(name), "hog", None) is None


RECIPES = [name for name in recipe_names() if trains_a_network(name)]


@pytest.fixture(scope="module")
def discs():
    """Discs in colour, with their four extreme points for keypoints."""
    data = synthetic.dataset("synth:blobs", size=SIZE, counts=COUNTS)
    samples = tuple(dataclasses.replace(each, keypoints=extremes(each.box)) for each in data)
    return dataclasses.replace(data, samples=samples, keypoints=EXTREMES)


def extremes(box):
    """Where a disc touches the sides of its box; all of them are seen."""
    left, top, right, bottom = box
    x, y = (left + right) / 2, (top + bottom) / 2
    return ((left, y, 2), (right, y, 2), (x, top, 2), (x, bottom, 2))


def test_no_recipe_is_left_out():
    assert {"default", "demo", "anchors", "pose", "linear128-smoothl1"} <= set(RECIPES)
    assert {"resnet50-gap-mse", "vgg16-sigmoid-bce", "alexnet-softmax-l2"} <= set(RECIPES)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_trains_exports_loads_predicts_and_evaluates(name, discs, tmp_path):
    recipe = read_recipe(name, [*SMALL, *FEWER.get(name, [])])
    run = onebox.train(discs, recipe, out=tmp_path / "run")
    assert run.model.is_file()
    assert run.epochs == 8
    localizer = onebox.load(run.model)
    test = discs.part("test")
    for sample in test:
        answer = localizer.predict(np.asarray(sample.image))
        x_min, y_min, x_max, y_max = answer.box
        assert 0 <= x_min <= x_max <= SIZE
        assert 0 <= y_min <= y_max <= SIZE
        assert answer.label == "disc"
        assert (answer.keypoints is not None) == recipe.model.keypoints
    report = onebox.evaluate(localizer, test)
    assert 0 < report.overall.mean_iou < 1
    assert report.overall.mean_iou == run.metrics["test"]["mean_iou"]
    assert ("pck_0.2" in report.as_json()) == recipe.model.keypoints
    parts = {part.name for part in localizer.card.parts}
    assert {"backbone", "vectorizer", "class_head"} <= parts
    assert ("iou_head" in parts) == (recipe.loss.iou > 0)
    kept = sorted(file.name for file in (run.folder / "checkpoints").glob("epoch-*"))
    assert len(kept) == (8 if recipe.train.save_every_epoch else 0)


# --- wrong asks end before training ------------------------------------------------------------

WRONG = {
    "keypoints where there are none": ("pose", [], "model.keypoints asks for keypoints"),
    "a head that a vector cannot feed": (
        "resnet50-gap-mse",
        ["model.box_head=marginal"],
        "box_head 'marginal' reads a map, and vectorizer 'gap'",
    ),
    "anchors on a vector": (
        "vgg16-sigmoid-bce",
        ["model.box_head=anchors"],
        "box_head 'anchors' reads a map, and vectorizer 'flatten'",
    ),
    "an image too small for a neck": (
        "resnet50-gap-mse",
        [],
        "is too small for backbone 'test_byobnet' and its neck",
    ),
    "an image too small for a backbone": (
        "alexnet-softmax-l2",
        ["model.backbone=alexnet", "model.size=32"],
        "is too small for backbone 'alexnet'",
    ),
    "a pyramid over one map": (
        "default",
        ["model.backbone=alexnet"],
        "backbone 'alexnet' has only one",
    ),
    "a loss of another head": (
        "linear128-smoothl1",
        ["loss.box.anchors=1.0"],
        "loss.box.anchors needs box_head 'anchors'",
    ),
    "a hull without keypoints": (
        "default",
        ["model.box_head=hull"],
        "box_head 'hull' needs keypoints",
    ),
    "sizes that flatten cannot read": (
        "vgg16-sigmoid-bce",
        ["train.initial_scale=0.5"],
        "needs images of one size",
    ),
}


@pytest.mark.parametrize(("name", "changes", "words"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_ask_is_an_error_before_anything_is_written(name, changes, words, discs, tmp_path):
    bare = dataclasses.replace(discs, keypoints=None)
    with pytest.raises(SettingError) as caught:
        onebox.train(bare, read_recipe(name, [*SMALL, *changes]), out=tmp_path / "run")
    assert words in str(caught.value)
    assert not (tmp_path / "run").exists()
