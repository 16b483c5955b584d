"""Sums of a map over a box, by hand."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from onebox.learning.networks.box_features import sum_in_box

EVERYWHERE = 1e-4  # the weight of a column or a row outside the box

# Two channels of 2 x 2 cells; the second is ten times the first.
CELLS = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
MAP = torch.stack([CELLS, 10 * CELLS])[None]


def summed(*edges):
    return sum_in_box(MAP, torch.tensor([edges]))[0]


def near(value):
    """Both channels, up to what every cell adds."""
    return pytest.approx([value, 10 * value], rel=3e-3)


def test_a_box_sums_the_cells_in_it():
    assert summed(0.0, 0.0, 1.0, 1.0).tolist() == near(10)
    assert summed(0.5, 0.0, 1.0, 0.5).tolist() == near(2)
    assert summed(0.0, 0.5, 1.0, 1.0).tolist() == near(7)


def test_a_cell_counts_by_the_fraction_that_the_box_covers():
    # Half of the first column, in both rows: (1 + 3) / 2
    assert summed(0.0, 0.0, 0.25, 1.0).tolist() == near(2)
    # Half of each column and half of each row: a quarter of each cell
    assert summed(0.25, 0.25, 0.75, 0.75).tolist() == near(2.5)
    # A quarter of the width of the last cell, and half of its height
    assert summed(0.625, 0.5, 0.75, 0.75).tolist() == near(4 / 8)


def test_a_box_without_a_size_sums_all_cells_alike_but_those_in_its_column_and_row():
    found = summed(0.5, 0.5, 0.5, 0.5)
    assert_close(found, EVERYWHERE**2 * torch.tensor([10.0, 100.0]))


def test_every_cell_has_a_weight_by_hand():
    # The left column whole and the right one not, in the upper row alone.
    one, none = 1 + EVERYWHERE, EVERYWHERE
    by_hand = 1 * one * one + 2 * none * one + 3 * one * none + 4 * none * none
    assert_close(summed(0.0, 0.0, 0.5, 0.5)[0], torch.tensor(by_hand))


def test_each_image_has_its_own_box():
    maps = torch.rand(3, 5, 4, 4, generator=torch.Generator().manual_seed(0))
    boxes = torch.tensor([[0.0, 0.0, 1.0, 1.0], [0.1, 0.2, 0.3, 0.9], [0.4, 0.4, 0.4, 0.4]])
    together = sum_in_box(maps, boxes)
    assert together.shape == (3, 5)
    for row in range(3):
        assert_close(sum_in_box(maps[row : row + 1], boxes[row : row + 1])[0], together[row])


@given(st.lists(st.floats(0, 1, width=32), min_size=4, max_size=4))
def test_the_sum_of_ones_is_the_area_in_cells(edges):
    x_min, x_max = sorted(edges[:2])
    y_min, y_max = sorted(edges[2:])
    side = 4
    found = sum_in_box(torch.ones(1, 1, side, side), torch.tensor([[x_min, y_min, x_max, y_max]]))
    along = [(x_max - x_min) * side + side * EVERYWHERE, (y_max - y_min) * side + side * EVERYWHERE]
    assert found.item() == pytest.approx(along[0] * along[1], abs=1e-4)


def test_the_order_of_rows_and_columns_is_that_of_the_image():
    wide = torch.zeros(1, 1, 3, 3)
    wide[0, 0, 0, 2] = 1  # upper right
    assert sum_in_box(wide, torch.tensor([[0.7, 0.0, 1.0, 0.3]])).item() > 0.7
    assert sum_in_box(wide, torch.tensor([[0.0, 0.7, 0.3, 1.0]])).item() < 0.01
