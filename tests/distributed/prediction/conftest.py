"""Pictures, loose and in shards, and the tables of two ways to predict them."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty folder, and the working one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def encoded(brightness):
    """A PNG of 8 x 6 pixels in one grey."""
    file = io.BytesIO()
    Image.fromarray(np.full((6, 8, 3), brightness, np.uint8)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def pictures(place):
    """Write pictures of rising brightness: ``pictures("folder", 5)`` → their bytes by name."""

    def write(folder, count):
        Path(folder).mkdir(parents=True)
        contents = {f"{number:03}.png": encoded(number) for number in range(count)}
        for name, content in contents.items():
            Path(folder, name).write_bytes(content)
        return contents

    return write


@pytest.fixture
def tar():
    """Write a tar of some contents by name; return its bytes."""

    def write(contents):
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode="w") as opened:
            for name, content in contents.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                opened.addfile(info, io.BytesIO(content))
        return file.getvalue()

    return write


@pytest.fixture
def rows_of():
    """The rows of all part files of a folder as one table, sorted by image."""

    def read(folder):
        parts = [pq.read_table(part) for part in sorted(Path(folder).glob("part-*.parquet"))]
        return pa.concat_tables(parts).sort_by("image")

    return read


@pytest.fixture
def same_answers(rows_of):
    """Whether a folder has the answers of a Parquet file, value for value, and errors beside."""

    def compare(folder, file):
        found, wanted = rows_of(folder), pq.read_table(file).sort_by("image")
        readable = found.filter(pa.compute.is_null(found["error"])).drop_columns(["error"])
        return readable.equals(wanted)

    return compare
