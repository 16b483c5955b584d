"""Parquet results: columns, types, groups of rows, and files that are not continued."""

import json

import pytest

from onebox.errors import OneboxError, SettingError
from onebox.prediction.writers import KINDS, Journal, Layout, Row
from onebox.structures import KeypointSet, Prediction

PARQUET = KINDS["parquet"]
PLAIN = Layout(("cat", "dog"))
RICH = Layout(("cat", "dog"), KeypointSet(("nose", "tail")), has_presence=True, has_frames=True)
DOG = Prediction("dog", 0.5, (0.5, 2.0, 11.5, 22.0), (0.25, 0.75))
POSED = Prediction(
    *(DOG.label, 0.5, DOG.box, DOG.probabilities), ((2.5, 3.0, 0.5), (9.0, 4.0, 0.25)), 0.25
)


def write(file, rows, layout=PLAIN):
    with Journal(PARQUET, file, layout) as journal:
        for row in rows:
            journal.write(row)
        journal.finish()
    return pytest.importorskip("pyarrow.parquet").ParquetFile(file)


@pytest.fixture(autouse=True)
def _needs_pyarrow(request):
    if "without_its_package" not in request.node.name:
        pytest.importorskip("pyarrow")


def test_a_table_has_the_columns_of_csv_typed_and_the_probabilities(tmp_path):
    rows = [Row("a.png", POSED), Row("clip.mp4", POSED, 10, 0.4)]
    table = write(tmp_path / "p", rows, RICH).read()
    assert table.schema.names == [*KINDS["csv"].columns(RICH), "probabilities"]
    types = {str(table.schema.field(name).type) for name in ("score", "x_min", "tail_y", "time_s")}
    assert types == {"double"}
    assert str(table.schema.field("frame").type) == "int64"
    assert json.loads(table.schema.metadata[b"onebox.classes"]) == ["cat", "dog"]
    image, frame = table.to_pylist()
    assert (image["frame"], image["time_s"], image["present"]) == (None, None, 0.25)
    assert (frame["frame"], frame["time_s"], frame["label"]) == (10, 0.4, "dog")
    assert [frame[name] for name in ("x_min", "y_min", "x_max", "y_max")] == [0.5, 2, 11.5, 22]
    assert [frame[f"tail_{part}"] for part in ("x", "y", "confidence")] == [9.0, 4.0, 0.25]
    assert frame["probabilities"] == [0.25, 0.75]


def test_a_table_is_written_in_groups_of_rows(tmp_path, monkeypatch):
    monkeypatch.setattr("onebox.prediction.writers.parquet.ROWS_PER_GROUP", 2)
    metadata = write(tmp_path / "p", [Row(f"{number}.png", DOG) for number in range(5)]).metadata
    groups = [metadata.row_group(index).num_rows for index in range(metadata.num_row_groups)]
    assert groups == [2, 2, 1]


@pytest.mark.parametrize("layout", [RICH, Layout(("dog", "cat")), Layout(("cat",))])
def test_a_table_of_other_columns_or_classes_is_not_continued_and_stays(layout, tmp_path):
    file = tmp_path / "p"
    write(file, [Row("a.png", DOG)])
    before = file.read_bytes()
    with pytest.raises(SettingError, match="has other columns or classes than these answers"):
        Journal(PARQUET, file, layout, resume=True)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [before]


@pytest.mark.parametrize("content", [b"PAR1 and no more", b"PAR1" * 9])
def test_a_table_that_is_cut_short_is_not_continued_and_stays(content, tmp_path):
    file = tmp_path / "p"
    file.write_bytes(content)
    with pytest.raises(SettingError, match="is no Parquet file"):
        Journal(PARQUET, file, PLAIN, resume=True)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [content]


def test_parquet_without_its_package_says_how_to_install_it(monkeypatch):
    def missing(name):
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr("onebox.optional.importlib.import_module", missing)
    with pytest.raises(OneboxError, match=r"need pyarrow.*'onebox\[parquet\]'"):
        PARQUET.check()
