"""What the system refuses is said in words: a disk, a permission, memory."""

import errno
import os

import pytest

from onebox.cli import reporting_errors
from onebox.cli.refusals import explain_system_error
from onebox.errors import OneboxError


@pytest.mark.parametrize(
    ("number", "repair"),
    [
        (errno.ENOSPC, "Free space on the disk."),
        (errno.EACCES, "Change its permissions, or name another place."),
        (errno.EROFS, "Name a place on a disk that can be written."),
        (errno.EIO, "Check the disk, and start again."),
    ],
)
def test_an_error_of_the_system_names_the_file_the_reason_and_the_repair(number, repair):
    reason = os.strerror(number)
    error = OSError(number, reason, "labels.csv")
    assert explain_system_error(error) == f"labels.csv: {reason}. {repair}"


def ended_by(error, capsys):
    """Exit code and standard error of a command that an error ends."""
    with pytest.raises(SystemExit) as ended, reporting_errors():
        raise error
    return ended.value.code, capsys.readouterr().err


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 4096 bytes"),
        RuntimeError("std::bad_alloc"),
        RuntimeError("can't start new thread"),
        RuntimeError("could not create a primitive"),
    ],
)
def test_too_little_memory_is_a_message_with_a_repair(error, capsys):
    code, said = ended_by(error, capsys)
    assert code == OneboxError.exit_code
    assert said.startswith("error: the memory does not suffice")
    assert str(error) in said
    assert "fewer threads" in said


def test_a_mistake_of_the_program_stays_an_exception():
    with pytest.raises(RuntimeError, match="a mistake"), reporting_errors():
        raise RuntimeError("a mistake")
