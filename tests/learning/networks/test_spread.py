"""Standard deviations of the edges, by hand, for every kind of head."""

import math

import pytest
import torch
from torch.testing import assert_close

from onebox.learning.networks.anchors import encode
from onebox.learning.networks.head_outputs import (
    AnchorOutput,
    Bins,
    BoxOutput,
    Outputs,
    Shared,
    VoteOutput,
)
from onebox.learning.networks.spread import bins_sigmas, edge_sigmas

BOX = torch.tensor([[0.2, 0.3, 0.6, 0.4]])
"""0.4 wide and 0.1 high."""

EVEN = torch.zeros(1, 2)
"""Logits of two classes, each with a probability of one half."""


def logits_of(*probabilities):
    return torch.tensor(probabilities).log()


def sigmas(box, *, class_logits=EVEN, iou_logit=None):
    return edge_sigmas(Outputs(box, class_logits, iou_logit))


# --- heads with distributions ------------------------------------------------------------------


def test_bins_have_the_standard_deviation_of_their_distribution():
    centres = Shared(torch.tensor([0.0, 0.5, 1.0]))
    logits = torch.stack(
        [
            logits_of(1.0, 0.0, 0.0),  # one position
            logits_of(0.5, 0.0, 0.5),  # a mean of 0.5, 0.5 away on either side
            logits_of(0.25, 0.5, 0.25),  # a variance of 2 * 0.25 * 0.25 = 0.125
            logits_of(0.0, 0.8, 0.2),  # a mean of 0.6, 0.8 * 0.01 + 0.2 * 0.16 = 0.04
        ]
    )
    bins = Bins(logits[None], centres)
    expected = torch.tensor([[0.0, 0.5, math.sqrt(0.125), 0.2]])
    assert_close(bins_sigmas(bins), expected)
    assert_close(sigmas(BoxOutput(BOX, bins=bins)), expected)


def test_votes_have_the_standard_deviation_of_their_weighted_mean():
    votes = torch.tensor([[[0.1, 0.3], [0.2, 0.2], [0.5, 0.9], [0.0, 1.0]]])
    weights = torch.tensor([[[0.5, 0.5], [0.9, 0.1], [0.25, 0.75], [1.0, 0.0]]])
    found = sigmas(BoxOutput(BOX, votes=VoteOutput(votes, Shared(torch.zeros(2, 2)), weights)))
    # The third: a mean of 0.8, 0.25 * 0.09 + 0.75 * 0.01 = 0.03
    assert_close(found, torch.tensor([[0.1, 0.0, math.sqrt(0.03), 0.0]]))


def test_anchors_have_that_of_the_boxes_of_all_weighted_by_their_probabilities():
    anchors = torch.tensor([[0.5, 0.5, 0.2, 0.4], [0.3, 0.3, 0.2, 0.2]])
    boxes = torch.tensor([[0.2, 0.3, 0.6, 0.4], [0.4, 0.3, 0.6, 0.8]])
    scores = logits_of(0.75, 0.25)[None]
    found = AnchorOutput(scores, encode(boxes, anchors)[None], Shared(anchors))
    # Two values d apart, of three and one quarters: d * sqrt(3 / 16)
    expected = torch.tensor([[0.2, 0.0, 0.0, 0.4]]) * math.sqrt(3 / 16)
    assert_close(sigmas(BoxOutput(BOX, anchors=found)), expected, atol=1e-6, rtol=1e-5)


def test_a_laplace_distribution_has_the_root_of_2_times_its_scale():
    scales = torch.tensor([[0.1, 0.2, 0.3, 0.4]])
    drawn = torch.distributions.Laplace(0.0, scales[0]).stddev
    assert_close(sigmas(BoxOutput(BOX, scales=scales)), drawn[None])


def test_bins_come_before_scales():
    bins = Bins(torch.zeros(1, 4, 2), Shared(torch.tensor([0.0, 1.0])))
    found = sigmas(BoxOutput(BOX, bins=bins, scales=torch.full((1, 4), 9.0)))
    assert_close(found, torch.full((1, 4), 0.5))


# --- heads without -----------------------------------------------------------------------------


def test_the_estimate_of_the_iou_leaves_a_share_of_width_and_height():
    logit = torch.tensor([math.log(3)])  # an IoU of 3/4
    found = sigmas(BoxOutput(BOX), iou_logit=logit)
    assert_close(found, torch.tensor([[0.1, 0.025, 0.1, 0.025]]))


def test_without_that_estimate_the_probability_of_the_label_does():
    logits = logits_of(0.9, 0.06, 0.04)[None]
    assert_close(
        sigmas(BoxOutput(BOX), class_logits=logits), torch.tensor([[0.04, 0.01, 0.04, 0.01]])
    )


@pytest.mark.parametrize("iou_logit", [None, torch.tensor([200.0])])
def test_certainty_leaves_a_thousandth(iou_logit):
    only = torch.zeros(1, 1)  # one class has the probability 1
    found = sigmas(BoxOutput(BOX), class_logits=only, iou_logit=iou_logit)
    assert_close(found, torch.tensor([[4e-4, 1e-4, 4e-4, 1e-4]]))


def test_corners_in_the_wrong_order_have_the_sigma_of_the_right_order():
    turned = BOX[:, [2, 3, 0, 1]]
    assert_close(sigmas(BoxOutput(turned)), sigmas(BoxOutput(BOX)))


# --- laws --------------------------------------------------------------------------------------


def test_sigmas_of_an_image_depend_on_no_other_image():
    torch.manual_seed(0)
    centres = Shared(torch.linspace(0, 1, 8))
    bins = Bins(torch.randn(5, 4, 8), centres)
    whole = bins_sigmas(bins)
    assert_close(whole[3:4], bins_sigmas(Bins(bins.logits[3:4], centres)))
    assert bins_sigmas(Bins(bins.logits[:0], centres)).shape == (0, 4)


def test_a_shift_of_all_positions_changes_no_sigma():
    torch.manual_seed(0)
    logits, positions = torch.randn(3, 4, 8), torch.linspace(0, 1, 8)
    here, there = (Bins(logits, Shared(positions + shift)) for shift in (0.0, 5.0))
    assert_close(bins_sigmas(here), bins_sigmas(there), atol=1e-5, rtol=1e-4)
