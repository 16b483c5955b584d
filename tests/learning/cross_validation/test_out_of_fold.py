"""Out-of-fold predictions of whole data sets."""

import dataclasses
import time

import numpy as np
import pytest
import torch

from onebox.audit.job import AuditOptions
from onebox.boxes import paired_iou
from onebox.errors import SettingError
from onebox.learning.cross_validation import fold_networks, out_of_fold
from onebox.learning.cross_validation.looks import Look
from onebox.learning.cross_validation.out_of_fold import _boxes, predict_out_of_fold
from onebox.mean_box import normalized_boxes

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def recipe(tiny_recipe):
    return tiny_recipe.changed({"train.epochs": 24})


def options(**changed):
    return AuditOptions(time.monotonic(), **{"folds": 2, **changed})


@pytest.fixture(scope="module")
def found(discs, recipe, new_diary):
    diary = new_diary()
    return predict_out_of_fold(discs, recipe, options(), diary), diary


def test_every_image_of_every_split_is_predicted_in_the_order_of_the_data(found, discs):
    boxes, true = found[0].boxes, normalized_boxes(discs)
    own = paired_iou(boxes, true)
    assert len(boxes) == len(discs)
    assert np.median(own) > 0.6
    # a prediction in another image's place would fit that one
    assert own.mean() > 3 * paired_iou(np.roll(boxes, 1, axis=0), true).mean()


def test_spreads_and_probabilities_are_numbers_that_can_be(found, discs):
    predictions = found[0]
    assert (predictions.sigmas > 0).all()
    assert (predictions.sigmas < 1).all()
    assert (predictions.boxes >= 0).all()
    assert (predictions.boxes <= 1).all()
    np.testing.assert_allclose(predictions.probabilities, np.ones((len(discs), 1)), atol=1e-6)
    assert predictions.keypoints is predictions.present is None
    assert predictions.copies == ()


def test_the_listener_hears_of_each_fold(found):
    diary = found[1]
    assert diary.stages == ["Decoding images", "Training fold 1 of 2", "Training fold 2 of 2"]
    assert len(diary.epochs) == 2


def test_a_network_never_trains_on_what_it_predicts(discs, recipe, monkeypatch, new_diary):
    trained, held = [], []

    def look_only(network, recipe, parts, *rest):
        trained.append({bytes(parts["train"].pixels[row]) for row in range(len(parts["train"]))})
        held.append({bytes(parts["val"].pixels[row]) for row in range(len(parts["val"]))})
        raise StoppedError

    class StoppedError(Exception):
        pass

    monkeypatch.setattr(fold_networks, "fit", look_only)
    with pytest.raises(StoppedError):
        predict_out_of_fold(discs, recipe, options(folds=4), new_diary())
    assert not trained[0] & held[0]
    assert (len(trained[0]), len(held[0])) == (len(discs) * 3 // 4, len(discs) // 4)


def test_copies_are_found_and_stay_in_one_fold(discs, recipe, monkeypatch, new_diary, shortened):
    few = shortened(discs, train=20)
    copied = dataclasses.replace(few, samples=(*few.samples, few.samples[3]))
    seen = []
    monkeypatch.setattr(
        out_of_fold, "assign_folds", lambda labels, copies, *rest: seen.append(copies) or 1 / 0
    )
    with pytest.raises(ZeroDivisionError):
        predict_out_of_fold(copied, recipe, options(), new_diary())
    assert seen[0][20] == seen[0][3]


def test_ctrl_c_ends_the_audit(discs, recipe, new_diary):
    with pytest.raises(KeyboardInterrupt):
        predict_out_of_fold(
            discs, recipe, options(), new_diary(stop_at_step=2, stop_in="Training fold 1 of 2")
        )


def test_a_time_budget_is_shared_by_the_folds(discs, recipe, monkeypatch, new_diary):
    budgets = []
    real = fold_networks.fit

    def fit(network, recipe, parts, folder, listener, limits):
        budgets.append(limits.budget_s)
        return real(
            network, recipe, parts, folder, listener, dataclasses.replace(limits, budget_s=0.5)
        )

    monkeypatch.setattr(fold_networks, "fit", fit)
    timed = recipe.changed({"train.minutes": 2.0})
    predict_out_of_fold(discs, timed, options(), new_diary())
    # two minutes, less what came before and after, for two folds; the second has what is left
    assert 20 < budgets[0] < 60
    assert budgets[0] < budgets[1] < 120


def test_a_time_budget_that_leaves_none_to_train_is_refused(discs, recipe, new_diary):
    timed = recipe.changed({"train.minutes": 0.05})
    with pytest.raises(
        SettingError, match=r"--minutes 0.05: without any training, the audit takes"
    ):
        predict_out_of_fold(discs, timed, options(), new_diary())


def test_edges_of_a_predicted_box_are_cut_at_the_frame_and_in_order():
    boxes = torch.tensor([[0.75, -0.5, 0.25, 1.5], [0.5, 0.75, 0.5, 0.25]])
    look = Look(boxes, torch.ones(2, 4), torch.zeros(2, 1), None, None)
    assert _boxes(look).tolist() == [[0.25, 0.0, 0.75, 1.0], [0.5, 0.25, 0.5, 0.75]]
