"""A model file and calibration images → the same file, calibrated, or an error and the old file."""

import dataclasses
import errno
import json
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx.helper import make_node

import onebox
from onebox.calibration import LEAST_IMAGES, calibrate_file, job
from onebox.calibration.fitting import fit
from onebox.confidence.applying import calibrated
from onebox.confidence.records import MOST_SCORES
from onebox.errors import DataError, ModelError, OneboxError
from onebox.model_card import write_card
from onebox.structures import Dataset


def without_calibration(card):
    return dataclasses.replace(card, calibration=None, refined_calibration=None)


# --- what it does ------------------------------------------------------------------------------


def test_the_card_holds_what_the_uncalibrated_model_does_on_these_images(sure_file, greys):
    data = greys(60)
    plain = onebox.load(sure_file)
    expected = fit(onebox.evaluate(plain, data).outcomes, ("disc",))
    summary = calibrate_file(sure_file, data)
    card = onebox.load(sure_file).card
    assert card.calibration == expected
    assert card.refined_calibration is None
    assert without_calibration(card) == plain.card
    assert (summary.images, summary.before) == (60, {})
    # Errors of -1 to 1 sigma; the sigma is a little smaller, as the images are not quite grey.
    assert summary.after["sigmas_for_90_percent"] == pytest.approx(1, abs=0.02)
    assert "60 calibration images" in summary.promise


def test_nothing_but_certainty_changes_in_a_prediction(sure_file, greys):
    data = greys(40)
    before = [onebox.load(sure_file).predict(np.asarray(sample.image)) for sample in data]
    calibrate_file(sure_file, data)
    localizer = onebox.load(sure_file)
    after = [localizer.predict(np.asarray(sample.image)) for sample in data]
    for old, new in zip(before, after, strict=True):
        same = ("label", "box", "sigma", "distance", "probabilities")
        assert [getattr(old, name) for name in same] == [getattr(new, name) for name in same]
        assert (old.expected_iou, old.familiar) == (None, None)
        assert new.score == new.expected_iou > 0
    # A spread of a fifth of the brightness, and an error in proportion: the darker, the surer.
    expected = [each.expected_iou for each in after]
    assert expected == sorted(expected, reverse=True)
    assert {each.is_familiar for each in after} == {True, False}


def test_every_output_of_the_file_is_that_of_predict(sure_file, greys):
    calibrate_file(sure_file, greys(40))
    localizer, session = onebox.load(sure_file), onnxruntime.InferenceSession(sure_file)
    names = [output.name for output in session.get_outputs()]
    for sample in greys(40, offset=30):
        pixels = np.asarray(sample.image)
        found = dict(zip(names, session.run(None, {"image": pixels[None]}), strict=True))
        prediction = localizer.predict(pixels)
        for name in ("score", "expected_iou", "p_iou50", "p_iou75", "novelty", "distance"):
            value = getattr(prediction, name)
            assert float(found[name][0]) == pytest.approx(value, rel=1e-4, abs=1e-5)
        assert float(found["familiar"][0]) == pytest.approx(prediction.familiar, abs=1.5 / 41)
        assert found["sigma"][0] == pytest.approx(prediction.sigma)


def test_probabilities_are_scaled_once(write_bright_model, greys, tmp_path):
    file = write_bright_model(tmp_path / "model.onnx", classes=("disc", "ring"), sigma=True)
    data = greys(40, labels=("disc", "ring"))
    plain = onebox.load(file)
    found = [plain.predict(np.asarray(sample.image)) for sample in data]
    calibrate_file(file, data)
    localizer = onebox.load(file)
    calibration = localizer.card.calibration
    assert calibration.temperature > 1.5  # the label has nothing to do with the brightness
    for sample, expected in zip(data, found, strict=True):
        predicted = localizer.predict(np.asarray(sample.image))
        assert predicted == calibrated(expected, calibration)
        assert predicted.label == ("disc" if predicted.probabilities[0] > 0.5 else "ring")


def test_calibrated_again_on_the_same_images_the_file_is_the_same(sure_file, greys):
    first = calibrate_file(sure_file, greys(30))
    content = sure_file.read_bytes()
    again = calibrate_file(sure_file, greys(30))
    assert sure_file.read_bytes() == content
    assert again.before == again.after == first.after
    assert (again.promise, again.warnings) == (first.promise, first.warnings)


def test_other_images_replace_all_of_an_earlier_calibration(sure_file, greys, tmp_path):
    once = shutil.copy(sure_file, tmp_path / "once.onnx")
    calibrate_file(once, greys(25, offset=40))
    calibrate_file(sure_file, greys(30))
    summary = calibrate_file(sure_file, greys(25, offset=40))
    assert sure_file.read_bytes() == once.read_bytes()
    assert (summary.before["images"], summary.after["images"]) == (30, 25)


def test_another_file_may_be_written(sure_file, greys, tmp_path):
    content = sure_file.read_bytes()
    calibrate_file(sure_file, greys(20), tmp_path / "other.onnx")
    assert sure_file.read_bytes() == content
    assert onebox.load(tmp_path / "other.onnx").card.calibration.images == 20


def test_images_without_a_box_are_left_out(sure_file, greys):
    data = greys(20)
    boxless = [dataclasses.replace(sample, box=None, label=None) for sample in greys(15, offset=9)]
    mixed = Dataset((*boxless, *data.samples), ("disc",), name="mixed")
    assert calibrate_file(sure_file, mixed).images == 20
    with_them = sure_file.read_bytes()
    calibrate_file(sure_file, data)
    assert sure_file.read_bytes() == with_them


def test_of_many_images_so_many_are_taken_evenly(sure_file, greys, monkeypatch):
    monkeypatch.setattr(job, "MOST_SCORES", 11)
    assert calibrate_file(sure_file, greys(21)).images == 11
    spreads = onebox.load(sure_file).card.calibration.spreads
    # Every second image of 21: levels 40, 55, ... 192 of 255, a fifth of which is the spread.
    levels = [40 + 160 * number // 21 for number in range(0, 21, 2)]
    assert spreads == pytest.approx([level / 255 / 5 for level in levels], abs=0.002)
    assert MOST_SCORES == 1000


def test_progress_counts_the_images(sure_file, greys):
    heard = []
    calibrate_file(sure_file, greys(12), progress=lambda *pair: heard.append(pair))
    assert heard == [(number, 12) for number in range(1, 13)]


def test_a_summary_is_json(sure_file, greys):
    summary = calibrate_file(sure_file, greys(12))
    printed = json.loads(json.dumps(summary.as_json()))
    assert printed["promise"] == summary.promise
    assert set(printed) == {"images", "promise", "warnings", "before", "after"}


# --- the refinement pass -----------------------------------------------------------------------


@pytest.fixture
def refining_file(sure_file):
    """The model with a refinement pass, whose box is half as wide: (0, 0, 15, 10)."""
    write_card(sure_file, dataclasses.replace(onebox.load(sure_file).card, refine_margin=1.0))
    return sure_file


def test_predictions_with_the_pass_and_without_have_a_calibration_each(refining_file, greys):
    plain = onebox.load(refining_file)
    data = greys(30)
    summary = calibrate_file(refining_file, data)
    card = onebox.load(refining_file).card
    outcomes = onebox.evaluate(plain.with_refinement(None), data).outcomes
    assert card.calibration == fit(outcomes, ("disc",))
    assert card.refined_calibration == fit(onebox.evaluate(plain, data).outcomes, ("disc",))
    # The refined box is too small on every image, the first one too small on none.
    assert (any(card.calibration.is_wrong), all(card.refined_calibration.is_wrong)) == (False, True)
    assert summary.after["fraction_wrong"] == 1


def test_a_loaded_model_is_judged_by_the_calibration_of_its_passes(refining_file, greys):
    plain = onebox.load(refining_file)
    calibrate_file(refining_file, greys(30))
    twice = onebox.load(refining_file)
    once, card = twice.with_refinement(None), twice.card
    for sample in greys(5):
        pixels = np.asarray(sample.image)
        found = plain.predict(pixels)
        assert twice.predict(pixels) == calibrated(found, card.refined_calibration)
        assert found.box == (0, 0, 15, 10)
        found = plain.with_refinement(None).predict(pixels)
        assert once.predict(pixels) == calibrated(found, card.calibration)
        assert twice.predict(pixels).expected_iou < once.predict(pixels).expected_iou - 0.2


def test_plain_onnx_runtime_has_both_calibrations(refining_file, greys):
    calibrate_file(refining_file, greys(30))
    twice, session = onebox.load(refining_file), onnxruntime.InferenceSession(refining_file)
    pixels = np.asarray(greys(1).samples[0].image)
    names = ["expected_iou", "score", "refined_expected_iou", "refined_score"]
    crop = pixels[:20, :30]  # the first box, and with the margin 1 the crop
    first, refined = (session.run(names, {"image": each[None]}) for each in (pixels, crop))
    once = twice.with_refinement(None).predict(pixels)
    assert [*first[0], *first[1]] == pytest.approx([once.expected_iou, once.score], abs=1e-5)
    both = twice.predict(pixels)
    assert [*refined[2], *refined[3]] == pytest.approx([both.expected_iou, both.score], abs=1e-5)


def test_another_margin_than_the_calibrated_one_is_not_calibrated(refining_file, greys):
    calibrate_file(refining_file, greys(30))
    twice = onebox.load(refining_file)
    pixels = np.asarray(greys(1).samples[0].image)
    assert twice.with_refinement(1.0).predict(pixels).expected_iou is not None
    assert twice.with_refinement(2.0).predict(pixels).expected_iou is None
    assert twice.with_refinement(2.0).card.active_calibration is None


def test_presence_is_a_factor_of_the_score_in_the_file_too(sure_file, greys):
    model = onnx.load(sure_file)
    model.graph.node.append(make_node("Sqrt", ["score"], ["presence"]))
    presence = onnx.helper.make_tensor_value_info("presence", onnx.TensorProto.FLOAT, ["n"])
    model.graph.output.append(presence)
    onnx.save(model, sure_file)
    write_card(sure_file, dataclasses.replace(onebox.load(sure_file).card, presence=True))
    calibrate_file(sure_file, greys(30))
    pixels = np.asarray(greys(1).samples[0].image)
    prediction = onebox.load(sure_file).predict(pixels)
    assert prediction.present == pytest.approx((40 / 255) ** 0.5, abs=1e-3)
    assert prediction.score == pytest.approx(prediction.present * prediction.expected_iou)
    session = onnxruntime.InferenceSession(sure_file)
    [score] = session.run(["score"], {"image": pixels[None]})
    assert score == pytest.approx([prediction.score], abs=1e-6)


# --- warnings ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "wrong", "words"),
    [
        (49, range(5), ["49 calibration images are few"]),
        (50, range(5), []),
        (50, (), ["no calibration image has a wrong label"]),
        (50, range(50), ["every calibration image has a wrong label"]),
    ],
)
def test_what_weakens_the_calibration_is_said(count, wrong, words, sure_file, greys):
    summary = calibrate_file(sure_file, greys(count, wrong=wrong))
    assert len(summary.warnings) == len(words)
    for found, expected in zip(summary.warnings, words, strict=True):
        assert found.startswith(expected)


def test_images_of_one_class_of_two_are_named(write_bright_model, greys, tmp_path):
    file = write_bright_model(tmp_path / "model.onnx", classes=("disc", "ring"), sigma=True)
    found = calibrate_file(file, greys(60, labels=("disc",))).warnings
    assert any("all calibration images show 'disc', one of 2 classes" in each for each in found)
    both = calibrate_file(file, greys(60, labels=("disc", "ring"))).warnings
    assert not any("calibration images show" in each for each in both)


def test_images_unlike_the_earlier_ones_are_named(sure_file, greys):
    calibrate_file(sure_file, greys(50, wrong=[0]))
    assert calibrate_file(sure_file, greys(50, wrong=[0], offset=3)).warnings == ()
    [found] = calibrate_file(sure_file, greys(50, wrong=[0], offset=55)).warnings
    assert found.startswith("these images differ from those of the earlier calibration")


# --- what is refused ---------------------------------------------------------------------------


def test_a_full_disk_for_temporary_files_is_named(sure_file, greys, monkeypatch):
    content, scratch = sure_file.read_bytes(), tempfile.gettempdir()

    def fill_up(path, _):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # of a write: it names no file

    monkeypatch.setattr(Path, "write_bytes", fill_up)
    with pytest.raises(
        OneboxError, match=rf"{scratch}/.*/model\.onnx: cannot be written \(No space"
    ):
        calibrate_file(sure_file, greys(9))
    assert sure_file.read_bytes() == content


@pytest.mark.parametrize(("count", "words"), [(0, "0 calibration images"), (8, "8 calibration")])
def test_fewer_than_9_images_are_refused_with_the_number_it_takes(count, words, sure_file, greys):
    content = sure_file.read_bytes()
    with pytest.raises(DataError) as refused:
        calibrate_file(sure_file, greys(count))
    message = str(refused.value)
    assert message.startswith(f"greys: has {words}")
    assert f"needs at least {LEAST_IMAGES} (50 or more give a narrow promise)" in message
    assert "they must not have trained the model" in message
    assert sure_file.read_bytes() == content
    calibrate_file(sure_file, greys(9))


def test_labels_that_the_model_does_not_know_are_refused(sure_file, greys):
    words = r"label 'cat' \(and 8 other rows\) is not one of the model's classes disc"
    with pytest.raises(DataError, match=words):
        calibrate_file(sure_file, greys(9, labels=("cat",)))


def test_a_model_of_an_older_version_is_refused(bright_file, greys):
    content = bright_file.read_bytes()
    with pytest.raises(ModelError, match="exported by an older onebox, without the spread") as told:
        calibrate_file(bright_file, greys(20))
    assert str(told.value).startswith(f"{bright_file}: ")
    assert "--weights weights.safetensors keeps what it learned" in str(told.value)
    assert bright_file.read_bytes() == content


def test_what_is_no_model_is_refused(greys, tmp_path):
    with pytest.raises(ModelError, match=r"model\.onnx: does not exist"):
        calibrate_file(tmp_path / "model.onnx", greys(20))


def test_a_variant_for_openvino_is_calibrated_by_its_model(sure_file, greys, tmp_path):
    pytest.importorskip("openvino")
    from onebox.variants import openvino_ir

    file = tmp_path / "model.xml"
    openvino_ir.write(sure_file, onebox.load(sure_file).card, [], file)
    with pytest.raises(ModelError, match=r"Calibrate model\.onnx, and export it again"):
        calibrate_file(file, greys(20))


@pytest.mark.parametrize("stage", ["evaluate", "fit", "add_calibration"])
def test_the_file_stays_as_it_was_if_anything_fails(stage, sure_file, greys, monkeypatch):
    calibrate_file(sure_file, greys(20))
    content = sure_file.read_bytes()

    def fail(*_args, **_kwargs):
        raise DataError("a.jpg: cannot be read.")

    monkeypatch.setattr(job, stage, fail)
    with pytest.raises(DataError, match=r"a\.jpg"):
        calibrate_file(sure_file, greys(30))
    assert sure_file.read_bytes() == content
    assert [each.name for each in sure_file.parent.iterdir()] == ["model.onnx"]


def test_an_interrupted_calibration_leaves_the_file(sure_file, greys):
    content = sure_file.read_bytes()

    def interrupt(done, _total):
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        calibrate_file(sure_file, greys(20), progress=interrupt)
    assert sure_file.read_bytes() == content


def test_every_unreadable_image_is_named_and_the_file_stays(sure_file, greys, tmp_path):
    content, data = sure_file.read_bytes(), greys(20)
    broken = [
        dataclasses.replace(sample, image=tmp_path / f"{number}.png")
        for number, sample in enumerate(data.samples[:2])
    ]
    with pytest.raises(DataError) as refused:
        calibrate_file(sure_file, dataclasses.replace(data, samples=(*broken, *data.samples)))
    assert [f"{number}.png: there is no" in str(refused.value) for number in (0, 1)] == [True] * 2
    assert sure_file.read_bytes() == content
