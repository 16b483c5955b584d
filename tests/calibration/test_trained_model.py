"""What training leaves: a calibrated file, the same for plain ONNX Runtime and for `predict`."""

import dataclasses
import shutil

import numpy as np
import onnx
import onnxruntime
import pytest

import onebox
from onebox.calibration import calibrate_file
from onebox.calibration.fitting import fit
from onebox.calibration.training_features import MOST_EXAMPLES
from onebox.variants.pipeline import make

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def localizer(model_file):
    return onebox.load(model_file)


def test_training_calibrates_on_the_images_of_that_split(localizer, exported_file, discs):
    card = localizer.card
    assert (card.sigma, card.distance) == (True, True)
    assert card.calibration.images == len(discs.part("cal")) == 12
    assert card.refined_calibration is None
    outcomes = onebox.evaluate(onebox.load(exported_file), discs.part("cal")).outcomes
    expected = fit(outcomes, card.classes)
    # A file as exported has no distance, and so no novelty.
    without = {"novelty": None, "novelties": ()}
    assert dataclasses.replace(card.calibration, **without) == expected
    assert len(card.calibration.novelties) == 12


def test_the_outputs_of_the_file_are_those_of_predict(localizer, model_file, discs):
    session = onnxruntime.InferenceSession(model_file)
    names = [output.name for output in session.get_outputs()]
    for sample in discs.part("test"):
        pixels = np.asarray(sample.image)
        found = dict(zip(names, session.run(None, {"image": pixels[None]}), strict=True))
        prediction = localizer.predict(pixels)
        for name in ("score", "expected_iou", "p_iou50", "p_iou75", "novelty", "distance"):
            value = getattr(prediction, name)
            assert float(found[name][0]) == pytest.approx(value, rel=1e-3, abs=1e-4), name
        for name in ("box", "sigma"):
            assert found[name][0] == pytest.approx(getattr(prediction, name), rel=1e-4, abs=1e-3)
        assert found["probability"][0] == pytest.approx(prediction.probabilities)
        assert float(found["familiar"][0]) == pytest.approx(prediction.familiar, abs=1.5 / 13)


def test_sigma_is_the_spread_of_the_bins_of_the_network(localizer, discs):
    found = [localizer.predict(np.asarray(one.image)) for one in discs.part("test")]
    assert all(0.1 < sigma < 30 for each in found for sigma in each.sigma)
    assert len({round(each.sigma[0], 3) for each in found}) > 6


def test_training_images_are_near_and_others_are_far(localizer, discs):
    def distances(images):
        return np.array([localizer.predict(np.asarray(image)).distance for image in images])

    trained_on = distances(sample.image for sample in discs.part("train").samples[:20])
    rng = np.random.default_rng(0)
    noise = distances(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8) for _ in range(5))
    assert trained_on.min() >= -1e-6
    assert noise.min() > 3 * np.median(trained_on)


def test_the_file_keeps_features_of_training_images(model_file, discs):
    [kept] = [
        each
        for each in onnx.load(model_file).graph.initializer
        if each.name.startswith("distance/") and len(each.dims) == 2
    ]
    features = onnx.numpy_helper.to_array(kept)
    assert features.shape[1] == min(len(discs.part("train")), MOST_EXAMPLES)
    np.testing.assert_allclose(np.linalg.norm(features, axis=0), 1, rtol=1e-5)


def test_a_trained_file_is_calibrated_anew_without_a_change_of_its_boxes(
    localizer, model_file, discs, tmp_path
):
    file = shutil.copy(model_file, tmp_path / "model.onnx")
    summary = calibrate_file(file, discs.part("cal"))
    assert summary.before == summary.after
    assert onebox.load(file).card.calibration == localizer.card.calibration
    summary = calibrate_file(file, discs.part("test"))
    assert summary.before != summary.after
    again = onebox.load(file)
    for sample in discs.part("val").samples[:3]:
        pixels = np.asarray(sample.image)
        same = {"box", "label", "sigma", "distance"}
        ours, theirs = again.predict(pixels), localizer.predict(pixels)
        assert all(getattr(ours, name) == getattr(theirs, name) for name in same)
        assert ours.expected_iou != theirs.expected_iou


# --- variants ----------------------------------------------------------------------------------


def check_against_plain(localizer, session, pixels):
    """Check that the file, in plain ONNX Runtime, says what `predict` does."""
    [score], [expected] = session.run(["score", "expected_iou"], {"image": pixels[None]})
    prediction = localizer.predict(pixels)
    assert [score, expected] == pytest.approx([prediction.score, prediction.expected_iou], abs=1e-4)


def test_an_int8_file_is_calibrated_on_its_own_outputs(localizer, model_file, discs, tmp_path):
    file = make(model_file, "int8", tmp_path / "model.int8.onnx", discs).file
    made = onebox.load(file)
    assert made.card.calibration.images == 12
    assert made.card.calibration.spreads != localizer.card.calibration.spreads
    again = calibrate_file(file, discs.part("cal"))
    assert again.before == again.after
    for sample in discs.part("test").samples[:4]:
        pixels = np.asarray(sample.image)
        check_against_plain(made, onnxruntime.InferenceSession(file), pixels)


def test_without_calibration_images_an_int8_file_keeps_the_models(
    localizer, model_file, discs, tmp_path
):
    val = discs.part("val")  # too few to take some for calibration
    file = make(model_file, "int8", tmp_path / "model.int8.onnx", val).file
    made = onebox.load(file)
    assert made.card.calibration == localizer.card.calibration
    pixels = np.asarray(val.samples[0].image)
    check_against_plain(made, onnxruntime.InferenceSession(file), pixels)


def test_validation_images_that_training_would_take_calibrate_int8(model_file, discs, tmp_path):
    # 24 validation images and no others: half of them choose nothing.
    val = [
        dataclasses.replace(sample, split="val")
        for sample in (*discs.part("val"), *discs.part("cal"))
    ]
    comparison = make(
        model_file,
        "int8",
        tmp_path / "model.int8.onnx",
        dataclasses.replace(discs, samples=tuple(val)),
    )
    assert comparison.images == 12
    assert onebox.load(comparison.file).card.calibration.images == 12


def test_openvino_carries_the_calibration(localizer, model_file, tmp_path, discs):
    pytest.importorskip("openvino")
    made = onebox.load(make(model_file, "openvino", tmp_path / "model.xml").file)
    assert made.card.calibration == localizer.card.calibration
    for sample in discs.part("test").samples[:3]:
        pixels = np.asarray(sample.image)
        ours, theirs = (each.with_guarantees(coverage=0.9) for each in (made, localizer))
        assert ours.predict(pixels).outer_box == pytest.approx(
            theirs.predict(pixels).outer_box, abs=0.1
        )
        assert ours.predict(pixels).score == pytest.approx(theirs.predict(pixels).score, abs=1e-3)
