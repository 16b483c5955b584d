"""Peaks of heat maps, and the target that heat maps learn."""

import math

import pytest
import torch
from torch.testing import assert_close

from onebox.learning.networks.heatmaps import cross_entropy, find_peaks

COLD = -99.0


def heat_of(cells, rows=1, columns=12):
    """One heat map with these probabilities by (row, column); they sum to 1."""
    heat = torch.full((1, 1, rows, columns), COLD)
    for (row, column), probability in cells.items():
        heat[0, 0, row, column] = math.log(probability)
    return heat


def test_a_second_peak_elsewhere_does_not_move_the_first():
    points, log_odds = find_peaks(heat_of({(0, 1): 0.6, (0, 8): 0.4}))
    assert_close(points, torch.tensor([[[1.5 / 12, 0.5]]]))
    assert_close(log_odds, torch.tensor([[math.log(0.6 / 0.4)]]))


def test_the_position_is_the_mean_of_the_cells_around_the_peak():
    points, log_odds = find_peaks(heat_of({(0, 4): 0.5, (0, 5): 0.3, (0, 6): 0.1, (0, 11): 0.1}))
    # The 3 x 3 cells around column 5 hold most: it is the peak, and 3 to 7 belong to it.
    mean = (0.5 * 4.5 + 0.3 * 5.5 + 0.1 * 6.5) / 0.9
    assert_close(points, torch.tensor([[[mean / 12, 0.5]]]))
    assert_close(log_odds, torch.tensor([[math.log(9)]]))


def test_three_cells_beside_each_other_win_over_a_single_hotter_one():
    spread = {(0, 2): 0.2, (0, 3): 0.2, (0, 4): 0.2, (0, 9): 0.4}
    points, _ = find_peaks(heat_of(spread))
    assert_close(points, torch.tensor([[[3.5 / 12, 0.5]]]))


def test_rows_and_columns_are_not_confused():
    points, _ = find_peaks(heat_of({(1, 6): 1.0}, rows=4, columns=8))
    assert_close(points, torch.tensor([[[6.5 / 8, 1.5 / 4]]]))


@pytest.mark.parametrize(("row", "column"), [(0, 0), (3, 7), (0, 7)])
def test_a_peak_at_the_frame_is_found(row, column):
    points, _ = find_peaks(heat_of({(row, column): 1.0}, rows=4, columns=8))
    assert_close(points, torch.tensor([[[(column + 0.5) / 8, (row + 0.5) / 4]]]))


def test_log_odds_stay_finite():
    heat = torch.cat([heat_of({(0, 3): 1.0}), torch.zeros(1, 1, 1, 12)])
    assert find_peaks(heat)[1].isfinite().all()


def test_the_cross_entropy_is_least_for_the_target_itself_and_is_then_its_entropy():
    points = torch.tensor([[[4.5 / 12, 5.5 / 10]]])  # the centre of a cell
    x = torch.arange(12.0) - 4
    y = torch.arange(10.0) - 5
    target = torch.exp(-(x[None, :] ** 2 + y[:, None] ** 2) / 2)
    target = target / target.sum()
    least = cross_entropy(target.log()[None, None], points)
    assert_close(least, torch.tensor([[-(target * target.log()).sum()]]))
    shifted = target.roll(1, dims=1)
    assert cross_entropy(shifted.clamp(min=1e-9).log()[None, None], points) > least + 0.3


def test_the_peak_of_a_map_that_has_learnt_its_target_lies_at_the_true_position():
    generator = torch.Generator().manual_seed(0)
    points = 0.25 + 0.5 * torch.rand(1, 3, 2, generator=generator)
    heat = torch.zeros(1, 3, 16, 12, requires_grad=True)
    optimizer = torch.optim.LBFGS([heat], max_iter=200)

    def loss():
        optimizer.zero_grad()
        value = cross_entropy(heat, points).sum()
        value.backward()
        return value

    optimizer.step(loss)
    # Cut off at two cells, the mean of a normal distribution moves towards the cell's centre.
    assert_close(find_peaks(heat)[0], points, atol=0.2 / 12, rtol=0)
