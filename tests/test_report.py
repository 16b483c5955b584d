"""The report is one offline HTML page, and its samples are one PNG."""

import base64
import dataclasses
import io
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from onebox.errors import OneboxError
from onebox.evaluation import summarize
from onebox.images import LoadedImage
from onebox.metrics import compare
from onebox.report import histogram, most_confused, write_report, write_samples
from onebox.structures import KeypointSet, Prediction, Sample
from onebox.visualization import PREDICTED, TRUE

VOID = {"meta", "img", "br", "link", "input"}
TRUTH = (2.0, 2.0, 12.0, 12.0)


class Page(HTMLParser):
    """The tags, attributes and text that a browser would read; refuses bad nesting."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self.open = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    def has(self, tag, **attributes):
        return any(name == tag and attributes.items() <= found.items() for name, found in self.tags)

    @property
    def images(self):
        return [found["src"] for tag, found in self.tags if tag == "img"]

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.words))


def outcome(name="a.jpg", *, label="cat", truth=TRUTH, true_label="cat", box=TRUTH):
    return compare(
        Sample(Path(name), true_label, truth),
        Prediction(label, 0.75, box, (1.0,)),
        size_wh=(16, 16),
        mean_box=(0.0, 0.0, 1.0, 1.0),
    )


def load_plain(image):
    return LoadedImage(np.full((16, 16, 3), 200, dtype=np.uint8), (16, 16))


def written(tmp_path, outcomes, classes=("cat",), **settings) -> Page:
    path = tmp_path / "report.html"
    write_report(summarize(outcomes, classes), path, load_image=load_plain, **settings)
    return Page(path.read_text(encoding="utf-8"))


def many(count):
    """Outcomes whose IoU falls a little from each to the next."""
    return [
        outcome(f"{index}.jpg", box=(2.0, 2.0, 12.0 - index / 100, 12.0)) for index in range(count)
    ]


def test_the_page_shows_metrics_and_facts(tmp_path):
    outcomes = [outcome(), outcome(box=(2.0, 2.0, 12.0, 7.0))]  # IoU 1 and 50 of 100
    page = written(tmp_path, outcomes, facts={"recipe": "default", "split": "test"})
    assert "Mean IoU of predicted and true box: 0.750 , over 2 images." in page.text
    assert "recipe default" in page.text
    assert "split test" in page.text


def test_the_page_fetches_nothing_from_the_network(tmp_path):
    page = written(tmp_path, [outcome(), outcome(label="dog")], ("cat", "dog"))
    addresses = [
        found[key] for _, found in page.tags for key in ("src", "href", "data") if key in found
    ]
    assert addresses
    assert all(address.startswith("data:image/jpeg;base64,") for address in addresses)
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.tags}
    raw = (tmp_path / "report.html").read_text()
    assert "http://" not in raw
    assert "https://" not in raw
    assert "url(" not in raw
    assert "@import" not in raw


def test_text_from_outside_is_escaped(tmp_path):
    evil = "<img onerror=alert(1)>"
    outcomes = [outcome(f"{evil}.jpg", true_label="<b>", label="<i>"), outcome(true_label="<b>")]
    page = written(tmp_path, outcomes, ("<b>", "<i>", "cat"), facts={"<marquee>": '"><script>'})
    assert len(page.images) == 2
    assert not page.has("script")
    assert not page.has("marquee")
    assert not any("onerror" in found for _, found in page.tags)
    assert f"{evil}.jpg" in page.text
    assert "<b> predicted as <i>" in page.text
    assert '"><script>' in page.text


def test_images_are_in_the_page_with_both_boxes(tmp_path):
    (address,) = written(tmp_path, [outcome(box=(6.0, 6.0, 15.0, 15.0))]).images
    image = Image.open(io.BytesIO(base64.b64decode(address.split(",")[1])))
    assert image.size == (320, 320)
    red, _, blue = (np.asarray(image)[:, :, band].astype(int) for band in range(3))
    assert (red - blue > 100).any()  # orange
    assert (blue - red > 60).any()  # sky blue


KEYPOINTS = KeypointSet(("right_shoulder", "left_hip"), ((0, 1),))
SHOULDER_HIP = ((4.0, 4.0, 2), (10.0, 12.0, 2))  # a torso of 10 px


def posed(shoulder, name="a.jpg", *, marked=SHOULDER_HIP):
    return compare(
        Sample(Path(name), "cat", TRUTH, keypoints=marked),
        Prediction("cat", 0.75, TRUTH, (1.0,), ((*shoulder, 0.5), (10.0, 12.0, 0.5))),
        size_wh=(16, 16),
        mean_box=None,
        keypoints=KEYPOINTS,
    )


def written_posed(tmp_path, outcomes):
    path = tmp_path / "report.html"
    report = summarize(outcomes, ("cat",), keypoints=KEYPOINTS)
    write_report(report, path, load_image=load_plain)
    return Page(path.read_text(encoding="utf-8"))


def test_keypoints_have_a_table_and_a_metric_at_the_top(tmp_path):
    # errors of 1 and 3 px are 0.1 and 0.3 torso lengths; only the first is at most 0.2
    page = written_posed(tmp_path, [posed((4.0, 5.0)), posed((4.0, 7.0))])
    assert page.has("table", **{"class": "per-keypoint"})
    rows = "right_shoulder 50.0 % 0.200 0.500 left_hip 100.0 % 0.000 0.500 all keypoints 75.0 %"
    assert rows in page.text
    assert "75.0 % of the labelled keypoints are within a fifth" in page.text
    assert "PCK@0.2 75.0 % " in page.text


def test_without_labelled_keypoints_there_is_no_keypoint_table(tmp_path):
    page = written_posed(tmp_path, [posed((4.0, 5.0), marked=None)])
    assert "PCK" not in page.text
    assert not page.has("table", **{"class": "per-keypoint"})


def colours(image, row, column):
    """Whether orange and sky blue occur near a pixel; JPEG shifts colours a little."""
    near = np.asarray(image)[row - 6 : row + 7, column - 6 : column + 7].astype(int)
    return [bool((abs(near - colour).max(axis=2) < 60).any()) for colour in (PREDICTED, TRUE)]


def test_the_skeletons_of_truth_and_prediction_are_on_the_images(tmp_path):
    (address,) = written_posed(tmp_path, [posed((10.0, 4.0))]).images
    image = Image.open(io.BytesIO(base64.b64decode(address.split(",")[1])))
    # 20 pixels of the page are one of the image: the middle of the true and predicted bones
    assert colours(image, 160, 140) == [False, True]
    assert colours(image, 160, 200) == [True, False]
    write_samples(
        summarize([posed((10.0, 4.0))], ("cat",), keypoints=KEYPOINTS),
        tmp_path / "samples.png",
        load_image=load_plain,
    )
    # 15 pixels of the sheet are one of the image, after a gap of 8
    with Image.open(tmp_path / "samples.png") as sheet:
        assert colours(sheet, 8 + 120, 8 + 105) == [False, True]
        assert colours(sheet, 8 + 120, 8 + 150) == [True, False]


def test_a_small_data_set_shows_each_image_once_worst_first(tmp_path):
    page = written(tmp_path, many(5))
    assert len(page.images) == 5
    assert "Worst" not in page.text
    names = [found["alt"].split(":")[0] for tag, found in page.tags if tag == "img"]
    assert names == ["4.jpg", "3.jpg", "2.jpg", "1.jpg", "0.jpg"]


def test_a_large_data_set_shows_best_middle_and_worst_and_stays_small(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (320, 320, 3), dtype=np.uint8)
    path = tmp_path / "report.html"
    report = summarize(many(60), ("cat",))
    write_report(report, path, load_image=lambda _: LoadedImage(noise, (320, 320)))
    page = Page(path.read_text())
    assert len(page.images) == 60
    names = [found["alt"].split(":")[0] for tag, found in page.tags if tag == "img"]
    assert (names[0], names[24]) == ("59.jpg", "0.jpg")
    assert len(set(names[36:])) == 24  # the least sure, and the surest
    # noise makes the largest JPEGs
    assert path.stat().st_size < 4e6


def test_a_missing_image_is_grey_and_does_not_fail_the_report(tmp_path):
    path = tmp_path / "report.html"
    write_report(summarize([outcome(str(tmp_path / "gone.jpg"))], ("cat",)), path)
    assert len(Page(path.read_text()).images) == 1


def test_only_a_collapsed_model_has_a_warning(tmp_path):
    corners = [(0.0, 0.0, 6.0, 6.0), (10.0, 0.0, 16.0, 6.0), (0.0, 10.0, 6.0, 16.0)]
    one_box = [outcome(truth=corner, box=(4.0, 4.0, 12.0, 12.0)) for corner in corners]
    found = [outcome(truth=corner, box=corner) for corner in corners]
    assert written(tmp_path, one_box).has("div", role="alert")
    assert not written(tmp_path, found).has("div", role="alert")


def test_a_single_class_has_no_class_tables(tmp_path):
    page = written(tmp_path, [outcome()])
    assert not page.has("table", **{"class": "matrix"})
    assert not page.has("table", **{"class": "per-class"})
    assert "Class accuracy" not in page.text


def test_two_classes_have_a_confusion_matrix(tmp_path):
    outcomes = [outcome(), outcome(), outcome(label="dog"), outcome(true_label="dog", label="dog")]
    page = written(tmp_path, outcomes, ("cat", "dog"))
    assert page.has("table", **{"class": "matrix"})
    assert "true cat dog cat 2 1 dog 0 1" in page.text


def test_many_classes_have_a_list_of_confused_pairs(tmp_path):
    classes = ("cat", "dog", *(f"class {number}" for number in range(40)))
    outcomes = [outcome(label="dog"), outcome(label="dog"), outcome(label="class 3"), outcome()]
    page = written(tmp_path, outcomes, classes)
    assert not page.has("table", **{"class": "matrix"})
    assert "true predicted images cat dog 2 cat class 3 1" in page.text


def test_many_classes_without_confusion_are_reported_as_such(tmp_path):
    classes = ("cat", *(f"class {number}" for number in range(40)))
    assert "No class is predicted as another." in written(tmp_path, [outcome()], classes).text


def test_confused_pairs_leave_out_correct_predictions():
    outcomes = [outcome(), outcome(), outcome(label="dog")]
    assert most_confused(summarize(outcomes, ("cat", "dog")), 9) == [("cat", "dog", 1)]


def test_the_histogram_counts_each_image_with_a_box_once():
    truthless = outcome(truth=None, true_label=None)
    halves = outcome(box=(2.0, 2.0, 12.0, 7.0))
    counts = histogram(summarize([outcome(), halves, halves, truthless], ("cat",)))
    assert len(counts) == 20
    assert (counts[10], counts[19], sum(counts)) == (2, 1, 3)


def test_a_data_set_without_boxes_is_reported_as_such(tmp_path):
    page = written(tmp_path, [outcome(truth=None, true_label=None)])
    assert "No image has a true box (1 in total)" in page.text
    assert page.images == []
    assert "nan" not in page.text.lower()


def test_samples_are_a_sheet_of_at_most_24_images(tmp_path):
    path = tmp_path / "samples.png"
    write_samples(summarize(many(60), ("cat",)), path, load_image=load_plain)
    with Image.open(path) as image:
        # 6 columns and 4 rows of 240, gaps of 8, a caption of 26 below each
        assert image.size == (8 + 6 * 248, 8 + 4 * 274)


def test_samples_show_images_without_a_subject_too(tmp_path):
    path = tmp_path / "samples.png"
    report = summarize([outcome(truth=None, true_label=None)], ("cat",))
    write_samples(report, path, load_image=load_plain)
    with Image.open(path) as image:
        assert image.size == (8 + 248, 8 + 274)


@pytest.mark.parametrize("write", [write_report, write_samples])
def test_a_path_that_cannot_be_written_is_named_and_left_as_it_was(tmp_path, write):
    report = summarize([outcome()], ("cat",))
    missing = tmp_path / "missing" / "report.html"
    with pytest.raises(OneboxError, match=r"missing.report\.html: cannot be written \(No such"):
        write(report, missing, load_image=load_plain)
    folder = tmp_path / "folder"
    (folder / "kept").mkdir(parents=True)
    with pytest.raises(OneboxError, match="folder: cannot be written"):
        write(report, folder, load_image=load_plain)
    assert [path.name for path in tmp_path.rglob("*")] == ["folder", "kept"]


def test_a_full_disk_keeps_the_earlier_report(tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("the earlier one")

    def fill(self, content):
        self.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fill)
    with pytest.raises(OneboxError, match="No space left on device"):
        write_report(summarize([outcome()], ("cat",)), path, load_image=load_plain)
    assert path.read_text() == "the earlier one"
    assert list(tmp_path.iterdir()) == [path]


def judged(present, *, truth=TRUTH):
    label = None if truth is None else "cat"
    one = outcome(truth=truth, true_label=label)
    return dataclasses.replace(one, prediction=dataclasses.replace(one.prediction, present=present))


def test_presence_metrics_are_in_one_sentence(tmp_path):
    # of 3 x 2 pairs: 0.9 and 0.6 beat both, 0.4 beats one
    empty = [judged(0.5, truth=None), judged(0.2, truth=None)]
    page = written(tmp_path, [judged(0.9), judged(0.6), judged(0.4), *empty])
    assert (
        "The model finds a subject in 50.0 % of the images without one and misses the subject in "
        "33.3 % of the others (presence AUROC 0.833)."
    ) in page.text
    assert "False boxes" in page.text


def test_false_boxes_are_reported_if_all_images_lack_the_subject(tmp_path):
    page = written(tmp_path, [judged(0.9, truth=None)])
    assert "The model finds a subject in 100.0 % of the images without one." in page.text


@pytest.mark.parametrize("present", [None, 0.9])
def test_presence_is_left_out_if_it_is_unknown_or_no_image_lacks_the_subject(tmp_path, present):
    page = written(tmp_path, [judged(present)])
    assert "presence" not in page.text.lower()
    assert "False boxes" not in page.text


def certain(tmp_path, outcomes, calibration=None):
    """What was measured, the text of its section, and the diagrams by name."""
    path = tmp_path / "report.html"
    report = summarize(outcomes, ("cat", "dog"), calibration=calibration)
    write_report(report, path, load_image=load_plain)
    raw = path.read_text("utf-8")
    words = Page(raw).text.partition("How sure")[2].partition("Glossary")[0]
    drawn = re.findall(r'(<svg class="(\w+)".*?</svg>)\s*</figure>', raw, re.DOTALL)
    return report.certainty, words, {name: ET.fromstring(svg) for svg, name in drawn}  # noqa: S314 - our own page


def circles(drawing):
    return [
        (float(one.get("cx")), float(one.get("cy")), one.findtext("title"))
        for one in drawing.iter("circle")
    ]


def lines(drawing, kind):
    """Points of the lines of a class, in the units of their area: 0 to 100."""
    return [
        [tuple(map(float, pair.split(","))) for pair in one.get("points").split()]
        for one in drawing.iter()
        if kind in (one.get("class") or "").split()
    ]


def test_the_diagrams_of_certainty_have_the_measured_points(
    tmp_path, sure_outcomes, calibration_of
):
    calibrated = calibration_of(sure_outcomes(80, seed=1))
    outcomes = sure_outcomes(60, seed=2, calibration=calibrated)
    found, words, drawings = certain(tmp_path, outcomes, calibrated)
    assert list(drawings) == ["reliability", "coverage", "risk"]
    # 3.2 by 2 pixels for a hundredth, from (44, 220) rightwards and upwards
    bins = [*found.p_iou50.bins, *found.p_iou75.bins]
    dots = [(44 + 320 * one.predicted, 220 - 200 * one.observed) for one in bins]
    drawn = circles(drawings["reliability"])
    assert [dot[:2] for dot in drawn] == [pytest.approx(dot, abs=0.06) for dot in dots]
    assert drawn[0][2].startswith(f"IoU ≥ 0.5: predicted {bins[0].predicted:.3f}, observed")
    lowest = float(next(drawings["coverage"].iter("text")).text)
    covered = [
        (100 * (2 * one.level - 1), 100 * (1 - one.covered) / (1 - lowest))
        for one in found.outer_boxes
    ]
    ticks = [(one.text, one.get("y")) for one in drawings["reliability"].iter("text")][:5]
    assert ticks[0] == ("0", "224.0")
    assert ticks[-1] == ("1", "24.0")
    (measured,) = lines(drawings["coverage"], "model")
    assert measured == [pytest.approx(point, abs=0.01) for point in covered]
    assert len(lines(drawings["coverage"], "band")[0]) == 2 * len(found.outer_boxes)
    (score,) = lines(drawings["risk"], "score")
    assert [x for x, _ in score] == [
        pytest.approx(100 * one, abs=0.01) for one in found.by_score.coverages
    ]
    ends = [lines(drawings["risk"], kind)[0][-1] for kind in ("class-probability", "best-order")]
    assert ends == [score[-1]] * 2
    assert f"Rank correlation {found.spearman:.3f} of expected IoU and IoU" in words


def test_a_calibrated_model_says_what_it_promises(tmp_path, sure_outcomes, calibration_of):
    calibrated = calibration_of(sure_outcomes(18, seed=1))
    found, words, _ = certain(
        tmp_path, sure_outcomes(20, seed=2, calibration=calibrated), calibrated
    )
    assert "The model was calibrated on 18 images." in words
    # the largest of 18 scores: Beta(18, 1), 0.025 ** (1 / 18) and 0.975 ** (1 / 18)
    assert "90 % of images each; with 18 calibration images somewhere in 81 to 100 %" in words
    assert "18 calibration images are few" in words
    assert "max_risk 0.05 needs at least 59 calibration images, this model has 18" in words
    assert "on average over such images, not for each image" in words
    assert "Accepted at" not in words
    assert f"90 % {100 * found.at_level.covered:.1f} %" in words
    assert "Least sure" in words


def test_an_uncalibrated_model_says_how_to_calibrate_it(tmp_path, sure_outcomes):
    found, words, drawings = certain(tmp_path, sure_outcomes(20, seed=2))
    assert "This model is not calibrated" in words
    assert "onebox calibrate MODEL DATA" in words
    assert list(drawings) == ["risk"]
    assert f"Rank correlation {found.spearman:.3f} of score and IoU" in words
    assert "Outer boxes" not in words


def test_too_few_calibration_images_show_the_number_needed(tmp_path, sure_outcomes, calibration_of):
    calibrated = calibration_of(sure_outcomes(5, seed=1))
    _, words, _ = certain(tmp_path, sure_outcomes(6, seed=2, calibration=calibrated), calibrated)
    assert "coverage 0.9 needs 9 calibration images, this model has 5" in words
    assert "Coverage asked" not in words


def test_images_unlike_the_calibration_images_have_a_banner(
    tmp_path, sure_outcomes, calibration_of
):
    calibrated = calibration_of(sure_outcomes(100, seed=1))
    for errors, is_warned in ((1.0, False), (3.0, True)):
        outcomes = sure_outcomes(60, seed=2, errors=errors, calibration=calibrated)
        _, words, _ = certain(tmp_path, outcomes, calibrated)
        assert ("These images are not like the calibration images." in words) is is_warned


def test_the_surest_and_the_least_sure_images_have_tiles_by_score(tmp_path):
    outcomes = [
        dataclasses.replace(one, prediction=dataclasses.replace(one.prediction, score=score / 99))
        for score, one in zip([*range(30, 60), *range(30)], many(60), strict=True)
    ]
    page = written(tmp_path, outcomes)
    names = [found["alt"].split(":")[0] for tag, found in page.tags if tag == "img"][36:]
    # images 30 to 59 have the scores 0 to 29, images 0 to 29 those of 30 to 59
    assert names[:12] == [f"{index}.jpg" for index in range(30, 42)]
    assert names[12:] == [f"{index}.jpg" for index in range(29, 17, -1)]


def test_the_caption_of_an_image_has_its_expected_iou(tmp_path):
    one = outcome()
    sure = dataclasses.replace(one.prediction, expected_iou=0.876)
    page = written(tmp_path, [dataclasses.replace(one, prediction=sure)])
    assert "IoU 1.00 expected 0.88 a.jpg" in page.text
    assert "expected 0" not in written(tmp_path, [one]).text
