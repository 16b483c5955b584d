"""A file that one process at a time may write."""

import pytest

from onebox.errors import OneboxError
from onebox.prediction.writers import locking
from onebox.prediction.writers.locking import open_locked, remove_locked


def test_a_locked_file_is_refused_until_it_is_closed(tmp_path):
    path = tmp_path / "file"
    with open_locked(path), pytest.raises(OneboxError, match="another process is writing it"):
        open_locked(path)
    open_locked(path).close()


def test_a_file_that_was_removed_between_opening_and_locking_is_created_anew(tmp_path, monkeypatch):
    path, lock = tmp_path / "file", locking._lock
    first = open_locked(path)

    def remove_first(file):
        monkeypatch.setattr(locking, "_lock", lock)
        remove_locked(first, path)
        lock(file)

    monkeypatch.setattr(locking, "_lock", remove_first)
    with open_locked(path) as second:
        second.write(b"kept")
    assert path.read_bytes() == b"kept"
