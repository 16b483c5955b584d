"""A calibrated network as it is loaded: what it says of its certainty, and what it promises."""

import dataclasses
import json
import pickle

import numpy as np
import onnx
import pytest

import onebox
from onebox.calibration import calibrate_file
from onebox.confidence.conformal import quantile
from onebox.errors import ModelError, SettingError
from onebox.model_card import METADATA_KEY, ModelCard, write_card

PROMISES = {"coverage": 0.9, "max_risk": 0.1}


def arrays(data):
    return [np.asarray(sample.image) for sample in data]


def contains(outer, inner):
    return (
        outer[0] <= inner[0]
        and outer[1] <= inner[1]
        and outer[2] >= inner[2]
        and outer[3] >= inner[3]
    )


@pytest.fixture
def calibrated_file(sure_file, greys):
    """The model, calibrated on 60 images of which the two brightest are wrong."""
    calibrate_file(sure_file, greys(60, wrong=(58, 59)))
    return sure_file


@pytest.fixture
def localizer(calibrated_file):
    return onebox.load(calibrated_file, threads=1)


def sent(model):
    """The model as another process gets it."""
    return pickle.loads(pickle.dumps(model))  # noqa: S301 - our own


# --- boxes with coverage -----------------------------------------------------------------------


def test_outer_and_inner_box_move_each_side_by_so_many_sigmas(localizer, greys):
    promising = localizer.with_guarantees(coverage=0.8)
    sides = localizer.card.calibration.sides
    outer, inner = quantile(sides.outer, 0.8), quantile(sides.inner, 0.8)
    for pixels in arrays(greys(7, offset=11)):
        found = promising.predict(pixels)
        across, down = found.sigma[0], found.sigma[1]
        # At the left and at the top, the predicted box lies at the image's border already.
        grown = (0, 0, 30 + outer * across, 20 + outer * down)
        assert found.outer_box == pytest.approx(grown)
        shrunk = (inner * across, inner * down, 30 - inner * across, 20 - inner * down)
        assert found.inner_box == pytest.approx(shrunk)
        assert contains(found.outer_box, found.box)
        assert contains(found.box, found.inner_box)


def test_calibration_images_are_covered_as_often_as_promised(localizer, greys):
    data = greys(60, wrong=(58, 59))
    for coverage in (0.5, 0.8, 0.9, 0.95):
        promising = localizer.with_guarantees(coverage=coverage)
        found = [promising.predict(pixels) for pixels in arrays(data)]
        pairs = list(zip(found, data, strict=True))
        assert sum(contains(each.outer_box, one.box) for each, one in pairs) >= coverage * 60


def test_without_a_promise_a_prediction_has_no_such_boxes(localizer, greys):
    [pixels] = arrays(greys(1))
    found = localizer.predict(pixels)
    assert (found.outer_box, found.inner_box, found.accepted) == (None, None, None)
    withdrawn = localizer.with_guarantees(**PROMISES).with_guarantees()
    assert withdrawn.predict(pixels) == found


# --- accepted predictions ----------------------------------------------------------------------


def test_the_darker_and_so_surer_images_are_accepted(localizer, greys):
    risky = localizer.with_guarantees(max_risk=0.1)
    found = [risky.predict(pixels) for pixels in arrays(greys(60))]
    accepted = [each.accepted for each in found]
    # All but the brightest, of which two were wrong, and no bright one where a dark one is not.
    assert accepted == sorted(accepted, reverse=True)
    assert 29 <= sum(accepted) <= 58
    assert (found[0].outer_box, found[0].inner_box) == (None, None)


# --- what is refused ---------------------------------------------------------------------------


def test_a_model_that_is_not_calibrated_promises_nothing(sure_file):
    model = onebox.load(sure_file)
    for promise in ({"coverage": 0.9}, {"max_risk": 0.05}):
        with pytest.raises(SettingError, match=r"model\.onnx is not calibrated.*onebox calibrate"):
            model.with_guarantees(**promise)
    assert model.with_guarantees().card == model.card


@pytest.mark.parametrize(
    ("promise", "words"),
    [
        ({"coverage": 0.99}, "coverage 0.99 needs 99 calibration images, this model has 60"),
        ({"max_risk": 0.01}, "max_risk 0.01 needs at least 299 calibration images"),
        ({"coverage": 90.0}, "coverage must be between 0 and 1, got 90. Did you mean 0.9?"),
        ({"coverage": 0.0}, "coverage must be between 0 and 1, got 0."),
        ({"max_risk": 1.0}, "max_risk must be between 0 and 1, got 1."),
    ],
)
def test_a_promise_that_the_images_do_not_support_is_refused(promise, words, localizer):
    with pytest.raises(SettingError) as refused:
        localizer.with_guarantees(**promise)
    assert words in str(refused.value)
    assert refused.value.exit_code == 2


# --- the same everywhere -----------------------------------------------------------------------


@pytest.mark.parametrize("how", [{}, {"threads": 3}, {"batch": 4}, {"batch": 64, "threads": 2}])
def test_many_predictions_are_those_of_predict(how, localizer, greys):
    promising = localizer.with_guarantees(**PROMISES)
    images = [np.ascontiguousarray(each[: 40 - number % 3]) for number, each in
              enumerate(arrays(greys(20)))]  # fmt: skip
    answers = list(promising.predict_many(images, **how))
    for answer, pixels in zip(answers, images, strict=True):
        alone = promising.predict(pixels)
        found = dataclasses.asdict(answer.prediction)
        for name, value in dataclasses.asdict(alone).items():
            assert found[name] == (value if value is None else pytest.approx(value, abs=1e-5))


def test_a_model_sent_to_another_process_keeps_its_promises(localizer, greys):
    [pixels] = arrays(greys(1))
    for promises in ({}, {"coverage": 0.9}, {"max_risk": 0.1}, PROMISES):
        promising = localizer.with_guarantees(**promises)
        assert sent(promising).predict(pixels) == promising.predict(pixels)
    assert sent(promising).predict(pixels).outer_box is not None
    assert sent(promising).predict(pixels).accepted is not None


def test_with_another_pass_the_promises_are_those_of_its_calibration(sure_file, greys):
    write_card(sure_file, dataclasses.replace(onebox.load(sure_file).card, refine_margin=1.0))
    calibrate_file(sure_file, greys(60))
    twice = onebox.load(sure_file).with_guarantees(coverage=0.9)
    once = twice.with_refinement(None)
    [pixels] = arrays(greys(1))
    card = twice.card
    for model, calibration in ((twice, card.refined_calibration), (once, card.calibration)):
        found = model.predict(pixels)
        grown = found.box[2] + quantile(calibration.sides.outer, 0.9) * found.sigma[2]
        assert found.outer_box[2] == pytest.approx(min(grown, 60))
        assert sent(model).predict(pixels) == found
    with pytest.raises(SettingError, match="is not calibrated"):
        twice.with_refinement(2.0)


# --- files of other versions -------------------------------------------------------------------


def test_a_model_of_an_older_version_predicts_what_it_did(bright_file, greys, tmp_path):
    card = json.loads(onebox.load(bright_file).card.as_json())
    for name in ("sigma", "distance", "calibration", "refined_calibration"):
        del card[name]
    model = onnx.load(bright_file)
    onnx.helper.set_model_props(model, {METADATA_KEY: json.dumps(card)})
    onnx.save(model, tmp_path / "old.onnx")
    [pixels] = arrays(greys(1))
    old = onebox.load(tmp_path / "old.onnx")
    assert old.predict(pixels) == onebox.load(bright_file).predict(pixels)
    found = dataclasses.asdict(old.predict(pixels))
    said = {name for name, value in found.items() if value is not None}
    assert said == {"label", "score", "box", "probabilities"}
    assert old.predict(pixels).spread is None
    assert old.card == onebox.load(bright_file).card


def test_a_card_with_a_calibration_reads_back_equal(localizer):
    assert ModelCard.from_json(localizer.card.as_json()) == localizer.card


@pytest.mark.parametrize("lost", ["raw_score", "sigma", "distance"])
def test_a_calibrated_file_without_one_of_its_outputs_is_refused(lost, calibrated_file):
    model = onnx.load(calibrated_file)
    [output] = [each for each in model.graph.output if each.name == lost]
    model.graph.output.remove(output)
    onnx.save(model, calibrated_file)
    with pytest.raises(ModelError, match=rf"lacks the outputs {lost}\. Export it anew"):
        onebox.load(calibrated_file)
