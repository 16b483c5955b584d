"""Looks at windows of images, and their mean."""

import pytest
import torch
from torch.testing import assert_close

from onebox.learning.cross_validation.looks import (
    Look,
    Viewer,
    join_looks,
    mean_look,
    select_look,
    whole_windows,
    windows_around,
)
from onebox.learning.networks.head_outputs import BoxOutput, KeypointOutput, Outputs

pytestmark = pytest.mark.train

SIZE = 64


class Finder(torch.nn.Module):
    """A network that finds the bright rectangle, and its corners as keypoints."""

    def forward(self, images):
        bright = images.mean(dim=1) > 0.9
        boxes = torch.stack([self.extent(one) for one in bright]) / SIZE
        points = boxes[:, [0, 1, 2, 1]].unflatten(1, (2, 2))
        return Outputs(
            BoxOutput(boxes, scales=torch.tensor([[0.01, 0.02, 0.03, 0.04]]).repeat(len(boxes), 1)),
            torch.tensor([[2.0, 1.0]]).repeat(len(boxes), 1),
            None,
            KeypointOutput(points, torch.zeros(len(boxes), 2)),
            torch.zeros(len(boxes)),
        )

    @staticmethod
    def extent(bright):
        rows, columns = torch.nonzero(bright, as_tuple=True)
        found = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        return torch.stack(found).float()


TRUE = torch.tensor([[0.25, 0.375, 0.5, 0.625], [0.0, 0.5, 0.25, 1.0]])
KEYPOINTS = TRUE[:, [0, 1, 2, 1]].unflatten(1, (2, 2))  # the upper left and right corners


@pytest.fixture
def images():
    images = torch.full((2, 3, 128, 128), 0.5)
    for image, box in zip(images, (TRUE * 128).int().tolist(), strict=True):
        image[:, box[1] : box[3], box[0] : box[2]] = 1
    return images


@pytest.fixture
def viewer():
    return Viewer(Finder(), SIZE, flip_pairs=((0, 1),))


@pytest.mark.parametrize("is_flipped", [False, True])
@pytest.mark.parametrize(
    "windows",
    [whole_windows(2), torch.tensor([[0.125, 0.25, 0.625, 0.75], [0.0, 0.5, 0.5, 1.0]])],
    ids=["whole", "windows"],
)
def test_a_look_is_in_coordinates_of_the_whole_image(viewer, images, windows, is_flipped):
    look = viewer.look(images, windows, is_flipped=is_flipped)
    assert_close(look.boxes, TRUE, atol=0.02, rtol=0)
    assert_close(look.keypoints, KEYPOINTS, atol=0.02, rtol=0)
    assert_close(look.present, torch.full((2,), 0.5))


def test_spreads_shrink_with_the_window_and_change_sides_with_the_mirror(viewer, images):
    half = torch.tensor([[0.125, 0.25, 0.625, 0.75], [0.0, 0.5, 0.5, 1.0]])
    plain = viewer.look(images, half, is_flipped=False).sigmas[0] / 2**0.5
    mirrored = viewer.look(images, half, is_flipped=True).sigmas[0] / 2**0.5
    assert_close(plain, torch.tensor([0.005, 0.01, 0.015, 0.02]))
    assert_close(mirrored, torch.tensor([0.015, 0.01, 0.005, 0.02]))


def test_windows_surround_their_boxes_inside_the_image():
    boxes = torch.tensor([[0.4, 0.4, 0.6, 0.7], [0.0, 0.1, 0.5, 1.0], [0.9, 0.9, 0.95, 0.92]])
    found = windows_around(boxes, 1.5)
    # .2 and .3 wide become .3 and .45; a window at the border is shifted; the least is .3
    assert_close(
        found,
        torch.tensor([[0.35, 0.325, 0.65, 0.775], [0, 0, 0.75, 1], [0.7, 0.7, 1.0, 1.0]]),
    )


def look(boxes, sigmas, probabilities):
    return Look(
        torch.tensor([boxes]),
        torch.tensor([sigmas]),
        torch.tensor([probabilities]).log(),
        None,
        None,
    )


def test_the_mean_look_by_hand():
    one = look([0.0, 0.0, 0.4, 0.4], [0.3, 0.1, 0.1, 0.1], [0.8, 0.2])
    two = look([0.2, 0.0, 0.4, 0.6], [0.4, 0.1, 0.1, 0.1], [0.5, 0.5])
    mean = mean_look([one, two])
    assert_close(mean.boxes, torch.tensor([[0.1, 0.0, 0.4, 0.5]]))
    # the root of the mean of .09 and .16
    assert mean.sigmas[0, 0] == pytest.approx(0.125**0.5)
    # geometric means sqrt(.4) and sqrt(.1), which are as 2 to 1
    assert_close(mean.log_probabilities.exp(), torch.tensor([[2 / 3, 1 / 3]]))


def test_looks_are_joined_and_selected_by_row():
    one = look([0.0, 0.0, 0.4, 0.4], [0.3, 0.1, 0.1, 0.1], [0.8, 0.2])
    two = look([0.2, 0.0, 0.4, 0.6], [0.4, 0.1, 0.1, 0.1], [0.5, 0.5])
    joined = join_looks([one, two])
    assert_close(select_look(joined, torch.tensor([1, 0]).numpy()).boxes, joined.boxes.flip(0))
