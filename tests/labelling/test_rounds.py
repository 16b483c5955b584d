import pytest

from onebox.labelling.accuracy import Guess, Round
from onebox.labelling.job import (
    Job,
    Labelled,
    Proposals,
    job_as_json,
    job_from_json,
    proposals_as_json,
    read_json,
    round_as_json,
    write_json,
)
from onebox.labelling.records import Label, Proposal
from onebox.labelling.rounds import Rounds
from onebox.structures import KeypointSet

PROPOSALS = Proposals(
    {"a": Proposal("cat", (1.0, 2.0, 3.0, 4.0), 0.5, ((1.0, 2.0, 0.9),), 0.8, 0.7, True, 2)},
    ("a",),
    ("a", "b"),
    {"c": "c.png: is empty."},
)
ROUND = Round(40, {"s": Guess("cat", (1.0, 2.0, 3.0, 4.0))})


def finish(rounds, number, labels=40):
    """Leave what the process of a round leaves."""
    rounds.begin(Job(number, labels))
    folder = rounds.folder(number)
    (folder / "run").mkdir()
    (folder / "run" / "model.onnx").write_text(f"model {number}")
    (folder / "run" / "weights.safetensors").write_text("weights")
    write_json(folder / "sample.json", round_as_json(Round(labels, ROUND.guesses)))
    write_json(folder / "proposals.json", proposals_as_json(PROPOSALS))
    return rounds.finish(number)


@pytest.fixture
def rounds(tmp_path):
    return Rounds(tmp_path)


def test_a_job_comes_back_from_its_file(tmp_path):
    label = Label("cat", (1.0, 2.0, 3.0, 4.0), ((1.0, 2.0, 2),))
    job = Job(
        3,
        60,
        ("cat", "dog"),
        KeypointSet(("nose",), ((0, 0),), ()),
        (Labelled(tmp_path / "a.png", label, "cal"), Labelled(tmp_path / "b.png", Label(), "val")),
        changes=("model.size=64",),
        earlier=tmp_path / "weights.safetensors",
        minutes=0.5,
        unlabelled={"u": tmp_path / "u.png"},
        sample={"s": tmp_path / "s.png"},
    )
    write_json(tmp_path / "job.json", job_as_json(job))
    assert job_from_json(read_json(tmp_path / "job.json")) == job


def test_a_finished_round_gives_its_proposals_and_publishes_its_model(rounds, tmp_path):
    assert finish(rounds, 1) == PROPOSALS
    assert (tmp_path / "model.onnx").read_text() == "model 1"
    assert rounds.read == {1: Round(40, ROUND.guesses)}
    assert rounds.weights(1) == tmp_path / "rounds/1/run/weights.safetensors"


def test_of_older_rounds_only_the_predictions_for_the_sample_stay(rounds, tmp_path):
    finish(rounds, 1, labels=20)
    finish(rounds, 2)
    assert [path.name for path in (tmp_path / "rounds/1").iterdir()] == ["sample.json"]
    assert (tmp_path / "model.onnx").read_text() == "model 2"
    assert Rounds(tmp_path).read == {1: Round(20, ROUND.guesses), 2: ROUND}


def test_a_round_without_proposals_is_not_finished_and_is_removed_at_the_next_start(
    rounds, tmp_path
):
    finish(rounds, 1)
    rounds.begin(Job(2, 60))
    write_json(rounds.folder(2) / "sample.json", round_as_json(ROUND))
    assert rounds.finish(2) is None
    assert (tmp_path / "model.onnx").read_text() == "model 1"
    again = Rounds(tmp_path)
    assert again.newest == 1
    assert not again.folder(2).exists()


def test_a_second_try_of_a_round_begins_with_an_empty_folder(rounds):
    rounds.begin(Job(1, 20))
    (rounds.folder(1) / "run").mkdir()
    rounds.begin(Job(1, 20))
    assert [path.name for path in rounds.folder(1).iterdir()] == ["job.json"]


def test_a_session_without_rounds_has_none(rounds):
    assert rounds.newest is None
    assert rounds.weights(None) is None
