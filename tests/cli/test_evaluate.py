"""`onebox evaluate` and `onebox info`: metrics, reports, and what a model says of itself."""

import json
import re

import pytest

import onebox
from onebox import formats, synthetic

FIGURES = [
    *("images", "mean_iou", "iou_at", "class_accuracy", "top1_loc", "gt_known_loc"),
    *("max_box_acc_v2", "mean_box_iou"),
]
COUNTS = {"train": 6, "val": 3, "test": 5}


@pytest.fixture
def labels(tmp_path, monkeypatch):
    """Generated discs with their label file, in the working folder."""
    monkeypatch.chdir(tmp_path)
    samples = synthetic.dataset("synth:blobs", size=64, seed=1, counts=COUNTS)
    saved = synthetic.save(samples, tmp_path / "discs", sum(COUNTS.values()))
    data = onebox.Dataset(saved, samples.classes)
    formats.write(data, tmp_path / "discs/labels.csv", "csv")
    return tmp_path / "discs/labels.csv"


def overlap(left, right):
    """Intersection over union, from the definition."""
    width = max(0, min(left[2], right[2]) - max(left[0], right[0]))
    height = max(0, min(left[3], right[3]) - max(left[1], right[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (left, right)]
    return width * height / (sum(areas) - width * height)


def test_json_has_the_keys_of_the_contract_and_nothing_else_is_said(run, model_file, labels):
    code, out, err = run("evaluate", model_file, labels, "--json")
    metrics = json.loads(out)
    assert (code, err) == (0, "")
    assert list(metrics)[: len(FIGURES) + 1] == ["schema_version", *FIGURES]
    assert (metrics["schema_version"], list(metrics["iou_at"])) == (1, ["0.5", "0.75", "0.9"])


def test_the_metrics_are_what_the_predictions_add_up_to(run, model_file, labels):
    _, out, _ = run("evaluate", model_file, labels, "--json")
    metrics = json.loads(out)
    localizer = onebox.load(model_file)
    samples = onebox.read(labels).part("test")
    predicted = [localizer.predict(sample.image).box for sample in samples]
    truth = [sample.box for sample in samples]
    ious = [overlap(*pair) for pair in zip(predicted, truth, strict=True)]
    mean = [64 * edge for edge in localizer.card.mean_box]
    floor = [overlap(mean, box) for box in truth]
    assert metrics["images"] == 5
    assert metrics["mean_iou"] == pytest.approx(sum(ious) / 5)
    assert metrics["iou_at"]["0.5"] == pytest.approx(sum(iou >= 0.5 for iou in ious) / 5)
    assert metrics["mean_box_iou"] == pytest.approx(sum(floor) / 5)


@pytest.mark.parametrize(("split", "count"), [*COUNTS.items(), ("all", 14)])
def test_a_split_is_measured_alone(split, count, run, model_file, labels):
    _, out, _ = run("evaluate", model_file, labels, "--split", split, "--json")
    assert json.loads(out)["images"] == count


def test_without_json_each_figure_has_a_line(run, model_file, labels):
    code, out, _ = run("evaluate", model_file, labels)
    title, *lines = out.splitlines()
    names = [line.split()[0] for line in lines]
    shares = ["iou_at.0.5", "iou_at.0.75", "iou_at.0.9"]
    assert (code, title) == (0, f"{model_file} on {labels}, test")
    assert names == [*FIGURES[:2], *shares, *FIGURES[3:]]
    assert lines[0].split() == ["images", "5"]


def test_a_collapsed_model_is_told_on_standard_error(run, model_file, labels, monkeypatch):
    monkeypatch.setattr(onebox.Report, "is_collapsed", True)
    _, out, err = run("evaluate", model_file, labels)
    assert err == "note: the model answers hardly better than with one box for all images.\n"
    assert "hardly" not in out


def test_the_report_is_written_where_it_is_asked_for_and_replaced(run, model_file, labels):
    page = labels.parent / "new/deep/report.html"
    for _ in range(2):
        assert run("evaluate", model_file, labels, "--report", page)[0] == 0
    assert page.read_text("utf-8").startswith("<!doctype html>")
    assert [path.name for path in page.parent.iterdir()] == ["report.html"]


def test_a_report_replaces_no_file_of_another_kind(run, model_file, labels):
    before = labels.read_bytes()
    code, out, err = run("evaluate", model_file, labels, "--report", labels)
    assert (code, out) == (2, "")
    assert f"--report {labels}: exists already" in err
    assert labels.read_bytes() == before


@pytest.mark.parametrize(
    ("words", "code", "said"),
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
def test_wrong_options_end_with_2_and_wrong_data_with_3(words, code, said, run, model_file, labels):
    ended, out, err = run("evaluate", model_file, *words)
    assert (ended, out) == (code, "")
    assert said in err
    assert "Traceback" not in err


def test_a_label_that_the_model_does_not_know_is_named_with_its_line(run, model_file, labels):
    labels.write_text(labels.read_text().replace(",disc,", ",dics,"))
    code, out, err = run("evaluate", model_file, labels)
    assert (code, out) == (3, "")
    # The header is line 1; the five test images follow the nine others.
    assert err.startswith("error: labels.csv:11: label 'dics' is not one of the model's classes")
    assert "Did you mean disc?" in err


def test_a_split_without_images_ends_with_3(run, model_file, labels):
    labels.write_text(labels.read_text().replace(",test\n", ",val\n"))
    code, _, err = run("evaluate", model_file, labels)
    assert code == 3
    assert "there is no image to evaluate" in err


def test_what_the_reader_put_right_is_told_on_standard_error(run, model_file, labels):
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


# --- info


def test_info_as_json_is_what_the_localizer_says_of_itself(run, model_file):
    code, out, err = run("info", model_file, "--json")
    facts = json.loads(out)
    localizer = onebox.load(model_file)
    assert (code, err) == (0, "")
    assert list(facts) == [
        *("classes", "size", "mean_box", "keypoints", "presence", "refine_margin"),
        *("recipe", "provenance", "metrics", "parts"),
    ]
    assert (facts["classes"], facts["size"]) == (["disc"], 64)
    assert tuple(facts["mean_box"]) == localizer.card.mean_box


def test_info_has_a_line_a_fact_with_dotted_names(run, model_file):
    code, out, _ = run("info", model_file)
    title, *lines = out.splitlines()
    facts = dict(line.split(maxsplit=1) for line in lines if len(line.split()) > 1)
    assert (code, title) == (0, str(model_file))
    assert (facts["classes"], facts["size"], facts["recipe.model.size"]) == ("disc", "64", "64")


def test_info_tells_the_network_part_by_part_with_the_sums(run, model_file):
    _, out, _ = run("info", model_file)
    lines = out.splitlines()
    header, *rows, total = lines[lines.index("parts") + 1 :]
    parts = onebox.load(model_file).card.parts
    assert header.split() == ["part", "kind", "layers", "parameters", "multiply-adds", "makes"]
    assert [row.split()[0] for row in rows] == [part.name for part in parts]
    assert [row.split()[0] for row in rows][:2] == ["backbone", "vectorizer"]
    cells = [[int(cell.replace(",", "")) for cell in row.split()[2:5]] for row in rows]
    assert [int(cell.replace(",", "")) for cell in total.split()[1:]] == [
        sum(column) for column in zip(*cells, strict=True)
    ]
    assert cells[0][1] == parts[0].parameters
    assert rows[1].endswith("32 x 4 x 4")  # the map of 64 px at a stride of 16, 32 channels wide
    # Numbers stand flush right below their names.
    edge = header.index("parameters") + len("parameters")
    assert all(row[edge - 1].isdigit() and row[edge] == " " for row in [*rows, total])
    assert not any(line.startswith("  parts") for line in lines)


def test_the_network_is_drawn_with_its_parts_and_drawn_anew(run, model_file, tmp_path):
    file = tmp_path / "new/network.svg"
    for _ in range(2):
        code, out, err = run("info", model_file, "--diagram", file, "--json")
        assert (code, err) == (0, "")
    words = re.findall("<text[^>]*>([^<]*)</text>", file.read_text("utf-8"))
    parts = json.loads(out)["parts"]
    assert [part["name"].replace("_", " ") for part in parts] == [
        word for word in words if word.replace(" ", "_") in {part["name"] for part in parts}
    ]
    assert "64 x 64 x 3" in words
    assert [path.name for path in file.parent.iterdir()] == ["network.svg"]


@pytest.mark.parametrize("taken", ["labels.csv", "", "discs"])
def test_a_drawing_replaces_no_file_of_another_kind(taken, run, model_file, labels):
    before = labels.read_bytes()
    place = labels if taken == "labels.csv" else taken
    code, out, err = run("info", model_file, "--diagram", place)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: --diagram {place or '.'}: ")
    assert labels.read_bytes() == before


def test_a_page_that_is_no_drawing_is_kept(run, model_file, tmp_path):
    page = tmp_path / "report.html"
    page.write_text("<!doctype html>")
    assert run("info", model_file, "--diagram", page)[0] == 2
    assert page.read_text() == "<!doctype html>"


@pytest.mark.parametrize("command", ["info", "evaluate"])
def test_what_is_no_model_ends_with_4(command, run, labels):
    more = [labels] if command == "evaluate" else []
    code, out, err = run(command, labels, *more)
    assert (code, out) == (4, "")
    assert err.startswith(f"error: {labels}: is not an ONNX model")
