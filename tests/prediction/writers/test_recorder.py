"""Results files in the making: what stands on disk after each answer, and going on with it."""

import csv
import json
import os

import pytest

from onebox.errors import OneboxError, SettingError
from onebox.prediction.writers import KINDS, Layout, Recorder, Row, part_of
from onebox.structures import KeypointSet, Prediction

LAYOUT = Layout(("cat", "dog"))
RICH = Layout(("cat", "dog"), KeypointSet(("nose", "tail")), has_presence=True, has_frames=True)
NAMES = ("a.png", 'b "2",\n.png', "c.png", "d.png")
TEXT_KINDS = ("jsonl", "csv")


def answer(score, layout=LAYOUT):
    box = (score, 2.0, 11.5, 22.0)
    if layout is LAYOUT:
        return Prediction("dog", score, box, (0.25, 0.75))
    points = ((2.5, 3.0, 0.5), (9.0, 4.0, score))
    return Prediction("dog", score, box, (0.25, 0.75), points, present=score)


def record(kind, file, names, *, layout=LAYOUT, goes_on=False, is_finished=True):
    """Write those of the names that the file does not have; those that it got."""
    written = []
    with Recorder(KINDS[kind], file, layout, goes_on=goes_on) as recorder:
        for name in names:
            if not recorder.holds(name):
                recorder.write(Row(name, answer(0.5, layout)))
                written.append(name)
        if is_finished:
            recorder.finish()
    return written


def names_of(kind, file):
    """The images of a finished file, by a reader that is not ours."""
    if kind == "jsonl":
        return [json.loads(line)["image"] for line in file.read_text().splitlines()]
    if kind == "csv":
        with file.open(newline="") as opened:
            return [row["image"] for row in csv.DictReader(opened)]
    if kind == "coco":
        return [row["file_name"] for row in json.loads(file.read_text())]
    parquet = pytest.importorskip("pyarrow.parquet")
    return parquet.read_table(file).column("image").to_pylist()


@pytest.fixture(params=KINDS)
def kind(request):
    if request.param == "parquet":
        pytest.importorskip("pyarrow")
    return request.param


@pytest.fixture
def file(tmp_path):
    return tmp_path / "results"


def test_a_finished_file_has_every_answer_and_leaves_nothing_beside_it(kind, file):
    record(kind, file, NAMES)
    assert names_of(kind, file) == list(NAMES)
    assert list(file.parent.iterdir()) == [file]
    assert file.read_bytes().startswith(KINDS[kind].beginning)


def test_a_file_without_answers_is_a_file_too(kind, file):
    record(kind, file, [])
    assert names_of(kind, file) == []
    assert KINDS[kind].beginning.startswith(file.read_bytes()[:1])


def test_each_answer_is_on_disk_when_it_was_written(kind, file):
    part = part_of(KINDS[kind], file)
    with Recorder(KINDS[kind], file, LAYOUT) as recorder:
        before = part.stat().st_size
        for name in NAMES:
            recorder.write(Row(name, answer(0.5)))
            written = part.read_bytes()
            assert len(written) > before
            assert written.endswith(b"\n")
            before = len(written)
        assert not file.exists()


def test_an_earlier_file_stays_until_the_new_one_is_whole(kind, file):
    record(kind, file, NAMES[:1])
    record(kind, file, NAMES[2:], is_finished=False)
    assert names_of(kind, file) == [NAMES[0]]
    record(kind, file, NAMES[2:])
    assert names_of(kind, file) == list(NAMES[2:])


def test_an_unfinished_file_is_gone_on_with(kind, file):
    record(kind, file, NAMES[:2], is_finished=False)
    assert record(kind, file, NAMES, goes_on=True) == list(NAMES[2:])
    assert names_of(kind, file) == list(NAMES)


def test_a_finished_file_is_gone_on_with(kind, file):
    record(kind, file, NAMES[:2])
    assert record(kind, file, NAMES, goes_on=True) == list(NAMES[2:])
    assert names_of(kind, file) == list(NAMES)
    assert record(kind, file, NAMES, goes_on=True) == []
    assert names_of(kind, file) == list(NAMES)


def test_the_unfinished_file_is_the_later_one_and_goes_first(kind, file):
    record(kind, file, NAMES[:1])
    record(kind, file, NAMES[1:2], is_finished=False)
    assert record(kind, file, NAMES[:2], goes_on=True) == [NAMES[0]]


def test_what_is_not_there_is_begun_when_it_should_be_gone_on_with(kind, file):
    assert record(kind, file, NAMES, goes_on=True) == list(NAMES)


def test_wherever_a_file_is_torn_each_image_is_in_it_once_in_the_end(kind, tmp_path):
    whole = tmp_path / "whole"
    record(kind, whole, NAMES, is_finished=False)
    content = part_of(KINDS[kind], whole).read_bytes()
    for length in range(len(content)):
        file = tmp_path / "torn"
        part_of(KINDS[kind], file).write_bytes(content[:length])
        record(kind, file, NAMES, goes_on=True)
        assert names_of(kind, file) == list(NAMES), length
        file.unlink()


def test_a_torn_end_is_cut_off_where_nothing_more_is_written(kind, file):
    part = part_of(KINDS[kind], file)
    record(kind, file, NAMES, is_finished=False)
    part.write_bytes(part.read_bytes()[:-3])
    assert record(kind, file, NAMES[:3], goes_on=True) == []
    assert names_of(kind, file) == list(NAMES[:3])


def test_of_an_unfinished_file_that_is_begun_anew_nothing_stays(kind, file):
    record(kind, file, NAMES, is_finished=False)
    record(kind, file, NAMES[:1])
    assert names_of(kind, file) == [NAMES[0]]


def test_answers_of_every_layout_come_back_from_a_finished_file(kind, file):
    part = part_of(KINDS[kind], file)
    rows = [
        Row("a.png", answer(0.25, RICH)),
        Row("clip.mp4", answer(0.5, RICH), 0, 0.0),
        Row("clip.mp4", answer(0.75, RICH), 1, 0.04),
    ]
    with Recorder(KINDS[kind], file, RICH) as recorder:
        for row in rows:
            recorder.write(row)
        lines = part.read_bytes()
        recorder.finish()
    with Recorder(KINDS[kind], file, RICH, goes_on=True) as recorder:
        assert part.read_bytes() == lines
        assert recorder.kept == 3
        held = [recorder.holds("clip.mp4", frame) for frame in (0, 1, 2, None)]
        assert held == [True, True, False, False]
        assert recorder.holds("a.png")


def test_a_file_has_one_writer_at_a_time(kind, file):
    with Recorder(KINDS[kind], file, LAYOUT) as first:
        first.write(Row("a.png", answer(0.5)))
        with pytest.raises(OneboxError, match="another process is writing it") as caught:
            Recorder(KINDS[kind], file, LAYOUT)
    assert caught.value.exit_code == 1
    with Recorder(KINDS[kind], file, LAYOUT, goes_on=True) as second:
        assert second.kept == 1
        with pytest.raises(OneboxError, match="another process"):
            Recorder(KINDS[kind], file, LAYOUT, goes_on=True)


def test_whoever_waited_for_a_file_that_got_its_name_does_not_write_into_it(file, monkeypatch):
    from onebox.prediction.writers import locking

    lock = locking._lock

    def after_it_was_finished(opened):
        monkeypatch.setattr(locking, "_lock", lock)
        part_of(KINDS["csv"], file).replace(file)
        lock(opened)

    record("csv", file, NAMES[:1], is_finished=False)
    monkeypatch.setattr(locking, "_lock", after_it_was_finished)
    record("csv", file, NAMES[1:], is_finished=False)
    assert names_of("csv", file) == [NAMES[0]]


@pytest.mark.parametrize(
    ("kind", "content", "said"),
    [
        ("jsonl", '{"image": "a.png"}\n{"image": 1}\n', ":2: is no line of results. Leave --con"),
        ("jsonl", '{"image": "a.png"}\nhello\n{"image": "b.png"}\n', ":2: is no line of results"),
        ("csv", "image,label,score\n", ":1: has the columns image,label,score, and these answers"),
        ("csv", "image,label,score,x_min,y_min,x_max,y_max\na.png,cat\n", ":2: has 2 columns, and"),
        ("coco", '[{"image": 1}]', ":1: is no line of results"),
        ("coco", "[1", ":1: is no line of results"),
    ],
)
def test_a_file_of_something_else_is_not_gone_on_with_and_stays(kind, content, said, file):
    file.write_text(content)
    with pytest.raises(SettingError) as caught:
        Recorder(KINDS[kind], file, LAYOUT, goes_on=True)
    assert said in str(caught.value)
    assert file.read_text() == content


def test_a_table_of_other_columns_is_not_gone_on_with(file):
    pytest.importorskip("pyarrow")
    record("parquet", file, NAMES)
    with pytest.raises(SettingError, match="is no line of results"):
        Recorder(KINDS["parquet"], file, RICH, goes_on=True)
    assert names_of("parquet", file) == list(NAMES)
    assert record("parquet", file, NAMES, goes_on=True) == []  # nothing wrong was left beside it


@pytest.mark.parametrize("content", [b"", b"PAR1 and no more", b"PAR1" * 9])
def test_a_table_that_is_cut_short_is_not_gone_on_with_and_stays(content, file):
    pytest.importorskip("pyarrow")
    file.write_bytes(content)
    with pytest.raises(SettingError, match="is no line of results"):
        Recorder(KINDS["parquet"], file, LAYOUT, goes_on=True)
    assert file.read_bytes() == content


@pytest.mark.parametrize(
    ("layout", "said"),
    [
        (Layout(("cat", "dog")), "is a frame of a video, and these answers have no column"),
        (Layout(("dog", "cat"), has_frames=True), "has other classes than the model"),
    ],
)
def test_lines_that_a_table_has_no_room_for_are_not_gone_on_with(layout, said, file):
    pytest.importorskip("pyarrow")
    with_frames = Layout(("cat", "dog"), has_frames=True)
    with Recorder(KINDS["parquet"], file, with_frames) as recorder:
        recorder.write(Row("clip.mp4", answer(0.5), 0, 0.0))
    part = part_of(KINDS["parquet"], file)
    before = part.read_bytes()
    with pytest.raises(SettingError, match=said):
        Recorder(KINDS["parquet"], file, layout, goes_on=True)
    assert part.read_bytes() == before


def test_a_frame_needs_columns(kind, file):
    frame = Row("clip.mp4", answer(0.5), 3, 0.12)
    with Recorder(KINDS[kind], file, LAYOUT) as recorder:
        if kind in {"csv", "parquet"}:
            with pytest.raises(SettingError, match=r"clip.mp4: is a video, and .* has no columns"):
                recorder.write(frame)
        else:
            recorder.write(frame)
        assert recorder.kept == (kind in {"jsonl", "coco"})


# --- numbers of COCO results


def image_ids(file):
    return {row["file_name"]: row["image_id"] for row in json.loads(file.read_text())}


def test_an_unreadable_image_keeps_its_number_and_gets_it_when_it_can_be_read(file):
    coco = KINDS["coco"]
    with Recorder(coco, file, LAYOUT) as recorder:
        recorder.write(Row("a.png", answer(0.5)))
        recorder.write_unread("b.png")
        recorder.write(Row("c.png", answer(0.5)))
    with Recorder(coco, file, LAYOUT, goes_on=True) as recorder:
        assert not recorder.holds("b.png")
        recorder.write_unread("b.png")
    with Recorder(coco, file, LAYOUT, goes_on=True) as recorder:
        recorder.write(Row("b.png", answer(0.5)))
        recorder.write(Row("d.png", answer(0.5)))
        recorder.finish()
    assert image_ids(file) == {"a.png": 1, "b.png": 2, "c.png": 3, "d.png": 4}


def test_numbers_of_a_finished_file_stay_and_new_ones_follow(file):
    coco = KINDS["coco"]
    with Recorder(coco, file, LAYOUT) as recorder:
        recorder.write_unread("a.png")
        recorder.write(Row("b.png", answer(0.5)))
        recorder.finish()
    record("coco", file, ["a.png", "b.png"], goes_on=True)
    assert image_ids(file) == {"b.png": 2, "a.png": 3}


# --- Parquet


def test_a_table_has_the_columns_of_csv_typed_and_the_probabilities(file):
    parquet = pytest.importorskip("pyarrow.parquet")
    with Recorder(KINDS["parquet"], file, RICH) as recorder:
        recorder.write(Row("a.png", answer(0.25, RICH)))
        recorder.write(Row("clip.mp4", answer(0.5, RICH), 10, 0.4))
        recorder.finish()
    table = parquet.read_table(file)
    assert table.schema.names == [
        *KINDS["csv"].header(RICH).rstrip().split(","),
        "probabilities",
    ]
    kinds = {str(table.schema.field(name).type) for name in ("score", "x_min", "tail_y", "time_s")}
    assert kinds == {"double"}
    assert str(table.schema.field("frame").type) == "int64"
    assert json.loads(table.schema.metadata[b"onebox.classes"]) == ["cat", "dog"]
    image, frame = table.to_pylist()
    assert (image["frame"], image["time_s"], image["present"]) == (None, None, 0.25)
    assert (frame["frame"], frame["time_s"], frame["label"]) == (10, 0.4, "dog")
    assert [frame[name] for name in ("x_min", "y_min", "x_max", "y_max")] == [0.5, 2, 11.5, 22]
    assert [frame[f"tail_{part}"] for part in ("x", "y", "confidence")] == [9.0, 4.0, 0.5]
    assert frame["probabilities"] == [0.25, 0.75]


def test_a_table_is_written_in_groups_of_rows(file, monkeypatch):
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr("onebox.prediction.writers.parquet.ROWS_A_GROUP", 2)
    record("parquet", file, [f"{number}.png" for number in range(5)])
    facts = parquet.ParquetFile(file).metadata
    assert [facts.row_group(place).num_rows for place in range(facts.num_row_groups)] == [2, 2, 1]


def test_parquet_without_its_package_says_how_to_get_it(monkeypatch):
    def missing(name):
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr("onebox.optional.importlib.import_module", missing)
    with pytest.raises(OneboxError, match=r"need pyarrow.*'onebox\[parquet\]'"):
        KINDS["parquet"].whole.check()


# --- places


def test_a_name_that_is_no_text_is_written_as_the_bytes_it_has_and_known_again(file):
    name = os.fsdecode(b"b\xff.png")
    for kind in TEXT_KINDS:
        record(kind, file, [name])
        assert record(kind, file, [name], goes_on=True) == []
    assert file.read_bytes().splitlines()[1].startswith(b"b\xff.png,dog,")


def test_a_link_to_a_file_stays_a_link(file):
    target = file.with_name("target.csv")
    target.touch()
    file.symlink_to(target)
    record("csv", file, NAMES)
    assert file.is_symlink()
    assert names_of("csv", target) == list(NAMES)


@pytest.mark.parametrize("kind", ["csv", "coco"])
def test_a_pipe_is_written_to_as_it_stands(kind, file):
    os.mkfifo(file)
    reader = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
    try:
        record(kind, file, ["a.png"])
        content = os.read(reader, 9999).decode()
        with pytest.raises(SettingError, match="holds nothing to go on with"):
            Recorder(KINDS[kind], file, LAYOUT, goes_on=True)
    finally:
        os.close(reader)
    assert file.is_fifo()
    assert list(file.parent.iterdir()) == [file]
    (copy := file.with_name("copy")).write_text(content)
    assert names_of(kind, copy) == ["a.png"]


def test_a_disk_that_fills_up_keeps_what_was_written_and_says_so(kind, file, monkeypatch):
    record(kind, file, NAMES[:1])
    with Recorder(KINDS[kind], file, LAYOUT) as recorder:
        recorder.write(Row("new.png", answer(0.5)))
        monkeypatch.setattr(recorder, "_opened", WithFullDisk(recorder._opened))
        with pytest.raises(OneboxError, match=r"cannot be written \(No space left on device\)"):
            recorder.write(Row("more.png", answer(0.5)))
    assert names_of(kind, file) == [NAMES[0]]
    assert record(kind, file, ["new.png", "more.png"], goes_on=True) == ["more.png"]


class WithFullDisk:
    def __init__(self, opened):
        self.close = opened.close

    def write(self, content):
        raise OSError(28, "No space left on device")


def test_a_place_that_is_none_is_named_in_the_error(tmp_path):
    with pytest.raises(OneboxError, match=r"missing/p.csv: cannot be written \(No such file"):
        Recorder(KINDS["csv"], tmp_path / "missing/p.csv", LAYOUT)
    assert list(tmp_path.iterdir()) == []
