"""The table of outputs: their order, and what each becomes on the whole image."""

import dataclasses

import numpy as np
import pytest

from onebox.images import LoadedImage
from onebox.model_card import ModelCard
from onebox.outputs import OUTPUT_TABLE, OUTPUTS, output_names, outputs_in
from onebox.structures import KeypointSet, Prediction

ROWS = {output.name: output for output in OUTPUT_TABLE}
CARD = ModelCard(("cat",), 32)
CROP = (100, 50, 300, 250)
# Decoded to 80 x 60 of 160 x 118 pixels: the last row is cut short.
HALVED = LoadedImage(np.zeros((60, 80, 3), np.uint8), (160, 118), (2.0, 2.0))


def array(*values):
    return np.array(values, np.float32)


def test_every_model_has_a_box_probabilities_and_a_score():
    assert OUTPUTS == output_names() == ("box", "probability", "score")
    assert [output.name for output in outputs_in(CARD)] == list(OUTPUTS)


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"keypoints": KeypointSet(("hip",))}, ["keypoints"]),
        ({"presence": True}, ["presence"]),
        ({"presence": True, "keypoints": KeypointSet(("hip",))}, ["keypoints", "presence"]),
        ({"sigma": True}, ["sigma"]),
        ({"distance": True, "sigma": True, "presence": True}, ["presence", "sigma", "distance"]),
    ],
)
def test_what_not_every_model_has_follows_if_the_card_has_it(changes, names):
    card = dataclasses.replace(CARD, **changes)
    assert [output.name for output in outputs_in(card)] == [*OUTPUTS, *names]
    assert output_names(names) == (*OUTPUTS, *names)


# What Python adds to the outputs: the name of the class, what calibration says, and promises.
ADDED = (
    *("label", "expected_iou", "p_iou50", "p_iou75", "novelty", "familiar", "is_familiar"),
    *("outer_box", "inner_box", "accepted"),
)


def test_every_output_fills_a_field_of_the_prediction_and_the_others_are_added():
    fields = [each.name for each in dataclasses.fields(Prediction)]
    assert sorted([*(output.field for output in OUTPUT_TABLE), *ADDED]) == sorted(fields)


def test_what_the_crop_shows_is_shifted_to_the_whole_image():
    refined = {
        "box": array(1, 2, 30, 40),
        "probability": array(0.25, 0.75),
        "keypoints": array([5, 6, 0.5]),
        "score": np.float32(0.5),
        "sigma": array(1, 2, 3, 4),
    }
    found = {name: ROWS[name].from_crop(refined, {}, CROP) for name in refined}
    assert found["box"].tolist() == [101, 52, 130, 90]
    assert found["probability"].tolist() == [0.25, 0.75]
    assert found["keypoints"].tolist() == [[105, 56, 0.5]]
    assert found["score"] == 0.5
    assert found["sigma"].tolist() == [1, 2, 3, 4]  # pixels of the crop are those of the image


def test_the_distance_is_that_of_the_whole_image():
    first, refined = {"distance": np.float32(0.25)}, {"distance": np.float32(0.5)}
    assert ROWS["distance"].from_crop(refined, first, CROP) == 0.25


def test_presence_is_that_of_the_whole_image_also_within_the_score():
    first = {"score": np.float32(0.1), "presence": np.float32(0.6)}
    refined = {"score": np.float32(0.4), "presence": np.float32(0.8)}
    assert ROWS["presence"].from_crop(refined, first, CROP) == np.float32(0.6)
    # 0.4 = 0.8 times 0.5, which is what the crop says of class and box
    assert ROWS["score"].from_crop(refined, first, CROP) == pytest.approx(0.5 * 0.6)


def test_a_crop_without_any_presence_gives_a_score_that_is_a_number():
    first, refined = {"presence": np.float32(0.6)}, {"score": 0.0, "presence": np.float32(0)}
    assert ROWS["score"].from_crop(refined, first, CROP) == 0


def test_pixels_as_decoded_become_pixels_of_the_whole_image_within_its_border():
    box = ROWS["box"].to_field(array(1, 2, 80, 60), HALVED)
    assert box == (2.0, 4.0, 160.0, 118.0)
    assert all(type(edge) is float for edge in box)
    assert ROWS["keypoints"].to_field(array([3, 4, 0.5], [80, 60, 1]), HALVED) == (
        (6.0, 8.0, 0.5),
        (160.0, 118.0, 1.0),
    )
    tall = LoadedImage(np.zeros((20, 80, 3), np.uint8), (160, 80), (2.0, 4.0))
    # A sigma may be larger than the image.
    assert ROWS["sigma"].to_field(array(1, 2, 300, 400), tall) == (2.0, 8.0, 600.0, 1600.0)


def test_numbers_without_pixels_stay_as_they_are():
    assert ROWS["probability"].to_field(array(0.25, 0.75), HALVED) == (0.25, 0.75)
    for name in ("score", "presence", "distance"):
        number = ROWS[name].to_field(np.float32(0.5), HALVED)
        assert (number, type(number)) == (0.5, float)
