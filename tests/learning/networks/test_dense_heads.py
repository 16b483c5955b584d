"""Heads that read every cell: votes and heat maps by hand, and laws of both."""

import math

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from onebox.learning.networks.dense_heads import HeatmapBox, VoteBox
from onebox.learning.networks.vectorizers import Features, Sizes
from onebox.recipes.sections import ModelSettings

CHANNELS = 8
SIZES, SETTINGS = Sizes(vector=5, map=CHANNELS), ModelSettings()
NEVER = -1e4  # a logit whose probability is zero


def on_map(cells):
    return Features(torch.zeros(len(cells), 5), cells)


# --- votes -------------------------------------------------------------------------------------


def head_of_channels():
    """A head whose distances are the map's first four channels, and its weights the next four."""
    head = VoteBox(SIZES, SETTINGS)
    head.tower = nn.Identity()
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.zero_()
        for edge in range(4):
            head.distances.weight[edge, edge] = 1
            head.attention.weight[edge, 4 + edge] = 1
    return head


def test_a_vote_is_the_cells_centre_minus_or_plus_its_distances():
    cells = torch.zeros(1, CHANNELS, 2, 4)
    cells[0, :4, 1, 0] = torch.tensor([0.1, 0.2, 0.3, 0.4])
    cells[0, :4, 0, 2] = torch.tensor([-0.1, 0.05, 0.0, 0.7])
    votes = head_of_channels()(on_map(cells)).votes
    # Two rows of four columns: the fifth cell starts the second row.
    assert_close(votes.centres.values[4], torch.tensor([0.125, 0.75]))
    assert_close(votes.centres.values[2], torch.tensor([0.625, 0.25]))
    lower_left = torch.tensor([0.125 - 0.1, 0.75 - 0.2, 0.125 + 0.3, 0.75 + 0.4])
    assert_close(votes.boxes[0, :, 4], lower_left)
    # A cell left of the subject votes for a left edge to its right.
    assert_close(votes.boxes[0, :, 2], torch.tensor([0.725, 0.2, 0.625, 0.95]))


def test_each_edge_weighs_the_votes_by_weights_of_its_own():
    cells = torch.full((1, CHANNELS, 2, 2), NEVER)
    cells[0, :4] = 0
    cells[0, :4, 0, 0] = torch.tensor([0.1, 0.2, 0.3, 0.4])
    cells[0, 4:, 0, 0] = 0
    cells[0, 4, 0, 1] = math.log(3)  # left, three times as much
    cells[0, 5, 1, 0] = 0  # top, as much
    # The votes of the first cell, at (1/4, 1/4), are 0.15, 0.05, 0.55 and 0.65; the others vote
    # for their own centres.
    box = [0.15 / 4 + 0.75 * 3 / 4, (0.05 + 0.75) / 2, 0.55, 0.65]
    assert_close(head_of_channels()(on_map(cells)).boxes, torch.tensor([box]))


def test_at_first_every_cell_votes_for_a_box_of_half_the_image_around_it():
    output = VoteBox(SIZES, SETTINGS).eval()(on_map(torch.zeros(1, CHANNELS, 6, 6)))
    # all cells weigh the same, and the mean of their centres is the image's
    assert_close(output.boxes, torch.tensor([[0.25, 0.25, 0.75, 0.75]]))


@pytest.mark.parametrize("seed", range(3))
def test_no_edge_lies_beyond_all_votes_for_it(seed):
    torch.manual_seed(seed)
    output = VoteBox(SIZES, SETTINGS)(on_map(torch.randn(4, CHANNELS, 5, 5)))
    votes = output.votes.boxes
    assert votes.shape == (4, 4, 25)
    assert (output.boxes >= votes.amin(dim=2) - 1e-6).all()
    assert (output.boxes <= votes.amax(dim=2) + 1e-6).all()
    assert output.boxes.std() > 0


def test_a_subject_that_shifts_by_a_cell_shifts_its_votes_by_a_cell():
    torch.manual_seed(0)
    head = VoteBox(SIZES, SETTINGS).eval()
    here, there = torch.zeros(2, 1, CHANNELS, 12, 12)
    here[:, :, 5, 5] = there[:, :, 6, 6] = torch.randn(CHANNELS)
    with torch.no_grad():
        ours, theirs = (
            head(on_map(cells)).votes.boxes.unflatten(2, (12, 12)) for cells in (here, there)
        )
    assert_close(theirs[:, :, 4:9, 4:9], ours[:, :, 3:8, 3:8] + 1 / 12)
    assert not torch.allclose(theirs[:, :, 6, 6], theirs[:, :, 1, 1] + 5 / 12, atol=1e-3)


# --- heat --------------------------------------------------------------------------------------


def pointing(row_tap=1, column_tap=1):
    """A head that is sure of the cell where the map's first, or second, channel shines."""
    head = HeatmapBox(SIZES, SETTINGS)
    head.refine = nn.Identity()
    with torch.no_grad():
        head.heat.weight.zero_()
        head.heat.bias.zero_()
        for corner in (0, 1):
            head.heat.weight[corner, corner, row_tap, column_tap] = 1000
    return head


def shining(upper_left, lower_right, cells=8):
    heat = torch.zeros(1, CHANNELS, cells, cells)
    heat[0, 0, *upper_left] = heat[0, 1, *lower_right] = 1
    return on_map(heat)


def test_a_heat_map_with_one_peak_gives_the_centre_of_its_cell():
    box = pointing()(shining((1, 2), (5, 6))).boxes
    # rows are y, columns x
    assert_close(box, torch.tensor([[2.5 / 8, 1.5 / 8, 6.5 / 8, 5.5 / 8]]))


def test_a_corner_can_lie_at_the_frame_or_a_little_outside():
    outside = pointing(row_tap=2, column_tap=2)(shining((0, 0), (0, 0))).boxes
    assert_close(outside, torch.full((1, 4), -0.5 / 8))
    beyond = pointing(row_tap=0, column_tap=0)(shining((7, 7), (7, 7))).boxes
    assert_close(beyond, torch.full((1, 4), 8.5 / 8))


def test_two_equal_peaks_give_the_position_between_them():
    cells = shining((1, 2), (5, 6))
    cells.map[0, 0, 3, 6] = 1
    box = pointing()(cells).boxes
    assert_close(box[0, :2], torch.tensor([4.5 / 8, 2.5 / 8]))


def test_uniform_heat_gives_the_centre_of_the_image():
    assert_close(pointing()(on_map(torch.zeros(1, CHANNELS, 8, 8))).boxes, torch.full((1, 4), 0.5))


def test_bins_are_marginals_of_one_distribution_over_twice_the_cells_and_one_more_at_every_end():
    torch.manual_seed(0)
    head = HeatmapBox(SIZES, SETTINGS).eval()
    cells = torch.randn(3, CHANNELS, 5, 5)
    with torch.no_grad():
        output = head(on_map(cells))
        heat = head.heat(head.refine(cells))
    # 2 * 5 cells, and one more at either end
    assert heat.shape == (3, 2, 12, 12)
    first, second = heat.flatten(2).softmax(dim=2).reshape(3, 2, 12, 12).unbind(1)
    along = [first.sum(1), first.sum(2), second.sum(1), second.sum(2)]
    assert_close(output.bins.logits.softmax(dim=2), torch.stack(along, dim=1))
    assert_close(output.bins.centres.values, torch.linspace(-0.05, 1.05, 12))
    assert_close(output.boxes, torch.stack(along, dim=1) @ output.bins.centres.values)


@pytest.mark.parametrize("kind", [VoteBox, HeatmapBox])
def test_a_head_of_every_cell_refuses_features_without_cells(kind):
    with pytest.raises(ValueError, match="reads a map, and its vectorizer keeps none"):
        kind(SIZES, SETTINGS)(Features(torch.zeros(1, 5), None))
