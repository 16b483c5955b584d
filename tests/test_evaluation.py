import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from onebox.errors import DataError
from onebox.evaluation import Report, evaluate, summarize
from onebox.localizer import Localizer
from onebox.metrics import compare
from onebox.model_card import ModelCard
from onebox.structures import Box, Dataset, KeypointSet, Prediction, Sample

CLASSES = ("cat", "dog")
WHOLE = (0.0, 0.0, 1.0, 1.0)
NAN = float("nan")
CARD = ModelCard(CLASSES, 64, mean_box=WHOLE)


@dataclass
class Scripted(Localizer):
    """A model whose predictions are given, in the order of the images."""

    predictions: list[tuple[str, Box]]
    card: ModelCard = CARD
    seen: list = field(default_factory=list)

    def predict(self, source):
        label, box = self.predictions[len(self.seen)]
        self.seen.append(source)
        return Prediction(label=label, score=0.75, box=box, probabilities=(0.5, 0.5))


class Disc:
    """An image that counts how often it is rendered."""

    rendered = 0

    def __array__(self, dtype=None, copy=None):
        self.rendered += 1
        return np.zeros((10, 20, 3), dtype=np.uint8)


def saved(folder, name, size_wh=(20, 10)):
    Image.new("RGB", size_wh).save(folder / name)
    return folder / name


def report_of(*rows, mean_box=WHOLE, size_wh=(100, 100)) -> Report:
    """A report of rows of (true label, true box, predicted label, predicted box)."""
    outcomes = [
        compare(
            Sample(image=Path(f"{index}.jpg"), label=true_label, box=true_box),
            Prediction(label, 0.75, box, (0.5, 0.5)),
            size_wh=size_wh,
            mean_box=mean_box,
        )
        for index, (true_label, true_box, label, box) in enumerate(rows)
    ]
    return summarize(outcomes, CLASSES)


def test_every_image_is_predicted_from_its_file_and_compared(tmp_path):
    first, second = saved(tmp_path, "a.png"), saved(tmp_path, "b.png")
    data = Dataset(
        (Sample(first, "cat", (0.0, 0.0, 10.0, 10.0)), Sample(second, "dog", (0.0, 0.0, 4.0, 4.0))),
        classes=CLASSES,
    )
    model = Scripted([("cat", (0.0, 0.0, 10.0, 5.0)), ("cat", (0.0, 0.0, 4.0, 4.0))])
    report = evaluate(model, data)
    assert model.seen == [first, second]
    assert [outcome.iou for outcome in report.outcomes] == [0.5, 1.0]
    assert report.outcomes[0].size_wh == (20, 10)
    # the whole of 20 x 10 against 100 and against 16 of its 200 pixels
    assert report.overall.mean_box_iou == pytest.approx((100 / 200 + 16 / 200) / 2)
    assert report.per_class["dog"].class_accuracy == 0
    np.testing.assert_array_equal(report.confusion, [[1, 0], [1, 0]])


def test_a_rendered_image_is_rendered_once():
    disc = Disc()
    data = Dataset((Sample(disc, "cat", (0.0, 0.0, 20.0, 10.0)),), classes=CLASSES)
    report = evaluate(Scripted([("cat", (0.0, 0.0, 20.0, 10.0))]), data)
    assert report.outcomes[0].size_wh == (20, 10)
    assert disc.rendered == 1


def test_progress_is_called_for_every_image(tmp_path):
    sample = Sample(saved(tmp_path, "a.png"), "cat", (0.0, 0.0, 4.0, 4.0))
    heard = []
    model = Scripted([("cat", (0.0, 0.0, 4.0, 4.0))] * 3)
    data = Dataset((sample,) * 3, classes=CLASSES)
    evaluate(model, data, progress=lambda done, of: heard.append((done, of)))
    assert heard == [(1, 3), (2, 3), (3, 3)]


def test_all_unreadable_images_are_named_with_their_rows(tmp_path):
    (tmp_path / "empty.jpg").touch()
    samples = [
        Sample(tmp_path / "gone.jpg", "cat", (0.0, 0.0, 1.0, 1.0), origin="labels.csv:2"),
        Sample(saved(tmp_path, "a.png"), "cat", (0.0, 0.0, 1.0, 1.0), origin="labels.csv:3"),
        Sample(tmp_path / "empty.jpg", "cat", (0.0, 0.0, 1.0, 1.0), origin="labels.csv:4"),
    ]
    model = Scripted([("cat", (0.0, 0.0, 1.0, 1.0))])
    with pytest.raises(DataError) as caught:
        evaluate(model, Dataset(tuple(samples), classes=CLASSES))
    gone, empty = caught.value.problems
    assert gone.startswith(f"labels.csv:2: {tmp_path / 'gone.jpg'}: there is no such file")
    assert empty.startswith(f"labels.csv:4: {tmp_path / 'empty.jpg'}: is empty")


def test_each_unknown_label_is_named_once_before_any_image_is_read():
    samples = (
        Sample(Disc(), "cta", (0.0, 0.0, 1.0, 1.0), origin="labels.csv:2"),
        Sample(Disc(), None, None, origin="labels.csv:3"),
        Sample(Disc(), "zebra", (0.0, 0.0, 1.0, 1.0), origin="labels.csv:4"),
        Sample(Disc(), "cta", (0.0, 0.0, 1.0, 1.0), origin="labels.csv:5"),
        Sample(Disc(), "cta", (0.0, 0.0, 1.0, 1.0), origin="labels.csv:6"),
    )
    model = Scripted([])
    with pytest.raises(DataError) as caught:
        evaluate(model, Dataset(samples, classes=("cta", "zebra")))
    assert caught.value.problems == (
        "labels.csv:2: label 'cta' (and 2 other rows) is not one of the model's classes cat, "
        "dog. Did you mean cat? Correct it, or use a model that knows it.",
        "labels.csv:4: label 'zebra' is not one of the model's classes cat, dog. Correct it, or "
        "use a model that knows it.",
    )
    assert model.seen == []


def test_an_empty_data_set_is_refused_with_the_splits_to_choose_from():
    with pytest.raises(DataError, match=r"labels\.csv: there is no image .*train, val, cal, test"):
        evaluate(Scripted([]), Dataset((), classes=CLASSES, name="labels.csv"))


def test_classes_without_images_have_no_metrics():
    box = (0.0, 0.0, 1.0, 1.0)
    assert list(report_of(("dog", box, "dog", box)).per_class) == ["dog"]


def test_images_without_a_label_belong_to_no_class():
    report = report_of((None, None, "cat", (0.0, 0.0, 1.0, 1.0)))
    assert report.overall.images == 1
    assert report.per_class == {}
    assert report.confusion.sum() == 0


def five_of_different_iou():
    # predicted in mixed order: a box of the first k of ten columns has an IoU of k / 10
    columns = [6.0, 2.0, 10.0, 4.0, 8.0]
    truth = (0.0, 0.0, 10.0, 10.0)
    rows = [("cat", truth, "cat", (0.0, 0.0, column, 10.0)) for column in columns]
    return report_of(*rows, (None, None, "cat", truth))


def test_worst_middle_and_best_are_by_iou_and_leave_out_images_without_a_box():
    report = five_of_different_iou()
    assert [outcome.iou for outcome in report.worst(2)] == [0.2, 0.4]
    assert [outcome.iou for outcome in report.middle(3)] == [0.4, 0.6, 0.8]
    assert [outcome.iou for outcome in report.best(2)] == [1.0, 0.8]
    assert len(report.worst(99)) == len(report.middle(99)) == len(report.best(99)) == 5


def test_the_curve_is_the_fraction_of_boxes_that_reach_each_iou_threshold():
    report = five_of_different_iou()
    assert report.iou_curve([0.0, 0.2, 0.21, 0.9, 1.0]) == (1.0, 1.0, 0.8, 0.2, 0.2)
    assert report_of((None, None, "cat", WHOLE)).iou_curve([0.5]) == (None,)


CORNERS = [
    (0.0, 0.0, 40.0, 40.0),
    (60.0, 0.0, 100.0, 40.0),
    (0.0, 60.0, 40.0, 100.0),
    (60.0, 60.0, 100.0, 100.0),
]
CENTRE = (25.0, 25.0, 75.0, 75.0)


def corners_predicted_as(*predictions, mean_box=(0.25, 0.25, 0.75, 0.75)):
    pairs = zip(CORNERS, predictions, strict=True)
    return report_of(*(("cat", truth, "cat", box) for truth, box in pairs), mean_box=mean_box)


def test_one_box_for_all_images_is_a_collapse():
    assert corners_predicted_as(*[CENTRE] * 4).is_collapsed
    assert corners_predicted_as(*[(0.0, 0.0, 90.0, 90.0)] * 4, mean_box=None).is_collapsed


def test_different_boxes_no_better_than_the_mean_box_are_a_collapse():
    assert corners_predicted_as(*CORNERS[::-1]).is_collapsed


def test_perfect_boxes_are_no_collapse():
    assert not corners_predicted_as(*CORNERS).is_collapsed


def test_boxes_half_way_from_the_mean_box_are_no_collapse():
    half_way = [tuple((np.array(box) + CENTRE) / 2) for box in CORNERS]
    assert not corners_predicted_as(*half_way).is_collapsed


def test_one_box_is_no_collapse_if_the_true_boxes_are_equal():
    # the mean box is perfect here, so no model can gain on it
    close = (26.0, 26.0, 76.0, 76.0)
    report = report_of(*[("cat", CENTRE, "cat", close)] * 3, mean_box=(0.25, 0.25, 0.75, 0.75))
    assert not report.is_collapsed


def test_without_true_boxes_there_is_no_collapse():
    assert not report_of((None, None, "cat", CENTRE)).is_collapsed


def calibrated_card(sure_outcomes, calibration_of, **facts):
    """A card of a model whose two kinds of predictions were calibrated on 30 and on 60 images."""
    plain, refined = (calibration_of(sure_outcomes(count, seed=1)) for count in (30, 60))
    return ModelCard(CLASSES, 64, calibration=plain, refined_calibration=refined, **facts)


@dataclass
class Sure(Localizer):
    """A model whose predictions are given by the name of the image."""

    answers: dict
    card: ModelCard

    def predict(self, source):
        return self.answers[source.name]


@pytest.mark.parametrize(("margin", "images"), [(None, 30), (1.7, 60)])
def test_certainty_is_judged_by_the_calibration_of_the_predictions(
    margin, images, sure_outcomes, calibration_of
):
    outcomes = sure_outcomes(20, seed=2)
    samples = tuple(replace(one.sample, size_wh=(200, 100)) for one in outcomes)
    answers = {one.sample.name: one.prediction for one in outcomes}
    card = calibrated_card(sure_outcomes, calibration_of, refine_margin=margin)
    found = evaluate(Sure(answers, card), Dataset(samples, CLASSES)).certainty
    assert found.calibration_images == images
    assert found.at_level.level == 0.9
    assert f"with {images} calibration images" in found.promises[0]


def test_without_true_boxes_there_is_no_certainty():
    report = report_of((None, None, "cat", CENTRE))
    assert report.certainty is None
    assert report.as_json()["certainty"] is None


def test_json_has_the_keys_of_its_contract_and_is_strict():
    report = report_of(
        ("cat", CENTRE, "dog", CENTRE),
        ("cat", CORNERS[0], "cat", (NAN, 0.0, 40.0, 40.0)),
        (None, None, "cat", CENTRE),
    )
    result = json.loads(json.dumps(report.as_json(), allow_nan=False))
    assert list(result) == [
        "schema_version",
        "images",
        "mean_iou",
        "iou_at",
        "class_accuracy",
        "top1_loc",
        "gt_known_loc",
        "max_box_acc_v2",
        "mean_box_iou",
        "per_class",
        "worst",
        "is_collapsed",
        "certainty",
    ]
    assert result["schema_version"] == 1
    assert result["iou_at"] == {"0.5": 0.5, "0.75": 0.5, "0.9": 0.5}
    assert result["per_class"]["cat"]["images"] == 2
    assert result["worst"][0] == {
        "image": "1.jpg",
        "label": "cat",
        "score": 0.75,
        "box": [None, 0.0, 40.0, 40.0],
        "true_label": "cat",
        "truth": [0.0, 0.0, 40.0, 40.0],
        "iou": 0.0,
    }


def test_json_of_images_without_boxes_is_strict():
    result = report_of((None, None, "cat", CENTRE)).as_json()
    assert json.loads(json.dumps(result, allow_nan=False))["mean_iou"] is None


BODY = KeypointSet(("left_hip", "right_shoulder", "head"))
# The torso is from (0, 0) to (6, 8): 10 pixels.
TRUE_BODY = ((0.0, 0.0, 2), (6.0, 8.0, 1), (20.0, 20.0, 2))


class Posed(Localizer):
    """A model that predicts the same keypoints for every image."""

    card = ModelCard(("man",), 64, keypoints=BODY)

    def predict(self, source):
        del source
        found = ((2.0, 0.0, 0.9), (6.0, 8.0, 0.9), (30.0, 20.0, 0.9))
        return Prediction("man", 1.0, (0.0, 0.0, 1.0, 1.0), (1.0,), found)


def of_bodies(keypoints):
    image = Path("unread.jpg")
    sample = Sample(image, "man", (0.0, 0.0, 40.0, 20.0), keypoints=TRUE_BODY, size_wh=(99, 99))
    return Dataset((sample,), ("man",), keypoints=keypoints, name="labels.json")


def test_a_report_has_pck_and_mean_error_of_each_keypoint_by_name():
    report = evaluate(Posed(), of_bodies(BODY)).as_json()
    assert report["pck_0.2"] == pytest.approx(2 / 3)
    assert report["per_keypoint"] == {
        "left_hip": {"pck_0.2": 1.0, "mean_error": pytest.approx(0.2), "mean_confidence": 0.9},
        "right_shoulder": {"pck_0.2": 1.0, "mean_error": 0.0, "mean_confidence": 0.9},
        "head": {"pck_0.2": 0.0, "mean_error": pytest.approx(1.0), "mean_confidence": 0.9},
    }


def test_keypoints_of_another_order_are_refused():
    swapped = KeypointSet(("right_shoulder", "left_hip", "head"))
    with pytest.raises(DataError) as caught:
        evaluate(Posed(), of_bodies(swapped))
    assert "labels.json: its keypoints are right_shoulder, left_hip, head" in str(caught.value)
    assert "the model's are left_hip, right_shoulder, head" in str(caught.value)
