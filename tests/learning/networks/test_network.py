"""One suite that every pair of vectorizer and box head joins, and what cannot be combined."""

import itertools
import math

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from safetensors.torch import load_file
from torch.testing import assert_close

from onebox.errors import SettingError
from onebox.learning.data.dataloader import Batch
from onebox.learning.exporting.onnx_export import Deployed, export
from onebox.learning.fitting.checkpoint_io import save_weights
from onebox.learning.fitting.param_groups import parameter_groups
from onebox.learning.losses.objective import compute_loss, total
from onebox.learning.losses.primitives import paired_iou
from onebox.learning.networks.heads import BOX_HEADS, ScaleHead
from onebox.learning.networks.network import Network
from onebox.learning.networks.vectorizers import VECTORIZERS, Features, Sizes
from onebox.model_card import ModelCard
from onebox.outputs import INPUT, OUTPUTS
from onebox.parity import PARITY_PX
from onebox.recipes.loading import read_recipe
from onebox.recipes.recipe import check_recipe

pytestmark = pytest.mark.train

SIZE, CLASSES = 64, ("cat", "dog", "owl")


LOSSES = {
    "direct": {"l1": 5.0, "giou": 2.0},
    "marginal": {"l1": 5.0, "giou": 2.0, "distribution": 0.5},
    "anchors": {"anchors": 1.0},
    "vote": {"l1": 5.0, "giou": 2.0, "votes": 5.0},
    "heatmap": {"l1": 5.0, "giou": 2.0, "distribution": 0.5, "laplace": 0.1},
}


def recipe_of(vectorizer, head):
    settings = {
        "model": {
            "backbone": "test_byobnet",
            "pretrained": False,
            "size": SIZE,
            "vectorizer": vectorizer,
            "box_head": head,
            "width": 16,
            "hidden": [32],
            "bins_per_cell": 4,
        },
        "loss": {"box": LOSSES[head]},
        "train": {"learning_rate": 0.01, "backbone_lr_scale": 0.1, "weight_decay": 0.05},
    }
    return check_recipe(settings, place="pair")


def is_possible(pair):
    """Whether a recipe allows the pair; a new vectorizer or head joins the suite by itself."""
    try:
        recipe_of(*pair)
    except SettingError:
        return False
    return True


PAIRS = [pair for pair in itertools.product(VECTORIZERS, BOX_HEADS) if is_possible(pair)]


@pytest.fixture(params=PAIRS, ids="-".join)
def recipe(request):
    return recipe_of(*request.param)


def made(recipe, seed=0):
    torch.manual_seed(seed)
    return Network(recipe, classes=len(CLASSES))


@pytest.fixture
def network(recipe):
    return made(recipe)


def four_images():
    """Black images with white rectangles at four positions, and their truth."""
    boxes = torch.tensor(
        [
            [0.125, 0.25, 0.5, 0.5],
            [0.5, 0.125, 0.875, 0.875],
            [0.25, 0.5, 0.75, 0.875],
            [0, 0, 0.5, 1],
        ]
    )
    images = torch.zeros(4, 3, SIZE, SIZE)
    for image, box in zip(images, (boxes * SIZE).int().tolist(), strict=True):
        image[:, box[1] : box[3], box[0] : box[2]] = 1
    labels = torch.tensor([0, 1, 2, 0])
    has_box = torch.ones(4, dtype=torch.bool)
    no_keypoints = torch.zeros(4, 0, 3)
    return images, Batch(
        torch.zeros(4), boxes, has_box, labels, no_keypoints, torch.ones(4), torch.arange(4)
    )


def loss_of(outputs, batch, recipe):
    return total(compute_loss(outputs, batch, recipe.loss, recipe.model.layout))


# --- the suite ---------------------------------------------------------------------------------


def test_the_pairs_are_all_that_can_be_combined():
    assert set(PAIRS) == {
        ("gap", "direct"),
        ("flatten", "direct"),
        ("pyramid", "direct"),
        ("pyramid", "marginal"),
        ("pyramid", "anchors"),
        ("pyramid", "vote"),
        ("pyramid", "heatmap"),
    }


def test_outputs_have_a_row_per_image(network):
    outputs = network(torch.rand(5, 3, SIZE, SIZE))
    assert outputs.box.boxes.shape == (5, 4)
    assert outputs.class_logits.shape == (5, len(CLASSES))
    assert outputs.iou_logit.shape == (5,)


def test_in_evaluation_the_output_of_an_image_depends_on_no_other_image(network):
    network.eval()
    images, _ = four_images()
    with torch.no_grad():
        whole, alone = network(images), network(images[2:3])
    assert_close(whole.box.boxes[2:3], alone.box.boxes)
    assert_close(whole.class_logits[2:3], alone.class_logits)


def test_a_recipe_without_an_iou_loss_makes_no_iou_head(recipe):
    network = made(recipe.changed({"loss.iou": 0.0}))
    assert network.iou_head is None
    assert network(torch.rand(2, 3, SIZE, SIZE)).iou_logit is None


def test_a_step_down_the_gradient_lowers_the_loss(network, recipe):
    images, batch = four_images()
    before = loss_of(network(images), batch, recipe)
    before.backward()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.sub_(1e-3 * parameter.grad)
    assert loss_of(network(images), batch, recipe) < before


def test_gradients_reach_every_parameter_down_to_the_first_of_the_backbone(network, recipe):
    images, batch = four_images()
    loss_of(network(images), batch, recipe).backward()
    first = next(network.backbone.parameters())
    assert first.grad.abs().max() > 0
    without = [name for name, one in network.named_parameters() if one.grad is None]
    assert without == []


def test_a_network_overfits_four_images(network, recipe):
    images, batch = four_images()
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    for _ in range(150):
        outputs = network(images)
        optimizer.zero_grad()
        loss_of(outputs, batch, recipe).backward()
        optimizer.step()
        is_boxed = paired_iou(outputs.box.boxes, batch.boxes).min() > 0.8
        if is_boxed and torch.equal(outputs.class_logits.argmax(dim=1), batch.labels):
            return
    raise AssertionError("150 steps were not enough")


def test_saved_weights_loaded_into_another_network_give_the_same_outputs(network, recipe, tmp_path):
    file = tmp_path / "weights.safetensors"
    save_weights(network.state_dict(), file, {})
    other = made(recipe, seed=1)
    images, _ = four_images()
    with torch.no_grad():
        expected = network.eval()(images)
        assert not torch.allclose(other.eval()(images).class_logits, expected.class_logits)
        other.load_state_dict(load_file(file))
        loaded = other.eval()(images)
    assert torch.equal(loaded.box.boxes, expected.box.boxes)
    assert torch.equal(loaded.class_logits, expected.class_logits)
    assert torch.equal(loaded.iou_logit, expected.iou_logit)


def test_the_exported_file_has_the_outputs_of_the_network(network, tmp_path):
    file = tmp_path / "model.onnx"
    random = np.random.default_rng(0)
    images = [
        random.integers(0, 256, (40 + 3 * number, 90 - number, 3), dtype=np.uint8)
        for number in range(32)
    ]
    difference = export(network, ModelCard(CLASSES, SIZE), file, images)
    assert difference <= PARITY_PX
    batch = random.integers(0, 256, (3, 50, 70, 3), dtype=np.uint8)
    deployed = Deployed(network.eval(), SIZE)
    names = deployed.output_names
    assert names == [*OUTPUTS, "sigma", "features"]
    exported = onnxruntime.InferenceSession(file).run(names, {INPUT: batch})
    with torch.no_grad():
        eager = deployed(torch.from_numpy(batch))
    for ours, theirs in zip(eager, exported, strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=1e-3, atol=1e-3)
    names = [each.name for each in onnx.load(file).graph.initializer]
    assert any("class_head" in name for name in names)
    assert not any("scale_head" in name for name in names)  # it serves training alone


def test_every_parameter_is_in_one_group_with_its_own_rate_and_decay(network, recipe):
    groups = parameter_groups(network, network.backbone, recipe.train)
    names = {id(one): name for name, one in network.named_parameters()}
    grouped = [names[id(one)] for group in groups for one in group["params"]]
    assert sorted(grouped) == sorted(names.values())
    for group in groups:
        for parameter in group["params"]:
            is_backbone = names[id(parameter)].startswith("backbone.")
            assert group["lr"] == pytest.approx(0.001 if is_backbone else 0.01)
            assert group["weight_decay"] == (0.05 if parameter.ndim > 1 else 0.0)


def test_the_same_seed_makes_the_same_network_and_another_seed_another(recipe):
    first, again, other = made(recipe).state_dict(), made(recipe).state_dict(), made(recipe, seed=1)
    assert all(torch.equal(first[name], again[name]) for name in first)
    weight = "class_head.logits.weight"
    assert not torch.equal(first[weight], other.state_dict()[weight])


# --- sizes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [33, 100])
def test_flatten_computes_the_length_of_its_vector_for_any_size(size):
    network = made(recipe_of("flatten", "direct").changed({"model.size": size})).eval()
    assert network(torch.rand(1, 3, size, size)).box.boxes.shape == (1, 4)


def test_flatten_reads_images_of_its_own_size_only():
    network = made(recipe_of("flatten", "direct")).eval()
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        network(torch.rand(1, 3, 2 * SIZE, 2 * SIZE))


def test_with_average_pooling_one_network_reads_images_of_three_sizes():
    changes = ["model.backbone=test_byobnet", "model.pretrained=false", "model.neck=24"]
    network = made(read_recipe("resnet50-gap-mse", changes)).eval()
    flat = torch.full((1, 3, 1, 1), 0.25)
    boxes = []
    for size in (300, 224, 384):
        with torch.no_grad():
            outputs = network(flat.expand(1, 3, size, size))
        assert outputs.class_logits.shape == (1, len(CLASSES))
        boxes.append(outputs.box.boxes)
    assert boxes[0].shape == (1, 4)
    assert torch.isfinite(torch.cat(boxes)).all()


# --- neck and shared layers --------------------------------------------------------------------


@pytest.mark.parametrize(("vectorizer", "channels"), [("gap", 24), ("flatten", 24 * 3 * 4)])
def test_a_neck_halves_the_deepest_map_without_padding(vectorizer, channels):
    # A 3 x 3 convolution of stride 2 fits 3 times into 7 or 8 rows, 4 times into 9 columns.
    recipe = recipe_of(vectorizer, "direct").changed({"model.neck": 24, "model.width": 0})
    for rows in (7, 8):
        layer = VECTORIZERS[vectorizer]([(5, rows, 9)], recipe.model)
        assert layer.neck(torch.zeros(2, 5, rows, 9)).shape == (2, 24, 3, 4)
        assert layer([torch.zeros(2, 5, rows, 9)]).vector.shape == (2, channels)
        assert layer.sizes == Sizes(channels)


def test_a_neck_is_a_convolution_with_relu():
    recipe = recipe_of("gap", "direct").changed({"model.neck": 2})
    layer = VECTORIZERS["gap"]([(3, 5, 5)], recipe.model)
    cells = torch.randn(1, 3, 5, 5)
    convolution = layer.neck[0]
    by_hand = torch.nn.functional.conv2d(cells, convolution.weight, convolution.bias, stride=2)
    assert by_hand.min() < 0
    assert_close(layer([cells]).vector, by_hand.clamp(min=0).mean(dim=(2, 3)))


def test_shared_layers_come_before_every_head_that_reads_the_vector():
    recipe = recipe_of("gap", "direct").changed({"model.shared": (20, 12), "model.dropout": 0.5})
    network = made(recipe)
    linear = [layer for layer in network.shared if isinstance(layer, torch.nn.Linear)]
    (channels, _, _) = network.backbone.shapes[-1]
    assert [(one.in_features, one.out_features) for one in linear] == [(channels, 20), (20, 12)]
    assert network.class_head.logits.in_features == 12
    assert network.box_head.layers[0].in_features == 12
    assert network.iou_head.logit.in_features == 12


def test_dropout_varies_the_outputs_in_training_only():
    recipe = recipe_of("gap", "direct")
    network = made(recipe.changed({"model.shared": (64,), "model.dropout": 0.5}))
    for layer in network.backbone.modules():
        layer.eval()  # else its batch statistics would vary the outputs too
    images = torch.rand(2, 3, SIZE, SIZE)
    first, again = network(images).class_logits, network(images).class_logits
    assert not torch.equal(first, again)
    network.eval()
    assert torch.equal(network(images).class_logits, network(images).class_logits)


# --- scales of the edges -----------------------------------------------------------------------


def test_the_laplace_loss_adds_a_scale_head_and_changes_no_other_initial_weights():
    recipe = recipe_of("pyramid", "marginal")
    with_scales = with_box_loss(recipe, laplace=0.1)
    plain, scaled = made(recipe), made(with_scales)
    images = torch.rand(3, 3, SIZE, SIZE)
    assert plain(images).box.scales is None
    assert made(with_box_loss(recipe, laplace=0.0)).scale_head is None
    scales = scaled(images).box.scales
    assert scales.shape == (3, 4)
    assert scales.min() > 0
    states = plain.state_dict(), scaled.state_dict()
    assert {name for name in states[1] if name not in states[0]} == {
        "scale_head.scale.weight",
        "scale_head.scale.bias",
    }
    plain, scaled = made(recipe).state_dict(), made(with_scales).state_dict()
    assert all(torch.equal(plain[name], scaled[name]) for name in plain)


def with_box_loss(recipe, **weights):
    return recipe.changed({"loss.box": {**recipe.loss.box, **weights}})


def test_scales_start_at_a_tenth_and_never_reach_zero():
    head = ScaleHead(Sizes(3, 2))
    with torch.no_grad():
        head.scale.weight.zero_()
        features = Features(torch.randn(2, 3), torch.randn(2, 2, 4, 4))
        assert_close(head(features), torch.full((2, 4), 0.1 + 0.001))
        head.scale.bias.fill_(-1e6)
        assert_close(head(features), torch.full((2, 4), 0.001))
        # one channel of the vector, and one of the map by its mean: log(1 + e³)
        head.scale.bias.zero_()
        head.scale.weight[:, [1, 4]] = 1
        cells = torch.zeros(1, 2, 2, 2)
        cells[0, 1, 0, 0] = 4
        found = head(Features(torch.tensor([[7.0, 2.0, 7.0]]), cells))
        assert_close(found, torch.full((1, 4), math.log1p(math.exp(3)) + 0.001))


@pytest.mark.parametrize(
    "pair",
    [("gap", "direct"), ("pyramid", "marginal"), ("pyramid", "vote"), ("pyramid", "heatmap")],
)
def test_the_laplace_loss_reaches_the_scales_of_every_head_that_allows_it(pair):
    recipe = with_box_loss(recipe_of(*pair), laplace=0.1)
    network = made(recipe)
    images, batch = four_images()
    loss_of(network(images), batch, recipe).backward()
    assert network.scale_head.scale.weight.grad.abs().max() > 0


# --- what cannot be made -----------------------------------------------------------------------

TOO_SMALL = [
    (
        ["model.size=32", "model.neck=8", "model.vectorizer=gap"],
        "backbone 'test_byobnet' and its neck",
    ),
    (["model.backbone=alexnet", "model.size=32", "model.vectorizer=gap"], "backbone 'alexnet'"),
]


@pytest.mark.parametrize(("changes", "words"), TOO_SMALL)
def test_an_image_too_small_for_backbone_or_neck_is_refused_before_training(changes, words):
    small = ["model.backbone=test_byobnet", "model.size=32"]
    recipe = read_recipe("linear128-smoothl1", [*small, *changes])
    with pytest.raises(SettingError) as caught:
        made(recipe)
    assert f"model.size 32 is too small for {words}" in str(caught.value)
    assert "--set model.size=224" in str(caught.value)


def test_a_pyramid_over_a_backbone_of_one_map_is_refused_with_the_repair():
    recipe = recipe_of("pyramid", "marginal").changed({"model.backbone": "alexnet"})
    with pytest.raises(SettingError) as caught:
        made(recipe)
    assert "backbone 'alexnet' has only one" in str(caught.value)
    assert "vectorizer 'gap' or 'flatten'" in str(caught.value)


@pytest.mark.parametrize("vectorizer", ["gap", "flatten"])
@pytest.mark.parametrize("head", ["marginal", "anchors", "vote", "heatmap"])
def test_a_head_that_its_vectorizer_cannot_feed_is_refused(vectorizer, head):
    with pytest.raises(SettingError) as caught:
        recipe_of(vectorizer, head)
    assert f"box_head '{head}' reads a map, and vectorizer '{vectorizer}'" in str(caught.value)
    assert "use vectorizer 'pyramid', or box_head 'direct'" in str(caught.value)
