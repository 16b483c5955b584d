import subprocess
import sys
import threading

import pytest

from onebox.errors import SettingError
from onebox.labelling import training
from onebox.labelling.accuracy import Guess, Round
from onebox.labelling.job import (
    Proposals,
    job_from_json,
    proposals_as_json,
    read_json,
    round_as_json,
    write_json,
)
from onebox.labelling.options import SessionOptions, TrainingOptions
from onebox.labelling.ordering import is_of_sample
from onebox.labelling.records import Proposal, image_id
from onebox.labelling.training import Trainer

pytestmark = pytest.mark.train
LONGEST_WAIT_S = 60


class Workers:
    """Stands for the processes: keeps their jobs, answers at once, or ends as it is told."""

    def __init__(self):
        self.jobs, self.code = [], "pass"

    def start(self, file):
        job = job_from_json(read_json(file))
        self.jobs.append(job)
        if self.code == "pass":
            self.answer(job, file.parent)
        with file.with_name("worker.log").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-c", self.code], stdin=subprocess.PIPE, stdout=log, stderr=log
            )

    def answer(self, job, folder):
        box = (1.0, 1.0, 9.0, 9.0)
        guesses = {key: Guess("cat", box) for key in job.sample}
        proposals = {key: Proposal("cat", box, 0.5, round=job.round) for key in job.unlabelled}
        (folder / "run").mkdir()
        (folder / "run" / "model.onnx").write_bytes(b"model")
        (folder / "run" / "weights.safetensors").write_bytes(b"weights")
        write_json(folder / "sample.json", round_as_json(Round(job.labels, guesses)))
        write_json(folder / "proposals.json", proposals_as_json(Proposals(proposals)))


@pytest.fixture
def workers(monkeypatch):
    fake = Workers()
    monkeypatch.setattr(training, "start_worker", fake.start)
    return fake


@pytest.fixture
def rested(monkeypatch):
    """Wait until the trainer has seen the last change and has nothing to do: ``rested()``."""
    changed = threading.Condition()
    counts = {"asked": 0, "seen": -1}
    next_job, notify = Trainer._next_job, Trainer.notify

    def watched(self):
        asked = counts["asked"]
        job = next_job(self)
        with changed:
            counts["seen"] = asked if job is None else -1
            changed.notify_all()
        return job

    def noted(self):
        with changed:
            counts["asked"] += 1
        notify(self)

    monkeypatch.setattr(Trainer, "_next_job", watched)
    monkeypatch.setattr(Trainer, "notify", noted)

    def wait():
        with changed:
            assert changed.wait_for(lambda: counts["seen"] == counts["asked"], LONGEST_WAIT_S)

    return wait


@pytest.fixture
def label_next(act, rested):
    """Label so many images with a box, and wait until the trainer rests."""

    def label(session, count, how="drawn"):
        for _ in range(count):
            [entry] = session.next_entries("a", 1)
            act(session, entry, how=how)
        rested()

    return label


OPTIONS = TrainingOptions(first_at=8, every=5)


def test_the_first_round_starts_at_so_many_labels_and_the_next_after_so_many_more(
    make_folder, open_session, workers, label_next
):
    session = open_session(make_folder(40), training=OPTIONS)
    label_next(session, 7)
    assert workers.jobs == []
    label_next(session, 1)
    label_next(session, 4)
    assert [job.labels for job in workers.jobs] == [8]
    label_next(session, 1)
    assert [(job.round, job.labels) for job in workers.jobs] == [(1, 8), (2, 13)]


def test_a_round_trains_on_what_is_not_in_the_sample_and_starts_from_the_last_weights(
    make_folder, open_session, workers, label_next
):
    session = open_session(make_folder(60), training=OPTIONS)
    label_next(session, 8)
    label_next(session, 5)
    first, second = workers.jobs
    assert first.earlier is None
    assert second.earlier == session.session_folder / "rounds/1/run/weights.safetensors"
    splits = {image_id(one.path.name): one.split for one in second.labelled}
    assert len(splits) == 13
    expected = {key: "cal" if is_of_sample(key, 0) else "train" for key in splits}
    assert splits == expected
    assert set(expected.values()) == {"cal", "train"}


def test_no_image_is_both_in_the_sample_and_to_be_proposed(
    make_folder, open_session, workers, label_next
):
    session = open_session(make_folder(60), training=OPTIONS)
    label_next(session, 8)
    [job] = workers.jobs
    assert all(is_of_sample(key, 0) for key in job.sample)
    assert not any(is_of_sample(key, 0) for key in job.unlabelled)
    labelled = {image_id(one.path.name) for one in job.labelled}
    assert len(labelled | job.sample.keys() | job.unlabelled.keys()) == 60


def test_the_splits_of_the_users_own_file_are_kept(make_folder, open_session, workers, rested):
    folder = make_folder(20)
    splits = ["train"] * 6 + ["val"] * 3 + ["cal"] * 2 + ["test"] * 4
    rows = [f"{n:03}.png,cat,1,1,20,20,{split}" for n, split in enumerate(splits)]
    header = "image,label,x_min,y_min,x_max,y_max,split"
    (folder / "labels.csv").write_text("\n".join([header, *rows]) + "\n")
    open_session(folder, training=OPTIONS)
    rested()
    [job] = workers.jobs
    assert [one.split for one in job.labelled] == splits[:11]


def test_a_finished_round_proposes_publishes_its_model_and_is_taken_up_after_a_restart(
    make_folder, open_session, workers, label_next, rested
):
    folder = make_folder(40)
    with open_session(folder, training=OPTIONS) as session:
        label_next(session, 8)
        status = session.summary().training
        assert (status.state, status.round, status.labels) == ("waiting", 1, 8)
        assert (folder / "labels.onebox" / "model.onnx").read_bytes() == b"model"
    session = open_session(folder, training=OPTIONS)
    proposals = [one.proposal for one in session.find("", "unlabelled", 0, 40)[1]]
    assert {one.round for one in proposals if one} == {1}
    assert session.summary().training.round == 1
    label_next(session, 4)
    assert len(workers.jobs) == 1
    label_next(session, 1)
    assert workers.jobs[-1].round == 2


def test_a_process_that_crashes_is_told_and_the_next_labels_try_again(
    make_folder, open_session, workers, label_next
):
    session = open_session(make_folder(40), training=OPTIONS)
    workers.code = "import sys; sys.exit('no memory')"
    label_next(session, 8)
    status = session.summary().training
    assert status.state == "failed"
    assert "ended with exit code 1. Its last line is: no memory" in status.message
    workers.code = "pass"
    label_next(session, 5)
    assert session.summary().training.state == "waiting"
    assert [job.round for job in workers.jobs] == [1, 1]


def test_too_few_boxes_are_told_and_nothing_starts(make_folder, open_session, workers, label_next):
    session = open_session(make_folder(40), training=OPTIONS)
    label_next(session, 10, how="absent")
    assert workers.jobs == []
    assert "Training needs at least 2 boxes" in session.summary().training.message


def test_a_round_starts_earlier_when_it_is_asked_for(
    make_folder, open_session, workers, label_next, rested
):
    session = open_session(make_folder(40), training=OPTIONS)
    label_next(session, 4)
    session.train_now()
    session._trainer.notify()
    rested()
    assert [job.labels for job in workers.jobs] == [4]


def test_without_pytorch_the_training_is_off_and_says_what_to_install(
    make_folder, open_session, monkeypatch
):
    find = training.importlib.util.find_spec
    monkeypatch.setattr(
        training.importlib.util, "find_spec", lambda name: None if name == "torch" else find(name)
    )
    status = open_session(make_folder(1), training=OPTIONS).summary().training
    assert status.state == "off"
    assert "pip install 'onebox[train]'" in status.message


def test_a_session_that_is_not_to_train_does_not(make_folder, open_session):
    status = open_session(make_folder(1)).summary().training
    assert (status.state, status.message) == ("off", "")


def test_accuracy_is_measured_on_labels_of_the_sample_alone(
    make_folder, open_session, workers, label_next, act
):
    session = open_session(make_folder(80), training=OPTIONS, target=0.9)
    label_next(session, 8)
    sample = [one for one in session.find("", "unlabelled", 0, 99)[1] if one.in_sample][:10]
    for entry in sample:
        # The model says 1, 1, 9, 9 of every image: an IoU of 64 / 128.
        act(session, entry, (1, 1, 17, 9))
    found = session.summary()
    assert found.accuracy is not None
    assert found.accuracy.images >= 10
    assert found.accuracy.mean_iou == pytest.approx(0.5, abs=0.1)
    assert found.advice.kind == "go_on"
    for entry in session.find("", "labelled", 0, 99)[1]:
        act(session, entry, (1, 1, 9, 9), how="corrected")
    found = session.summary()
    assert (found.accuracy.mean_iou, found.advice.kind) == (pytest.approx(1.0), "good_enough")


def test_options_of_the_training_are_checked():
    with pytest.raises(SettingError, match="every must be at least 1, got 0"):
        TrainingOptions(every=0)
    with pytest.raises(SettingError, match="minutes must be more than 0"):
        TrainingOptions(minutes=0.0)


def test_the_server_does_not_load_pytorch():
    code = (
        "import sys, onebox.labelling.session; "
        "sys.exit(any(name in sys.modules for name in ('torch', 'lightning', 'timm')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_options_of_the_session_are_checked(tmp_path):
    with pytest.raises(SettingError, match=r"target must be above 0 and at most 1, got 1\.5"):
        SessionOptions(tmp_path, target=1.5)
