import dataclasses
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from onebox.contact_sheets import contact_sheet
from onebox.images import LoadedImage, load
from onebox.structures import KeypointSet, Prediction, Sample
from onebox.visualization import DOUBTFUL, NO_SUBJECT, PREDICTED, TRUE, draw, resize_longer_side

GREY = 128


def plain(width=200, height=150):
    return np.full((height, width, 3), GREY, dtype=np.uint8)


def predicted(box, label="cat"):
    return Prediction(label, 0.75, box, (1.0,))


def true(box, label="cat"):
    return Sample(Path("a.jpg"), label, box)


def is_colour(image, colour):
    """Mask of a colour in an image, of shape (height, width)."""
    return (np.asarray(image) == colour).all(axis=2)


def extent(mask):
    """First and last column, first and last row of a mask."""
    rows, columns = np.nonzero(mask)
    return columns.min(), columns.max(), rows.min(), rows.max()


def test_with_nothing_to_draw_the_image_is_copied():
    pixels = plain()
    image = draw(pixels)
    np.testing.assert_array_equal(np.asarray(image), pixels)
    assert image.size == (200, 150)


def test_drawing_does_not_change_the_given_pixels():
    pixels = plain()
    draw(pixels, prediction=predicted((20.0, 60.0, 90.0, 120.0)), truth=true((1.0, 1.0, 9.0, 9.0)))
    assert (pixels == GREY).all()


def test_all_four_edges_of_a_predicted_box_have_its_colour():
    image = draw(plain(), prediction=predicted((20.0, 60.0, 190.0, 140.0)))
    for edge in [(20, 100), (190, 100), (100, 60), (100, 140), (20, 60), (190, 140)]:
        assert image.getpixel(edge) == PREDICTED
    assert image.getpixel((100, 100)) == (GREY, GREY, GREY)


def test_a_true_box_is_dashed_and_keeps_its_corners():
    image = draw(plain(), truth=true((20.0, 20.0, 180.0, 100.0)))
    top = is_colour(image, TRUE)[20, 20:180]
    assert 0.3 < top.mean() < 0.8
    for corner in [(20, 20), (180, 20), (20, 100), (180, 100)]:
        assert image.getpixel(corner) == TRUE


def test_a_sample_without_a_box_draws_nothing():
    image = draw(plain(), truth=true(None, label=None))
    assert (np.asarray(image) == GREY).all()


@pytest.mark.parametrize("beyond", [0.0, 30.0])
def test_a_box_at_or_beyond_the_border_is_drawn_at_the_border(beyond):
    box = (-beyond, -beyond, 200 + beyond, 150 + beyond)
    found = is_colour(draw(plain(), prediction=predicted(box, label="")), PREDICTED)
    assert found[-2:].all()
    assert found[:, -2:].all()
    assert found[-100:, :2].all()
    assert found[:2, -100:].all()


def test_boxes_in_pixels_of_the_whole_image_are_drawn_on_a_shrunk_one():
    box = (40.0, 240.0, 360.0, 560.0)  # of 400 x 600, shown on 200 x 150
    image = draw(plain(), prediction=predicted(box), scale_xy=(2.0, 4.0))
    for edge in [(20, 100), (180, 100), (100, 60), (100, 140)]:
        assert image.getpixel(edge) == PREDICTED


@pytest.mark.parametrize(
    "box",
    [
        (0.0, 0.0, 5.0, 5.0),
        (195.0, 0.0, 200.0, 5.0),
        (0.0, 145.0, 5.0, 150.0),
        (195.0, 145.0, 200.0, 150.0),
        (0.0, 0.0, 200.0, 150.0),
    ],
)
@pytest.mark.parametrize("label", ["cat", "a very long name of a cat, far too long for its image"])
def test_text_stays_inside_the_image(box, label):
    image = draw(plain(), prediction=predicted(box, label))
    solid = is_colour(image, PREDICTED)
    plate = solid[np.nonzero(solid.sum(axis=1) > 20)]
    first, last, _, _ = extent(plate)
    assert last - first >= 30
    # The plate begins and ends with padding; cut at the border, it would begin or end in letters.
    assert plate[:, [first, last]].all()


def test_a_plate_is_drawn_whole_in_an_image_that_just_holds_it():
    roomy = is_colour(draw(plain(60, 60), prediction=predicted((5.0, 40.0, 50.0, 58.0))), PREDICTED)
    tight = is_colour(draw(plain(60, 20), prediction=predicted((5.0, 10.0, 50.0, 18.0))), PREDICTED)
    # column 4 is the plate's padding, left of the box
    assert roomy[:, 4].sum() > 12
    assert tight[:, 4].sum() == roomy[:, 4].sum()


def test_the_true_label_is_drawn_only_if_the_predicted_one_is_wrong():
    box, shifted = (50.0, 40.0, 150.0, 100.0), (60.0, 50.0, 160.0, 110.0)
    right = draw(plain(), prediction=predicted(box), truth=true(shifted))
    wrong = draw(plain(), prediction=predicted(box, "dog"), truth=true(shifted))
    assert is_colour(wrong, TRUE).sum() > is_colour(right, TRUE).sum() + 100


def test_an_image_too_small_for_text_still_has_its_box():
    image = draw(plain(8, 8), prediction=predicted((1.0, 1.0, 6.0, 6.0)))
    assert image.getpixel((1, 3)) == PREDICTED
    assert image.getpixel((3, 3)) != PREDICTED


@given(
    st.lists(st.floats(-50, 300), min_size=4, max_size=4).map(tuple),
    st.sampled_from([(1, 1), (3, 90), (200, 150)]),
)
@settings(max_examples=50)
def test_any_box_on_any_image_can_be_drawn(box, size_wh):
    (left, right), (top, bottom) = sorted(box[::2]), sorted(box[1::2])
    truth = true((left, top, right + 1, bottom + 1), "dog")  # a sample's box is never inverted
    image = draw(plain(*size_wh), prediction=predicted(box), truth=truth)
    assert image.size == size_wh


# --- how sure ---------------------------------------------------------------------------------

BOXES = {
    "outer_box": (20.0, 40.0, 180.0, 140.0),
    "inner_box": (70.0, 80.0, 130.0, 110.0),
}
BETWEEN = (40.0, 60.0, 160.0, 130.0)


def test_the_outer_and_the_inner_box_are_thinner_than_the_box_and_dashed():
    sure = dataclasses.replace(predicted(BETWEEN), **BOXES)
    image = draw(plain(), prediction=sure)
    line = is_colour(image, PREDICTED)
    # of each box the lowest edge, which no plate covers
    for bottom, (left, right), thickness in [(140, (20, 180), 1), (110, (70, 130), 1)]:
        rows = line[bottom - 3 : bottom + 4, left + 10 : right - 10]
        assert rows.sum(axis=0).max() == thickness
        assert 0.3 < rows.any(axis=0).mean() < 0.8
    solid = line[127:134, 50:150]
    assert (solid.sum(axis=0) == 2).all()


@pytest.mark.parametrize("name", BOXES)
def test_a_limit_that_is_missing_is_not_drawn(name):
    both = is_colour(draw(plain(), prediction=sure_of(BOXES)), PREDICTED)
    without = is_colour(draw(plain(), prediction=sure_of(BOXES | {name: None})), PREDICTED)
    left, _, right, bottom = map(int, BOXES[name])
    assert both[bottom, left + 5 : right - 5].any()
    assert not without[bottom, left + 5 : right - 5].any()


def sure_of(boxes):
    return dataclasses.replace(predicted(BETWEEN), **boxes)


def test_limits_are_in_pixels_of_the_whole_image():
    whole = {name: (2 * box[0], 4 * box[1], 2 * box[2], 4 * box[3]) for name, box in BOXES.items()}
    prediction = dataclasses.replace(predicted((80.0, 240.0, 320.0, 520.0)), **whole)
    shrunk = draw(plain(), prediction=prediction, scale_xy=(2.0, 4.0))
    np.testing.assert_array_equal(shrunk, draw(plain(), prediction=sure_of(BOXES)))


def test_a_doubtful_prediction_has_a_colour_of_its_own_and_a_longer_text():
    accepted = draw(plain(), prediction=sure_of(BOXES | {"accepted": True}))
    doubtful = draw(plain(), prediction=sure_of(BOXES | {"accepted": False}))
    np.testing.assert_array_equal(accepted, draw(plain(), prediction=sure_of(BOXES)))
    assert not is_colour(doubtful, PREDICTED).any()
    assert doubtful.getpixel((100, 130)) == DOUBTFUL
    # "cat 0.75" has 8 letters, "doubtful: cat 0.75" has 18
    plates = [is_colour(accepted, PREDICTED), is_colour(doubtful, DOUBTFUL)]
    widths = [plate[45, 41:].sum() for plate in plates]
    assert widths[1] > 1.7 * widths[0]


def test_the_keypoints_of_a_doubtful_prediction_have_its_colour():
    prediction = dataclasses.replace(
        posed((40.0, 50.0), (160.0, 110.0), (100.0, 20.0)), accepted=False
    )
    image = draw(plain(), prediction=prediction, keypoints=LIMB)
    assert image.getpixel((80, 70)) == DOUBTFUL


def test_an_absent_subject_is_neither_limited_nor_doubtful():
    absent = dataclasses.replace(sure_of(BOXES), present=0.2)
    doubtful = dataclasses.replace(absent, accepted=False)
    image = draw(plain(), prediction=doubtful)
    np.testing.assert_array_equal(image, draw(plain(), prediction=absent))
    assert (np.asarray(image)[40:] == GREY).all()


# --- skeletons ---------------------------------------------------------------------------------

# A bone from the first to the second keypoint; the third stands alone.
LIMB = KeypointSet(("hip", "knee", "nose"), skeleton=((0, 1),))
OUT_OF_THE_WAY = (0.0, 0.0, 4.0, 4.0)


def posed(*points):
    return Prediction("", 1.0, OUT_OF_THE_WAY, (1.0,), tuple((x, y, 0.9) for x, y in points))


def truly_posed(*keypoints):
    return Sample(Path("a.jpg"), "", OUT_OF_THE_WAY, keypoints=keypoints)


def test_a_predicted_bone_is_a_line_of_its_colour_from_keypoint_to_keypoint():
    prediction = posed((40.0, 50.0), (160.0, 110.0), (100.0, 20.0))
    image = draw(plain(), prediction=prediction, keypoints=LIMB)
    # a third and two thirds of the way, and the keypoints themselves
    for point in [(80, 70), (120, 90), (40, 50), (160, 110), (100, 20)]:
        assert image.getpixel(point) == PREDICTED
    # no line between the nose and the bone
    assert image.getpixel((100, 50)) == (GREY, GREY, GREY)


def test_a_true_bone_has_the_colour_of_the_truth():
    truth = truly_posed((40.0, 50.0, 2), (160.0, 110.0, 1), (100.0, 20.0, 2))
    image = draw(plain(), truth=truth, keypoints=LIMB)
    for point in [(80, 70), (120, 90), (100, 20)]:
        assert image.getpixel(point) == TRUE


def test_a_keypoint_that_is_not_labelled_is_not_drawn_nor_is_a_bone_to_it():
    truth = truly_posed((40.0, 50.0, 2), (160.0, 110.0, 0), (100.0, 20.0, 2))
    image = draw(plain(), truth=truth, keypoints=LIMB)
    assert image.getpixel((40, 50)) == TRUE
    for point in [(80, 70), (120, 90), (160, 110)]:
        assert image.getpixel(point) == (GREY, GREY, GREY)


def test_bones_are_outlined_in_black():
    pixels = np.full((150, 200, 3), PREDICTED, dtype=np.uint8)
    image = draw(pixels, prediction=posed((40.0, 80.0), (160.0, 80.0), (0.0, 0.0)), keypoints=LIMB)
    column = [image.getpixel((100, row)) for row in range(70, 90)]
    assert column.count((0, 0, 0)) >= 2
    assert column[10] == PREDICTED


def test_keypoints_are_not_drawn_without_a_skeleton():
    prediction = posed((40.0, 50.0), (160.0, 110.0), (100.0, 20.0))
    with_box_alone = draw(plain(), prediction=prediction)
    assert with_box_alone.getpixel((80, 70)) == (GREY, GREY, GREY)


def test_keypoints_of_the_whole_image_are_drawn_on_a_shrunk_one():
    prediction = posed((80.0, 200.0), (320.0, 440.0), (0.0, 0.0))  # of 400 x 600
    image = draw(plain(), prediction=prediction, keypoints=LIMB, scale_xy=(2.0, 4.0))
    for point in [(40, 50), (80, 70), (120, 90), (160, 110)]:
        assert image.getpixel(point) == PREDICTED


# --- resizing and sheets ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size_wh", "expected"),
    [((400, 200), (100, 50)), ((20, 40), (50, 100)), ((1000, 3), (100, 1))],
)
def test_the_longer_side_is_resized_up_or_down_to_its_length(size_wh, expected):
    resized = resize_longer_side(load(plain(*size_wh)), 100)
    assert resized.pixels.shape[1::-1] == expected
    assert resized.size_wh == size_wh


@given(st.integers(0, 300), st.integers(0, 60))
@settings(max_examples=25)
def test_a_resized_rectangle_is_at_its_position_over_the_scale(left, top):
    pixels = np.zeros((201, 801, 3), dtype=np.uint8)
    pixels[top : top + 100, left : left + 400] = 255
    png = io.BytesIO()
    Image.fromarray(pixels).save(png, "PNG")
    resized = resize_longer_side(
        load(png.getvalue(), at_least=50), 160
    )  # blocks of 16 x 4 do not divide it
    found = extent(resized.pixels[:, :, 0] > GREY)
    scale_x, scale_y = resized.scale_xy
    expected = (left / scale_x, (left + 400) / scale_x, top / scale_y, (top + 100) / scale_y)
    np.testing.assert_allclose(np.add(found, [0, 1, 0, 1]), expected, atol=1.6)


def test_the_part_of_the_last_column_beyond_the_image_is_cut_off():
    # 5 columns as 3 pixels of 2 columns: the last, in black, covers only one
    pixels = np.zeros((4, 3, 3), dtype=np.uint8)
    pixels[:, :2] = 255
    resized = resize_longer_side(LoadedImage(pixels, (5, 4), (2.0, 1.0)), 500)
    _, last_bright, _, _ = extent(resized.pixels[:, :, 0] > GREY)
    # white ends at column 4 of 5, which is pixel 400 of 500
    assert abs(last_bright - 400) < 10


def test_a_sheet_has_rows_of_tiles_centred_in_their_squares():
    colours = [(250, 0, 0), (0, 250, 0), (0, 0, 250)]
    tiles = [Image.new("RGB", (40, 20), colour) for colour in colours]
    sheet = contact_sheet(tiles, columns=2, tile_side=40)
    # squares of 40 with 8 around and between: centres at 28 and 76
    assert sheet.size == (8 + 2 * 48, 8 + 2 * 48)
    assert [sheet.getpixel(centre) for centre in [(28, 28), (76, 28), (28, 76)]] == colours
    assert sheet.getpixel((28, 28 - 15)) == sheet.getpixel(
        (76, 76)
    )  # background above, and no fourth tile


def test_a_tile_larger_than_its_square_is_shrunk_into_it():
    sheet = contact_sheet([Image.new("RGB", (400, 300), "red")], columns=3, tile_side=40)
    assert extent(is_colour(sheet, (255, 0, 0))) == (8, 47, 13, 42)


def test_captions_are_written_below_their_tiles_and_nowhere_else():
    tiles = [Image.new("RGB", (40, 40))] * 2
    captions = ["a caption that is much too long", ""]
    sheet = contact_sheet(tiles, columns=2, tile_side=40, captions=captions)
    first, last, top, _ = extent(np.asarray(sheet)[:, :, 0] > 150)
    assert first >= 8
    assert last < 48
    assert top >= 48


def test_a_sheet_without_images_or_with_too_many_captions_is_refused():
    with pytest.raises(ValueError, match="at least one image"):
        contact_sheet([], columns=2, tile_side=40)
    with pytest.raises(ValueError, match="1 images cannot have 2 captions"):
        contact_sheet([Image.new("RGB", (4, 4))], columns=1, tile_side=4, captions=["a", "b"])


def test_a_prediction_of_no_subject_is_text_in_the_corner_without_box_and_keypoints():
    bone = KeypointSet(("nose", "tail"), ((0, 1),))
    box, points = (20.0, 60.0, 190.0, 140.0), ((40.0, 80.0, 1.0), (150.0, 120.0, 1.0))
    absent = Prediction("cat", 0.75, box, (1.0,), points, present=0.49)
    drawn = draw(plain(), prediction=absent, keypoints=bone)
    assert NO_SUBJECT == "no subject"
    first, last, top, bottom = extent(is_colour(drawn, PREDICTED))
    assert (first, top) == (0, 0)
    assert last < 120
    assert bottom < 40
    assert (np.asarray(drawn)[40:] == GREY).all()
    found = draw(plain(), prediction=dataclasses.replace(absent, present=0.5), keypoints=bone)
    assert found.getpixel((100, 60)) == PREDICTED


def test_the_true_label_is_drawn_if_the_subject_is_missed():
    shown = true((50.0, 60.0, 150.0, 100.0))
    there = predicted((60.0, 70.0, 160.0, 110.0))
    missed = dataclasses.replace(there, present=0.1)
    known = is_colour(draw(plain(), prediction=there, truth=shown), TRUE).sum()
    assert is_colour(draw(plain(), prediction=missed, truth=shown), TRUE).sum() > known + 100
