"""Presence: images without the subject in the loss, in a run and in the model file."""

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from safetensors.torch import load_file
from torch.testing import assert_close

import onebox
from onebox import synthetic
from onebox.errors import ModelError
from onebox.learning.data.dataloader import Batch
from onebox.learning.data.decoded_cache import NO_LABEL
from onebox.learning.exporting.onnx_export import Deployed, parity
from onebox.learning.fitting.checkpoint_io import load_checkpoint
from onebox.learning.losses.objective import compute_loss, total
from onebox.learning.network_runs import run as run_module
from onebox.learning.network_runs.initial_weights import find_start
from onebox.learning.network_runs.resolve import learns_presence
from onebox.learning.networks.heads import PresenceHead
from onebox.learning.networks.network import Network
from onebox.learning.networks.vectorizers import Features, Sizes
from onebox.model_card import ModelCard, write_card
from onebox.outputs import INPUT, OUTPUTS, PRESENCE_OUTPUT, output_names
from onebox.parity import PARITY_PX
from onebox.progress import Silent
from onebox.recipes.recipe import check_recipe
from onebox.recipes.sections import LossSettings
from onebox.runs.preflight import check_data
from onebox.runtime import load
from onebox.structures import Dataset, Sample

pytestmark = pytest.mark.train

COUNTS = {"train": 48, "val": 10, "test": 30}
SIZE = 64


@pytest.fixture(scope="module")
def data():
    """White discs on black; two fifths of the images have none."""
    return synthetic.dataset("synth:blobs", size=SIZE, counts=COUNTS, absent=0.4)


@pytest.fixture(scope="module")
def recipe(tiny_recipe):
    return tiny_recipe.changed({"train.epochs": 6})


@pytest.fixture(scope="module")
def trained(data, recipe, tmp_path_factory):
    """A whole run on images of which some lack the subject."""
    return onebox.train(data, recipe, out=tmp_path_factory.mktemp("runs") / "presence")


@pytest.fixture
def network(recipe, trained):
    network = made(recipe)
    network.load_state_dict(load_file(trained.folder / "weights.safetensors"))
    return network.eval()


def made(recipe, *, presence=True, seed=0, keypoints=0):
    torch.manual_seed(seed)
    return Network(recipe, classes=1, keypoints=keypoints, presence=presence)


def with_weight(recipe, weight):
    return recipe.changed({"loss.presence": weight})


# --- the head ----------------------------------------------------------------------------------


def test_the_presence_head_reads_the_vector_and_the_mean_of_the_map():
    head = PresenceHead(Sizes(5, 3))
    features = Features(torch.randn(2, 5), torch.randn(2, 3, 4, 4))
    read = torch.cat([features.vector, features.map.mean(dim=(2, 3))], dim=1)
    assert_close(head(features), (read @ head.logit.weight.T + head.logit.bias)[:, 0])
    without_map = PresenceHead(Sizes(5))
    bias, weight = without_map.logit.bias, without_map.logit.weight
    assert_close(
        without_map(Features(features.vector, None)), (features.vector @ weight.T + bias)[:, 0]
    )


def test_a_presence_head_changes_no_other_initial_weights(recipe):
    without, with_it = made(recipe, presence=False).state_dict(), made(recipe).state_dict()
    assert with_it.keys() - without.keys() == {
        "presence_head.logit.weight",
        "presence_head.logit.bias",
    }
    assert all(torch.equal(tensor, with_it[name]) for name, tensor in without.items())


# --- the loss ----------------------------------------------------------------------------------


def batch_of(has_box, labels, keypoints=0):
    """Boxes of a quarter of the image; zeros for an image without a box."""
    has_box = torch.tensor(has_box)
    boxes = torch.tensor([0.25, 0.25, 0.75, 0.75]) * has_box[:, None]
    marked = torch.tensor([0.5, 0.5, 2.0]).expand(len(boxes), keypoints, 3) * has_box[:, None, None]
    pixels, rows = torch.zeros(len(boxes)), torch.arange(len(boxes))
    return Batch(pixels, boxes, has_box, torch.tensor(labels), marked, torch.ones(len(rows)), rows)


def test_presence_is_the_mean_cross_entropy_over_all_images_times_its_weight(recipe):
    logit = torch.tensor([2.0, -1.0, 0.0, 3.0])
    outputs = made(recipe).eval()(torch.zeros(4, 3, SIZE, SIZE))._replace(presence_logit=logit)
    # a box or a label means a subject; the second and the last image have neither
    batch = batch_of([True, False, False, False], [NO_LABEL, NO_LABEL, 0, NO_LABEL])
    settings = LossSettings(presence=0.7)
    presence = compute_loss(outputs, batch, settings, "xyxy")["presence"]
    entropies = [
        math.log(1 + math.exp(-2)),
        math.log(1 + math.exp(-1)),
        math.log(2),
        math.log(1 + math.exp(3)),
    ]
    assert presence.item() == pytest.approx(0.7 * sum(entropies) / 4, rel=1e-5)


def posing(vectorizer="pyramid", box_head="marginal"):
    model = {"backbone": "test_byobnet", "pretrained": False, "size": SIZE, "width": 16}
    model |= {"vectorizer": vectorizer, "box_head": box_head, "keypoints": True, "hidden": [16]}
    bins = {"distribution": 0.5} if box_head == "marginal" else {}
    keypoints = {"l1": 10.0, "confidence": 0.2}
    loss = {"box": {"l1": 5.0, "giou": 2.0, **bins}, "keypoints": keypoints}
    return check_recipe({"model": model, "loss": loss}, place="posing")


def gradients(network, part):
    grads = [parameter.grad for parameter in getattr(network, part).parameters()]
    return torch.cat([torch.zeros(1) if grad is None else grad.flatten() for grad in grads])


@pytest.mark.parametrize("pair", [("pyramid", "marginal"), ("gap", "direct")], ids="-".join)
def test_images_without_the_subject_teach_presence_and_nothing_else(pair):
    recipe = posing(*pair)
    network = made(recipe, keypoints=2).eval()
    images = torch.rand(3, 3, SIZE, SIZE)
    batch = batch_of([False] * 3, [NO_LABEL] * 3, keypoints=2)
    total(compute_loss(network(images), batch, recipe.loss, "xyxy")).backward()
    for part in ("box_head", "keypoint_head", "iou_head", "class_head"):
        assert not gradients(network, part).any(), part
    assert gradients(network, "presence_head").any()
    assert gradients(network, "backbone").any()


def test_images_without_the_subject_change_no_gradient_of_boxes_and_keypoints():
    recipe = posing()
    images = torch.rand(3, 3, SIZE, SIZE)
    batches = [
        (images, batch_of([True, False, True], [0, NO_LABEL, 0], keypoints=2)),
        (images[[0, 2]], batch_of([True, True], [0, 0], keypoints=2)),
    ]
    found = []
    for shown, batch in batches:
        network = made(recipe, keypoints=2).eval()
        total(compute_loss(network(shown), batch, recipe.loss, "xyxy")).backward()
        found.append(network)
    for part in ("box_head", "keypoint_head", "iou_head"):
        assert gradients(found[0], part).any()
        assert_close(gradients(found[0], part), gradients(found[1], part))


# --- where it is learned -----------------------------------------------------------------------

SHOWN = Sample(Path("a.jpg"), "cat", (1.0, 2.0, 3.0, 4.0), size_wh=(9, 9))
EMPTY = Sample(Path("b.jpg"), size_wh=(9, 9))


def data_of(*samples):
    return Dataset(samples, ("cat",), name="labels.csv")


def test_presence_is_learned_where_a_training_image_has_neither_box_nor_label(recipe):
    assert learns_presence(recipe, data_of(SHOWN, EMPTY))
    assert not learns_presence(recipe, data_of(SHOWN, SHOWN))
    assert not learns_presence(recipe, data_of(SHOWN, dataclasses.replace(EMPTY, label="cat")))
    elsewhere = (dataclasses.replace(EMPTY, split=split) for split in ("val", "test"))
    assert not learns_presence(recipe, data_of(SHOWN, *elsewhere))


def test_a_weight_of_zero_learns_no_presence(recipe):
    assert not learns_presence(with_weight(recipe, 0.0), data_of(SHOWN, EMPTY))
    assert learns_presence(with_weight(recipe, 0.1), data_of(SHOWN, EMPTY))


def test_validation_images_may_lack_the_subject():
    val = dataclasses.replace(SHOWN, split="val"), dataclasses.replace(EMPTY, split="val")
    data, heard = data_of(SHOWN, EMPTY, *val), []
    assert check_data(data, heard.append) is data
    assert not [sentence for sentence in heard if "validation" in sentence]


def test_the_presence_head_of_an_earlier_run_is_taken_over(recipe, trained):
    start = find_start(recipe, trained.folder / "weights.safetensors")
    kept = load_file(trained.folder / "weights.safetensors")["presence_head.logit.weight"]
    assert torch.equal(start.network(1, 0, presence=True).presence_head.logit.weight, kept)
    assert start.network(1, 0).presence_head is None


# --- a run -------------------------------------------------------------------------------------


def test_a_run_learns_to_tell_empty_images_and_reports_it(trained, data):
    metrics = trained.metrics["test"]
    absent = sum(not sample.has_subject for sample in data.part("test"))
    assert 5 < absent < 25
    assert metrics["images"] == COUNTS["test"]
    assert metrics["presence_auroc"] > 0.95
    assert 0 <= metrics["false_box_rate"] <= 1
    assert metrics["per_class"]["disc"]["images"] == COUNTS["test"] - absent
    written = json.loads((trained.folder / "metrics.json").read_text())
    assert written["val"]["presence_auroc"] == trained.metrics["val"]["presence_auroc"]


def test_the_file_declares_presence_and_predicts_it(trained, data):
    localizer = load(trained.model)
    assert localizer.card.presence
    assert [part.name for part in localizer.card.parts][-1] == "presence_head"
    for sample in data.part("test").samples[:8]:
        prediction = localizer.predict(np.asarray(sample.image))
        assert 0 <= prediction.present <= 1
        assert prediction.score <= prediction.present


def test_a_run_without_empty_images_has_no_presence(model_file, trained_run):
    localizer = load(model_file)
    assert not localizer.card.presence
    assert localizer.predict(np.zeros((64, 64, 3), np.uint8)).present is None
    assert "presence_auroc" not in trained_run.metrics["test"]
    names = [each.name for each in onnxruntime.InferenceSession(model_file).get_outputs()]
    assert PRESENCE_OUTPUT not in names


class Stop(Silent):
    """Stops a run at the end of the second epoch."""

    def epoch(self, metrics):
        if metrics.epoch == 2:
            raise KeyboardInterrupt


def test_a_resumed_run_learns_presence_as_an_unbroken_one(data, recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(run_module, "finish", lambda plan, *_: onebox.Run(plan.folder, {}, 0))
    few = dataclasses.replace(data, samples=(*data.part("train").samples[:16], *data.part("val")))
    recipe = recipe.changed({"train.epochs": 3})
    onebox.train(few, recipe, out=tmp_path / "whole")
    onebox.train(few, recipe, out=tmp_path / "broken", listeners=[Stop()])
    onebox.train(few, resume=tmp_path / "broken")
    whole, broken = (
        load_checkpoint(tmp_path / name / "checkpoints" / "last.safetensors")["state_dict"]
        for name in ("whole", "broken")
    )
    assert "network.presence_head.logit.weight" in whole
    assert whole.keys() == broken.keys()
    assert all(torch.equal(tensor, broken[name]) for name, tensor in whole.items())


# --- the file ----------------------------------------------------------------------------------


def test_presence_follows_the_score_and_is_the_logistic_of_its_logit(network):
    image = torch.zeros(2, SIZE, SIZE, 3, dtype=torch.uint8)
    network.presence_head.forward = lambda features: torch.tensor([0.0, math.log(3)])
    network.iou_head.forward = lambda features: torch.tensor([math.log(4), math.log(4)])
    deployed = Deployed(network, SIZE)
    assert deployed.output_names == [*OUTPUTS, PRESENCE_OUTPUT, "sigma", "features"]
    with torch.no_grad():
        _, _, score, presence, _, _ = deployed(image)
    assert presence.tolist() == pytest.approx([0.5, 0.75])
    # the only class has probability 1, and the expected IoU is 4/5
    assert score.tolist() == pytest.approx([0.8 * 0.5, 0.8 * 0.75])


def test_keypoints_come_before_presence():
    assert output_names({"keypoints", "presence"}) == (*OUTPUTS, "keypoints", "presence")
    network = made(posing(), keypoints=2).eval()
    deployed = Deployed(network, SIZE)
    found = deployed(torch.zeros(3, 20, 30, 3, dtype=torch.uint8))
    shapes = {
        name: tuple(one.shape) for name, one in zip(deployed.output_names, found, strict=True)
    }
    assert shapes["keypoints"] == (3, 2, 3)
    assert shapes["presence"] == (3,)


def test_the_parity_gate_detects_a_presence_that_differs(
    network, trained, data, as_exported, tmp_path
):
    file = as_exported(trained.model, tmp_path / "exported.onnx")
    images = [np.asarray(sample.image) for sample in data.part("test").samples[:4]]
    deployed = Deployed(network, SIZE)
    assert parity(deployed, file, images) < 0.01
    model = onnx.load(file)
    [bias] = [
        one for one in model.graph.initializer if one.name.endswith("presence_head.logit.bias")
    ]
    shifted = onnx.numpy_helper.to_array(bias) + np.float32(0.5)
    bias.CopyFrom(onnx.numpy_helper.from_array(shifted, bias.name))
    onnx.save(model, tmp_path / "model.onnx")
    assert parity(deployed, tmp_path / "model.onnx", images) > PARITY_PX


def test_a_presence_that_differs_by_a_hundredth_is_0_64_px_of_64(network, monkeypatch, tmp_path):
    class Session:
        def run(self, names, inputs):
            with torch.no_grad():
                found = deployed(torch.from_numpy(inputs[INPUT]))
            found = dict(zip(names, (one.numpy() for one in found), strict=True))
            return (found | {PRESENCE_OUTPUT: found[PRESENCE_OUTPUT] + shift}).values()

    deployed, shift = Deployed(network, SIZE), np.float32(0.01)
    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda *_, **__: Session())
    images, file = [np.zeros((40, 80, 3), np.uint8)] * 2, tmp_path / "model.onnx"
    file.touch()
    assert parity(deployed, file, images) == pytest.approx(0.64, abs=1e-3)
    shift = np.float32("nan")
    assert math.isnan(parity(deployed, file, images))


def test_a_card_of_an_earlier_onebox_has_no_presence():
    facts = json.loads(ModelCard(("cat",), 64, presence=True).as_json())
    assert ModelCard.from_json(json.dumps(facts)).presence is True
    del facts["presence"]
    assert ModelCard.from_json(json.dumps(facts)) == ModelCard(("cat",), 64)


def test_a_file_must_output_presence_only_if_its_card_says_so(trained, model_file, tmp_path):
    for name, source in (("with", trained.model), ("without", model_file)):
        (tmp_path / f"{name}.onnx").write_bytes(source.read_bytes())
    write_card(tmp_path / "with.onnx", ModelCard(("disc",), SIZE))
    assert load(tmp_path / "with.onnx").predict(np.zeros((64, 64, 3), np.uint8)).present is None
    write_card(tmp_path / "without.onnx", ModelCard(("disc",), SIZE, presence=True))
    with pytest.raises(ModelError, match=r"lacks the outputs presence\. Export it anew"):
        load(tmp_path / "without.onnx")
