"""The largest difference between two forms of a network, and the gate on it."""

import numpy as np
import pytest

from onebox.errors import ModelError
from onebox.parity import PARITY_IMAGES, PARITY_PX, check_parity, largest_difference_px

SIZE = 64
WIDE = np.zeros((80, 160, 3), np.uint8)
OUTPUTS = {
    "box": (10.0, 0.0, 20.0, 40.0),
    "probability": (0.75, 0.25),
    "score": 0.5,
    "keypoints": ((16.0, 8.0, 0.9),),
    "presence": 0.5,
    "sigma": (1.0, 2.0, 3.0, 4.0),
    "distance": 0.25,
}


def form(**changes):
    """A network that gives the same outputs for every image."""
    arrays = {name: np.array(value, np.float32) for name, value in {**OUTPUTS, **changes}.items()}
    return lambda _: arrays


def difference(**changes):
    return largest_difference_px(form(), form(**changes), [WIDE], size=SIZE)


def test_a_difference_of_edges_is_in_pixels_of_the_training_size():
    # One of 160 columns is 0.4 of 64, four of 80 rows are 3.2
    assert difference(box=(10.0, 0.0, 21.0, 40.0)) == pytest.approx(0.4)
    assert difference(box=(10.0, 0.0, 21.0, 36.0)) == pytest.approx(3.2)
    assert difference(sigma=(1.0, 2.0, 4.0, 4.0)) == pytest.approx(0.4)
    assert difference() == 0


@pytest.mark.parametrize(
    "changes", [{"score": 0.25}, {"probability": (0.5, 0.5)}, {"presence": 0.25}, {"distance": 0.5}]
)
def test_a_difference_of_1_between_probabilities_counts_as_the_whole_size(changes):
    assert difference(**changes) == pytest.approx(SIZE / 4)


def test_a_keypoint_counts_and_its_confidence_does_not():
    # Ten of 80 rows are 8 of 64
    assert difference(keypoints=((16.0, 18.0, 0.1),)) == pytest.approx(8)
    assert difference(keypoints=((16.0, 8.0, 0.1),)) == 0


def test_the_largest_difference_over_all_images_counts():
    def second_is_off(pixels):
        return form(score=0.5 if pixels is WIDE else 0.75)(pixels)

    images = [WIDE, WIDE.copy(), WIDE]
    assert largest_difference_px(form(), second_is_off, images, size=SIZE) == pytest.approx(16)


def test_outputs_that_a_model_lacks_are_not_compared():
    few = {name: np.zeros((2, 4), np.float32) for name in ("box", "probability", "score")}
    assert largest_difference_px(lambda _: few, lambda _: few, [WIDE], size=SIZE) == 0


@pytest.mark.parametrize("name", OUTPUTS)
def test_a_nan_in_any_output_makes_the_difference_nan(name):
    nan = np.full_like(np.array(OUTPUTS[name]), np.nan)
    assert np.isnan(difference(**{name: nan}))


@pytest.mark.parametrize(("difference_px", "passes"), [(0.1, True), (0.11, False), (np.nan, False)])
def test_the_gate_passes_up_to_a_tenth_of_a_pixel(difference_px, passes):
    if passes:
        check_parity(difference_px)
        return
    with pytest.raises(ModelError, match=f"by {difference_px:.3f} px, more than the 0.100 px"):
        check_parity(difference_px)


def test_the_limits_are_those_that_are_documented():
    assert (PARITY_PX, PARITY_IMAGES) == (0.1, 32)
