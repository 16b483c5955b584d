"""Nothing leaves a box or a keypoint wrong: bright marks are varied, and found again from pixels."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from onebox.learning.data.augmentation import (
    Targets,
    augment,
    move_boxes,
    move_keypoints,
    random_windows,
    show,
    vary_colours,
)
from onebox.recipes.sections import AugmentSettings

SIDE, SIZE = 80, 64
NO_COLOURS = {"brightness": 0, "contrast": 0, "saturation": 0, "grayscale": 0}
STILL = AugmentSettings(geometric_probability=0, flip=0, **NO_COLOURS)
WHOLE = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
SEEDS = range(6)

seeds = st.integers(0, 2**31)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def rectangles(count, seed):
    """White rectangles on black, of at least 12 pixels a side, and their boxes in shares."""
    generator = seeded(seed)
    size = torch.randint(12, SIDE - 1, (count, 2), generator=generator)
    corner = (torch.rand(count, 2, generator=generator) * (SIDE - size + 1)).long()
    boxes = torch.cat([corner, corner + size], dim=1)
    images = torch.zeros(count, 3, SIDE, SIDE)
    for image, (left, top, right, bottom) in zip(images, boxes.tolist(), strict=True):
        image[:, top:bottom, left:right] = 1
    return images, boxes / SIDE


def varied_with_boxes(images, boxes, settings, *, size, generator):
    """`augment` of images that have a box each and no keypoints."""
    targets = Targets(boxes, torch.zeros(len(boxes), 0, 3))
    shown, moved = augment(images, targets, settings, size=size, flip_pairs=(), generator=generator)
    assert moved.keypoints.shape == (len(boxes), 0, 3)
    return shown, moved.boxes


def bright_boxes(images):
    """Boxes of what is brighter than the mid-grey around an image, in pixels."""
    found = []
    for image in images:
        rows, columns = torch.nonzero(image.amin(dim=0) > 0.75, as_tuple=True)
        edges = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        found.append([float(edge) for edge in edges])
    return torch.tensor(found)


# --- boxes found again from the pixels ---------------------------------------------------------

GEOMETRIES = {
    "everything": AugmentSettings(geometric_probability=1, **NO_COLOURS),
    "crops": AugmentSettings(geometric_probability=1, max_scale=1, flip=0, **NO_COLOURS),
    "deep cuts": AugmentSettings(
        geometric_probability=1, max_scale=1, min_scale=0.2, max_truncation=0.4, **NO_COLOURS
    ),
    "zooming out": AugmentSettings(
        geometric_probability=1, min_scale=1, max_scale=2, flip=0, **NO_COLOURS
    ),
    "mirrors": AugmentSettings(geometric_probability=0, flip=1, **NO_COLOURS),
    "leaning": AugmentSettings(
        geometric_probability=1, max_aspect_change=2, max_scale=1, **NO_COLOURS
    ),
}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("settings", GEOMETRIES.values(), ids=GEOMETRIES.keys())
def test_the_box_that_comes_back_is_that_of_the_visible_part_of_the_rectangle(settings, seed):
    images, boxes = rectangles(32, seed)
    shown, moved = varied_with_boxes(images, boxes, settings, size=SIZE, generator=seeded(seed))
    assert shown.shape == (32, 3, SIZE, SIZE)
    assert_close(bright_boxes(shown), moved * SIZE, atol=1.5, rtol=0)


def test_a_cut_box_keeps_its_visible_part():
    windows = torch.tensor([[0.5, 0.0, 1.0, 0.5]])
    # The box's left half lies outside; the rest, doubled, reaches from the frame's left edge.
    boxes = torch.tensor([[0.25, 0.25, 0.75, 0.5]])
    moved = move_boxes(boxes, windows, torch.tensor([False]))
    assert_close(moved, torch.tensor([[0.0, 0.5, 0.5, 1.0]]))


def test_a_mirror_swaps_left_and_right_and_nothing_else():
    image = torch.rand(1, 3, SIDE, SIDE)
    boxes = torch.tensor([[0.1, 0.2, 0.4, 0.9]])
    mirrored = show(image, WHOLE, torch.tensor([True]), SIDE)
    assert_close(mirrored, image.flip(3), atol=1e-5, rtol=0)
    moved = move_boxes(boxes, WHOLE, torch.tensor([True]))
    assert_close(moved, torch.tensor([[0.6, 0.2, 0.9, 0.9]]))


def test_a_window_larger_than_the_image_zooms_out_on_grey():
    windows = torch.tensor([[-0.5, -0.5, 1.5, 1.5]])
    shown = show(torch.ones(1, 3, SIDE, SIDE), windows, torch.tensor([False]), 64)
    # The white image fills the middle half of each side: pixels 16 to 48.
    assert_close(bright_boxes(shown), torch.tensor([[16.0, 16.0, 48.0, 48.0]]))
    assert_close(shown[:, :, :15], torch.full((1, 3, 15, 64), 0.5))
    moved = move_boxes(WHOLE, windows, torch.tensor([False]))
    assert_close(moved, torch.tensor([[0.25, 0.25, 0.75, 0.75]]))


def test_with_everything_off_images_and_boxes_stay_what_they_are():
    images, (_, boxes) = torch.rand(4, 3, SIDE, SIDE), rectangles(4, 0)
    shown, moved = varied_with_boxes(images, boxes, STILL, size=SIDE, generator=seeded(0))
    assert_close(shown, images, atol=1e-5, rtol=0)
    assert torch.equal(moved, boxes)


def test_the_same_seed_gives_the_same_and_another_another():
    images, boxes = rectangles(8, 0)
    settings = AugmentSettings()
    first, again, other = (
        varied_with_boxes(images, boxes, settings, size=SIZE, generator=seeded(seed))
        for seed in (1, 1, 2)
    )
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[0], other[0])
    assert not torch.equal(first[1], other[1])


# --- windows -----------------------------------------------------------------------------------

windowed = AugmentSettings(geometric_probability=1)


@given(seeds, st.floats(0, 0.49), st.floats(0.05, 1), st.floats(1, 3), st.floats(1, 3))
def test_a_window_holds_its_box_but_for_the_cut(seed, cut, smallest, largest, aspect):
    settings = AugmentSettings(
        geometric_probability=1,
        max_truncation=cut,
        min_scale=smallest,
        max_scale=largest,
        max_aspect_change=aspect,
    )
    _, boxes = rectangles(16, seed % 1000)
    windows = random_windows(boxes, settings, seeded(seed))
    size = boxes[:, 2:] - boxes[:, :2]
    most = size * cut + 1e-5
    assert (windows[:, :2] <= boxes[:, :2] + most).all()
    assert (windows[:, 2:] >= boxes[:, 2:] - most).all()
    extent = windows[:, 2:] - windows[:, :2]
    assert (extent >= smallest - 1e-5).all()
    assert (extent <= largest + 1e-5).all()


@given(seeds)
def test_a_window_lies_inside_the_image_or_holds_it(seed):
    _, boxes = rectangles(16, seed % 1000)
    windows = random_windows(boxes, windowed, seeded(seed))
    for low, high in zip(windows[:, :2].flatten(), windows[:, 2:].flatten(), strict=True):
        is_inside = low >= -1e-5 and high <= 1 + 1e-5
        is_around = low <= 1e-5 and high >= 1 - 1e-5
        assert is_inside or is_around


def test_windows_go_everywhere_they_may():
    boxes = torch.tensor([[0.45, 0.45, 0.55, 0.55]]).expand(2000, 4)
    windows = random_windows(boxes, windowed, seeded(0))
    # A window of 0.4 that holds the box begins anywhere from 0.15 to 0.45, one of 1.5 at -0.5.
    assert windows[:, 0].min() < -0.4
    assert windows[:, 0].max() > 0.4
    extent = windows[:, 2:] - windows[:, :2]
    assert extent.min() < 0.45
    assert extent.max() > 1.4
    # Evenly spread in the logarithm: half lie below the middle of log 0.4 and log 1.5.
    assert abs((extent < 0.6**0.5).float().mean() - 0.5) < 0.05


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_as_many_are_left_alone_as_the_settings_say(share):
    _, boxes = rectangles(1000, 0)
    windows = random_windows(boxes, AugmentSettings(geometric_probability=share), seeded(0))
    changed = (windows != WHOLE).any(dim=1).float().mean()
    assert abs(changed - share) < 0.05


# --- images without a box --------------------------------------------------------------------


def test_images_without_a_box_are_varied_like_any_other_and_do_not_disturb_the_rest():
    images, boxes = rectangles(64, 3)
    boxes[::2] = 0
    shown, moved = varied_with_boxes(
        images, boxes, GEOMETRIES["crops"], size=SIZE, generator=seeded(3)
    )
    assert torch.isfinite(shown).all()
    assert torch.isfinite(moved).all()
    assert_close(bright_boxes(shown[1::2]), moved[1::2] * SIZE, atol=1.5, rtol=0)


def test_windows_of_images_without_a_box_lie_inside_and_go_everywhere():
    windows = random_windows(torch.zeros(500, 4), GEOMETRIES["crops"], seeded(0))
    assert (windows >= -1e-5).all()
    assert (windows <= 1 + 1e-5).all()
    for edge in windows[:, :2].T:
        assert edge.min() < 0.05
        assert edge.max() > 0.4
    assert (windows[:, 2:] - windows[:, :2]).std() > 0.1


# --- keypoints --------------------------------------------------------------------------------


def moved(keypoints, window=(0.0, 0.0, 1.0, 1.0), *, flipped=False, pairs=(), rotate=None):
    turns = None if rotate is None else torch.tensor([math.radians(rotate)])
    windows, is_flipped = torch.tensor([window]), torch.tensor([flipped])
    return move_keypoints(torch.tensor([keypoints]), windows, is_flipped, pairs, turns)[0]


FACE = [[0.25, 0.5, 2.0], [0.75, 0.375, 1.0], [0.5, 0.625, 0.0]]


def test_a_mirrored_image_swaps_its_pairs_and_their_visibility():
    # the left eye is now where the right one was mirrored to
    expected = [[0.25, 0.375, 1.0], [0.75, 0.5, 2.0], [0.5, 0.625, 0.0]]
    assert_close(moved(FACE, flipped=True, pairs=((0, 1),)), torch.tensor(expected))


def test_without_pairs_a_mirror_moves_keypoints_alone():
    expected = [[0.75, 0.5, 2.0], [0.25, 0.375, 1.0], [0.5, 0.625, 0.0]]
    assert_close(moved(FACE, flipped=True), torch.tensor(expected))


@given(
    st.lists(
        st.tuples(*[st.floats(0, 1, width=32)] * 2, st.sampled_from([0, 1, 2])),
        min_size=5,
        max_size=5,
    )
)
def test_a_mirror_is_its_own_inverse(rows):
    keypoints = [[x, y, float(visible)] for x, y, visible in rows]
    pairs = ((0, 3), (1, 4))
    once = moved(keypoints, flipped=True, pairs=pairs)
    assert_close(moved(once.tolist(), flipped=True, pairs=pairs), torch.tensor(keypoints))


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_windows_move_keypoints_like_corners_of_boxes(seed, flipped):
    generator = torch.Generator().manual_seed(seed)
    corners = torch.rand(20, 2, 2, generator=generator).sort(dim=1).values
    settings = AugmentSettings(geometric_probability=1, max_truncation=0)
    windows = random_windows(corners.flatten(1), settings, generator)
    is_flipped = torch.full((20,), flipped)
    keypoints = torch.cat([corners, torch.full((20, 2, 1), 2.0)], dim=2)
    boxes = move_boxes(corners.flatten(1), windows, is_flipped)
    points = move_keypoints(keypoints, windows, is_flipped, ())[..., :2]
    left, right = (1, 0) if flipped else (0, 1)
    assert_close(points[:, left, 0], boxes[:, 0], atol=1e-5, rtol=0)
    assert_close(points[:, right, 0], boxes[:, 2], atol=1e-5, rtol=0)
    assert_close(points[..., 1], boxes[:, [1, 3]], atol=1e-5, rtol=0)


def test_a_keypoint_outside_the_window_is_no_longer_labelled_and_one_on_its_edge_is():
    found = moved(FACE, window=(0.25, 0.25, 0.5, 0.75))
    # The first lies on the left edge, the second to the right of 0.5.
    assert found[:, 2].tolist() == [2.0, 0.0, 0.0]
    assert_close(found[0, :2], torch.tensor([0.0, 0.5]))


def test_a_turn_is_clockwise_about_the_middle_of_what_is_shown():
    # A quarter turn takes what lies right of the middle to below it.
    found = moved([[0.75, 0.5, 2.0], [0.5, 0.25, 1.0]], rotate=90)
    assert_close(found, torch.tensor([[0.5, 0.75, 2.0], [0.75, 0.5, 1.0]]))


def test_a_keypoint_turned_out_of_the_image_is_no_longer_labelled():
    # √0.5 from the middle, a corner is turned beyond the edge by 45 degrees.
    assert moved([[1.0, 1.0, 2.0], [0.5, 0.5, 2.0]], rotate=45)[:, 2].tolist() == [0.0, 2.0]


def dotted(seed, count=24):
    """Black images with a red and a green dot, and where these are."""
    generator = torch.Generator().manual_seed(seed)
    places = torch.randint(12, 68, (count, 2, 2), generator=generator)
    places[:, 1] = torch.where(
        (places[:, 0] - places[:, 1]).abs().amax(dim=1, keepdim=True) < 12,
        (places[:, 0] + 30) % 56 + 12,
        places[:, 1],
    )
    images = torch.zeros(count, 3, 80, 80)
    for image, dots in zip(images, places.tolist(), strict=True):
        for colour, (x, y) in enumerate(dots):
            image[colour, y - 3 : y + 3, x - 3 : x + 3] = 1
    points = places / 80
    boxes = torch.cat([points.amin(dim=1), points.amax(dim=1)], dim=1)
    visible = torch.full((count, 2, 1), 2.0)
    return images, Targets(boxes, torch.cat([points, visible], dim=2))


def dot_of(image, colour):
    """Centre of what has one colour, in pixels."""
    mask = (image[colour] - image[1 - colour]).clamp(min=0)
    rows, columns = torch.meshgrid(*[torch.arange(SIDE) + 0.5] * 2, indexing="ij")
    return torch.stack([(columns * mask).sum(), (rows * mask).sum()]) / mask.sum()


VARIED = {
    "windows": {"geometric_probability": 1.0, "flip": 0.0},
    "mirrors": {"geometric_probability": 0.0, "flip": 1.0},
    "turns": {"geometric_probability": 0.0, "flip": 0.0, "rotate": 60.0},
    "everything": {"geometric_probability": 1.0, "flip": 0.5, "rotate": 40.0},
}


@pytest.mark.parametrize("changes", VARIED.values(), ids=VARIED.keys())
def test_keypoints_lie_on_the_dots_that_the_varied_images_show(changes):
    quiet = dict.fromkeys(("brightness", "contrast", "saturation", "grayscale"), 0.0)
    settings = AugmentSettings(max_truncation=0.0, **quiet, **changes)
    images, targets = dotted(0)
    generator = torch.Generator().manual_seed(1)
    shown, varied = augment(
        images, targets, settings, size=SIDE, flip_pairs=(), generator=generator
    )
    looked_at = 0
    for image, keypoints in zip(shown, varied.keypoints, strict=True):
        for colour, (x, y, visible) in enumerate(keypoints.tolist()):
            if visible and 0.1 < x < 0.9 and 0.1 < y < 0.9:
                assert_close(dot_of(image, colour), SIDE * torch.tensor([x, y]), atol=1.0, rtol=0)
                looked_at += 1
    assert looked_at > 20


def test_a_turned_image_has_the_box_of_its_keypoints():
    images, targets = dotted(2)
    settings = AugmentSettings(geometric_probability=0, flip=0, rotate=30)
    generator = torch.Generator().manual_seed(1)
    _, varied = augment(images, targets, settings, size=SIDE, flip_pairs=(), generator=generator)
    is_whole = (varied.keypoints[..., 2] > 0).all(dim=1)
    points = varied.keypoints[is_whole][..., :2]
    assert is_whole.sum() > 10
    assert_close(varied.boxes[is_whole, :2], points.amin(dim=1))
    assert_close(varied.boxes[is_whole, 2:], points.amax(dim=1))
    assert not torch.allclose(varied.boxes[is_whole], targets.boxes[is_whole], atol=0.05)


@pytest.mark.parametrize("flipped", [False, True])
def test_no_turn_is_a_turn_by_nothing(flipped):
    images = torch.rand(1, 3, 80, 80)
    window, is_flipped = torch.tensor([[0.1, 0.2, 0.7, 0.9]]), torch.tensor([flipped])
    still = show(images, window, is_flipped, SIDE)
    assert_close(show(images, window, is_flipped, SIDE, torch.zeros(1)), still)


# --- colours -----------------------------------------------------------------------------------


@given(seeds, st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_colours_stay_between_black_and_white(seed, brightness, contrast, saturation):
    settings = AugmentSettings(brightness=brightness, contrast=contrast, saturation=saturation)
    images = torch.rand(4, 3, 8, 8, generator=seeded(seed))
    varied = vary_colours(images, settings, seeded(seed))
    assert varied.min() >= 0
    assert varied.max() <= 1


def test_colours_leave_boxes_alone():
    images, boxes = rectangles(8, 0)
    settings = AugmentSettings(geometric_probability=0, flip=0, brightness=1, contrast=1)
    shown, moved = varied_with_boxes(images, boxes, settings, size=SIDE, generator=seeded(0))
    assert torch.equal(moved, boxes)
    assert not torch.allclose(shown, images)


def test_brightness_shifts_every_pixel_of_an_image_alike_and_images_apart():
    settings = STILL.model_copy(update={"brightness": 0.25})
    varied = vary_colours(torch.full((200, 3, 4, 4), 0.5), settings, seeded(0))
    assert_close(varied, varied[:, :1, :1, :1].expand_as(varied))
    assert varied.min() < 0.3
    assert varied.max() > 0.7
    assert 0.25 - 1e-6 <= varied.min() <= varied.max() <= 0.75 + 1e-6


def test_contrast_leaves_mid_grey_and_moves_the_rest_in_proportion():
    settings = STILL.model_copy(update={"contrast": 0.3})
    row = torch.tensor([0.5, 0.6, 0.7, 0.3]).expand(100, 3, 1, 4)
    varied = vary_colours(row, settings, seeded(0)) - 0.5
    assert_close(varied[..., 0], torch.zeros(100, 3, 1))
    assert_close(varied[..., 2], 2 * varied[..., 1])
    assert_close(varied[..., 3], -varied[..., 2])
    factor = varied[..., 1] / 0.1
    assert 0.7 - 1e-4 <= factor.min() < 0.75
    assert 1.25 < factor.max() <= 1.3 + 1e-4


def test_grey_images_have_the_luma_of_their_colours():
    settings = STILL.model_copy(update={"grayscale": 1.0})
    pixel = torch.tensor([1.0, 0.5, 0.0]).view(1, 3, 1, 1)
    # 0.299 x 1 + 0.587 x 0.5 + 0.114 x 0
    assert_close(vary_colours(pixel, settings, seeded(0)), torch.full((1, 3, 1, 1), 0.5925))


def test_saturation_keeps_the_luma():
    settings = STILL.model_copy(update={"saturation": 0.5})
    pixel = torch.tensor([0.6, 0.5, 0.4]).view(1, 3, 1, 1).expand(50, 3, 1, 1)
    luma = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    varied = vary_colours(pixel, settings, seeded(0))
    assert_close((varied * luma).sum(dim=1), (pixel * luma).sum(dim=1))
    spread = varied[:, 0] - varied[:, 2]
    assert 0.1 - 1e-4 <= spread.min() < 0.12
    assert 0.28 < spread.max() <= 0.3 + 1e-4


def test_images_without_a_box_are_shown_through_windows_like_those_of_the_others():
    # Boxes that fill the frame leave windows no choice but to hold all of it.
    settings = AugmentSettings(
        geometric_probability=1.0,
        max_truncation=0.0,
        min_scale=0.2,
        max_scale=1.5,
        max_aspect_change=1.0,
    )
    whole, none = [0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0]
    boxes = torch.tensor([whole, none] * 50)
    windows = random_windows(boxes, settings, seeded(0))
    assert bool((windows[:, :2] <= 1e-6).all())
    assert bool((windows[:, 2:] >= 1 - 1e-6).all())
    assert float((windows[1::2, 2:] - windows[1::2, :2]).mean()) == pytest.approx(
        float((windows[::2, 2:] - windows[::2, :2]).mean()), abs=0.05
    )


def test_where_no_image_has_a_box_windows_go_anywhere():
    settings = AugmentSettings(geometric_probability=1.0, min_scale=0.2, max_scale=1.0)
    windows = random_windows(torch.zeros(200, 4), settings, seeded(0))
    middles = (windows[:, :2] + windows[:, 2:]) / 2
    assert float(middles.min()) < 0.25
    assert float(middles.max()) > 0.75
    assert float(middles.std()) > 0.1
