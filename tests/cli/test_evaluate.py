"""`onebox evaluate`: metrics, splits and reports."""

import json

import pytest

import onebox
from onebox import formats, synthetic
from onebox.certainty.assessment import Certainty

pytestmark = pytest.mark.train

METRICS = [
    *("images", "mean_iou", "iou_at", "class_accuracy", "top1_loc", "gt_known_loc"),
    *("max_box_acc_v2", "mean_box_iou"),
]
COUNTS = {"train": 6, "val": 3, "cal": 2, "test": 5}


@pytest.fixture
def labels(tmp_path, monkeypatch):
    """Generated discs with their label file, in the working folder."""
    monkeypatch.chdir(tmp_path)
    samples = synthetic.dataset("synth:blobs", size=64, seed=1, counts=COUNTS)
    saved = synthetic.save(samples, tmp_path / "discs", sum(COUNTS.values()))
    data = onebox.Dataset(saved, samples.classes)
    formats.write(data, tmp_path / "discs/labels.csv", "csv")
    return tmp_path / "discs/labels.csv"


def iou(left, right):
    """Intersection over union, by its definition."""
    width = max(0, min(left[2], right[2]) - max(left[0], right[0]))
    height = max(0, min(left[3], right[3]) - max(left[1], right[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (left, right)]
    return width * height / (sum(areas) - width * height)


def test_json_has_the_documented_keys_and_nothing_else_is_printed(run, model_file, labels):
    code, out, err = run("evaluate", model_file, labels, "--json")
    metrics = json.loads(out)
    assert (code, err) == (0, "")
    assert list(metrics)[: len(METRICS) + 1] == ["schema_version", *METRICS]
    assert (metrics["schema_version"], list(metrics["iou_at"])) == (1, ["0.5", "0.75", "0.9"])


def test_the_metrics_are_those_of_the_predictions(run, model_file, labels):
    _, out, _ = run("evaluate", model_file, labels, "--json")
    metrics = json.loads(out)
    localizer = onebox.load(model_file)
    samples = onebox.read(labels).part("test")
    predicted = [localizer.predict(sample.image).box for sample in samples]
    truth = [sample.box for sample in samples]
    ious = [iou(*pair) for pair in zip(predicted, truth, strict=True)]
    mean = [64 * edge for edge in localizer.card.mean_box]
    floor = [iou(mean, box) for box in truth]
    assert metrics["images"] == 5
    assert metrics["mean_iou"] == pytest.approx(sum(ious) / 5)
    assert metrics["iou_at"]["0.5"] == pytest.approx(sum(value >= 0.5 for value in ious) / 5)
    assert metrics["mean_box_iou"] == pytest.approx(sum(floor) / 5)


@pytest.mark.parametrize(("split", "count"), [*COUNTS.items(), ("all", 16)])
def test_a_split_is_evaluated_alone(split, count, run, model_file, labels):
    _, out, _ = run("evaluate", model_file, labels, "--split", split, "--json")
    assert json.loads(out)["images"] == count


def test_without_json_each_metric_has_a_line(run, model_file, labels):
    code, out, _ = run("evaluate", model_file, labels)
    title, *lines = out.splitlines()
    names = [line.split()[0] for line in lines[: lines.index("how sure")]]
    thresholds = ["iou_at.0.5", "iou_at.0.75", "iou_at.0.9"]
    assert (code, title) == (0, f"{model_file} on {labels}, test")
    assert names == [*METRICS[:2], *thresholds, *METRICS[3:]]
    assert lines[0].split() == ["images", "5"]


def test_how_sure_the_model_is_has_a_table_and_an_object(run, model_file, labels):
    _, out, _ = run("evaluate", model_file, labels)
    rows = dict(line.split() for line in out.partition("how sure\n")[2].splitlines())
    found = json.loads(run("evaluate", model_file, labels, "--json")[1])["certainty"]
    assert list(rows)[:3] == ["spearman", "aurc", "calibration_images"]
    assert float(rows["aurc"]) == pytest.approx(found["aurc"]["score"], rel=1e-3)
    assert found["images"] == 5
    assert len(found["risk_coverage"]["coverage"]) == 5


def test_images_unlike_the_calibration_images_have_a_note(run, model_file, labels, monkeypatch):
    monkeypatch.setattr(Certainty, "warning", lambda self: "these images differ.")
    for words in ([], ["--json"]):
        _, out, err = run("evaluate", model_file, labels, *words)
        assert err == "note: these images differ.\n"
        assert "differ" not in out


def test_a_collapsed_model_has_a_note_on_standard_error(run, model_file, labels, monkeypatch):
    monkeypatch.setattr(onebox.Report, "is_collapsed", True)
    _, out, err = run("evaluate", model_file, labels)
    assert err == "note: the model is hardly better than one box for all images.\n"
    assert "hardly" not in out


def test_a_report_is_written_and_replaces_an_earlier_one(run, model_file, labels):
    page = labels.parent / "new/deep/report.html"
    for _ in range(2):
        assert run("evaluate", model_file, labels, "--report", page)[0] == 0
    assert page.read_text("utf-8").startswith("<!doctype html>")
    assert [path.name for path in page.parent.iterdir()] == ["report.html"]


def test_a_report_does_not_replace_a_page_of_another_kind(run, model_file, labels):
    page = labels.parent / "index.html"
    page.write_text("<!doctype html>\n<title>my page</title>\n")
    code, _, err = run("evaluate", model_file, labels, "--report", page)
    assert (code, "my page" in page.read_text()) == (2, True)
    assert f"--report {page}: exists already and is no earlier result" in err


def test_a_report_does_not_replace_a_file_of_another_kind(run, model_file, labels):
    before = labels.read_bytes()
    code, out, err = run("evaluate", model_file, labels, "--report", labels)
    assert (code, out) == (2, "")
    assert f"--report {labels}: exists already" in err
    assert labels.read_bytes() == before


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["discs/labels.csv", "--split", "tets"], 2, "Did you mean test?"),
        (["discs/labels.csv", "--format", "vco"], 2, "Did you mean voc?"),
        (["synth:blobs", "--on-multiple", "larges"], 2, "Did you mean largest?"),
        (["discs/labels.csv", "--report", ""], 2, "is a folder. Name a file."),
        (["discs/labels.csv", "--format", "coco"], 3, "is not JSON"),
        (["synth:blob"], 2, "Did you mean synth:blobs?"),
        (["nowhere.csv"], 3, "nowhere.csv: there is no such file or folder."),
        ([""], 2, "Name a label file"),
    ],
)
def test_wrong_options_end_with_2_and_wrong_data_with_3(
    words, code, message, run, model_file, labels
):
    ended, out, err = run("evaluate", model_file, *words)
    assert (ended, out) == (code, "")
    assert message in err
    assert "Traceback" not in err


def test_a_label_that_the_model_does_not_know_is_named_with_its_line(run, model_file, labels):
    labels.write_text(labels.read_text().replace(",disc,", ",dics,"))
    code, out, err = run("evaluate", model_file, labels)
    assert (code, out) == (3, "")
    # The header is line 1; the five test images follow the eleven others.
    assert err.startswith(
        "error: labels.csv:13: label 'dics' (and 4 other rows) is not one of the model's classes"
    )
    assert "Did you mean disc?" in err


def test_a_split_without_images_ends_with_3(run, model_file, labels):
    labels.write_text(labels.read_text().replace(",test\n", ",val\n"))
    code, _, err = run("evaluate", model_file, labels)
    assert code == 3
    assert "there is no image to evaluate" in err


def test_the_notes_of_the_reader_are_printed_on_standard_error(run, model_file, labels):
    rows = labels.read_text().splitlines()
    first = rows[-1].split(",")
    labels.write_text("\n".join([*rows, ",".join([*first[:2], "0", "0", "2", "2", "test"])]) + "\n")
    words = ["evaluate", model_file, labels, "--json"]
    refused, out, err = run(*words)
    assert (refused, out) == (3, "")
    assert "--on-multiple largest" in err
    code, out, err = run(*words, "--on-multiple", "largest")
    assert (code, json.loads(out)["images"]) == (0, 5)
    assert err.startswith("note: 1 image with several boxes kept the largest one")


def test_a_file_that_is_no_model_ends_with_4(run, labels):
    code, out, err = run("evaluate", labels, labels)
    assert (code, out) == (4, "")
    assert err.startswith(f"error: {labels}: is not an ONNX model")
