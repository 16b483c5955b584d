"""Anchors: their positions and sizes, offsets by hand, and encoding and decoding as inverses."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close
from torchvision.models.detection._utils import BoxCoder
from torchvision.ops import box_convert

from onebox.learning.networks.anchors import (
    anchor_sizes,
    cluster_sizes,
    decode,
    encode,
    place_anchors,
)
from onebox.recipes.sections import AnchorSettings

LARGEST = math.log(1000 / 16)

positions, lengths = st.floats(-0.5, 1.5), st.floats(0.01, 1.5)


@st.composite
def centred(draw):
    """A ``cxcywh`` box with an area."""
    return [draw(positions), draw(positions), draw(lengths), draw(lengths)]


def doubles(*rows):
    return torch.tensor(rows, dtype=torch.float64)


def many(count, seed):
    """Random ``cxcywh`` boxes."""
    generator = torch.Generator().manual_seed(seed)
    centres = torch.rand(count, 2, generator=generator, dtype=torch.float64)
    extents = 0.05 + torch.rand(count, 2, generator=generator, dtype=torch.float64)
    return torch.cat([centres, extents], dim=1)


# --- box and offsets ---------------------------------------------------------------------------


def test_offsets_are_shifts_in_anchor_sizes_and_logarithms_of_ratios():
    anchor = torch.tensor([[0.5, 0.5, 0.4, 0.2]])
    # centre (0.6, 0.45): a quarter of 0.4 to the right, a quarter of 0.2 upwards; 0.8 x 0.1 large
    box = torch.tensor([[0.2, 0.4, 1.0, 0.5]])
    by_hand = torch.tensor([[0.25, -0.25, math.log(2), math.log(0.5)]])
    assert_close(encode(box, anchor), by_hand)
    assert_close(decode(by_hand, anchor), box)


def test_offsets_of_zero_give_the_anchor_itself():
    anchors = many(9, 0)
    assert_close(decode(torch.zeros_like(anchors), anchors), box_convert(anchors, "cxcywh", "xyxy"))


@given(centred(), centred())
def test_decoding_what_was_encoded_gives_the_box_back(box, anchor):
    ratios = [abs(math.log(box[k] / anchor[k])) for k in (2, 3)]
    if max(ratios) >= LARGEST:
        return
    boxes = box_convert(doubles(box), "cxcywh", "xyxy")
    assert_close(decode(encode(boxes, doubles(anchor)), doubles(anchor)), boxes)


@given(st.lists(st.floats(-3, 3), min_size=4, max_size=4), centred())
def test_encoding_what_was_decoded_gives_the_offsets_back(offsets, anchor):
    found = encode(decode(doubles(offsets), doubles(anchor)), doubles(anchor))
    assert_close(found, doubles(offsets), atol=1e-9, rtol=1e-9)


def test_torchvisions_box_coder_agrees_both_ways():
    coder = BoxCoder(weights=(1.0, 1.0, 1.0, 1.0))
    boxes, anchors = (many(200, seed) for seed in (1, 2))
    corners, theirs = (box_convert(each, "cxcywh", "xyxy") for each in (boxes, anchors))
    assert_close(encode(corners, anchors), coder.encode_single(corners, theirs))
    offsets = 3 * torch.randn(200, 4, dtype=torch.float64)
    assert_close(decode(offsets, anchors), coder.decode_single(offsets, theirs))


def test_a_box_is_at_most_62_5_times_as_large_as_its_anchor():
    box = decode(doubles([0, 0, 99, 99]), doubles([0.5, 0.5, 0.01, 0.02]))
    half_wh = (1000 / 16) * doubles([0.01, 0.02]) / 2
    assert_close(box, torch.cat([0.5 - half_wh, 0.5 + half_wh], dim=1))


# --- positions and sizes -----------------------------------------------------------------------


def test_anchors_come_row_by_row_and_size_by_size_within_a_cell():
    sizes = torch.tensor([[0.5, 0.25], [0.1, 0.2]])
    # two rows of three cells
    centres = [(x / 6, y / 4) for y in (1, 3) for x in (1, 3, 5)]
    expected = [[x, y, *size] for x, y in centres for size in sizes.tolist()]
    assert_close(place_anchors(sizes, 2, 3), torch.tensor(expected))


@pytest.mark.parametrize(("count", "rows", "columns"), [(1, 1, 1), (9, 14, 14), (3, 2, 5)])
def test_there_is_one_anchor_of_every_size_at_every_cell(count, rows, columns):
    anchors = place_anchors(torch.rand(count, 2), rows, columns)
    assert anchors.shape == (count * rows * columns, 4)
    assert len({tuple(row) for row in anchors[:, :2].tolist()}) == rows * columns


def test_a_scale_is_the_root_of_the_area_and_an_aspect_the_width_over_the_height():
    settings = AnchorSettings(scales=(0.25, 0.5), aspects=(1.0, 4.0))
    # 0.25 x 0.25; twice as wide and half as high; and the same of 0.5
    expected = [(0.25, 0.25), (0.5, 0.125), (0.5, 0.5), (1.0, 0.25)]
    np.testing.assert_allclose(anchor_sizes(settings), expected)


def test_clustered_sizes_replace_scales_and_aspects():
    sizes = ((0.2, 0.3), (0.6, 0.5))
    assert anchor_sizes(AnchorSettings(sizes=sizes)) == list(sizes)


# --- clusters ----------------------------------------------------------------------------------


def boxes_of(sizes):
    """``xyxy`` boxes of given sizes."""
    return np.concatenate([np.zeros_like(sizes), sizes], axis=1)


def around(size, count, seed):
    return np.array(size) + np.random.default_rng(seed).uniform(-0.02, 0.02, (count, 2))


@pytest.mark.parametrize("seed", range(6))
def test_two_obvious_clusters_are_found_the_smaller_first(seed):
    wide, high = around((0.6, 0.2), 30, 1), around((0.1, 0.3), 20, 2)
    found = cluster_sizes(boxes_of(np.concatenate([wide, high])), 2, seed)
    np.testing.assert_allclose(found, [high.mean(axis=0), wide.mean(axis=0)], atol=1e-6)


def test_the_same_seed_gives_the_same_clusters():
    boxes = boxes_of(np.random.default_rng(3).uniform(0.05, 0.7, (200, 2)))
    assert cluster_sizes(boxes, 5, 1) == cluster_sizes(boxes, 5, 1)
    assert len(set(cluster_sizes(boxes, 5, 1))) == 5


def test_there_are_no_more_clusters_than_different_sizes():
    boxes = boxes_of(np.array([[0.25, 0.25]] * 7 + [[0.5, 0.5]] * 3))
    np.testing.assert_allclose(sorted(cluster_sizes(boxes, 9, 0)), [(0.25, 0.25), (0.5, 0.5)])


def test_one_cluster_is_the_mean_size_of_all_boxes():
    boxes = boxes_of(np.array([[0.2, 0.4]] * 3 + [[0.6, 0.8]]))
    # three times 0.2 and once 0.6 make 1.2; three times 0.4 and once 0.8 make 2.0
    np.testing.assert_allclose(cluster_sizes(boxes, 1, 0), [(0.3, 0.5)])
