"""`onebox info`: the metadata of a model, its parts, and their diagram."""

import json
import re
from pathlib import Path

import pytest

import onebox

pytestmark = pytest.mark.train


def test_json_is_the_metadata_of_the_model(run, model_file):
    code, out, err = run("info", model_file, "--json")
    facts = json.loads(out)
    localizer = onebox.load(model_file)
    assert (code, err) == (0, "")
    assert list(facts) == [
        *("classes", "size", "mean_box", "keypoints", "presence", "refine_margin"),
        *("refine_square", "sigma", "distance", "calibration", "refined_calibration"),
        *("recipe", "provenance", "metrics", "parts"),
    ]
    assert (facts["classes"], facts["size"]) == (["disc"], 64)
    assert tuple(facts["mean_box"]) == localizer.card.mean_box


def test_each_fact_has_a_line_with_a_dotted_name(run, model_file):
    code, out, _ = run("info", model_file)
    title, *lines = out.splitlines()
    facts = dict(line.split(maxsplit=1) for line in lines if len(line.split()) > 1)
    assert (code, title) == (0, str(model_file))
    assert (facts["classes"], facts["size"], facts["recipe.model.size"]) == ("disc", "64", "64")


def test_the_parts_of_the_network_are_listed_with_their_totals(run, model_file):
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
    # Numbers are aligned right, below their names.
    edge = header.index("parameters") + len("parameters")
    assert all(row[edge - 1].isdigit() and row[edge] == " " for row in [*rows, total])
    assert not any(line.startswith("  parts") for line in lines)


def test_a_diagram_shows_the_parts_and_replaces_an_earlier_one(run, model_file, tmp_path):
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


@pytest.mark.parametrize("path", ["", "discs"])
def test_a_diagram_cannot_be_written_to_a_folder(path, run, model_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("discs").mkdir()
    code, out, err = run("info", model_file, "--diagram", path)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: --diagram {path or '.'}: is a folder")


@pytest.mark.parametrize("content", ["image,label\n", "<!doctype html>", "<svg>mine</svg>"])
def test_a_diagram_does_not_replace_a_file_of_another_kind(content, run, model_file, tmp_path):
    file = tmp_path / "taken"
    file.write_text(content)
    code, out, err = run("info", model_file, "--diagram", file)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: --diagram {file}: exists already")
    assert file.read_text() == content


def test_a_file_that_is_no_model_ends_with_4(run, tmp_path):
    file = tmp_path / "labels.csv"
    file.write_text("image,label\n")
    code, out, err = run("info", file)
    assert (code, out) == (4, "")
    assert err.startswith(f"error: {file}: is not an ONNX model")
