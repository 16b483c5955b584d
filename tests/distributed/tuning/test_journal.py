"""The journal of a search: whole lines, exact after a kill at any byte."""

import pytest

from onebox.distributed.tuning.journal import Journal
from onebox.distributed.tuning.records import Outcome, Point, Question
from onebox.errors import OneboxError, SettingError

QUESTION = Question(
    recipe={"model": {"size": 64}},
    space={"model.size": {"choices": [64, 96]}},
    weights=None,
    seed=0,
    trials=({}, {"model.size": 96}, {"model.size": 64}),
    digests={"train": "a", "val": "b"},
)
ENDED = Outcome(1, "ended", (Point(50, 0.4, 1.5), Point(100, 0.5, 3.0)))
FAILED = Outcome(0, "failed", (), "no memory")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "trials.jsonl"


def written(path):
    with Journal(path, QUESTION) as journal:
        journal.append(ENDED)
        journal.append(FAILED)
        journal.append_training(1)
    return path.read_bytes()


def test_a_continued_journal_has_the_question_and_the_outcomes(path):
    written(path)
    with Journal(path) as journal:
        assert journal.question == QUESTION
        assert journal.outcomes == [ENDED, FAILED]
        assert journal.pending() == [2]
        assert journal.trained == 1


def test_a_training_counts_as_ended_until_another_one_begins(path):
    written(path)
    with Journal(path) as journal:
        assert not journal.is_trained_to_end
        journal.append_end_of_training()
    with Journal(path) as journal:
        assert (journal.trained, journal.is_trained_to_end) == (1, True)
        journal.append_training(2)
        assert not journal.is_trained_to_end
    with Journal(path) as journal:
        assert (journal.trained, journal.is_trained_to_end) == (2, False)


def test_a_kill_at_any_byte_leaves_whole_outcomes(path):
    content = written(path)
    first = content.index(b"\n") + 1
    for length in range(first, len(content)):
        path.write_bytes(content[:length])
        whole = content[:length].count(b"\n") - 1
        with Journal(path) as journal:
            assert journal.outcomes == [ENDED, FAILED][:whole]
            journal.append(Outcome(2, "stopped", ()))
        with Journal(path) as journal:
            assert [one.number for one in journal.outcomes] == [*[1, 0][:whole], 2]


def test_a_kill_within_the_first_line_leaves_nothing_to_resume(path):
    path.write_bytes(written(path)[:20])
    with pytest.raises(SettingError, match=r"stopped before its first trial\. Remove the folder"):
        Journal(path)


def test_a_folder_without_a_search_is_refused(path):
    with pytest.raises(SettingError, match=r"holds no search to resume: it has no trials\.jsonl"):
        Journal(path)


def test_another_file_is_refused(path):
    path.write_text('{"journal": "onebox label", "version": 1}\n')
    with pytest.raises(SettingError, match=r"trials\.jsonl:1: is not the journal of a search"):
        Journal(path)


@pytest.mark.parametrize("line", [b"{}\n", b"nothing\n", b'{"number": 1, "status": "odd"}\n'])
def test_a_damaged_line_is_named(path, line):
    path.write_bytes(written(path) + line)
    with pytest.raises(SettingError, match=r"trials\.jsonl:5: the line is damaged"):
        Journal(path)


def test_a_second_process_is_kept_away(path):
    with Journal(path, QUESTION), pytest.raises(OneboxError, match="another process"):
        Journal(path)


@pytest.mark.parametrize(
    "line", ['{"trained": Infinity}', '{"number": Infinity, "status": "ended", "curve": []}']
)
def test_a_number_without_end_is_a_damaged_line(line, path):
    written(path)
    with path.open("a") as file:
        file.write(line + "\n")
    with pytest.raises(SettingError, match=r"trials\.jsonl:5: the line is damaged"):
        Journal(path)
