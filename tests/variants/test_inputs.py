"""The pixels that variants are calibrated and compared on are those that the network sees."""

import numpy as np
import pytest

import onebox
from onebox import images
from onebox.variants.inputs import generated, network_inputs, of_many_shapes


def test_images_are_cut_to_many_shapes():
    square = np.arange(20 * 20 * 3).reshape(20, 20, 3).astype(np.uint8)
    cut = of_many_shapes([square], 8)
    # A twentieth of 20 rows for each step up to six, of the columns up to four
    shapes = [(20, 20), (19, 19), (18, 18), (17, 17), (16, 16), (15, 20), (14, 19), (20, 18)]
    assert [one.shape[:2] for one in cut] == shapes
    np.testing.assert_array_equal(cut[7], square[:, :18])


def test_generated_images_have_the_size_asked_for():
    images = generated(48, 3)
    assert [one.shape for one in images] == [(48, 48, 3)] * 3
    assert not np.array_equal(images[0], images[1])


@pytest.mark.train
def test_the_network_sees_whole_images_shrunk_as_the_runtime_does(model_file, tmp_path):
    large = np.random.default_rng(0).integers(0, 256, (640, 640, 3), dtype=np.uint8)
    sample = onebox.Sample(large)
    [pixels] = network_inputs(onebox.load(model_file), [sample])
    # Blocks of ten: 640 over a training size of 64
    assert pixels.shape == (64, 64, 3)
    np.testing.assert_array_equal(pixels, images.load(large, at_least=64).pixels)


@pytest.mark.train
def test_with_refinement_the_network_sees_the_crop_around_its_first_box_too(model_file, discs):
    localizer = onebox.load(model_file).with_refinement(1.4)
    sample = next(one for one in discs if one.box[2] - one.box[0] < 20)
    whole, crop = network_inputs(localizer, [sample])
    np.testing.assert_array_equal(whole, np.asarray(sample.image))
    assert crop.size < whole.size
    # The disc, which is all there is, lies within the crop.
    assert (crop > 0).sum() == (whole > 0).sum()
