"""The mean of outputs for images and for their mirrored copies."""

import pytest
import torch
from torch.testing import assert_close

from onebox.learning.networks.head_outputs import BoxOutput, KeypointOutput, Outputs
from onebox.learning.networks.keypoint_heads import HeatmapKeypoints
from onebox.learning.networks.mirroring import mean_with_mirrored
from onebox.learning.networks.vectorizers import Sizes
from onebox.recipes.sections import ModelSettings

PAIRS = ((0, 1),)


def head_of(keypoints=3):
    settings = ModelSettings(box_head="hull", keypoints=True)
    return HeatmapKeypoints(Sizes(4, 4), settings, keypoints).eval()


def outputs_of(heat, logits):
    """Outputs of a network whose other heads say 1, 2, ... for each row."""
    rows = torch.arange(1.0, len(heat) + 1)
    keypoints = None if heat is None else head_of(heat.shape[1]).read(heat)
    box = BoxOutput(torch.rand(len(heat), 4))
    return Outputs(box, logits, rows, keypoints, 2 * rows)


def mirrored(heat):
    """The heat of the mirrored image: left and right are swapped, and so are the columns."""
    return heat.flip(3)[:, [1, 0, 2]]


def test_a_network_that_mirrors_with_its_image_says_the_same_as_without():
    heat = torch.randn(2, 3, 6, 8, generator=torch.Generator().manual_seed(0))
    logits = torch.tensor([[1.0, 2.0], [3.0, 5.0]])
    found = mean_with_mirrored(
        outputs_of(torch.cat([heat, mirrored(heat)]), logits.repeat(2, 1)), head_of(), PAIRS
    )
    plain = head_of().read(heat)
    assert_close(found.keypoints.points, plain.points)
    assert_close(found.keypoints.confidence, plain.confidence)
    assert_close(found.class_logits, logits)
    low, high = plain.points.amin(dim=1), plain.points.amax(dim=1)
    assert_close(found.box.boxes, torch.cat([low, high], dim=1))


def test_numbers_of_an_image_are_averaged_with_those_of_its_own_copy():
    heat = torch.zeros(4, 3, 6, 8)
    logits = torch.tensor([[0.0], [1.0], [10.0], [21.0]])
    found = mean_with_mirrored(outputs_of(heat, logits), head_of(), PAIRS)
    assert_close(found.class_logits, torch.tensor([[5.0], [11.0]]))
    assert_close(found.iou_logit, torch.tensor([2.0, 3.0]))  # of 1 and 3, and of 2 and 4
    assert_close(found.presence_logit, torch.tensor([4.0, 6.0]))


def test_of_two_peaks_the_one_on_which_both_agree_wins():
    heat = torch.full((1, 3, 1, 12), -99.0)
    heat[0, :, 0, 1], heat[0, :, 0, 9] = 1.1, 1.0  # the image alone: column 1
    other = torch.full((1, 3, 1, 12), -99.0)
    other[0, :, 0, 9] = 1.0  # its copy, mirrored back: column 9
    both = torch.cat([heat, mirrored(other)])
    assert_close(head_of().read(heat).points[..., 0], torch.full((1, 3), 1.5 / 12))
    found = mean_with_mirrored(outputs_of(both, torch.zeros(2, 1)), head_of(), PAIRS)
    assert_close(found.keypoints.points[..., 0], torch.full((1, 3), 9.5 / 12))


def test_outputs_without_heat_are_refused():
    outputs = Outputs(
        BoxOutput(torch.rand(2, 4)),
        torch.zeros(2, 1),
        None,
        KeypointOutput(torch.rand(2, 3, 2), torch.zeros(2, 3)),
    )
    with pytest.raises(ValueError, match="only heat maps"):
        mean_with_mirrored(outputs, head_of(), PAIRS)
