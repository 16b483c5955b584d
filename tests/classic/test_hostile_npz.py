"""Zip archives that say what is not so: each is refused, before it takes memory."""

import io
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

import onebox
from onebox.classic.npz import read_arrays
from onebox.errors import ModelError


def stored(array):
    content = io.BytesIO()
    np.lib.format.write_array(content, np.asarray(array), allow_pickle=True)
    return content.getvalue()


def header(text, version=b"\1\0"):
    """An array of which only the header is there."""
    line = text.encode() + b"\n"
    return b"\x93NUMPY" + version + struct.pack("<H", len(line)) + line


def archive(*members, compression=zipfile.ZIP_STORED):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as written:
        for name, array in members:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("warnings.warn", lambda *_, **__: None)  # of names that are there
                written.writestr(name, array if isinstance(array, bytes) else stored(array))
    return content.getvalue()


def overlapping():
    """Two entries of which the second lies in the first; the sizes say nothing of it."""
    content = bytearray(archive(("a.npy", np.zeros(10_000)), ("b.npy", np.zeros(10_000))))
    second = content.rindex(b"PK\1\2")
    content[second + 42 : second + 46] = struct.pack("<I", 0)
    return bytes(content)


def larger_than_said():
    """The directory says that a member has two gigabytes."""
    content = bytearray(archive(("a.npy", np.zeros(10))))
    at = content.rindex(b"PK\1\2")
    content[at + 20 : at + 28] = struct.pack("<II", 2**31, 2**31)
    return bytes(content)


REFUSED = {
    "a bomb": (
        archive(("a.npy", np.zeros(10_000_000)), compression=zipfile.ZIP_DEFLATED),
        "is compressed",
    ),
    "a header that declares terabytes": (
        archive(("a.npy", header("{'descr': '<f8', 'fortran_order': False, 'shape': (2**40,)}"))),
        "its array 'a.npy'|malformed|Cannot parse|not valid",
    ),
    "terabytes": (
        archive(
            (
                "a.npy",
                header("{'descr': '<f8', 'fortran_order': False, 'shape': (1099511627776,)}"),
            )
        ),
        "takes 8796093022208 bytes and has 0",
    ),
    "sides that overflow": (
        archive(
            (
                "a.npy",
                header(
                    "{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296, 2)}"
                ),
            )
        ),
        "bytes and has 0",
    ),
    "a negative side": (
        archive(
            (
                "a.npy",
                header("{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 0)}"),
            )
        ),
        "its array 'a.npy' of shape",
    ),
    "values of no byte": (
        archive(
            (
                "a.npy",
                header("{'descr': '<U0', 'fortran_order': False, 'shape': (1099511627776,)}"),
            )
        ),
        "its array 'a.npy' of shape",
    ),
    "a header that is code": (
        archive(("a.npy", header("__import__('os').system('true')"))),
        "Cannot parse header|malformed",
    ),
    "a later version": (
        archive(("a.npy", header("{}", b"\3\0"))),
        "an array in version",
    ),
    "objects": (archive(("a.npy", np.array([{}], dtype=object))), "which would need pickle"),
    "records": (
        archive(("a.npy", np.zeros(2, dtype=[("x", "f4"), ("y", "O")]))),
        "which would need pickle",
    ),
    "complex numbers": (archive(("a.npy", np.zeros(2, complex))), "which would need pickle"),
    "a member twice": (archive(("a.npy", np.zeros(2)), ("a.npy", np.ones(2))), "of one name"),
    "a path upwards": (archive(("../a.npy", np.zeros(2))), "'../a.npy' is no array"),
    "an absolute path": (archive(("/etc/a.npy", np.zeros(2))), "is no array"),
    "another file": (archive(("a.txt", b"text")), "'a.txt' is no array"),
    "members in each other": (overlapping(), "File name in directory|Overlapped|overlap"),
    "a size that is not so": (larger_than_said(), "its members are larger than the file"),
    "thousands of members": (
        archive(*((f"{number}.npy", b"") for number in range(10_001))),
        "10000 are the most",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_an_archive_is_refused_with(what, tmp_path):
    content, message = REFUSED[what]
    with pytest.raises(ValueError, match=message):
        read_arrays(content)
    file = tmp_path / "model.npz"
    file.write_bytes(content)
    with pytest.raises(ModelError, match=r"model\.npz: cannot be read"):
        onebox.load(file)


@pytest.mark.parametrize("what", ["a bomb", "terabytes", "sides that overflow", "objects"])
def test_a_refused_archive_takes_no_memory(what):
    content = REFUSED[what][0]
    tracemalloc.start()
    with pytest.raises(ValueError, match="its "):
        read_arrays(content)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 2**20


def test_what_numpy_saves_is_read_as_it_was():
    content = io.BytesIO()
    saved = {
        "grid": np.arange(6, dtype=np.float32).reshape(2, 3),
        "columns": np.asfortranarray(np.arange(6).reshape(3, 2)),
        "none": np.zeros((0, 4)),
        "text": np.array("{}"),
        "one": np.float64(3),
    }
    np.savez(content, **saved)
    read = read_arrays(content.getvalue())
    assert read.keys() == saved.keys()
    for name, array in saved.items():
        np.testing.assert_array_equal(read[name], array)
        assert read[name].dtype == np.asarray(array).dtype


def test_an_archive_cut_off_or_changed_anywhere_raises_nothing_else():
    content = io.BytesIO()
    np.savez(content, numbers=np.arange(20), text=np.array("{}"))
    whole = content.getvalue()
    for at in range(len(whole)):
        for damaged in (whole[:at], whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :]):
            try:
                read_arrays(damaged)
            except ValueError:
                continue
