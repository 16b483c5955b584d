"""The objective: named parts, their weights, and which images teach which part."""

import math

import pytest
import torch
from torch.testing import assert_close

from onebox.learning.data.dataloader import Batch
from onebox.learning.data.decoded_cache import NO_LABEL
from onebox.learning.losses.objective import compute_loss, total
from onebox.learning.losses.primitives import (
    COORDINATE_LOSSES,
    IOU_LOSSES,
    anchor_loss,
    distribution,
    laplace,
    paired_iou,
    votes_loss,
)
from onebox.learning.networks.anchors import place_anchors
from onebox.learning.networks.head_outputs import (
    AnchorOutput,
    Bins,
    BoxOutput,
    KeypointOutput,
    Outputs,
    Shared,
    VoteOutput,
)
from onebox.recipes.sections import LossSettings

BINS = torch.randn(3, 4, 6, generator=torch.Generator().manual_seed(0))
CENTRES = Shared(torch.linspace(-0.1, 1.1, 6))


@pytest.fixture(autouse=True)
def seeded():
    """Start every test with the same random numbers."""
    torch.manual_seed(0)


FOUND = torch.tensor([[0.1, 0.1, 0.6, 0.6], [0.2, 0.3, 0.7, 0.9], [0.0, 0.0, 1.0, 1.0]])
TRUTH = torch.tensor([[0.2, 0.1, 0.6, 0.6], [0.2, 0.2, 0.8, 0.9], [0.0, 0.0, 0.0, 0.0]])
LOGITS = torch.tensor([[2.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 3.0]])


def loss_of(outputs, batch, settings, layout="xyxy"):
    return total(compute_loss(outputs, batch, settings, layout))


def outputs_of(**changes):
    """Outputs for three images, and the tensors in them, which require gradients."""
    parts = {"boxes": FOUND, "bins": BINS, "logits": LOGITS, "iou": torch.zeros(3)} | changes
    parts = {name: None if one is None else one.clone() for name, one in parts.items()}
    for part in parts.values():
        if part is not None:
            part.requires_grad_()
    bins = None if parts["bins"] is None else Bins(parts["bins"], CENTRES)
    box = BoxOutput(parts["boxes"], bins=bins)
    return Outputs(box, parts["logits"], parts["iou"]), parts


def batch_of(has_box, labels):
    no_keypoints = torch.zeros(3, 0, 3)
    labels = torch.tensor(labels)
    pixels, rows = torch.zeros(3), torch.arange(3)
    return Batch(
        pixels, TRUTH, torch.tensor(has_box), labels, no_keypoints, torch.ones(len(rows)), rows
    )


def test_the_total_is_the_weighted_sum_of_means_over_the_images_that_teach_each_part():
    outputs, _ = outputs_of(iou=torch.tensor([1.0, -1.0, 5.0]))
    settings = LossSettings(
        box={"l1": 3.0, "giou": 2.0, "distribution": 0.5},
        label=0.7,
        label_smoothing=0.0,
        iou=0.4,
    )
    loss = loss_of(outputs, batch_of([True, True, False], [0, NO_LABEL, 1]), settings)
    found, truth = FOUND[:2], TRUTH[:2]
    # The first and the last image have a label: e² against 1 and 1, and 1 against e³.
    label = (math.log(1 + 2 * math.exp(-2)) + math.log(2 + math.exp(3))) / 2
    iou = paired_iou(found, truth)
    probability = torch.sigmoid(torch.tensor([1.0, -1.0]))
    entropy = -(iou * probability.log() + (1 - iou) * (1 - probability).log()).mean()
    expected = (
        0.7 * label
        + 3.0 * COORDINATE_LOSSES["l1"](found, truth).mean()
        + 2.0 * IOU_LOSSES["giou"](found, truth).mean()
        + 0.5 * distribution(Bins(BINS[:2], CENTRES), truth).mean()
        + 0.4 * entropy
    )
    assert_close(loss, expected)


@pytest.mark.parametrize("name", [*COORDINATE_LOSSES, *IOU_LOSSES])
def test_every_loss_of_the_tables_can_be_the_only_one(name):
    outputs, parts = outputs_of(bins=None, iou=None)
    settings = LossSettings(box={name: 2.0}, label=0.0)
    loss = loss_of(outputs, batch_of([True, True, False], [0, 1, 2]), settings)
    function = {**COORDINATE_LOSSES, **IOU_LOSSES}[name]
    assert_close(loss, 2 * function(FOUND[:2], TRUTH[:2]).mean())
    loss.backward()
    assert parts["boxes"].grad[:2].abs().sum() > 0


def test_images_without_a_box_teach_no_box_and_images_without_a_label_no_class():
    outputs, parts = outputs_of()
    batch = batch_of([True, False, True], [0, 1, NO_LABEL])
    loss_of(outputs, batch, LossSettings()).backward()
    for name in ("boxes", "bins", "iou"):
        gradients = parts[name].grad.reshape(3, -1).abs().sum(dim=1)
        assert gradients[1] == 0
        assert gradients[0] > 0
    gradients = parts["logits"].grad.abs().sum(dim=1)
    assert gradients[2] == 0
    assert gradients[:2].min() > 0


def test_the_estimate_of_the_iou_does_not_move_the_box():
    outputs, parts = outputs_of(iou=torch.tensor([1.0, -1.0, 2.0]))
    settings = LossSettings(box={"l1": 0.0}, label=0.0, iou=1.0)
    loss_of(outputs, batch_of([True] * 3, [0] * 3), settings).backward()
    assert parts["iou"].grad.abs().sum() > 0
    assert parts["boxes"].grad is None or not parts["boxes"].grad.any()


@pytest.mark.parametrize("classes", [1, 3])
def test_a_batch_without_boxes_and_labels_has_a_loss_and_gradients_of_zero(classes):
    outputs, parts = outputs_of(logits=LOGITS[:, :classes])
    loss = loss_of(outputs, batch_of([False] * 3, [NO_LABEL] * 3), LossSettings())
    loss.backward()
    assert loss == 0
    for part in parts.values():
        assert part.grad is None or not part.grad.any()


def test_a_single_class_has_nothing_to_learn():
    with_one, _ = outputs_of(logits=LOGITS[:, :1])
    settings = LossSettings(box={"l1": 1.0}, iou=0.0)
    loss = loss_of(with_one, batch_of([True, True, False], [0, 0, 0]), settings)
    assert_close(loss, COORDINATE_LOSSES["l1"](FOUND[:2], TRUTH[:2]).mean())


@pytest.mark.parametrize(
    ("layout", "raw"),
    [
        ("xyxy", [[0.2, 0.1, 0.6, 0.6], [0.2, 0.2, 0.8, 0.9]]),
        ("xywh", [[0.2, 0.1, 0.4, 0.5], [0.2, 0.2, 0.6, 0.7]]),
        ("xyhw", [[0.2, 0.1, 0.5, 0.4], [0.2, 0.2, 0.7, 0.6]]),
        ("cxcywh", [[0.4, 0.35, 0.4, 0.5], [0.5, 0.55, 0.6, 0.7]]),
    ],
)
def test_a_coordinate_loss_compares_raw_numbers_with_the_truth_in_their_layout(layout, raw):
    off = torch.tensor([0.0, 0.1, 0.0, 0.3])
    box = BoxOutput(FOUND, torch.tensor([*raw, [0.0] * 4]) + off)
    outputs = Outputs(box, LOGITS, None)
    settings = LossSettings(box={"l1": 1.0}, label=0.0)
    loss = loss_of(outputs, batch_of([True, True, False], [0] * 3), settings, layout)
    assert_close(loss, torch.tensor((0.1 + 0.3) / 4))


def test_the_anchor_loss_is_of_the_images_that_have_a_box():
    anchors = place_anchors(torch.tensor([[0.5, 0.5]]), 2, 2)
    scores, offsets = torch.randn(3, 4), torch.randn(3, 4, 4)
    found = AnchorOutput(scores, offsets, Shared(anchors))
    outputs = Outputs(BoxOutput(FOUND, anchors=found), LOGITS, None)
    settings = LossSettings(box={"anchors": 0.5}, label=0.0)
    loss = loss_of(outputs, batch_of([False, True, False], [0] * 3), settings)
    alone = anchor_loss(AnchorOutput(scores[1:2], offsets[1:2], Shared(anchors)), TRUTH[1:2])
    assert_close(loss, 0.5 * alone[0])


def test_the_votes_and_the_laplace_loss_are_of_the_images_that_have_a_box():
    boxes, weights, centres = torch.rand(3, 4, 5), torch.rand(3, 4, 5), Shared(torch.rand(5, 2))
    scales = torch.rand(3, 4) + 0.1
    box = BoxOutput(FOUND, votes=VoteOutput(boxes, centres, weights), scales=scales)
    outputs = Outputs(box, LOGITS, None)
    batch = batch_of([False, True, False], [0] * 3)
    votes, likelihood = (
        loss_of(outputs, batch, LossSettings(box={name: 0.5}, label=0.0))
        for name in ("votes", "laplace")
    )
    alone = VoteOutput(boxes[1:2], centres, weights[1:2])
    assert_close(votes, 0.5 * votes_loss(alone, TRUTH[1:2])[0])
    assert_close(likelihood, 0.5 * laplace(FOUND[1:2], scales[1:2], TRUTH[1:2])[0])


def test_label_smoothing_spreads_part_of_the_target_over_all_classes():
    outputs, _ = outputs_of(logits=torch.zeros(3, 3))
    certain = outputs_of(logits=torch.eye(3) * 50)[0]
    settings = LossSettings(box={"l1": 0.0}, label_smoothing=0.3, iou=0.0)
    batch = batch_of([False] * 3, [0, 1, 2])
    # Even logits: log 3. Certain ones: a fifth of the target (0.3 x 2/3) lies 50 too low.
    assert_close(loss_of(outputs, batch, settings), torch.tensor(math.log(3)))
    assert_close(loss_of(certain, batch, settings), torch.tensor(0.2 * 50))


# --- the parts ---------------------------------------------------------------------------------


def all_outputs():
    """Outputs of every part that a loss can have, for three images with two keypoints each."""
    heat = torch.randn(3, 2, 4, 6)
    keypoints = KeypointOutput(torch.rand(3, 2, 2), torch.zeros(3, 2), heat)
    box = BoxOutput(FOUND, bins=Bins(BINS, CENTRES), scales=torch.rand(3, 4) + 0.1)
    return Outputs(box, LOGITS, torch.zeros(3), keypoints, torch.zeros(3))


ALL = LossSettings(
    box={"l1": 3.0, "giou": 2.0, "distribution": 0.5, "laplace": 0.1},
    label=0.7,
    iou=0.4,
    keypoints={"l1": 10.0, "distribution": 0.5, "confidence": 0.2},
    presence=0.6,
)
NAMES = {
    "box/l1", "box/giou", "box/distribution", "box/laplace", "label", "iou", "presence",
    "keypoints/l1", "keypoints/distribution", "keypoints/confidence",
}  # fmt: skip


def test_every_loss_of_the_recipe_is_a_part_by_name_and_its_weight_scales_it_alone():
    outputs = all_outputs()
    batch = batch_of([True, True, False], [0, 1, 2])
    batch = batch._replace(keypoints=torch.rand(3, 2, 3) + torch.tensor([0.0, 0.0, 1.0]))
    parts = compute_loss(outputs, batch, ALL, "xyxy")
    assert parts.keys() == NAMES
    # A negative log-likelihood (Laplace) may be below zero; no part is zero.
    assert all(value.abs() > 0 for value in parts.values())
    doubled = {f"box/{name}": {"box": {**ALL.box, name: 2 * ALL.box[name]}} for name in ALL.box} | {
        f"keypoints/{name}": {"keypoints": {**ALL.keypoints, name: 2 * ALL.keypoints[name]}}
        for name in ALL.keypoints
    }
    doubled |= {name: {name: 2 * getattr(ALL, name)} for name in ("label", "iou", "presence")}
    assert doubled.keys() == NAMES
    for name, changes in doubled.items():
        settings = LossSettings.model_validate({**ALL.model_dump(), **changes})
        again = compute_loss(outputs, batch, settings, "xyxy")
        for other, value in parts.items():
            assert_close(again[other], 2 * value if other == name else value)


def test_the_total_adds_the_parts():
    parts = {"label": torch.tensor(0.5), "iou": torch.tensor(0.25), "box/l1": torch.tensor(2.0)}
    assert total(parts) == 2.75
    assert total({"label": torch.tensor(0.5)}) == 0.5


def test_a_loss_that_no_image_can_teach_is_no_part_of_the_batchs_loss():
    batch = batch_of([False] * 3, [0, 1, 2])
    assert compute_loss(all_outputs(), batch, ALL, "xyxy").keys() == {"label", "presence"}
    without_heads, _ = outputs_of(iou=None, bins=None)
    parts = compute_loss(without_heads, batch_of([True] * 3, [0, 1, 2]), ALL, "xyxy")
    assert parts.keys() == {"box/l1", "box/giou", "label"}
