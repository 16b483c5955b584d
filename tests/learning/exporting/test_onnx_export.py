"""``model.onnx`` has the network's outputs, in pixels of an image of any size."""

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from safetensors.torch import load_file

from onebox.errors import ModelError
from onebox.learning.exporting import onnx_export as exporting
from onebox.learning.exporting.onnx_export import Deployed, export, parity
from onebox.learning.networks.network import Network
from onebox.model_card import METADATA_KEY, ModelCard, write_card
from onebox.outputs import INPUT, OUTPUTS
from onebox.parity import PARITY_IMAGES, PARITY_PX, check_parity
from onebox.runtime import load
from onebox.structures import SPLITS

pytestmark = pytest.mark.train

FACTS = ModelCard(("disc",), 64)


@pytest.fixture(scope="module")
def session(model_file):
    return onnxruntime.InferenceSession(model_file)


@pytest.fixture(scope="module")
def images(discs):
    return [np.asarray(one.image) for one in (*discs.part("val"), *discs.part("train"))][:32]


def made(recipe):
    torch.manual_seed(0)
    return Network(recipe, classes=1)


@pytest.fixture
def with_trained_weights(tiny_recipe, trained_run):
    network = made(tiny_recipe)
    network.load_state_dict(load_file(trained_run.folder / "weights.safetensors"))
    return network


@pytest.fixture
def quick_export(exported_file, monkeypatch):
    """Make export write the trained model, whatever the network."""
    copy = shutil.copy
    monkeypatch.setattr(exporting, "_to_onnx", lambda deployed, path: copy(exported_file, path))


def metadata(file):
    return {each.key: each.value for each in onnx.load(file).metadata_props}


# --- the gate ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("quick_export")
def test_a_file_of_the_networks_own_weights_passes_the_gate(with_trained_weights, images, tmp_path):
    difference = export(with_trained_weights, FACTS, tmp_path / "model.onnx", images)
    assert 0 <= difference < 0.01
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]


@pytest.mark.usefixtures("quick_export")
def test_a_file_of_other_weights_is_refused_and_not_written(tiny_recipe, images, tmp_path):
    with pytest.raises(ModelError, match=r"by \d+\.\d{3} px, more than the 0\.100 px allowed"):
        export(made(tiny_recipe), FACTS, tmp_path / "model.onnx", images)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("quick_export")
def test_a_refused_export_leaves_the_earlier_file_as_it_was(tiny_recipe, images, tmp_path):
    file = tmp_path / "model.onnx"
    file.write_bytes(b"the earlier file")
    with pytest.raises(ModelError, match="nothing was written"):
        export(made(tiny_recipe), FACTS, file, images)
    assert file.read_bytes() == b"the earlier file"


def test_one_wrong_weight_in_the_file_increases_the_difference(
    with_trained_weights, exported_file, images, tmp_path
):
    model = onnx.load(exported_file)
    biases = [each for each in model.graph.initializer if each.name.endswith("along_x.bins.bias")]
    [bias] = biases
    values = onnx.numpy_helper.to_array(bias).copy()
    values[0] += 5
    bias.CopyFrom(onnx.numpy_helper.from_array(values, bias.name))
    onnx.save(model, tmp_path / "model.onnx")
    deployed = Deployed(with_trained_weights.eval(), 64)
    assert parity(deployed, exported_file, images[:4]) < 0.01
    assert parity(deployed, tmp_path / "model.onnx", images[:4]) > PARITY_PX


def test_the_gate_names_difference_and_limit_and_its_limit_is_a_tenth_of_a_pixel():
    check_parity(0.1, PARITY_PX)
    with pytest.raises(ModelError) as caught:
        check_parity(0.25, PARITY_PX)
    assert "0.250 px" in str(caught.value)
    assert "0.100 px" in str(caught.value)
    assert caught.value.exit_code == 4


def test_a_difference_of_nan_does_not_pass():
    with pytest.raises(ModelError, match="nan px"):
        check_parity(float("nan"), PARITY_PX)


def test_the_difference_is_in_pixels_of_the_training_size(tiny_recipe, tmp_path):
    class Shifted(Deployed):
        def forward(self, image):
            return torch.tensor([[10.0, 0.0, 20.0, 40.0]]), torch.ones(1, 1), torch.ones(1)

    class Session:
        def run(self, outputs, inputs):
            box = np.array([[10.0, 0.0, 21.0, 36.0]], dtype=np.float32)
            return box, np.ones((1, 1), np.float32), np.ones(1, np.float32)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnxruntime, "InferenceSession", lambda *_, **__: Session())
        shifted = Shifted(made(tiny_recipe), 64)
        shifted.output_names = list(OUTPUTS)
        (tmp_path / "model.onnx").touch()
        difference = parity(shifted, tmp_path / "model.onnx", [np.zeros((80, 160, 3), np.uint8)])
    # One of 160 columns is 0.4 of 64, four of 80 rows are 3.2
    assert difference == pytest.approx(3.2)


def test_an_exported_file_that_cannot_be_read_back_is_named(tiny_recipe, tmp_path):
    with pytest.raises(ModelError, match=r"gone\.onnx: does not exist"):
        parity(Deployed(made(tiny_recipe), 64), tmp_path / "gone.onnx", [])


def test_too_few_images_for_parity_are_refused(tiny_recipe, images, tmp_path):
    with pytest.raises(ValueError, match=f"parity needs {PARITY_IMAGES} images, got 31"):
        export(made(tiny_recipe), FACTS, tmp_path / "model.onnx", images[:31])
    assert PARITY_IMAGES >= 32


# --- the metadata ------------------------------------------------------------------------------


def test_the_metadata_holds_provenance_and_metrics(trained_run, tiny_recipe, discs):
    facts = json.loads(metadata(trained_run.model)[METADATA_KEY])
    assert facts["schema_version"] == 1
    assert facts["classes"] == ["disc"]
    assert facts["size"] == 64
    assert len(facts["mean_box"]) == 4
    assert facts["recipe"] == tiny_recipe.model_dump(mode="json", exclude_none=True)
    made_of = facts["provenance"]
    assert made_of["data"] == "synth:blobs"
    counts = {split: len(discs.part(split)) for split in SPLITS}
    assert made_of["images"] == counts
    assert made_of["weights"] == "none"
    assert made_of["epochs"] == trained_run.epochs == tiny_recipe.train.epochs
    assert 0 <= made_of["parity_px"] <= PARITY_PX
    assert {"onebox", "torch", "timm", "onnxruntime"} <= made_of["versions"].keys()
    assert facts["metrics"].keys() == {"val", "test"}
    for split, metrics in facts["metrics"].items():
        assert metrics["mean_iou"] == trained_run.metrics[split]["mean_iou"]


def test_the_file_contains_no_path_of_the_machine_that_made_it(model_file):
    content = model_file.read_bytes()
    here = Path(__file__).parents[3]
    for path in (here, Path.home(), Path(torch.__file__).parent, model_file.parent):
        assert str(path).encode() not in content
    assert b".py" not in content


def test_the_weights_are_inside_the_file(model_file, trained_run):
    onnx.checker.check_model(onnx.load(model_file, load_external_data=False), full_check=True)
    weights = (trained_run.folder / "weights.safetensors").stat().st_size
    assert model_file.stat().st_size > 0.9 * weights


def test_a_card_replaces_the_earlier_one_and_changes_nothing_else(model_file, images, tmp_path):
    file = tmp_path / "model.onnx"
    shutil.copy(model_file, file)
    write_card(file, ModelCard(("owl",), 64))
    assert load(file).card.classes == ("owl",)
    assert metadata(file).keys() == {METADATA_KEY}
    ours, theirs = (load(each).predict(images[0]).box for each in (file, model_file))
    assert ours == theirs


# --- pixels in, pixels out ---------------------------------------------------------------------


def test_input_and_outputs_are_as_promised(session):
    [given] = session.get_inputs()
    assert given.name == "image"
    assert given.type == "tensor(uint8)"
    assert given.shape[3] == 3
    assert [one for one in given.shape[:3] if isinstance(one, int)] == []
    assert [one.name for one in session.get_outputs()] == [
        *("box", "probability", "score", "sigma", "distance"),
        *("raw_probability", "raw_score", "expected_iou", "p_iou50", "p_iou75"),
        *("novelty", "familiar"),
    ]


def test_the_outputs_of_a_batch_are_those_of_its_images_one_by_one(session, images):
    together = session.run(OUTPUTS, {INPUT: np.stack(images[:5])})
    for row, image in enumerate(images[:5]):
        alone = session.run(OUTPUTS, {INPUT: image[None]})
        for ours, theirs in zip(together, alone, strict=True):
            np.testing.assert_allclose(ours[row], theirs[0], rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("size_hw", [(64, 64), (1, 1), (7, 300), (333, 41), (500, 500)])
def test_the_box_of_an_image_of_any_size_lies_within_it(session, size_hw):
    image = np.random.default_rng(0).integers(0, 256, (*size_hw, 3), dtype=np.uint8)
    [[box], [probability], [score]] = session.run(OUTPUTS, {INPUT: image[None]})
    height, width = size_hw
    assert 0 <= box[0] <= box[2] <= width
    assert 0 <= box[1] <= box[3] <= height
    assert probability.sum() == pytest.approx(1, abs=1e-5)
    assert 0 <= score <= probability.max() <= 1


def test_the_same_image_at_double_size_has_double_the_box(session, images):
    for image in images:
        double = image.repeat(2, axis=0).repeat(2, axis=1)
        wide = image.repeat(3, axis=1)
        box, of_double, of_wide = (
            session.run(OUTPUTS[:1], {INPUT: one[None]})[0][0] for one in (image, double, wide)
        )
        np.testing.assert_allclose(of_double, 2 * box, atol=1.5)
        np.testing.assert_allclose(of_wide, box * (3, 1, 3, 1), atol=1.5)


def test_discs_are_found_where_they_are(trained_run):
    # The tests on boxes mean something only if boxes follow the subject.
    assert trained_run.metrics["test"]["mean_iou"] > 0.6


def test_an_inverted_box_is_sorted_and_clipped_to_the_image(tiny_recipe):
    network = made(tiny_recipe).eval()
    boxes = iter([torch.tensor([[0.75, -0.2, 0.25, 1.3]])])
    real = network.box_head.forward
    network.box_head.forward = lambda features: real(features)._replace(boxes=next(boxes))
    with torch.no_grad():
        box, *_ = Deployed(network, 64)(torch.zeros(1, 100, 200, 3, dtype=torch.uint8))
    torch.testing.assert_close(box, torch.tensor([[50.0, 0.0, 150.0, 100.0]]))


def test_the_score_is_the_probability_of_the_label_times_the_expected_iou(tiny_recipe):
    network = made(tiny_recipe).eval()
    network.class_head.forward = lambda features: torch.tensor([[0.0, 2.0]]).log_softmax(dim=1)
    network.iou_head.forward = lambda features: torch.tensor([0.0])
    black = torch.zeros(1, 64, 64, 3, dtype=torch.uint8)
    with torch.no_grad():
        _, probability, score, *_ = Deployed(network, 64)(black)
        # e² of e² + 1, and the logistic of 0 is a half
        assert probability[0, 1].item() == pytest.approx(0.8808, abs=1e-4)
        assert score.item() == pytest.approx(0.8808 / 2, abs=1e-4)
        network.iou_head = None
        assert Deployed(network, 64)(black)[2].item() == pytest.approx(0.8808, abs=1e-4)


def test_the_deviation_of_an_edge_stays_with_it_when_edges_are_put_in_order():
    edges = torch.tensor([[0.7, 0.2, 0.3, 0.8], [0.1, 0.9, 0.4, 0.5], [0.2, 0.2, 0.2, 0.6]])
    sigmas = torch.tensor([[0.01, 0.02, 0.1, 0.03]] * 3)
    found = exporting._in_order(sigmas, edges)
    assert (
        found.tolist()
        == torch.tensor(
            [[0.1, 0.02, 0.01, 0.03], [0.01, 0.03, 0.1, 0.02], [0.01, 0.02, 0.1, 0.03]]
        ).tolist()
    )
