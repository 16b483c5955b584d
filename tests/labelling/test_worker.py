"""Real processes: a whole training round, its death, and that of the session."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
import tomli_w
from PIL import Image

import onebox
from onebox.labelling.job import (
    Job,
    Labelled,
    job_as_json,
    proposals_from_json,
    read_json,
    round_from_json,
    write_json,
)
from onebox.labelling.options import SessionOptions, TrainingOptions
from onebox.labelling.records import Label, image_id
from onebox.labelling.session import Session
from onebox.labelling.training import start_worker
from onebox.labelling.worker import StatusFile, main, run_job

pytestmark = pytest.mark.train
LONGEST_WAIT_S = 240  # on a machine that others keep busy


def wait_until(is_true):
    """Wait for what another process does."""
    end = time.monotonic() + LONGEST_WAIT_S
    while not is_true():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture(scope="module")
def pictures(discs, tmp_path_factory):
    """A folder of discs as PNG files, and the true box of each."""
    folder = tmp_path_factory.mktemp("discs")
    truth = {}
    for number, sample in enumerate(discs.part("train").samples[:60]):
        Image.fromarray(np.asarray(sample.image)).save(folder / f"{number:03}.png")
        truth[f"{number:03}.png"] = sample.box
    return folder, truth


@pytest.fixture(scope="module")
def recipe_file(tiny_recipe, tmp_path_factory):
    short = tiny_recipe.changed({"train.epochs": 3})
    path = tmp_path_factory.mktemp("recipe") / "tiny.toml"
    path.write_text(tomli_w.dumps(short.model_dump(mode="json", exclude_none=True)))
    return path


def has_ended(training, number):
    """Whether a round has ended, well or not; before it starts, the state is "waiting" too."""
    return training.state == "failed" or (training.state, training.round) == ("waiting", number)


def make_job(pictures, recipe_file, **fields):
    folder, truth = pictures
    names = sorted(truth)
    splits = ["train"] * 20 + ["cal"] * 9
    labelled = [
        Labelled(folder / name, Label("disc", truth[name]), split)
        for name, split in zip(names, splits, strict=False)
    ]
    return Job(
        **{
            "round": 1,
            "labels": 29,
            "classes": ("disc",),
            "labelled": tuple(labelled),
            "recipe": str(recipe_file),
            "unlabelled": {name: folder / name for name in names[30:40]},
            "sample": {name: folder / name for name in names[20:29]},
            **fields,
        }
    )


def test_a_session_trains_in_a_process_of_its_own_and_proposes(
    pictures, recipe_file, tmp_path, act
):
    folder, truth = pictures
    options = SessionOptions(
        folder,
        labels=tmp_path / "labels.csv",
        classes=("disc",),
        training=TrainingOptions(recipe_file, minutes=None, first_at=12),
    )
    with Session.open(options) as session:
        for entry in session.next_entries("a", 12):
            act(session, entry, truth[entry.name], label="disc")
        wait_until(lambda: has_ended(session.summary().training, 1))
        assert session.summary().training.message == ""
        entries = session.find("", "unlabelled", 0, 99)[1]
        assert len(entries) == 48
        assert {one.proposal is None for one in entries if one.in_sample} == {True}
        proposals = [one.proposal for one in entries if not one.in_sample]
        assert {(one.label, one.round) for one in proposals} == {("disc", 1)}
        assert session.find("", "doubtful", 0, 0)[0] == len(proposals)
    assert onebox.load(tmp_path / "labels.onebox" / "model.onnx").card.classes == ("disc",)
    assert not (tmp_path / "labels.onebox" / "rounds" / "1" / "cache").exists()


@pytest.fixture(scope="module")
def first_round(pictures, recipe_file, tmp_path_factory):
    """The folder of a round that was done in this process."""
    folder = tmp_path_factory.mktemp("round")
    run_job(make_job(pictures, recipe_file), folder, StatusFile(folder / "status.json"))
    return folder


def test_a_round_calibrates_on_the_sample_and_orders_by_expected_iou(first_round, pictures):
    proposals = proposals_from_json(read_json(first_round / "proposals.json"))
    names = sorted(pictures[1])
    assert sorted(proposals.by_image) == names[30:40]
    expected = [proposals.by_image[key].expected_iou for key in proposals.doubtful]
    assert expected == sorted(expected)
    assert sorted(proposals.different) == sorted(proposals.doubtful) == names[30:40]
    sample = round_from_json(read_json(first_round / "sample.json"))
    assert (sample.labels, sorted(sample.guesses)) == (29, names[20:29])


def test_the_next_round_goes_on_from_the_last_weights_even_with_another_class(
    first_round, pictures, recipe_file, tmp_path
):
    earlier = first_round / "run" / "weights.safetensors"
    facts = {"round": 2, "classes": ("disc", "ring"), "earlier": earlier}
    job = make_job(pictures, recipe_file, **facts)
    run_job(job, tmp_path, StatusFile(tmp_path / "status.json"))
    card = onebox.load(tmp_path / "run" / "model.onnx").card
    assert card.classes == ("disc", "ring")
    assert card.provenance["weights"] == "weights.safetensors"


def test_a_job_without_training_predicts_with_the_users_model(model_file, pictures, tmp_path):
    folder, truth = pictures
    images = {name: folder / name for name in sorted(truth)[:5]}
    damaged = tmp_path / "damaged.png"
    damaged.write_bytes(b"no image")
    job = Job(0, 0, model=model_file, unlabelled={**images, "damaged": damaged})
    run_job(job, tmp_path, StatusFile(tmp_path / "status.json"))
    proposals = proposals_from_json(read_json(tmp_path / "proposals.json"))
    localizer = onebox.load(model_file)
    for name, file in images.items():
        assert proposals.by_image[name].box == localizer.predict(file).box
    assert list(proposals.unreadable) == ["damaged"]


def test_a_model_of_the_user_proposes_from_the_start(model_file, pictures, tmp_path):
    folder, _ = pictures
    options = SessionOptions(folder, labels=tmp_path / "labels.csv", model=model_file)
    with Session.open(options) as session:
        assert session.classes == onebox.load(model_file).card.classes
        wait_until(lambda: session.find("", "doubtful", 0, 0)[0])
        entries = session.find("", "unlabelled", 0, 99)[1]
        assert {one.proposal.round for one in entries if not one.in_sample} == {0}


def test_a_job_that_fails_says_why_in_its_status(tmp_path, monkeypatch):
    monkeypatch.setattr("onebox.labelling.worker._end_with_session", lambda: None)
    monkeypatch.setattr(os, "nice", lambda value: 0)
    monkeypatch.setenv("ONEBOX_CACHE", "as before")  # main changes it; this puts it back
    write_json(tmp_path / "job.json", job_as_json(Job(0, 0, model=tmp_path / "none.onnx")))
    assert main([str(tmp_path / "job.json")]) == 1
    assert "none.onnx" in read_json(tmp_path / "status.json")["error"]


@pytest.fixture
def endless_job(tmp_path):
    """A job that a worker waits for, for ever: a pipe that nobody writes to."""
    if not hasattr(os, "mkfifo"):
        pytest.skip("this system has no named pipes")
    os.mkfifo(tmp_path / "job.json")
    return tmp_path / "job.json"


def test_a_worker_ends_when_its_session_closes_the_pipe(endless_job):
    process = start_worker(endless_job)
    assert process.poll() is None
    process.stdin.close()
    assert process.wait(LONGEST_WAIT_S) == 1


def test_a_worker_ends_when_its_session_is_killed(endless_job):
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from onebox.labelling.training import start_worker\n"
        "print(start_worker(Path(sys.argv[1])).pid, flush=True)\n"
        "time.sleep(1000)\n"
    )
    session = subprocess.Popen(
        [sys.executable, "-c", code, str(endless_job)], stdout=subprocess.PIPE, text=True
    )
    with session:
        worker = psutil.Process(int(session.stdout.readline()))
        assert worker.is_running()
        session.kill()
    worker.wait(LONGEST_WAIT_S)


SESSION = """
import sys
from pathlib import Path
from onebox.labelling.options import SessionOptions
from onebox.labelling.records import Action, Label
from onebox.labelling.session import Session

folder, name = Path(sys.argv[1]), sys.argv[2]
with Session.open(SessionOptions(folder, classes=("cat",))) as session:
    number = 0
    while True:
        for entry in session.find("", "all", 0, 9)[1]:
            number += 1
            label = Label("cat", (1.0, 1.0, 2.0 + number % 30, 20.0)) if number % 7 else None
            action = Action(f"{name}-{number}", entry.id, entry.revision, label, "drawn")
            done = session.apply(action)
            edge = None if done.label is None else done.label.box[2]
            print(done.name, done.revision, edge, flush=True)
"""


def test_killing_the_session_loses_no_acknowledged_action_and_leaves_the_file_whole(make_folder):
    folder = make_folder(9)
    rng = np.random.default_rng(0)
    acknowledged = {}
    for run in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", SESSION, str(folder), str(run)],
            stdout=subprocess.PIPE,
            text=True,
        )
        with process:
            for _ in range(int(rng.integers(5, 400))):
                name, revision, edge = process.stdout.readline().split()
                acknowledged[name] = (int(revision), None if edge == "None" else float(edge))
            process.send_signal(signal.SIGKILL)
            for line in process.stdout:  # acknowledged before the end came
                if line.endswith("\n"):
                    name, revision, edge = line.split()
                    acknowledged[name] = (int(revision), None if edge == "None" else float(edge))
        check_whole(folder / "labels.csv")
        check_kept(folder, acknowledged)


def check_whole(path):
    lines = path.read_text().splitlines() if path.exists() else []
    assert all(line.count(",") == 6 for line in lines)


def check_kept(folder, acknowledged):
    """Every image has the acknowledged label, or that of one later action."""
    with Session.open(SessionOptions(folder, classes=("cat",))) as session:
        for name, (revision, edge) in acknowledged.items():
            entry = session.entry(image_id(name))
            assert entry.revision in {revision, revision + 1}
            if entry.revision == revision:
                assert (None if entry.label is None else entry.label.box[2]) == edge
        labels = {name: session.entry(image_id(name)).label for name in acknowledged}
    lines = (folder / "labels.csv").read_text().splitlines()
    rows = {line.split(",")[0]: line.split(",") for line in lines}
    assert {name for name, label in labels.items() if label} == rows.keys() - {"image"}
    for name in rows.keys() & labels.keys():
        assert float(rows[name][4]) == labels[name].box[2]
    json.loads((folder / "labels.onebox/journal.jsonl").read_text().splitlines()[-1])


def test_a_job_without_an_image_left_to_propose_for_ends_well(model_file, pictures, tmp_path):
    folder, truth = pictures
    images = {name: folder / name for name in sorted(truth)[:2]}
    job = Job(0, 0, model=model_file, sample=images)
    run_job(job, tmp_path, StatusFile(tmp_path / "status.json"))
    proposals = proposals_from_json(read_json(tmp_path / "proposals.json"))
    assert (proposals.by_image, proposals.different) == ({}, ())
