"""Box layouts: boxes by hand, round trips, and agreement with torchvision."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close
from torchvision.ops import box_convert

from onebox import boxes as array_boxes
from onebox.learning.networks.box_layouts import LAYOUTS, from_xyxy, to_xyxy

edges = st.floats(-2, 3, width=32)
rows_of_four = st.lists(st.tuples(edges, edges, edges, edges), max_size=5).map(
    lambda rows: torch.tensor(rows, dtype=torch.float64).reshape(-1, 4)
)

# A box from (0.25, 0.5) to (0.75, 0.625): 1/2 wide, 1/8 high.
BOX = (0.25, 0.5, 0.75, 0.625)
BY_HAND = [
    ("xyxy", (0.25, 0.5, 0.75, 0.625)),
    ("xywh", (0.25, 0.5, 0.5, 0.125)),
    ("xyhw", (0.25, 0.5, 0.125, 0.5)),
    ("cxcywh", (0.5, 0.5625, 0.5, 0.125)),
]


def test_every_layout_has_a_case_worked_by_hand():
    assert {name for name, _ in BY_HAND} == LAYOUTS.keys()


@pytest.mark.parametrize(("layout", "numbers"), BY_HAND)
def test_a_box_is_converted_as_worked_by_hand_both_ways(layout, numbers):
    assert_close(to_xyxy(torch.tensor([numbers]), layout), torch.tensor([BOX]))
    assert_close(from_xyxy(torch.tensor([BOX]), layout), torch.tensor([numbers]))


@pytest.mark.parametrize("layout", LAYOUTS)
@given(rows_of_four)
def test_a_round_trip_gives_the_same_box(layout, rows):
    assert_close(to_xyxy(from_xyxy(rows, layout), layout), rows, atol=1e-12, rtol=0)
    assert_close(from_xyxy(to_xyxy(rows, layout), layout), rows, atol=1e-12, rtol=0)


@pytest.mark.parametrize("layout", ["xyxy", "xywh", "cxcywh"])
@given(rows_of_four)
def test_torchvision_agrees(layout, rows):
    assert_close(to_xyxy(rows, layout), box_convert(rows, layout, "xyxy"))
    assert_close(from_xyxy(rows, layout), box_convert(rows, "xyxy", layout))


@given(rows_of_four)
def test_xyhw_is_torchvisions_xywh_with_its_last_two_numbers_swapped(rows):
    expected = box_convert(rows, "xyxy", "xywh")
    assert_close(from_xyxy(rows, "xyhw"), expected[:, [0, 1, 3, 2]])


@pytest.mark.parametrize("layout", sorted(LAYOUTS.keys() & array_boxes.LAYOUTS.keys()))
def test_tensors_and_arrays_agree(layout):
    rows = torch.rand(20, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    np.testing.assert_allclose(
        to_xyxy(rows, layout).numpy(), array_boxes.to_xyxy(rows.numpy(), layout)
    )


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_converted_box_is_a_copy(layout):
    rows = torch.tensor([BOX])
    for converted in (to_xyxy(rows, layout), from_xyxy(rows, layout)):
        converted.add_(1)
    assert_close(rows, torch.tensor([BOX]))
