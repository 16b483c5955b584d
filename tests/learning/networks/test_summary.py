"""The summary of a network: its parts and shapes, and counts worked by hand."""

import pytest
import torch
from torch import nn

from onebox.learning.networks.network import Network
from onebox.learning.networks.summary import summarize
from onebox.model_card import ModelCard
from onebox.recipes.recipe import check_recipe

pytestmark = pytest.mark.train

SIZE = 96


def made(keypoint_count=0, **model):
    settings = {"backbone": "test_byobnet", "size": SIZE, "box_head": "direct", **model}
    recipe = check_recipe({"model": settings, "loss": {"box": {"l1": 1.0}}}, place="summary")
    torch.manual_seed(0)
    return Network(recipe, classes=3, keypoints=keypoint_count).eval()


NETWORKS = {
    "gap": {"vectorizer": "gap"},
    "neck and shared": {"vectorizer": "gap", "neck": 10, "shared": [20, 6], "dropout": 0.5},
    "flatten": {"vectorizer": "flatten", "width": 4},
    "pyramid": {"vectorizer": "pyramid", "width": 16},
    "marginal": {"vectorizer": "pyramid", "width": 16, "box_head": "marginal"},
    "vote": {"vectorizer": "pyramid", "width": 16, "box_head": "vote"},
    "heatmap": {"vectorizer": "pyramid", "width": 16, "box_head": "heatmap"},
    "keypoints": {"vectorizer": "pyramid", "width": 16, "box_head": "hull", "keypoints": True},
}


def parts_of(name):
    network = made(keypoint_count=2 if name == "keypoints" else 0, **NETWORKS[name])
    return network, {part.name: part for part in summarize(network, SIZE)}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_parameters_of_the_parts_add_up_to_those_of_the_network(name):
    network, parts = parts_of(name)
    whole = sum(weight.numel() for weight in network.parameters())
    assert sum(part.parameters for part in parts.values()) == whole


def test_parts_come_in_the_order_of_data_flow_without_those_the_network_lacks():
    assert list(parts_of("gap")[1]) == [
        "backbone",
        "vectorizer",
        "box_head",
        "class_head",
        "iou_head",
    ]
    assert list(parts_of("neck and shared")[1]) == [
        "backbone",
        "vectorizer",
        "shared",
        "box_head",
        "class_head",
        "iou_head",
    ]
    assert list(parts_of("keypoints")[1]) == [
        "backbone",
        "vectorizer",
        "keypoint_head",
        "class_head",
        "iou_head",
    ]


@pytest.mark.parametrize("name", NETWORKS)
def test_shapes_are_those_that_the_parts_make_of_one_image(name):
    network, parts = parts_of(name)
    maps = network.backbone(torch.zeros(1, 3, SIZE, SIZE))
    assert parts["backbone"].shapes == tuple(tuple(each.shape[1:]) for each in maps)
    features = network.vectorizer(maps)
    assert parts["vectorizer"].shapes[0] == tuple(features.vector.shape[1:])
    assert parts["class_head"].shapes == ((3,),)
    assert parts["iou_head"].shapes == ((1,),)
    if name == "keypoints":
        assert parts["keypoint_head"].shapes == ((2, 2), (2,))
    else:
        assert parts["box_head"].shapes[0] == (4,)


def test_multiply_adds_of_fully_connected_layers_are_their_weights():
    _, parts = parts_of("neck and shared")
    # 10 → 20 → 6; then 6 → 512 → 4, 6 → 3 and 6 → 1
    assert parts["shared"].multiply_adds == 10 * 20 + 20 * 6
    assert parts["box_head"].multiply_adds == 6 * 512 + 512 * 4
    assert parts["class_head"].multiply_adds == 6 * 3
    assert parts["iou_head"].multiply_adds == 6
    assert parts["shared"].parameters == 10 * 20 + 20 + 20 * 6 + 6


def test_multiply_adds_of_a_convolution_are_its_weights_times_its_output_cells():
    network, parts = parts_of("neck and shared")
    channels, rows, columns = network.backbone.shapes[-1]
    cells = ((rows - 1) // 2) * ((columns - 1) // 2)
    assert cells > 0
    assert parts["vectorizer"].multiply_adds == cells * 3 * 3 * channels * 10
    assert parts["vectorizer"].parameters == 3 * 3 * channels * 10 + 10


def test_convolutions_of_the_backbone_are_counted_one_by_one():
    network, parts = parts_of("gap")
    counted = []

    def count(layer, _, output):
        per_cell = layer.weight.numel()
        counted.append(per_cell * output.shape[2] * output.shape[3])

    for layer in network.backbone.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(count)
    network.backbone(torch.zeros(1, 3, SIZE, SIZE))
    # All of the backbone's multiply-adds are in its convolutions.
    assert len(counted) > 5
    assert parts["backbone"].multiply_adds == sum(counted)


def test_layers_are_the_modules_without_children():
    _, parts = parts_of("neck and shared")
    # dropout, linear and ReLU, twice; a convolution and ReLU; linear, ReLU and linear
    assert parts["shared"].layers == 6
    assert parts["vectorizer"].layers == 2
    assert parts["box_head"].layers == 3
    assert parts["class_head"].layers == 1


def test_summarizing_leaves_no_hook_and_changes_no_number():
    network = made(vectorizer="gap")
    before = {name: one.clone() for name, one in network.state_dict().items()}
    first, again = summarize(network, SIZE), summarize(network, SIZE)
    assert first == again
    assert not any(module._forward_hooks for module in network.modules())
    assert all(torch.equal(before[name], one) for name, one in network.state_dict().items())


def test_parts_are_read_back_from_a_model_card():
    card = ModelCard(("a", "b", "c"), SIZE, parts=summarize(made(vectorizer="gap"), SIZE))
    assert ModelCard.from_json(card.as_json()).parts == card.parts
