"""Heads: boxes worked by hand, and laws of shifting the subject."""

import math

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from onebox.learning.networks.anchors import decode, place_anchors
from onebox.learning.networks.box_heads import AnchorBox, DirectBox, MarginalBox
from onebox.learning.networks.heads import ClassHead, IouHead
from onebox.learning.networks.vectorizers import Features, Sizes
from onebox.recipes.sections import AnchorSettings, ModelSettings

CELLS, CHANNELS, PER_CELL = 12, 8, 4
SIZES = Sizes(vector=5, map=CHANNELS)
SETTINGS = ModelSettings(bins_per_cell=PER_CELL, hidden=(6,))


def on_map(cells):
    return Features(torch.zeros(len(cells), 5), cells)


def blob(row, column, seed=0):
    """A map of zeros with a patch of 3 x 2 random cells."""
    cells = torch.zeros(1, CHANNELS, CELLS, CELLS)
    generator = torch.Generator().manual_seed(seed)
    cells[:, :, row : row + 3, column : column + 2] = torch.randn(
        1, CHANNELS, 3, 2, generator=generator
    )
    return cells


def pointing_head(tap):
    """A marginal head whose bins are sure of the cell where the map's first channel shines.

    Of the three taps of its widening, 1 is the cell itself and 2 the one to its left.
    """
    head = MarginalBox(SIZES, SETTINGS)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.zero_()
        for line in (head.axes.along_x, head.axes.along_y):
            line.widen.weight[0, 0, tap] = 1
            line.bins.weight[:, 0] = 1000
    return head


def shining(row, column):
    cells = torch.zeros(1, CHANNELS, CELLS, CELLS)
    cells[:, 0, row, column] = CELLS  # its mean over a row or column is 1
    return cells


# --- marginal head -----------------------------------------------------------------------------


@pytest.mark.parametrize(("row", "column"), [(0, 0), (3, 8), (11, 11)])
def test_bins_that_are_sure_of_a_cell_give_its_centre(row, column):
    box = pointing_head(tap=1)(on_map(shining(row, column))).boxes
    x, y = (column + 0.5) / CELLS, (row + 0.5) / CELLS
    assert_close(box, torch.tensor([[x, y, x, y]]))


def test_an_edge_can_lie_a_little_outside_the_frame():
    left_of_all = pointing_head(tap=2)(on_map(shining(0, 0))).boxes
    assert_close(left_of_all, torch.full((1, 4), -0.5 / CELLS))
    right_of_all = pointing_head(tap=0)(on_map(shining(11, 11))).boxes
    assert_close(right_of_all, torch.full((1, 4), 1 + 0.5 / CELLS))


def test_uniform_bins_give_the_centre_of_the_image():
    head = pointing_head(tap=1)
    assert_close(
        head(on_map(torch.zeros(1, CHANNELS, CELLS, CELLS))).boxes, torch.full((1, 4), 0.5)
    )


def test_a_subject_that_shifts_by_a_cell_shifts_its_box_by_a_cell():
    head = pointing_head(tap=1)
    here, there = head(on_map(shining(5, 6))).boxes, head(on_map(shining(6, 7))).boxes
    assert_close(there, here + 1 / CELLS)


@pytest.mark.parametrize("seed", range(4))
def test_bins_of_any_weights_shift_with_the_subject_along_their_axis_and_not_across(seed):
    torch.manual_seed(seed)
    head = MarginalBox(SIZES, SETTINGS).eval()
    with torch.no_grad():
        here = head(on_map(blob(4, 4, seed))).bins.logits
        right = head(on_map(blob(4, 5, seed))).bins.logits
        below = head(on_map(blob(5, 4, seed))).bins.logits
    x_edges, y_edges = [0, 2], [1, 3]
    for moved, along, across in ((right, x_edges, y_edges), (below, y_edges, x_edges)):
        assert_close(moved[:, across], here[:, across], atol=1e-5, rtol=1e-4)
        inner = slice(2 * PER_CELL, -2 * PER_CELL)  # what padding does not touch
        assert_close(
            moved.roll(-PER_CELL, dims=2)[:, along][..., inner],
            here[:, along][..., inner],
            atol=1e-5,
            rtol=1e-4,
        )
        assert not torch.allclose(moved[:, along], here[:, along], atol=1e-3)


def test_swapping_the_maps_axes_swaps_those_of_a_head_with_equal_lines():
    head = MarginalBox(SIZES, SETTINGS).eval()
    head.axes.along_y.load_state_dict(head.axes.along_x.state_dict())
    cells = torch.randn(2, CHANNELS, CELLS, CELLS)
    box, swapped = head(on_map(cells)).boxes, head(on_map(cells.transpose(2, 3))).boxes
    assert_close(swapped, box[:, [1, 0, 3, 2]])


def test_the_box_is_the_mean_of_its_bins():
    output = MarginalBox(SIZES, SETTINGS)(on_map(torch.randn(3, CHANNELS, CELLS, CELLS)))
    bins = output.bins
    assert bins.logits.shape == (3, 4, (CELLS + 2) * PER_CELL)
    assert_close(output.boxes, bins.logits.softmax(dim=2) @ bins.centres.values)
    assert output.raw is None


@pytest.mark.parametrize("kind", [MarginalBox, AnchorBox])
def test_a_head_that_reads_a_map_refuses_features_without_one(kind):
    with pytest.raises(ValueError, match="reads a map, and its vectorizer keeps none"):
        kind(SIZES, SETTINGS)(Features(torch.zeros(1, 5), None))


# --- anchor head -------------------------------------------------------------------------------

TWO_SIZES = SETTINGS.model_copy(
    update={"anchors": AnchorSettings(scales=(0.25, 0.5), aspects=(1.0,))}
)


def scoring_head():
    """An anchor head that scores by the map's first two channels and moves by its next four."""
    head = AnchorBox(SIZES, TWO_SIZES)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.zero_()
        head.score.weight[0, 0] = head.score.weight[1, 1] = 1
        for number in range(4):
            head.offsets.weight[4 + number, 2 + number] = 1  # of the second size alone
    return head


@pytest.mark.parametrize(
    ("channel", "half"), [(0, 0.25 / 2), (1, 0.5 / 2)], ids=["first size", "second size"]
)
def test_the_box_is_that_of_the_anchor_with_the_highest_score(channel, half):
    cells = torch.zeros(1, CHANNELS, 4, 8)
    cells[0, channel, 2, 5] = 1
    output = scoring_head()(on_map(cells))
    # the centre of the sixth of 8 columns and of the third of 4 rows
    x, y = 5.5 / 8, 2.5 / 4
    assert_close(output.boxes, torch.tensor([[x - half, y - half, x + half, y + half]]))


def test_the_best_anchors_own_offsets_move_its_box():
    cells = torch.zeros(1, CHANNELS, 4, 4)
    cells[0, 1, 0, 0] = 1
    cells[0, 2:6, 0, 0] = torch.tensor([0.5, 0.0, math.log(2), 0.0])
    # half a width to the right of (1/8, 1/8), and twice as wide
    box = torch.tensor([[0.375 - 0.5, 0.125 - 0.25, 0.375 + 0.5, 0.125 + 0.25]])
    assert_close(scoring_head()(on_map(cells)).boxes, box)


def test_each_image_has_its_own_best_anchor_and_all_anchors_are_output():
    torch.manual_seed(0)
    head = AnchorBox(SIZES, TWO_SIZES)
    output = head(on_map(torch.randn(5, CHANNELS, 3, 4)))
    scores, offsets, anchors = output.anchors
    anchors = anchors.values
    assert_close(anchors, place_anchors(head.sizes, 3, 4))
    assert (scores.shape, offsets.shape) == ((5, 24), (5, 24, 4))
    for row in range(5):
        best = int(scores[row].argmax())
        assert_close(output.boxes[row], decode(offsets[row, best], anchors[best]))
    assert len(set(scores.argmax(dim=1).tolist())) > 1


# --- the other heads ---------------------------------------------------------------------------


def test_the_direct_heads_box_lies_within_the_image_and_has_no_bins():
    output = DirectBox(SIZES, SETTINGS)(Features(100 * torch.randn(50, 5), None))
    assert output.boxes.shape == (50, 4)
    assert output.boxes.min() >= 0
    assert output.boxes.max() <= 1
    assert output.bins is None
    assert output.anchors is None


def constant(head, *numbers):
    """A direct head whose last layer outputs the same numbers for every image."""
    with torch.no_grad():
        head.layers[-1].weight.zero_()
        head.layers[-1].bias.copy_(torch.tensor(numbers))
    return head


@pytest.mark.parametrize(
    ("layout", "numbers"),
    [
        ("xyxy", (0.25, 0.125, 0.75, 0.25)),
        ("xywh", (0.25, 0.125, 0.5, 0.125)),
        ("xyhw", (0.25, 0.125, 0.125, 0.5)),
        ("cxcywh", (0.5, 0.1875, 0.5, 0.125)),
    ],
)
def test_the_direct_head_outputs_the_same_box_in_every_layout(layout, numbers):
    settings = SETTINGS.model_copy(update={"layout": layout, "activation": "linear"})
    output = constant(DirectBox(SIZES, settings), *numbers)(Features(torch.randn(3, 5), None))
    assert_close(output.boxes, torch.tensor([[0.25, 0.125, 0.75, 0.25]]).expand(3, 4))
    assert_close(output.raw, torch.tensor([numbers]).expand(3, 4))


def test_the_activation_comes_before_the_conversion_to_a_box():
    settings = SETTINGS.model_copy(update={"layout": "xywh", "activation": "sigmoid"})
    output = constant(DirectBox(SIZES, settings), 0.0, 0.0, math.log(3), -math.log(3))(
        Features(torch.zeros(1, 5), None)
    )
    # the logistic of log 3 is 3/4
    assert_close(output.raw, torch.tensor([[0.5, 0.5, 0.75, 0.25]]))
    assert_close(output.boxes, torch.tensor([[0.5, 0.5, 1.25, 0.75]]))


@pytest.mark.parametrize(("hidden", "layers"), [((), [(5, 4)]), ((6, 7), [(5, 6), (6, 7), (7, 4)])])
def test_the_direct_head_has_the_hidden_layers_of_the_recipe(hidden, layers):
    head = DirectBox(SIZES, SETTINGS.model_copy(update={"hidden": hidden}))
    linear = [layer for layer in head.layers if isinstance(layer, nn.Linear)]
    assert [(layer.in_features, layer.out_features) for layer in linear] == layers


def test_the_class_head_reads_the_vector_alone():
    head = ClassHead(SIZES, 3)
    features = Features(torch.randn(2, 5), torch.randn(2, CHANNELS, 4, 4))
    assert_close(head(features), features.vector @ head.logits.weight.T + head.logits.bias)


def test_the_iou_head_reads_the_vector_and_the_mean_of_the_map():
    head = IouHead(SIZES)
    features = Features(torch.randn(2, 5), torch.randn(2, CHANNELS, 4, 4))
    read = torch.cat([features.vector, features.map.mean(dim=(2, 3))], dim=1)
    assert_close(head(features), (read @ head.logit.weight.T + head.logit.bias)[:, 0])
    without_map = IouHead(Sizes(vector=5))
    assert without_map(Features(features.vector, None)).shape == (2,)
