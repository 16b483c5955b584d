"""Augmentation: boxes and keypoints agree with bright marks found in the augmented pixels."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from onebox.learning.data.augmentation import (
    SQUARE_MARGINS,
    Targets,
    augment,
    jitter_colours,
    random_windows,
    square_windows,
    transform_boxes,
    transform_keypoints,
    warp,
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
    """White rectangles on black, at least 12 pixels wide and high, and their normalized boxes."""
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
    targets = Targets(boxes, torch.zeros(len(boxes), 0, 3), torch.ones(len(boxes)))
    shown, moved = augment(images, targets, settings, size=size, flip_pairs=(), generator=generator)
    assert moved.keypoints.shape == (len(boxes), 0, 3)
    return shown, moved.boxes


def bright_boxes(images):
    """Boxes in pixels around all that is brighter than the mid-grey beyond an image."""
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
    "deep truncation": AugmentSettings(
        geometric_probability=1, max_scale=1, min_scale=0.2, max_truncation=0.4, **NO_COLOURS
    ),
    "zooming out": AugmentSettings(
        geometric_probability=1, min_scale=1, max_scale=2, flip=0, **NO_COLOURS
    ),
    "mirrors": AugmentSettings(geometric_probability=0, flip=1, **NO_COLOURS),
    "stretching": AugmentSettings(
        geometric_probability=1, max_aspect_change=2, max_scale=1, **NO_COLOURS
    ),
}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("settings", GEOMETRIES.values(), ids=GEOMETRIES.keys())
def test_the_augmented_box_is_that_of_the_visible_part_of_the_rectangle(settings, seed):
    images, boxes = rectangles(32, seed)
    shown, moved = varied_with_boxes(images, boxes, settings, size=SIZE, generator=seeded(seed))
    assert shown.shape == (32, 3, SIZE, SIZE)
    assert_close(bright_boxes(shown), moved * SIZE, atol=1.5, rtol=0)


def test_a_cut_box_keeps_its_visible_part():
    windows = torch.tensor([[0.5, 0.0, 1.0, 0.5]])
    # The box's left half lies outside; the rest starts at the left edge, twice as large.
    boxes = torch.tensor([[0.25, 0.25, 0.75, 0.5]])
    moved = transform_boxes(boxes, windows, torch.tensor([False]))
    assert_close(moved, torch.tensor([[0.0, 0.5, 0.5, 1.0]]))


def test_a_mirror_swaps_left_and_right_and_nothing_else():
    image = torch.rand(1, 3, SIDE, SIDE)
    boxes = torch.tensor([[0.1, 0.2, 0.4, 0.9]])
    mirrored = warp(image, WHOLE, torch.tensor([True]), SIDE)
    assert_close(mirrored, image.flip(3), atol=1e-5, rtol=0)
    moved = transform_boxes(boxes, WHOLE, torch.tensor([True]))
    assert_close(moved, torch.tensor([[0.6, 0.2, 0.9, 0.9]]))


def test_a_window_larger_than_the_image_zooms_out_on_grey():
    windows = torch.tensor([[-0.5, -0.5, 1.5, 1.5]])
    shown = warp(torch.ones(1, 3, SIDE, SIDE), windows, torch.tensor([False]), 64)
    # The white image fills the middle half of the width and height: pixels 16 to 48.
    assert_close(bright_boxes(shown), torch.tensor([[16.0, 16.0, 48.0, 48.0]]))
    assert_close(shown[:, :, :15], torch.full((1, 3, 15, 64), 0.5))
    moved = transform_boxes(WHOLE, windows, torch.tensor([False]))
    assert_close(moved, torch.tensor([[0.25, 0.25, 0.75, 0.75]]))


def test_without_any_augmentation_images_and_boxes_stay_as_they_are():
    images, (_, boxes) = torch.rand(4, 3, SIDE, SIDE), rectangles(4, 0)
    shown, moved = varied_with_boxes(images, boxes, STILL, size=SIDE, generator=seeded(0))
    assert_close(shown, images, atol=1e-5, rtol=0)
    assert torch.equal(moved, boxes)


def test_the_same_seed_gives_the_same_images_and_another_seed_others():
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
def test_a_window_contains_its_box_except_for_the_truncation(seed, cut, smallest, largest, aspect):
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
def test_a_window_lies_inside_the_image_or_contains_it(seed):
    _, boxes = rectangles(16, seed % 1000)
    windows = random_windows(boxes, windowed, seeded(seed))
    for low, high in zip(windows[:, :2].flatten(), windows[:, 2:].flatten(), strict=True):
        is_inside = low >= -1e-5 and high <= 1 + 1e-5
        is_around = low <= 1e-5 and high >= 1 - 1e-5
        assert is_inside or is_around


def test_windows_cover_their_whole_range():
    boxes = torch.tensor([[0.45, 0.45, 0.55, 0.55]]).expand(2000, 4)
    windows = random_windows(boxes, windowed, seeded(0))
    # A window of 0.4 around the box begins anywhere from 0.15 to 0.45, one of 1.5 at -0.5.
    assert windows[:, 0].min() < -0.4
    assert windows[:, 0].max() > 0.4
    extent = windows[:, 2:] - windows[:, :2]
    assert extent.min() < 0.45
    assert extent.max() > 1.4
    # Log-uniform: half lie below the mean of log 0.4 and log 1.5, which is log √0.6.
    assert abs((extent < 0.6**0.5).float().mean() - 0.5) < 0.05


@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_the_settings_give_the_fraction_of_images_with_a_window(probability):
    _, boxes = rectangles(1000, 0)
    windows = random_windows(boxes, AugmentSettings(geometric_probability=probability), seeded(0))
    changed = (windows != WHOLE).any(dim=1).float().mean()
    assert abs(changed - probability) < 0.05


# --- images without a box --------------------------------------------------------------------


def test_images_without_a_box_are_augmented_and_leave_the_others_correct():
    images, boxes = rectangles(64, 3)
    boxes[::2] = 0
    shown, moved = varied_with_boxes(
        images, boxes, GEOMETRIES["crops"], size=SIZE, generator=seeded(3)
    )
    assert torch.isfinite(shown).all()
    assert torch.isfinite(moved).all()
    assert_close(bright_boxes(shown[1::2]), moved[1::2] * SIZE, atol=1.5, rtol=0)


def test_crops_of_images_without_a_box_lie_inside_and_cover_the_image():
    windows = random_windows(torch.zeros(500, 4), GEOMETRIES["crops"], seeded(0))
    assert (windows >= -1e-5).all()
    assert (windows <= 1 + 1e-5).all()
    for edge in windows[:, :2].T:
        assert edge.min() < 0.05
        assert edge.max() > 0.4
    assert (windows[:, 2:] - windows[:, :2]).std() > 0.1


# --- keypoints --------------------------------------------------------------------------------


def moved(keypoints, window=(0.0, 0.0, 1.0, 1.0), *, flipped=False, pairs=(), rotate=None):
    angles = None if rotate is None else torch.tensor([math.radians(rotate)])
    windows, is_flipped = torch.tensor([window]), torch.tensor([flipped])
    return transform_keypoints(torch.tensor([keypoints]), windows, is_flipped, pairs, angles)[0]


FACE = [[0.25, 0.5, 2.0], [0.75, 0.375, 1.0], [0.5, 0.625, 0.0]]


def test_a_mirrored_image_swaps_its_pairs_and_their_visibility():
    # the mirrored right eye is the new left eye
    expected = [[0.25, 0.375, 1.0], [0.75, 0.5, 2.0], [0.5, 0.625, 0.0]]
    assert_close(moved(FACE, flipped=True, pairs=((0, 1),)), torch.tensor(expected))


def test_without_pairs_mirroring_swaps_no_keypoints():
    expected = [[0.75, 0.5, 2.0], [0.25, 0.375, 1.0], [0.5, 0.625, 0.0]]
    assert_close(moved(FACE, flipped=True), torch.tensor(expected))


@given(
    st.lists(
        st.tuples(*[st.floats(0, 1, width=32)] * 2, st.sampled_from([0, 1, 2])),
        min_size=5,
        max_size=5,
    )
)
def test_mirroring_is_its_own_inverse(rows):
    keypoints = [[x, y, float(visible)] for x, y, visible in rows]
    pairs = ((0, 3), (1, 4))
    once = moved(keypoints, flipped=True, pairs=pairs)
    assert_close(moved(once.tolist(), flipped=True, pairs=pairs), torch.tensor(keypoints))


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_windows_transform_keypoints_like_corners_of_boxes(seed, flipped):
    generator = torch.Generator().manual_seed(seed)
    corners = torch.rand(20, 2, 2, generator=generator).sort(dim=1).values
    settings = AugmentSettings(geometric_probability=1, max_truncation=0)
    windows = random_windows(corners.flatten(1), settings, generator)
    is_flipped = torch.full((20,), flipped)
    keypoints = torch.cat([corners, torch.full((20, 2, 1), 2.0)], dim=2)
    boxes = transform_boxes(corners.flatten(1), windows, is_flipped)
    points = transform_keypoints(keypoints, windows, is_flipped, ())[..., :2]
    left, right = (1, 0) if flipped else (0, 1)
    assert_close(points[:, left, 0], boxes[:, 0], atol=1e-5, rtol=0)
    assert_close(points[:, right, 0], boxes[:, 2], atol=1e-5, rtol=0)
    assert_close(points[..., 1], boxes[:, [1, 3]], atol=1e-5, rtol=0)


def test_a_keypoint_outside_the_window_is_no_longer_labelled_and_one_on_its_edge_is():
    found = moved(FACE, window=(0.25, 0.25, 0.5, 0.75))
    # The first lies on the left edge, the second to the right of 0.5.
    assert found[:, 2].tolist() == [2.0, 0.0, 0.0]
    assert_close(found[0, :2], torch.tensor([0.0, 0.5]))


def test_rotation_is_clockwise_about_the_centre_of_the_window():
    # A quarter turn moves what lies right of the centre to below it.
    found = moved([[0.75, 0.5, 2.0], [0.5, 0.25, 1.0]], rotate=90)
    assert_close(found, torch.tensor([[0.5, 0.75, 2.0], [0.75, 0.5, 1.0]]))


def test_a_keypoint_rotated_out_of_the_image_is_no_longer_labelled():
    # A corner lies √0.5 from the centre: 45 degrees rotate it beyond the edge.
    assert moved([[1.0, 1.0, 2.0], [0.5, 0.5, 2.0]], rotate=45)[:, 2].tolist() == [0.0, 2.0]


def dotted(seed, count=24):
    """Black images with a red and a green dot, and the keypoints on the dots."""
    generator = torch.Generator().manual_seed(seed)
    positions = torch.randint(12, 68, (count, 2, 2), generator=generator)
    positions[:, 1] = torch.where(
        (positions[:, 0] - positions[:, 1]).abs().amax(dim=1, keepdim=True) < 12,
        (positions[:, 0] + 30) % 56 + 12,
        positions[:, 1],
    )
    images = torch.zeros(count, 3, 80, 80)
    for image, dots in zip(images, positions.tolist(), strict=True):
        for colour, (x, y) in enumerate(dots):
            image[colour, y - 3 : y + 3, x - 3 : x + 3] = 1
    points = positions / 80
    boxes = torch.cat([points.amin(dim=1), points.amax(dim=1)], dim=1)
    visible = torch.full((count, 2, 1), 2.0)
    return images, Targets(boxes, torch.cat([points, visible], dim=2), torch.ones(len(boxes)))


def dot_of(image, colour):
    """Centre of the dot of one colour, in pixels."""
    mask = (image[colour] - image[1 - colour]).clamp(min=0)
    rows, columns = torch.meshgrid(*[torch.arange(SIDE) + 0.5] * 2, indexing="ij")
    return torch.stack([(columns * mask).sum(), (rows * mask).sum()]) / mask.sum()


@pytest.mark.parametrize("seed", SEEDS)
def test_square_windows_are_squares_of_pixels_around_the_box(seed):
    _, boxes = rectangles(40, seed)
    aspects = torch.linspace(0.5, 2.0, 40)
    settings = AugmentSettings(geometric_probability=1, max_aspect_change=1, square_crops=True)
    windows = square_windows(boxes, aspects, settings, seeded(seed))
    pixels = torch.stack([aspects, torch.ones(40)], dim=1)
    width, height = ((windows[:, 2:] - windows[:, :2]) * pixels).unbind(1)
    assert_close(width, height)
    longer = ((boxes[:, 2:] - boxes[:, :2]) * pixels).amax(dim=1)
    assert (width / longer).min() >= SQUARE_MARGINS[0]
    assert (width / longer).max() <= SQUARE_MARGINS[1]
    assert (width / longer).std() > 0.03
    off = (windows[:, 2:] + windows[:, :2] - boxes[:, 2:] - boxes[:, :2]) / 2
    share = off / (boxes[:, 2:] - boxes[:, :2])
    assert 0.1 < share.abs().max() <= 0.15 + 1e-5


def test_the_aspect_of_a_square_window_changes_as_much_as_the_settings_allow():
    boxes = torch.tensor([[0.4, 0.4, 0.6, 0.6]]).repeat(500, 1)
    settings = AugmentSettings(geometric_probability=1, max_aspect_change=1.44, square_crops=True)
    windows = square_windows(boxes, torch.ones(500), settings, seeded(0))
    width, height = (windows[:, 2:] - windows[:, :2]).unbind(1)
    ratio = width / height
    assert 1.4 < ratio.max() <= 1.44
    assert 1 / 1.44 <= ratio.min() < 1 / 1.4


VARIED = {
    "windows": {"geometric_probability": 1.0, "flip": 0.0},
    "mirrors": {"geometric_probability": 0.0, "flip": 1.0},
    "rotations": {"geometric_probability": 0.0, "flip": 0.0, "rotate": 60.0},
    "everything": {"geometric_probability": 1.0, "flip": 0.5, "rotate": 40.0},
}


@pytest.mark.parametrize("changes", VARIED.values(), ids=VARIED.keys())
def test_keypoints_lie_on_the_dots_of_the_augmented_images(changes):
    quiet = dict.fromkeys(("brightness", "contrast", "saturation", "grayscale"), 0.0)
    settings = AugmentSettings(max_truncation=0.0, **quiet, **changes)
    images, targets = dotted(0)
    generator = torch.Generator().manual_seed(1)
    shown, varied = augment(
        images, targets, settings, size=SIDE, flip_pairs=(), generator=generator
    )
    compared = 0
    for image, keypoints in zip(shown, varied.keypoints, strict=True):
        for colour, (x, y, visible) in enumerate(keypoints.tolist()):
            if visible and 0.1 < x < 0.9 and 0.1 < y < 0.9:
                assert_close(dot_of(image, colour), SIDE * torch.tensor([x, y]), atol=1.0, rtol=0)
                compared += 1
    assert compared > 20


def test_keypoints_lie_on_the_dots_of_square_crops():
    quiet = dict.fromkeys(("brightness", "contrast", "saturation", "grayscale"), 0.0)
    settings = AugmentSettings(geometric_probability=1, square_crops=True, rotate=40, **quiet)
    images, targets = dotted(0, count=96)
    extents = (targets.boxes[:, 2:] - targets.boxes[:, :2]).amax(dim=1)
    shown, varied = augment(
        images, targets, settings, size=SIDE, flip_pairs=(), generator=seeded(1)
    )
    compared = 0
    for image, keypoints, extent in zip(shown, varied.keypoints, extents.tolist(), strict=True):
        # A crop enlarges a dot of 6 pixels; one that reaches beyond the frame has another centre.
        room = 4.3 / 80 / extent
        for colour, (x, y, visible) in enumerate(keypoints.tolist()):
            if visible and room < min(x, y) and max(x, y) < 1 - room:
                assert_close(dot_of(image, colour), SIDE * torch.tensor([x, y]), atol=1.0, rtol=0)
                compared += 1
    assert compared > 20


def test_a_rotated_image_has_the_hull_of_its_keypoints_as_box():
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
def test_no_rotation_equals_a_rotation_by_zero(flipped):
    images = torch.rand(1, 3, 80, 80)
    window, is_flipped = torch.tensor([[0.1, 0.2, 0.7, 0.9]]), torch.tensor([flipped])
    unrotated = warp(images, window, is_flipped, SIDE)
    assert_close(warp(images, window, is_flipped, SIDE, torch.zeros(1)), unrotated)


# --- colours -----------------------------------------------------------------------------------


@given(seeds, st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_colours_stay_between_black_and_white(seed, brightness, contrast, saturation):
    settings = AugmentSettings(brightness=brightness, contrast=contrast, saturation=saturation)
    images = torch.rand(4, 3, 8, 8, generator=seeded(seed))
    varied = jitter_colours(images, settings, seeded(seed))
    assert varied.min() >= 0
    assert varied.max() <= 1


def test_colours_leave_boxes_alone():
    images, boxes = rectangles(8, 0)
    settings = AugmentSettings(geometric_probability=0, flip=0, brightness=1, contrast=1)
    shown, moved = varied_with_boxes(images, boxes, settings, size=SIDE, generator=seeded(0))
    assert torch.equal(moved, boxes)
    assert not torch.allclose(shown, images)


def test_brightness_shifts_all_pixels_of_an_image_alike_and_each_image_differently():
    settings = STILL.model_copy(update={"brightness": 0.25})
    varied = jitter_colours(torch.full((200, 3, 4, 4), 0.5), settings, seeded(0))
    assert_close(varied, varied[:, :1, :1, :1].expand_as(varied))
    assert varied.min() < 0.3
    assert varied.max() > 0.7
    assert 0.25 - 1e-6 <= varied.min() <= varied.max() <= 0.75 + 1e-6


def test_contrast_keeps_mid_grey_and_scales_distances_from_it():
    settings = STILL.model_copy(update={"contrast": 0.3})
    row = torch.tensor([0.5, 0.6, 0.7, 0.3]).expand(100, 3, 1, 4)
    varied = jitter_colours(row, settings, seeded(0)) - 0.5
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
    assert_close(jitter_colours(pixel, settings, seeded(0)), torch.full((1, 3, 1, 1), 0.5925))


def test_saturation_keeps_the_luma():
    settings = STILL.model_copy(update={"saturation": 0.5})
    pixel = torch.tensor([0.6, 0.5, 0.4]).view(1, 3, 1, 1).expand(50, 3, 1, 1)
    luma = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    varied = jitter_colours(pixel, settings, seeded(0))
    assert_close((varied * luma).sum(dim=1), (pixel * luma).sum(dim=1))
    spread = varied[:, 0] - varied[:, 2]
    assert 0.1 - 1e-4 <= spread.min() < 0.12
    assert 0.28 < spread.max() <= 0.3 + 1e-4


def test_images_without_a_box_get_windows_like_those_of_the_others():
    # A window around a box that fills the image contains the whole image.
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


def test_if_no_image_has_a_box_squares_go_anywhere_and_show_a_part():
    settings = AugmentSettings(geometric_probability=1.0, max_aspect_change=1.0)
    windows = square_windows(torch.zeros(200, 4), torch.full((200,), 2.0), settings, seeded(0))
    centres = (windows[:, :2] + windows[:, 2:]) / 2
    assert float(centres.min()) < 0.25
    assert float(centres.max()) > 0.75
    # 0.3 of the height, which is half of the width
    size_wh = torch.tensor([0.15, 0.3]).expand(200, 2)
    assert_close(windows[:, 2:] - windows[:, :2], size_wh)


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_without_a_hull_a_rotated_box_is_the_one_around_its_corners(flip):
    settings = AugmentSettings(rotate=180, flip=flip, geometric_probability=0)
    box = torch.tensor([[0.4, 0.45, 0.6, 0.55]]).repeat(20, 1)
    hand = torch.tensor([[[0.9, 0.5, 2.0]]]).repeat(20, 1, 1)  # one keypoint, which tells the angle
    targets = Targets(box, hand, torch.ones(20))
    images = torch.zeros(20, 3, 8, 8)
    _, found = augment(images, targets, settings, size=8, flip_pairs=(), generator=seeded(0))
    cosine, sine = ((found.keypoints[:, 0, :2] - 0.5) / 0.4).abs().unbind(dim=1)
    assert float(sine.min()) < 0.3
    assert float(sine.max()) > 0.9
    half = torch.stack([0.2 * cosine + 0.1 * sine, 0.2 * sine + 0.1 * cosine], dim=1) / 2
    assert_close(found.boxes, torch.cat([0.5 - half, 0.5 + half], dim=1))


def test_if_no_image_has_a_box_windows_go_anywhere():
    settings = AugmentSettings(geometric_probability=1.0, min_scale=0.2, max_scale=1.0)
    windows = random_windows(torch.zeros(200, 4), settings, seeded(0))
    centres = (windows[:, :2] + windows[:, 2:]) / 2
    assert float(centres.min()) < 0.25
    assert float(centres.max()) > 0.75
    assert float(centres.std()) > 0.1
