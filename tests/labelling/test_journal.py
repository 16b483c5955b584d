import json
import os

import pytest

from onebox.errors import DataError, OneboxError
from onebox.labelling import journal as journal_module
from onebox.labelling.journal import Journal


@pytest.fixture
def path(tmp_path):
    return tmp_path / "labels.onebox" / "journal.jsonl"


def write(path, *records, seed=0):
    with Journal(path, seed=seed) as journal:
        list(journal.records())
        return [journal.append(record) for record in records]


def read(path):
    with Journal(path, seed=0) as journal:
        return list(journal.records())


def test_a_journal_that_a_failing_disk_does_not_give_back_is_named(path, monkeypatch):
    write(path, {"a": 1})

    def fail(content):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(journal_module, "_whole_length", fail)
    with pytest.raises(OneboxError) as caught:
        read(path)
    assert str(caught.value) == (
        f"{path}: cannot be read or written (Input/output error). Check the disk, and start again."
    )


def test_records_come_back_in_order_and_are_numbered_from_one(path):
    assert write(path, {"a": 1}, {"b": "ü"}) == [1, 2]
    assert write(path, {"c": None}) == [3]
    assert read(path) == [{"a": 1}, {"b": "ü"}, {"c": None}]


def test_a_journal_keeps_the_seed_that_it_began_with(path):
    write(path, seed=7)
    with Journal(path, seed=3) as journal:
        assert journal.seed == 7


def test_a_record_is_in_the_file_when_append_returns(path):
    with Journal(path, seed=0) as journal:
        journal.append({"a": 1})
        assert json.loads(path.read_text().splitlines()[1]) == {"a": 1}


def test_every_prefix_of_the_file_gives_a_prefix_of_the_records(path):
    records = [{"number": number} for number in range(3)]
    write(path, *records)
    content = path.read_bytes()
    for length in range(len(content) + 1):
        path.write_bytes(content[:length])
        assert read(path) == records[: max(content[:length].count(b"\n") - 1, 0)]


def test_a_torn_last_line_is_cut_off_so_that_the_next_record_is_whole(path):
    write(path, {"a": 1})
    with path.open("ab") as file:
        file.write(b'{"torn": ')
    assert write(path, {"b": 2}) == [2]
    assert read(path) == [{"a": 1}, {"b": 2}]


def test_a_damaged_line_in_the_middle_is_an_error_that_names_it(path):
    write(path, {"a": 1}, {"b": 2})
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"\0\0\0\n" + lines[2])
    with pytest.raises(DataError, match=r"journal\.jsonl:2: the line is damaged"):
        read(path)


def test_a_file_that_is_no_journal_is_refused_and_left_alone(path):
    path.parent.mkdir()
    path.write_text('{"image": "a.jpg"}\n')
    with pytest.raises(DataError, match=r"journal\.jsonl:1: is not the journal"):
        read(path)
    assert path.read_text() == '{"image": "a.jpg"}\n'


def test_a_second_process_is_told_that_the_session_is_open(path):
    with (
        Journal(path, seed=0),
        pytest.raises(OneboxError, match=r"labels\.onebox: another onebox label has this session"),
    ):
        Journal(path, seed=0)


def test_a_write_that_fails_leaves_the_journal_as_it_was(path, monkeypatch):
    with Journal(path, seed=0) as journal:
        journal.append({"a": 1})
        before = path.read_bytes()

        def write_half(descriptor, data, write=os.write):
            write(descriptor, data[:4])
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "write", write_half)
            with pytest.raises(OneboxError, match="No space left on device"):
                journal.append({"b": 2})
        assert path.read_bytes() == before
        assert journal.append({"c": 3}) == 2
    assert read(path) == [{"a": 1}, {"c": 3}]


@pytest.mark.parametrize("seed", ["", ', "seed": "7"', ', "seed": null'])
def test_a_journal_without_a_seed_is_an_error_that_names_it(seed, path):
    path.parent.mkdir()
    path.write_text(f'{{"journal": "onebox label", "version": 1{seed}}}\n')
    with pytest.raises(DataError, match=r"journal\.jsonl:1: the line has no seed"):
        read(path)
