"""`onebox predict` into files: every kind, continued, stopped, killed, and locked."""

import contextlib
import csv
import dataclasses
import errno
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from onebox.cli import predict
from onebox.localizer import Localizer
from onebox.model_card import ModelCard
from onebox.prediction.writers import KINDS, Journal, Layout, journal_path
from onebox.runtime import load
from onebox.streaming import Answer

ON_POSIX = pytest.mark.skipif(sys.platform == "win32", reason="signals are the system's")
LINE = [sys.executable, "-c", "from onebox.cli import main; main()", "predict"]
PATIENCE_S = 60


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder of six grey images, the working one."""
    monkeypatch.chdir(tmp_path)
    for number in range(6):
        save(f"in/{number}.png", 51 * number)
    return tmp_path


def save(name, level):
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((20, 30, 3), level, np.uint8)).save(name)


def rows(file="p.csv"):
    with Path(file).open(newline="") as opened:
        return list(csv.DictReader(opened))


def names(file="p.csv"):
    return [row["image"] for row in rows(file)]


ALL = [f"in/{number}.png" for number in range(6)]


# --- kinds


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("threads", ["1", "3"])
def test_each_kind_of_file_has_every_prediction_in_order(kind, threads, run, bright_file, place):
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    words = ("predict", bright_file, "in", f"--{kind}", "p", "--threads", threads)
    assert run(*words) == (0, "", "")
    if kind == "jsonl":
        found = [json.loads(line) for line in Path("p").read_text().splitlines()]
    elif kind == "csv":
        found = rows("p")
    elif kind == "coco":
        found = [{"image": one["file_name"], **one} for one in json.loads(Path("p").read_text())]
    else:
        found = pytest.importorskip("pyarrow.parquet").read_table("p").to_pylist()
    assert [one["image"] for one in found] == ALL
    scores = [float(one["score"]) for one in found]
    assert scores == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])  # 51 / 255 a step
    assert sorted(path.name for path in place.iterdir()) == ["in", "p"]


def test_the_lines_of_a_file_are_those_of_standard_output(run, bright_file, place):
    _, printed, _ = run("predict", bright_file, "in", "--json")
    run("predict", bright_file, "in", "--jsonl", "p.jsonl")
    assert Path("p.jsonl").read_text() == printed


@pytest.mark.parametrize("pair", [("--jsonl", "--csv"), ("--parquet", "--coco")])
def test_two_files_exclude_each_other(pair, run, bright_file, place):
    first, second = pair
    code, _, err = run("predict", bright_file, "in", first, "a", second, "b")
    assert (code, sorted(path.name for path in place.iterdir())) == (2, ["in"])
    assert "exclude each other" in err


def test_parquet_without_its_package_ends_before_the_work(run, bright_file, place, monkeypatch):
    def missing(name):
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr("onebox.optional.importlib.import_module", missing)
    code, _, err = run("predict", bright_file, "in", "--parquet", "p.parquet")
    assert (code, "pip install 'onebox[parquet]'" in err) == (1, True)
    assert sorted(path.name for path in place.iterdir()) == ["in"]


@pytest.mark.parametrize("name", ["p.csv", "p.csv.part.jsonl"])
def test_a_file_of_another_kind_is_not_written_over(name, run, bright_file, place):
    Path(name).write_text("mine")
    code, _, err = run("predict", bright_file, "in", "--csv", "p.csv")
    assert (code, Path(name).read_text()) == (2, "mine")
    assert f"--csv {name}: exists already and is no earlier result" in err


@pytest.mark.parametrize("times", [1, 2])
def test_drawings_below_a_source_are_no_images_to_predict(times, run, bright_file, place):
    names = sorted(path.name for path in Path("in").iterdir())
    for _ in range(times):
        code, out, _ = run("predict", bright_file, ".", "--draw", "in/drawn")
        assert code == 0
        assert len(out.splitlines()) == len(names)
    assert len(list(Path("in/drawn").iterdir())) == times * len(names)


@pytest.mark.parametrize("source", ["in", "in/0.png", "in/*.png"])
def test_images_that_lie_beside_the_drawings_and_are_named_are_predicted(
    source, run, bright_file, place
):
    count = len(list(Path("in").iterdir())) if source != "in/0.png" else 1
    code, out, _ = run("predict", bright_file, source, "--draw", "in")
    assert (code, len(out.splitlines())) == (0, count)


LABELS = '[\n{"image": "0.png", "annotations": []}]'


def test_a_list_of_labels_is_no_earlier_coco_result(run, bright_file, place):
    Path("labels.json").write_text(LABELS)
    code, _, err = run("predict", bright_file, "in", "--coco", "labels.json")
    assert (code, Path("labels.json").read_text()) == (2, LABELS)
    assert "--coco labels.json: exists already and is no earlier result" in err


def test_a_shard_of_labels_is_no_earlier_parquet_result(run, bright_file, place):
    pytest.importorskip("pyarrow")
    Path("labels.csv").write_text(
        "image,label,x_min,y_min,x_max,y_max,split\nin/0.png,disc,1,2,3,4,train\n"
    )
    assert run("convert", "labels.csv", "shards", "--to", "parquet")[0] == 0
    [shard] = [path for path in Path("shards").rglob("*") if path.is_file()] or [Path("shards")]
    before = shard.read_bytes()
    code, _, err = run("predict", bright_file, "in", "--parquet", str(shard))
    assert (code, shard.read_bytes()) == (2, before)
    assert "exists already and is no earlier result" in err


@pytest.mark.parametrize("torn", ['{"image": ', '{"image": "0.png", "label": "di'])
@pytest.mark.parametrize("resumed", [[], ["--continue"]])
def test_a_torn_first_line_is_an_earlier_result_without_rows(
    torn, resumed, run, bright_file, place
):
    Path("p.jsonl").write_text(torn)
    assert run("predict", bright_file, "in", "--jsonl", "p.jsonl", *resumed)[0] == 0
    lines = Path("p.jsonl").read_text().splitlines()
    assert [json.loads(line)["image"] for line in lines] == sorted(map(str, Path("in").iterdir()))


@pytest.mark.parametrize(
    "line", ['{"image": "0.png", "label": "disc", "box": [1, 2, 3, 4]}', '{"image": ']
)
def test_lines_of_labels_are_no_earlier_results(line, run, bright_file, place):
    Path("labels.jsonl").write_text(f"{line}\n")
    code, _, err = run("predict", bright_file, "in", "--jsonl", "labels.jsonl")
    assert (code, Path("labels.jsonl").read_text()) == (2, f"{line}\n")
    assert "--jsonl labels.jsonl: exists already and is no earlier result" in err


@pytest.mark.parametrize("kind", KINDS)
def test_an_earlier_result_that_cannot_be_read_is_named(kind, run, bright_file, place, monkeypatch):
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    assert run("predict", bright_file, "in", f"--{kind}", "p")[0] == 0
    before = Path("p").read_bytes()
    is_results = KINDS[kind].is_results

    def fail(path):
        is_results(path)
        raise OSError(errno.EIO, os.strerror(errno.EIO))  # of a read: it names no file

    broken = dataclasses.replace(KINDS[kind], is_results=fail)
    monkeypatch.setitem(KINDS, kind, broken)
    code, _, err = run("predict", bright_file, "in", f"--{kind}", "p")
    assert (code, Path("p").read_bytes()) == (1, before)
    assert f"--{kind} p: exists already and cannot be read (Input/output error)." in err


@pytest.mark.parametrize("kind", KINDS)
def test_results_without_rows_and_with_rows_are_replaced(kind, run, bright_file, place):
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    Path("broken.png").write_bytes(b"broken")
    assert run("predict", bright_file, "broken.png", f"--{kind}", "p")[0] == 3
    empty = Path("p").read_bytes()
    for _ in range(2):
        assert run("predict", bright_file, "in", f"--{kind}", "p")[0] == 0
        assert Path("p").read_bytes() != empty


# --- continuing


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [(), ("--continue",)])
def test_an_empty_file_is_no_file(kind, options, run, bright_file, place):
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    assert run("predict", bright_file, "in", f"--{kind}", "p")[0] == 0
    Path("empty").touch()
    assert run("predict", bright_file, "in", f"--{kind}", "empty", *options) == (0, "", "")
    assert Path("empty").read_bytes() == Path("p").read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_continuing_predicts_what_is_missing_and_retries_what_was_unreadable(
    kind, run, bright_file, place
):
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    Path("in/2.png").write_bytes(b"broken")
    words = ("predict", bright_file, "in", "missing.png", f"--{kind}", "p")
    assert run(*words)[0] == 3
    save("in/2.png", 102)
    save("in/0.png", 255)  # not predicted again
    code, out, err = run(*words, "--continue")
    assert (code, out) == (3, "")
    assert "1 of 2 sources could not be read" in err
    assert "missing.png" in err
    model = load(bright_file).card
    with Journal(KINDS[kind], Path("p"), Layout(model.classes), resume=True) as journal:
        assert [journal.has(name) for name in ALL] == [True] * 6
        assert journal.kept == 6
    if kind != "parquet":
        assert '"score": 0.0' in Path("p").read_text() or ",0.0," in Path("p").read_text()


def test_continuing_a_missing_file_begins_it(run, bright_file, place):
    assert run("predict", bright_file, "in", "--csv", "p.csv", "--continue") == (0, "", "")
    assert names() == ALL


def test_continuing_a_file_in_another_folder_recognizes_its_images(run, bright_file, place):
    run("predict", bright_file, "in/0.png", "in/1.png", "--csv", "out/p.csv")
    run("predict", bright_file, "in", "--csv", "out/p.csv", "--continue")
    assert names("out/p.csv") == [f"../in/{number}.png" for number in range(6)]


def test_continuing_needs_a_file(run, bright_file, place):
    code, _, err = run("predict", bright_file, "in", "--continue")
    assert (code, "--continue goes on with a file" in err) == (2, True)


def test_a_file_that_is_not_continued_is_replaced(run, bright_file, place):
    run("predict", bright_file, "in", "--csv", "p.csv")
    with Journal(KINDS["csv"], Path("p.csv"), Layout(("disc",))):
        pass  # as an interrupt leaves it
    run("predict", bright_file, "in/3.png", "--csv", "p.csv")
    assert names() == ["in/3.png"]


def test_a_model_with_other_columns_cannot_continue_a_file(run, bright_file, place, monkeypatch):
    run("predict", bright_file, "in/0.png", "--csv", "p.csv")
    before = Path("p.csv").read_text()

    class Other(Localizer):
        card = ModelCard(("disc",), 32, presence=True)

        def predict_many(self, sources, *, threads):
            yield from ()

    monkeypatch.setattr(predict.loading, "load", lambda path, threads: Other())
    code, _, err = run("predict", bright_file, "in", "--csv", "p.csv", "--continue")
    assert (code, Path("p.csv").read_text()) == (2, before)
    assert "p.csv:1: has the columns image,label" in err


# --- stopping


class Interrupted(Localizer):
    """A model that Ctrl-C stops after some images."""

    def __init__(self, model, most):
        self.card = model.card
        self._model, self._most = model, most

    def predict_many(self, sources, *, threads):
        for place, source in enumerate(sources):
            if place == self._most:
                raise KeyboardInterrupt
            yield Answer(place, source, self._model.predict(source))


def stop_after(count, bright_file, monkeypatch):
    model = Interrupted(load(bright_file), count)
    monkeypatch.setattr(predict.loading, "load", lambda path, threads: model)


@pytest.mark.parametrize("kind", ["csv", "coco"])
def test_an_interrupt_keeps_what_is_done_and_says_how_to_continue(
    kind, run, bright_file, place, monkeypatch
):
    words = ("predict", bright_file, "in", f"--{kind}", "p")
    with monkeypatch.context() as patch:
        stop_after(2, bright_file, patch)
        code, out, err = run(*words)
    assert (code, out) == (130, "")
    assert "note: stopped after 2 sources." in err
    assert "p has 2 predictions. Run the same command with --continue to go on." in err
    assert sorted(path.name for path in place.iterdir()) == ["in", "p"]
    assert run(*words, "--continue")[0] == 0
    found = (
        names("p")
        if kind == "csv"
        else [one["file_name"] for one in json.loads(Path("p").read_text())]
    )
    assert found == ALL


def test_an_interrupt_before_the_first_answer_leaves_an_earlier_file(
    run, bright_file, place, monkeypatch
):
    run("predict", bright_file, "in", "--csv", "p.csv")
    stop_after(0, bright_file, monkeypatch)
    assert run("predict", bright_file, "in", "--csv", "p.csv")[0] == 130
    assert names() == ALL


def test_an_interrupt_while_printing_ends_with_130(run, bright_file, place, monkeypatch):
    stop_after(3, bright_file, monkeypatch)
    code, out, err = run("predict", bright_file, "in")
    assert (code, len(out.splitlines())) == (130, 3)
    assert "stopped after 3 sources" in err


# --- as processes


@contextlib.contextmanager
def listening(*words):
    """A process that predicts what is written to its standard input."""
    with subprocess.Popen(
        [*LINE, *map(str, words)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for_lines(file, most):
    until = time.monotonic() + PATIENCE_S
    while not file.exists() or len(file.read_bytes().splitlines()) < most:
        assert time.monotonic() < until, f"{file} has no {most} lines"
        time.sleep(0.02)


@ON_POSIX
@pytest.mark.parametrize("kind", ["jsonl", "csv"])
@pytest.mark.train
def test_after_a_kill_each_image_is_in_the_file_once(kind, run, bright_file, place):
    part = journal_path(Path(f"p.{kind}"))
    words = (bright_file, "-", f"--{kind}", f"p.{kind}")
    with listening(*words) as process:
        process.stdin.write("".join(f"{name}\n" for name in ALL[:5]))
        process.stdin.flush()
        wait_for_lines(part, 3)
        code, _, err = run("predict", bright_file, "in", f"--{kind}", f"p.{kind}", "--continue")
        assert (code, "another process is writing it" in err) == (1, True)
        process.kill()
        process.wait()
    assert not Path(f"p.{kind}").exists()
    part.write_bytes(part.read_bytes()[:-9])  # a torn line, as a kill may leave it
    assert run("predict", bright_file, "in", f"--{kind}", f"p.{kind}", "--continue")[0] == 0
    if kind == "csv":
        assert names() == ALL
    else:
        lines = Path("p.jsonl").read_text().splitlines()
        assert [json.loads(line)["image"] for line in lines] == ALL
    assert not part.exists()


@ON_POSIX
@pytest.mark.train
def test_an_interrupt_while_waiting_for_a_list_ends_at_once(bright_file, place):
    with listening(bright_file, "-", "--csv", "p.csv", "--threads", "2") as process:
        process.stdin.write("".join(f"{name}\n" for name in ALL[:4]))
        process.stdin.flush()
        wait_for_lines(journal_path(Path("p.csv")), 3)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 130
        assert "Run the same command with --continue" in process.stderr.read()
    assert names() == ALL[: len(names())]
    assert len(names()) >= 2


# --- lists and frames


def test_a_list_on_standard_input_has_one_name_per_line(run, bright_file, place, monkeypatch):
    listed = b"in/3.png\r\n\nin/1.png\n" + b"in/no.png"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(listed)))
    code, out, err = run("predict", bright_file, "-")
    assert code == 3
    assert [line.split("\t")[0] for line in out.splitlines()] == ["in/3.png", "in/1.png"]
    assert "in/no.png: there is no such file" in err


@pytest.mark.train
def test_an_address_of_a_list_that_is_not_utf_8_does_not_stop_the_others(bright_file, place):
    listed = b"in/0.png\nhttp://127.0.0.1:9/caf\xe9.jpg\nin/1.png\n"  # nobody listens there
    words = [*LINE, str(bright_file), "-", "--csv", "p.csv"]
    ended = subprocess.run(words, input=listed, capture_output=True, check=False)
    assert (ended.returncode, names()) == (3, ["in/0.png", "in/1.png"])
    message = b" ".join(ended.stderr.split())
    assert rb"error: http://127.0.0.1:9/caf\udce9.jpg: cannot be fetched (" in message


class Videos:
    """Stands in for the module of videos: frames 51 brighter than the last, 25 per second."""

    def is_video(self, path):
        return path.suffix == ".mp4"

    def frames(self, source):
        from types import SimpleNamespace

        for number in range(3):
            pixels = np.full((20, 30, 3), 51 * number, np.uint8)
            yield SimpleNamespace(number=number, time_s=number / 25, pixels=pixels)


@pytest.fixture
def videos(monkeypatch):
    monkeypatch.setattr("onebox.prediction.sources.videos", Videos())


def test_frames_have_their_number_and_time_in_every_file(run, bright_file, place, videos):
    words = ("predict", bright_file, "in/5.png", "film/clip.mp4")
    _, out, _ = run(*words, "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert "frame" not in lines[0]
    expected = [("film/clip.mp4", 0, 0.0), ("film/clip.mp4", 1, 0.04), ("film/clip.mp4", 2, 0.08)]
    assert [(one["image"], one["frame"], one["time_s"]) for one in lines[1:]] == expected
    run(*words, "--csv", "film/p.csv")
    image, *frames = rows("film/p.csv")
    assert (image["image"], image["frame"], image["time_s"]) == ("../in/5.png", "", "")
    found = [(f"film/{one['image']}", int(one["frame"]), float(one["time_s"])) for one in frames]
    assert found == expected
    assert [float(one["score"]) for one in frames] == pytest.approx([0, 0.2, 0.4])


def test_drawings_of_a_camera_are_named_after_it(run, bright_file, place, videos):
    run("predict", bright_file, "camera:0", "--draw", "drawn")
    assert sorted(path.name for path in Path("drawn").iterdir()) == [
        f"camera-0-00000{number}.png" for number in range(3)
    ]


def test_frames_are_printed_with_their_number_and_time(run, bright_file, place, videos):
    _, out, _ = run("predict", bright_file, "clip.mp4")
    assert [line.split("\t")[0] for line in out.splitlines()] == [
        f"clip.mp4 frame {number} at {time}"
        for number, time in enumerate(("0.000 s", "0.040 s", "0.080 s"))
    ]


def test_frames_that_a_file_has_are_skipped(run, bright_file, place, videos):
    words = ("predict", bright_file, "clip.mp4", "--csv", "p.csv")
    run(*words)
    lines = Path("p.csv").read_text().splitlines(keepends=True)
    Path("p.csv").write_text("".join(lines[:2]))  # the header and frame 0
    assert run(*words, "--continue") == (0, "", "")
    assert [(row["image"], row["frame"]) for row in rows()] == [
        ("clip.mp4", str(number)) for number in range(3)
    ]


def test_the_first_name_of_a_list_decides_whether_there_are_columns_for_frames(
    run, bright_file, place, videos, monkeypatch
):
    for order, code in (("clip.mp4\nin/1.png", 0), ("in/1.png\nclip.mp4", 2)):
        listed = io.TextIOWrapper(io.BytesIO(order.encode()))
        monkeypatch.setattr(sys, "stdin", listed)
        ended, _, err = run("predict", bright_file, "-", "--csv", "p.csv")
        assert ended == code
    assert "clip.mp4: is a video, and p.csv has no columns for frames" in err
    assert len(rows()) == 4


def test_each_frame_is_drawn_under_its_number(run, bright_file, place, videos):
    assert run("predict", bright_file, "clip.mp4", "in/5.png", "--draw", "drawn")[0] == 0
    assert sorted(path.name for path in Path("drawn").iterdir()) == [
        "5.png",
        *(f"clip-00000{number}.png" for number in range(3)),
    ]
    # The label covers most of so small an image; frame 2 is 102 where it shows.
    drawn = np.asarray(Image.open("drawn/clip-000002.png"))
    assert drawn.shape == (20, 30, 3)
    assert (drawn == 102).all(axis=2).any()


def test_the_number_of_threads_is_at_least_one(run, bright_file, place):
    code, _, err = run("predict", bright_file, "in", "--threads", "0")
    assert (code, "--threads" in err) == (2, True)
