"""Losses: values worked by hand, and gradients that lead to the truth."""

import math

import numpy as np
import pytest
import torch
import torchvision
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional
from torch.testing import assert_close

from onebox import boxes as array_boxes
from onebox.learning.losses.primitives import (
    COORDINATE_LOSSES,
    IOU_LOSSES,
    anchor_loss,
    distribution,
    laplace,
    paired_iou,
    votes_loss,
)
from onebox.learning.networks.anchors import encode, place_anchors
from onebox.learning.networks.head_outputs import AnchorOutput, Bins, Shared, VoteOutput

UNIT = torch.tensor([[0.0, 0.0, 1.0, 1.0]])


def mean_of_row(loss):
    """A coordinate loss with one value per row, like an IoU loss."""
    return lambda found, truth: loss(found, truth).mean(dim=1)


BOX_LOSSES = {name: mean_of_row(loss) for name, loss in COORDINATE_LOSSES.items()} | IOU_LOSSES


def rows(*boxes):
    return torch.tensor(boxes)


def random_boxes(count, seed):
    generator = torch.Generator().manual_seed(seed)
    corners = torch.rand(count, 2, 2, generator=generator).sort(dim=1).values
    return corners.flatten(1) * torch.tensor(0.9) + torch.tensor([0.0, 0.0, 0.1, 0.1])


# --- worked by hand ----------------------------------------------------------------------------

BY_HAND = [
    # differences 0.1, 0.2, 0.3, 0
    ("mse", (0.1, 0.2, 0.7, 1.0), (0.01 + 0.04 + 0.09 + 0) / 4),
    ("l1", (0.1, 0.2, 0.7, 1.0), (0.1 + 0.2 + 0.3 + 0) / 4),
    # below 0.1 it is d²/0.2, above it d - 0.05
    ("smooth_l1", (0.05, 0.2, 0.7, 1.0), (0.0025 / 0.2 + 0.15 + 0.25 + 0) / 4),
    # -log of the probability that each edge gives to its end
    ("bce", (0.5, 0.25, 0.5, 0.75), -(2 * math.log(0.5) + 2 * math.log(0.75)) / 4),
    # IoU 1/2, and the hull is the union
    ("giou", (0.0, 0.0, 0.5, 1.0), 1 - 0.5),
    # centres 1/4 apart, hull's diagonal² 2
    ("diou", (0.0, 0.0, 0.5, 1.0), 1 - 0.5 + (1 / 16) / 2),
]


@pytest.mark.parametrize(("name", "box", "value"), BY_HAND)
def test_a_loss_against_the_unit_square_has_the_value_worked_by_hand(name, box, value):
    assert_close(BOX_LOSSES[name](rows(box), UNIT), torch.tensor([value]))


def test_giou_of_diagonal_neighbours_is_one_and_a_half():
    # IoU 0, hull 2 x 2 = 4 of which 2 is empty: 1 - (0 - 2/4)
    assert_close(BOX_LOSSES["giou"](UNIT, UNIT + 1), torch.tensor([1.5]))


def test_ciou_adds_the_difference_of_the_aspects():
    box = (0.0, 0.0, 0.5, 1.0)
    v = 4 / math.pi**2 * (math.atan(1.0) - math.atan(0.5)) ** 2
    iou, distance = 0.5, (1 / 16) / 2
    expected = 1 - iou + distance + v**2 / (1 - iou + v)
    assert_close(BOX_LOSSES["ciou"](rows(box), UNIT), torch.tensor([expected]))


def test_bce_is_finite_for_boxes_outside_the_image():
    assert torch.isfinite(BOX_LOSSES["bce"](rows((-0.1, -0.1, 1.1, 1.1)), UNIT)).all()


# --- laws of all of them -----------------------------------------------------------------------


@pytest.mark.parametrize("name", BOX_LOSSES)
def test_there_is_one_value_per_row_whatever_the_other_rows(name):
    boxes, truth = random_boxes(5, 0), random_boxes(5, 1)
    whole = BOX_LOSSES[name](boxes, truth)
    assert whole.shape == (5,)
    assert_close(whole[2:3], BOX_LOSSES[name](boxes[2:3], truth[2:3]))


@pytest.mark.parametrize("name", BOX_LOSSES)
def test_no_rows_have_no_values(name):
    assert BOX_LOSSES[name](torch.zeros(0, 4), torch.zeros(0, 4)).shape == (0,)


@pytest.mark.parametrize("name", BOX_LOSSES)
def test_no_box_has_a_smaller_loss_than_the_truth_itself(name):
    truth = random_boxes(20, 2)
    at_truth = BOX_LOSSES[name](truth, truth)
    for seed in range(3, 8):
        assert (BOX_LOSSES[name](random_boxes(20, seed), truth) >= at_truth - 1e-6).all()
    if name != "bce":  # cross-entropy to a fraction keeps the fraction's own entropy
        assert_close(at_truth, torch.zeros(20), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", sorted(set(BOX_LOSSES) - {"ciou"}))
def test_gradients_are_those_of_the_values(name):
    boxes = random_boxes(4, 5).double().requires_grad_()
    truth = random_boxes(4, 6).double()
    assert torch.autograd.gradcheck(lambda each: BOX_LOSSES[name](each, truth), (boxes,))


@pytest.mark.parametrize("name", BOX_LOSSES)
def test_a_small_step_down_the_gradient_lowers_the_loss(name):
    boxes, truth = random_boxes(6, 7).requires_grad_(), random_boxes(6, 8)
    before = BOX_LOSSES[name](boxes, truth)
    (gradient,) = torch.autograd.grad(before.sum(), boxes)
    after = BOX_LOSSES[name](boxes - 1e-3 * gradient, truth)
    assert (after < before).all()


# --- outside truth -----------------------------------------------------------------------------

OUTSIDE = {
    "mse": lambda found, truth: functional.mse_loss(found, truth, reduction="none"),
    "l1": lambda found, truth: functional.l1_loss(found, truth, reduction="none"),
    "smooth_l1": lambda found, truth: (
        functional.huber_loss(found, truth, delta=0.1, reduction="none") / 0.1
    ),
    "bce": lambda found, truth: functional.binary_cross_entropy_with_logits(
        found.logit(), truth, reduction="none"
    ),
    "giou": torchvision.ops.generalized_box_iou_loss,
    "diou": torchvision.ops.distance_box_iou_loss,
    "ciou": torchvision.ops.complete_box_iou_loss,
}


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_loss_agrees_with_the_outside_one_of_its_name(name):
    found, truth = random_boxes(40, 11).clamp(0.01, 0.99), random_boxes(40, 12)
    ours = {**COORDINATE_LOSSES, **IOU_LOSSES}[name](found, truth)
    assert_close(ours, OUTSIDE[name](found, truth), atol=1e-5, rtol=1e-4)


def test_every_loss_has_an_outside_truth():
    assert OUTSIDE.keys() == COORDINATE_LOSSES.keys() | IOU_LOSSES.keys()


# --- distribution loss -------------------------------------------------------------------------

CENTRES = Shared(torch.tensor([0.0, 1.0, 2.0, 3.0]))


def test_the_distribution_loss_divides_its_target_between_the_two_nearest_bins():
    bins = torch.tensor([0.1, 0.2, 0.3, 0.4]).log().expand(1, 4, 4)
    truth = rows((0.0, 1.25, 2.0, 3.0))
    # 1.25 weighs bin 1 by three quarters and bin 2 by one quarter
    by_hand = [
        -math.log(0.1),
        -0.75 * math.log(0.2) - 0.25 * math.log(0.3),
        -math.log(0.3),
        -math.log(0.4),
    ]
    assert_close(distribution(Bins(bins, CENTRES), truth), torch.tensor([by_hand]))


def test_the_distribution_loss_of_even_bins_is_the_logarithm_of_their_number():
    value = distribution(Bins(torch.zeros(2, 5, 4), CENTRES), torch.rand(2, 5) * 3)
    assert_close(value, torch.full((2, 5), math.log(4)))


def test_an_edge_beyond_the_bins_counts_as_the_outermost_bin():
    bins = torch.tensor([0.1, 0.2, 0.3, 0.4]).log().expand(1, 4, 4)
    outside, at_end = rows((-5.0, -5.0, 9.0, 9.0)), rows((0.0, 0.0, 3.0, 3.0))
    assert_close(
        distribution(Bins(bins, CENTRES), outside), distribution(Bins(bins, CENTRES), at_end)
    )


@given(st.floats(0, 3), st.integers(0, 2**31))
def test_the_distribution_loss_is_smallest_where_the_bins_hold_the_truth(edge, seed):
    lower = min(int(edge), 2)
    target = torch.zeros(4)
    target[lower], target[lower + 1] = 1 - (edge - lower), edge - lower
    best = (target + 1e-9).log().expand(1, 4, 4)
    truth = torch.full((1, 4), edge)
    other = torch.randn(1, 4, 4, generator=torch.Generator().manual_seed(seed))
    at_best, elsewhere = (distribution(Bins(bins, CENTRES), truth) for bins in (best, other))
    assert (at_best <= elsewhere + 1e-5).all()


def test_the_gradient_of_the_distribution_loss_is_that_of_its_values():
    bins = torch.randn(2, 4, 6, dtype=torch.double).requires_grad_()
    centres = Shared(torch.linspace(-0.1, 1.1, 6, dtype=torch.double))
    truth = torch.rand(2, 4, dtype=torch.double)
    assert torch.autograd.gradcheck(lambda each: distribution(Bins(each, centres), truth), (bins,))


# --- anchor loss -------------------------------------------------------------------------------

# Four cells of a 2 x 2 map, each with one anchor of a quarter of the image.
ANCHORS = place_anchors(torch.tensor([[0.5, 0.5]]), 2, 2)


def output_of(scores, offsets=None):
    """An anchor head's output for the four anchors of one image."""
    offsets = torch.zeros(1, 4, 4) if offsets is None else offsets
    return AnchorOutput(torch.tensor([scores]), offsets, Shared(ANCHORS))


def test_only_the_positive_anchor_has_to_be_chosen():
    # The truth is the third anchor (x 0 to 1/2, y 1/2 to 1) itself: its offsets are zeros.
    truth = rows((0.0, 0.5, 0.5, 1.0))
    by_hand = -math.log(math.exp(2) / (math.exp(2) + math.e + 2))
    assert_close(anchor_loss(output_of([0.0, 1.0, 2.0, 0.0]), truth), torch.tensor([by_hand]))


def test_every_anchor_of_iou_one_half_is_as_positive_as_the_best():
    anchors = torch.tensor([[0.5, 0.5, 0.6, 0.6], [0.5, 0.5, 0.5, 0.5], [0.5, 0.5, 0.3, 0.3]])
    truth = rows((0.2, 0.2, 0.8, 0.8))
    # of the truth's area the second covers 25/36, more than half, and the third only 9/36
    offsets = encode(truth.expand(3, 4), anchors)[None]
    scores = torch.tensor([[1.0, 0.0, 3.0]])
    all_of_them = math.log(math.e + 1 + math.exp(3))
    by_hand = ((all_of_them - 1) + (all_of_them - 0)) / 2
    loss = anchor_loss(AnchorOutput(scores, offsets, Shared(anchors)), truth)
    assert_close(loss, torch.tensor([by_hand]))


def test_only_the_offsets_of_positive_anchors_count_and_by_the_smooth_l1():
    truth = rows((0.0, 0.5, 0.5, 1.0))
    offsets = torch.zeros(1, 4, 4)
    offsets[0, [0, 1, 3]] = 7.0
    offsets[0, 2] = torch.tensor([0.3, 0.0, -0.05, 0.0])
    even = math.log(4)
    # beyond 0.1 it is d - 0.05, below it d²/0.2
    by_hand = even + 0.25 + 0.0025 / 0.2
    assert_close(anchor_loss(output_of([0.0] * 4, offsets), truth), torch.tensor([by_hand]))


def test_where_no_anchor_reaches_iou_one_half_the_best_one_is_positive():
    # A tenth of the image in its upper left: one anchor holds it, at an IoU of 1/25.
    truth = rows((0.2, 0.2, 0.3, 0.3))
    sure, unsure = (anchor_loss(output_of(s), truth) for s in ([9.0, 0.0, 0.0, 0.0], [0.0] * 4))
    assert torch.isfinite(sure).all()
    assert_close(unsure - sure, torch.tensor([math.log(4) - math.log1p(3 * math.exp(-9))]))


def test_where_no_anchor_overlaps_at_all_the_loss_and_its_gradient_are_finite():
    anchors = ANCHORS[:1] * 0.1  # far in the upper left
    offsets = torch.zeros(1, 1, 4, requires_grad=True)
    output = AnchorOutput(torch.zeros(1, 1), offsets, Shared(anchors))
    loss = anchor_loss(output, rows((0.5, 0.5, 1.0, 1.0)))
    loss.sum().backward()
    assert torch.isfinite(loss).all()
    assert torch.isfinite(offsets.grad).all()


def test_the_anchor_loss_falls_as_the_output_improves_and_ends_near_zero():
    truth = rows((0.1, 0.45, 0.55, 0.9))
    right = encode(truth.expand(4, 4), ANCHORS)[None]
    best = torch.tensor([0.0, 0.0, 1.0, 0.0])
    values = [
        float(anchor_loss(output_of((12 * done * best).tolist(), done * right), truth))
        for done in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    assert values == sorted(values, reverse=True)
    assert values[-1] < 1e-3 < values[0]


def test_the_anchor_loss_of_a_row_depends_on_no_other_row():
    truth = random_boxes(3, 13)
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(3, 4, generator=generator)
    offsets = torch.randn(3, 4, 4, generator=generator)
    whole = anchor_loss(AnchorOutput(scores, offsets, Shared(ANCHORS)), truth)
    alone = anchor_loss(AnchorOutput(scores[1:2], offsets[1:2], Shared(ANCHORS)), truth[1:2])
    assert whole.shape == (3,)
    assert_close(whole[1:2], alone)


def test_the_gradient_of_the_anchor_loss_is_that_of_its_values():
    generator = torch.Generator().manual_seed(1)
    scores, offsets = (
        torch.randn(2, 4, *more, generator=generator).double().requires_grad_()
        for more in ((), (4,))
    )
    truth, anchors = random_boxes(2, 14).double(), ANCHORS.double()

    def loss(scores, offsets):
        return anchor_loss(AnchorOutput(scores, offsets, Shared(anchors)), truth)

    assert torch.autograd.gradcheck(loss, (scores, offsets))


# --- votes loss --------------------------------------------------------------------------------

# The cells of a 2 x 2 map, row by row.
CELLS = torch.tensor([[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]])


def of_cells(votes):
    """Votes of the four cells, all of one weight: the loss depends on no weight."""
    return VoteOutput(votes, Shared(CELLS.to(votes)), torch.full_like(votes, 0.25))


def voted(*votes):
    """Votes of the four cells of one image."""
    return of_cells(torch.tensor(votes).T[None])


def test_only_cells_in_the_true_box_count_and_their_losses_are_averaged():
    truth = rows((0.0, 0.0, 0.5, 1.0))  # holds the centres of the left column
    found = voted(
        (0.3, 0.0, 0.5, 1.0), (9.0, 9.0, 9.0, 9.0), (0.0, 0.05, 0.5, 0.8), (-5.0, 0.0, 0.0, 1.0)
    )
    # above 0.1 it is d - 0.05, below it d²/0.2; four edges per cell
    first, third = 0.25 / 4, (0.0025 / 0.2 + 0.15) / 4
    assert_close(votes_loss(found, truth), torch.tensor([(first + third) / 2]))


def test_where_the_box_holds_no_cells_centre_the_nearest_cell_counts():
    truth = rows((0.55, 0.8, 0.6, 0.9))
    # (0.575, 0.85) is nearest to the last cell, at (0.75, 0.75)
    wrong, right = (9.0, 9.0, 9.0, 9.0), (0.55, 0.8, 0.6, 0.7)
    found = voted(wrong, wrong, wrong, right)
    assert_close(votes_loss(found, truth), torch.tensor([(0.2 - 0.05) / 4]))


def test_cells_outside_the_box_get_no_gradient():
    votes = torch.randn(1, 4, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    votes_loss(of_cells(votes), rows((0.5, 0.0, 1.0, 1.0))).sum().backward()
    is_taught = votes.grad.abs().sum(dim=1)[0] > 0
    assert is_taught.tolist() == [False, True, False, True]


def test_the_votes_loss_of_a_row_depends_on_no_other_row():
    votes = torch.rand(5, 4, 4, generator=torch.Generator().manual_seed(0))
    truth = random_boxes(5, 15)
    whole = votes_loss(of_cells(votes), truth)
    assert whole.shape == (5,)
    assert_close(whole[3:4], votes_loss(of_cells(votes[3:4]), truth[3:4]))
    assert votes_loss(of_cells(votes[:0]), truth[:0]).shape == (0,)


def test_the_gradient_of_the_votes_loss_is_that_of_its_values():
    votes = torch.rand(3, 4, 4, dtype=torch.double).requires_grad_()
    truth = random_boxes(3, 16).double()
    assert torch.autograd.gradcheck(lambda each: votes_loss(of_cells(each), truth), (votes,))


# --- Laplace's likelihood ----------------------------------------------------------------------


def test_the_laplace_loss_is_the_distance_over_the_scale_and_the_scales_logarithm():
    boxes, truth = rows((0.1, 0.2, 0.7, 1.0)), UNIT
    scales = rows((0.05, 0.2, 0.5, 0.5))
    # distances 0.1, 0.2, 0.3, 0; the logarithm is of twice the scale
    by_hand = ((2 + math.log(0.1)) + (1 + math.log(0.4)) + 0.6 + 0) / 4
    assert_close(laplace(boxes, scales, truth), torch.tensor([by_hand]))


def test_the_laplace_loss_is_that_of_torchs_distribution():
    boxes, truth = random_boxes(30, 17), random_boxes(30, 18)
    scales = torch.rand(30, 4, generator=torch.Generator().manual_seed(0)) + 0.01
    outside = -torch.distributions.Laplace(boxes, scales).log_prob(truth).mean(dim=1)
    assert_close(laplace(boxes, scales, truth), outside)


def test_the_best_scale_is_the_distance_itself():
    boxes, truth = random_boxes(20, 19), random_boxes(20, 20)
    distances = (boxes - truth).abs()
    best = laplace(boxes, distances, truth)
    for factor in (0.5, 0.9, 1.1, 3.0):
        assert (laplace(boxes, factor * distances, truth) > best).all()


def test_the_gradient_of_the_laplace_loss_is_that_of_its_values():
    boxes, truth = random_boxes(4, 21).double().requires_grad_(), random_boxes(4, 22).double()
    scales = torch.full((4, 4), 0.2, dtype=torch.double).requires_grad_()
    assert torch.autograd.gradcheck(lambda *each: laplace(*each, truth), (boxes, scales))


# --- IoU ---------------------------------------------------------------------------------------


def test_paired_iou_agrees_with_torchvision_and_with_our_arrays():
    left, right = random_boxes(50, 9), random_boxes(50, 10)
    ours = paired_iou(left, right)
    assert_close(ours, torchvision.ops.box_iou(left, right).diagonal())
    np.testing.assert_allclose(
        ours, array_boxes.paired_iou(left.numpy(), right.numpy()), rtol=1e-5, atol=1e-7
    )


def test_an_inverted_or_empty_box_has_an_iou_of_zero():
    boxes = rows((0.8, 0.8, 0.2, 0.2), (0.5, 0.5, 0.5, 0.5), (0.8, 0.2, 0.2, 0.8))
    assert_close(paired_iou(boxes, UNIT.expand(3, 4)), torch.zeros(3))
    assert_close(paired_iou(torch.zeros(1, 4), torch.zeros(1, 4)), torch.zeros(1))
