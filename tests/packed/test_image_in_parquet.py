"""Images in Parquet files: each row group is read once, and memory is bounded."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from onebox import stores
from onebox.errors import DataError, ImageError
from onebox.packed import image_in_parquet
from onebox.packed.image_in_parquet import ParquetImage, Table
from onebox.packed.parquet_shards import find_columns, rows


@pytest.fixture
def table_of(tmp_path):
    """Write cells as a table of row groups of two rows, and return its record."""

    def write(cells, kind=None):
        path = str(tmp_path / "a.parquet")
        table = pa.table({"image": pa.array(cells, kind)})
        pq.write_table(table, path, row_group_size=2)
        return Table(path, stores.stamp(path), find_columns(path, table.schema))

    return write


def images_of(table, count):
    return [ParquetImage(table, row, row // 2, row % 2, f"{row}.jpg") for row in range(count)]


@pytest.fixture
def readings(monkeypatch):
    """The row groups that are read, in order, with an empty cache."""
    read, real = [], image_in_parquet._read_group

    def record(table, number):
        read.append(number)
        return real(table, number)

    monkeypatch.setattr(image_in_parquet, "_read_group", record)
    monkeypatch.setattr(image_in_parquet, "_CACHE", image_in_parquet._Cache())
    return read


def test_images_in_order_read_each_row_group_once(table_of, readings):
    found = images_of(table_of([b"a", b"b", b"c", b"d", b"e"]), 5)
    assert [image.read() for image in found] == [b"a", b"b", b"c", b"d", b"e"]
    assert readings == [0, 1, 2]


def test_groups_beyond_the_limit_are_forgotten_the_oldest_first(table_of, readings, monkeypatch):
    # Two values of 100 bytes, and three offsets of four bytes or so: one group passes 150 bytes.
    monkeypatch.setattr(image_in_parquet, "MOST_BYTES", 150)
    found = images_of(table_of([bytes(100)] * 6), 6)
    for row in (0, 2, 3, 0):
        found[row].read()
    assert readings == [0, 1, 0]
    assert len(image_in_parquet._CACHE._groups) == 1


def test_a_file_that_was_written_anew_is_read_anew(table_of, readings):
    [first] = images_of(table_of([b"old"]), 1)
    assert first.read() == b"old"
    [second] = images_of(table_of([b"newer"]), 1)
    assert second.read() == b"newer"


def test_an_empty_cell_and_a_lost_row_are_image_errors(table_of):
    table = table_of([None, b"b"], pa.binary())
    with pytest.raises(ImageError, match=r"a.parquet:row 0 0.jpg: has no image"):
        images_of(table, 1)[0].read()
    with pytest.raises(ImageError, match="the file has changed"):
        ParquetImage(table, 9, 4, 1, "9.jpg").read()


def test_a_file_that_is_no_parquet_is_a_data_error_and_for_an_image_an_image_error(tmp_path):
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1" + bytes(100) + b"PAR1")
    with pytest.raises(DataError, match=r"a.parquet: is no Parquet file that can be read"):
        list(rows(str(path)))
    columns = find_columns("a", pa.schema([("image", pa.binary())]))
    with pytest.raises(ImageError, match=r"row 0 a.jpg: .*is no Parquet file"):
        ParquetImage(Table(str(path), "", columns), 0, 0, 0, "a.jpg").read()


def test_rows_have_names_and_bytes_of_either_layout(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"image": [b"a"], "id": [7]}), path)
    [row] = rows(str(path), "id")
    assert (row.row, row.name, row.content, row.others) == (0, "7", b"a", {"id": 7})
    pq.write_table(pa.table({"image": [{"bytes": b"a", "path": None}]}), path)
    [row] = rows(str(path))
    assert (row.name, row.content) == ("row 0", b"a")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"label": ["cat"]}, "no column holds encoded images; its columns are label"),
        ({"a": [b"a"], "b": [b"b"]}, "several columns hold encoded images"),
    ],
)
def test_a_table_without_one_column_of_images_is_refused(tmp_path, columns, message):
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=message):
        list(rows(str(tmp_path / "a.parquet")))
