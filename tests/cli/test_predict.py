"""`onebox predict`: what it prints, writes, draws and refuses."""

import contextlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

import onebox
from onebox.cli import predict
from onebox.localizer import Localizer
from onebox.model_card import ModelCard
from onebox.streaming import Answer
from onebox.structures import Prediction
from onebox.visualization import PREDICTED

KEYS = ["image", "label", "score", "box", "probabilities"]
LIES_ON_ITS_SIDE = 6  # EXIF: turn by a quarter, clockwise

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="looks at what Linux has")


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty folder, and the working one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def disc(*, centre=(30, 40), radius=18, size_wh=(96, 64)):
    x, y = np.meshgrid(np.arange(size_wh[0]) + 0.5, np.arange(size_wh[1]) + 0.5)
    inside = (x - centre[0]) ** 2 + (y - centre[1]) ** 2 <= radius**2
    return Image.fromarray(np.where(inside, 255, 0).astype(np.uint8)).convert("RGB")


def save(path, image=None, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    (image or disc()).save(path, **options)
    return path


# --- what is printed


def test_json_is_one_object_per_image_with_the_keys_of_the_contract(run, bright_file, place):
    save(place / "a.png")
    save(place / "b.png", disc(centre=(60, 30)))
    code, out, err = run("predict", bright_file, "a.png", "b.png", "--json")
    first, second = map(json.loads, out.splitlines())
    assert (code, err) == (0, "")
    assert (list(first), first["image"], second["image"]) == (KEYS, "a.png", "b.png")
    assert first["label"] == "disc"
    assert 0 <= first["score"] <= 1
    assert first["probabilities"] == {"disc": 1.0}
    x_min, y_min, x_max, y_max = first["box"]
    assert 0 <= x_min < x_max <= 96
    assert 0 <= y_min < y_max <= 64


def test_the_box_of_a_turned_image_is_in_pixels_of_the_upright_one(run, bright_file, place):
    turned = Image.Exif()
    turned[0x0112] = LIES_ON_ITS_SIDE
    upright = disc(size_wh=(48, 120), centre=(20, 84))
    save(place / "turned.png", upright.transpose(Image.Transpose.ROTATE_90), exif=turned)
    save(place / "upright.png", upright)
    _, out, _ = run("predict", bright_file, "turned.png", "upright.png", "--json")
    first, second = map(json.loads, out.splitlines())
    assert first["box"] == second["box"]
    # The box ends at half the height, 60; no box in pixels of the stored image (120 x 48) does.
    assert first["box"][3] > 48


def test_without_json_a_line_has_name_label_score_and_box(run, bright_file, place):
    save(place / "a.png")
    prediction = onebox.load(bright_file).predict("a.png")
    box = " ".join(f"{edge:.1f}" for edge in prediction.box)
    expected = f"a.png\tdisc\t{prediction.score:.3f}\t{box}\n"
    assert run("predict", bright_file, "a.png") == (0, expected, "")


# --- what is read


def test_folders_and_globs_are_searched_and_each_image_is_predicted_once(run, bright_file, place):
    for name in ("in/deep/c.jpg", "in/b.PNG", "z.png", "a1.png", "a2.png"):
        save(place / name)
    (place / "in/notes.txt").write_text("no image")
    _, out, err = run("predict", bright_file, "z.png", "in", "./in/b.PNG", "a*.png", "a1.png")
    names = [line.split("\t")[0] for line in out.splitlines()]
    assert names == ["z.png", "in/b.PNG", "in/deep/c.jpg", "a1.png", "a2.png"]
    assert err == ""


def test_an_existing_name_with_a_bracket_is_not_a_glob(run, bright_file, place):
    save(place / "a[1].png")
    save(place / "a1.png")
    code, out, _ = run("predict", bright_file, "a[1].png")
    assert (code, out.split("\t")[0]) == (0, "a[1].png")


def test_a_glob_searches_the_folders_that_it_matches(run, bright_file, place):
    save(place / "week1/a.png")
    save(place / "week2/b.png")
    _, out, _ = run("predict", bright_file, "week*")
    assert [line.split("\t")[0] for line in out.splitlines()] == ["week1/a.png", "week2/b.png"]


def test_unreadable_images_are_named_and_the_others_predicted(run, bright_file, place):
    save(place / "a.png")
    (place / "broken.png").write_bytes((place / "a.png").read_bytes()[:100])
    (place / "text.jpg").write_text("no image")
    (place / "empty.png").touch()
    names = ["broken.png", "missing.png", "text.jpg", "empty.png", "a.png"]
    code, out, err = run("predict", bright_file, *names, "--json")
    assert code == 3
    assert [json.loads(line)["image"] for line in out.splitlines()] == ["a.png"]
    *named, last = err.splitlines()
    assert [line.split(":")[:2] for line in named] == [["error", f" {name}"] for name in names[:-1]]
    assert last == "error: 4 of 5 sources could not be read; they are named above."


def test_an_empty_folder_or_glob_is_named_and_the_others_predicted(run, bright_file, place):
    save(place / "a.png")
    (place / "empty").mkdir()
    code, out, err = run("predict", bright_file, "empty", "*.jpg", "a.png")
    assert (code, out.split("\t")[0]) == (3, "a.png")
    assert "error: empty: holds no image" in err
    assert "error: *.jpg: holds no image" in err
    assert "2 of 3 sources" in err


def test_an_empty_source_does_not_mean_every_image(run, bright_file, place):
    save(place / "a.png")
    code, out, err = run("predict", bright_file, "")
    assert (code, out) == (2, "")
    assert "SOURCE is empty" in err


@pytest.mark.parametrize("kind", ["text", "missing", "folder"])
def test_a_file_that_is_no_model_ends_with_4_and_writes_nothing(kind, run, bright_file, place):
    save(place / "a.png")
    paths = {"text": "labels.csv", "missing": "model.onnx", "folder": bright_file.parent}
    (place / "labels.csv").write_text("image,label\n")
    code, out, err = run("predict", paths[kind], "a.png", "--csv", "new/p.csv", "--draw", "drawn")
    assert (code, out) == (4, "")
    assert err.startswith(f"error: {paths[kind]}: ")
    assert not (place / "new").exists()
    assert not (place / "drawn").exists()


def test_the_error_for_a_folder_names_the_model_in_it(run, bright_file, place):
    _, _, err = run("predict", bright_file.parent, "a.png")
    assert f"Did you mean {bright_file}?" in err


# --- what is written


def test_csv_reads_back_as_labels_from_a_folder_that_is_made(run, bright_file, place):
    save(place / "images/a.png")
    save(place / "images/b.png", disc(centre=(60, 30)))
    assert run("predict", bright_file, "images", "--csv", "new/out/p.csv") == (0, "", "")
    localizer = onebox.load(bright_file)
    data = onebox.read("new/out/p.csv")
    assert [Path(sample.name).name for sample in data] == ["a.png", "b.png"]
    for sample in data:
        prediction = localizer.predict(sample.image)
        assert (sample.label, sample.box) == (prediction.label, prediction.box)


def test_csv_in_the_working_folder_names_images_as_the_user_did(run, bright_file, place):
    save(place / "images/a.png")
    run("predict", bright_file, "images", place / "images/a.png", "--csv", "p.csv")
    lines = (place / "p.csv").read_text().splitlines()
    assert lines[0] == "image,label,score,x_min,y_min,x_max,y_max"
    assert [line.split(",")[0] for line in lines[1:]] == [
        "images/a.png",
        str(place / "images/a.png"),
    ]


def test_coco_results_are_accepted_beside_their_ground_truth(run, bright_file, place):
    for name in ("a.png", "b.png"):
        save(place / name)
    (place / "labels.csv").write_text(
        "image,label,x_min,y_min,x_max,y_max,split\n"
        "a.png,disc,12,22,48,58,test\nb.png,disc,12,22,48,58,test\n"
    )
    run("convert", "labels.csv", "truth.json", "--to", "coco")
    (place / "broken.png").touch()
    code, out, _ = run("predict", bright_file, "a.png", "b.png", "--coco", "found.json")
    assert (code, out) == (0, "")
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO("truth.json")
        found = truth.loadRes("found.json")
    assert found.getImgIds() == truth.getImgIds()
    assert found.getCatIds() == truth.getCatIds()
    x, y, width, height = found.loadAnns(found.getAnnIds())[0]["bbox"]
    edges = onebox.load(bright_file).predict("a.png").box
    assert (x, y, x + width, y + height) == pytest.approx(edges)


def test_an_unreadable_image_keeps_its_number_in_coco_results(run, bright_file, place):
    save(place / "a.png")
    save(place / "c.png")
    code, _, _ = run("predict", bright_file, "a.png", "b.png", "c.png", "--coco", "found.json")
    found = json.loads((place / "found.json").read_text())
    assert code == 3
    assert [(one["image_id"], one["file_name"]) for one in found] == [(1, "a.png"), (3, "c.png")]


def test_results_replace_earlier_results_and_nothing_else(run, bright_file, place):
    save(place / "a.png")
    run("predict", bright_file, "a.png", "--csv", "p.csv", "--draw", "first")
    assert run("predict", bright_file, "a.png", "a.png", "--csv", "p.csv")[0] == 0
    labels = "image,label,x_min,y_min,x_max,y_max\na.png,disc,1,2,3,4\n"
    (place / "labels.csv").write_text(labels)
    for option in ("--csv", "--coco"):
        code, _, err = run("predict", bright_file, "a.png", option, "labels.csv")
        assert code == 2
        assert f"{option} labels.csv: exists already" in err
    assert (place / "labels.csv").read_text() == labels


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--json", "--csv", "p.csv"], "exclude each other"),
        (["--csv", "p.csv", "--coco", "p.json"], "exclude each other"),
        (["--csv", "folder"], "--csv folder: is a folder. Name a file."),
        (["--csv", ""], "--csv .: is a folder. Name a file."),
        (["--draw", "file"], "--draw file: is a file. Name a folder."),
        (["--csv", "file/p.csv"], "--csv file: is a file. Name a folder."),
    ],
)
def test_an_output_that_cannot_be_written_ends_with_2_before_the_work(
    words, said, run, bright_file, place
):
    save(place / "a.png")
    (place / "folder").mkdir()
    (place / "file").write_text("mine")
    code, out, err = run("predict", bright_file, "a.png", *words)
    assert (code, out) == (2, "")
    assert said in err
    assert (place / "file").read_text() == "mine"


@on_linux
def test_an_output_that_the_system_refuses_ends_with_1_before_the_work(run, bright_file, place):
    save(place / "a.png")
    code, out, err = run("predict", bright_file, "a.png", "--draw", "/proc/none")
    assert (code, out) == (1, "")
    assert "/proc/none: cannot be written" in err


@on_linux
def test_a_name_that_is_not_utf_8_is_written_as_its_bytes(run, bright_file, place):
    name = b"b\xff.png"
    save(place / os.fsdecode(name))
    assert run("predict", bright_file, ".", "--csv", "p.csv")[0] == 0
    assert (place / "p.csv").read_bytes().splitlines()[1].startswith(name + b",disc,")


# --- what is drawn


def test_the_drawn_box_has_its_colour_on_its_edges(run, bright_file, place):
    save(place / "a.png", disc(size_wh=(200, 160), centre=(90, 80), radius=50))
    _, out, _ = run("predict", bright_file, "a.png", "--draw", "drawn", "--json")
    x_min, _, x_max, y_max = json.loads(out)["box"]
    drawn = np.asarray(Image.open(place / "drawn/a.png"))
    assert drawn.shape == (160, 200, 3)
    # Not the upper edge: the label's plate may cover it.
    on_edges = [
        drawn[round(y_max) - 3, max(round(x_min) - 1, 0) : round(x_min) + 2],
        drawn[round(y_max) - 3, round(x_max) - 1 : round(x_max) + 2],
        drawn[round(y_max) - 1 : round(y_max) + 2, round((x_min + x_max) / 2)],
    ]
    assert [(edge == PREDICTED).all(axis=1).any() for edge in on_edges] == [True] * 3


def test_images_with_the_same_name_get_drawings_of_their_own(run, bright_file, place):
    save(place / "x/a.png", disc(centre=(20, 20)))
    save(place / "y/a.jpg", disc(centre=(70, 40)))
    original = save(place / "z/a.png").read_bytes()
    assert run("predict", bright_file, "x", "y", "--draw", "z")[0] == 0
    assert sorted(path.name for path in (place / "z").iterdir()) == ["a-2.png", "a-3.png", "a.png"]
    assert (place / "z/a.png").read_bytes() == original


# --- as a process


@on_linux
@pytest.mark.train
def test_a_closed_pipe_and_a_full_disk_cause_no_traceback(bright_file, place):
    for number in range(3):
        save(place / f"{number}.png")
    line = f"{sys.executable} -c 'from onebox.cli import main; main()' predict {bright_file} ."
    shell = f"{line} | head -1; echo rest; {line} > /dev/full; echo $?"
    # Standard output as users have it: lines that it could not take wait in its buffer.
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    ended = subprocess.run(
        ["/bin/sh", "-c", shell],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env=variables,
    )
    first, *rest = ended.stdout.splitlines()
    assert (first.split("\t")[0], rest) == ("0.png", ["rest", "1"])
    assert (
        ended.stderr == "error: standard output: No space left on device. Free space on the disk.\n"
    )


@on_linux
@pytest.mark.train
def test_closed_output_is_an_error_and_a_name_in_another_script_is_none(bright_file, place):
    save(place / "a.png")
    save(place / "猫.png")
    line = f"{sys.executable} -c 'from onebox.cli import main; main()' predict {bright_file} ."
    ended = subprocess.run(
        ["/bin/sh", "-c", f"{line} >&-; echo $?; {line}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={**os.environ, "PYTHONIOENCODING": "cp1252"},
    )
    code, *rows = ended.stdout.splitlines()
    assert code == "1"
    assert [row.split("\t")[0] for row in rows] == ["a.png", "\\u732b.png"]
    assert ended.stderr.startswith("error: standard output is closed.")


@on_linux
@pytest.mark.train
def test_closed_input_is_an_error_where_names_are_read_from_it(bright_file, place):
    save(place / "a.png")
    line = f"{sys.executable} -c 'from onebox.cli import main; main()' predict {bright_file}"
    ended = subprocess.run(
        ["/bin/sh", "-c", f"{line} - <&-; echo $?; {line} a.png <&-; echo $?"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    code, row, of_image = ended.stdout.splitlines()
    assert (code, row.split("\t")[0], of_image) == ("2", "a.png", "0")
    assert ended.stderr.startswith("error: standard input is closed")


# --- presence


class Unsure(Localizer):
    """A model that finds a disc in every image, with a probability that it is present."""

    card = ModelCard(("disc",), 32, presence=True)

    def __init__(self, present):
        self.answer = Prediction("disc", 0.125, (1.0, 2.0, 30.0, 40.0), (1.0,), present=present)

    def predict_many(self, sources, *, threads):
        yield from (Answer(place, source, self.answer) for place, source in enumerate(sources))


@pytest.mark.parametrize(
    ("present", "words"), [(0.5, "disc\t0.125\t1.0 2.0 30.0 40.0"), (0.49, "absent\t0.125\t-")]
)
def test_a_line_has_absent_instead_of_label_and_box(run, place, monkeypatch, present, words):
    save(place / "a.png")
    monkeypatch.setattr(predict.loading, "load", lambda path, threads: Unsure(present))
    assert run("predict", "model.onnx", "a.png") == (0, f"a.png\t{words}\n", "")
    _, out, _ = run("predict", "model.onnx", "a.png", "--json")
    line = json.loads(out)
    assert (line["label"], line["box"], line["present"]) == ("disc", [1, 2, 30, 40], present)
