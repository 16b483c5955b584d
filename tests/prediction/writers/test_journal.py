"""The journal of a results file: what is on disk after each prediction, and continuing it."""

import csv
import json
import os
import sys

import pytest

from onebox.errors import OneboxError, SettingError
from onebox.prediction.writers import KINDS, Journal, Layout, Row, journal_path
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


def record(kind, file, names, *, layout=LAYOUT, resume=False, is_finished=True):
    """Write the names that the file does not have; return them."""
    written = []
    with Journal(KINDS[kind], file, layout, resume=resume) as journal:
        for name in names:
            if not journal.has(name):
                journal.write(Row(name, answer(0.5, layout)))
                written.append(name)
        if is_finished:
            journal.finish()
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


def test_a_finished_file_has_every_prediction_and_nothing_is_left_beside_it(kind, file):
    record(kind, file, NAMES)
    assert names_of(kind, file) == list(NAMES)
    assert list(file.parent.iterdir()) == [file]
    assert file.read_bytes().startswith(KINDS[kind].beginning)


def test_a_file_without_predictions_is_valid(kind, file):
    record(kind, file, [])
    assert names_of(kind, file) == []
    assert KINDS[kind].beginning.startswith(file.read_bytes()[:1])


def test_each_prediction_is_on_disk_as_soon_as_it_is_written(kind, file):
    path = journal_path(file)
    with Journal(KINDS[kind], file, LAYOUT) as journal:
        before = path.stat().st_size
        for name in NAMES:
            journal.write(Row(name, answer(0.5)))
            written = path.read_bytes()
            assert len(written) > before
            assert written.endswith(b"\n")
            before = len(written)
        assert not file.exists()


def test_an_earlier_file_stays_until_the_new_one_is_complete(kind, file):
    record(kind, file, NAMES[:1])
    record(kind, file, NAMES[2:], is_finished=False)
    assert names_of(kind, file) == [NAMES[0]]
    record(kind, file, NAMES[2:])
    assert names_of(kind, file) == list(NAMES[2:])


def test_a_journal_is_continued(kind, file):
    record(kind, file, NAMES[:2], is_finished=False)
    assert record(kind, file, NAMES, resume=True) == list(NAMES[2:])
    assert names_of(kind, file) == list(NAMES)


def test_a_finished_file_is_continued(kind, file):
    record(kind, file, NAMES[:2])
    assert record(kind, file, NAMES, resume=True) == list(NAMES[2:])
    assert names_of(kind, file) == list(NAMES)
    assert record(kind, file, NAMES, resume=True) == []
    assert names_of(kind, file) == list(NAMES)


def test_a_journal_is_newer_than_the_finished_file_and_replaces_it(kind, file):
    record(kind, file, NAMES[:1])
    record(kind, file, NAMES[1:2], is_finished=False)
    assert record(kind, file, NAMES[:2], resume=True) == [NAMES[0]]


def test_continuing_a_missing_file_begins_it(kind, file):
    assert record(kind, file, NAMES, resume=True) == list(NAMES)


def test_wherever_a_journal_is_torn_each_image_is_in_the_file_once(kind, tmp_path):
    whole = tmp_path / "whole"
    record(kind, whole, NAMES, is_finished=False)
    content = journal_path(whole).read_bytes()
    # The journal is the same for every kind: those that take longer to write skip some lengths.
    for length in range(0, len(content), 1 if kind == "jsonl" else 29):
        file = tmp_path / "torn"
        journal_path(file).write_bytes(content[:length])
        record(kind, file, NAMES, resume=True)
        assert names_of(kind, file) == list(NAMES), length
        file.unlink()


@pytest.mark.parametrize("kind", TEXT_KINDS)
def test_wherever_a_finished_file_of_lines_is_torn_it_is_continued_or_refused_in_words(
    kind, tmp_path
):
    whole, file = tmp_path / "whole", tmp_path / "torn"
    record(kind, whole, NAMES)
    content, refused = whole.read_bytes(), []
    for length in range(len(content)):
        file.write_bytes(content[:length])
        try:
            record(kind, file, NAMES, resume=True)
        except SettingError:
            refused.append(content[:length].splitlines(keepends=True)[-1])
        else:
            assert file.read_bytes() == content, length
    # An open quote before a line end may also be one that does not belong there.
    assert refused == ([b'"b ""2"",\n'] if kind == "csv" else [])


def test_an_empty_file_is_continued_as_none(kind, file):
    file.touch()
    assert record(kind, file, NAMES, resume=True) == list(NAMES)
    assert names_of(kind, file) == list(NAMES)


def test_a_torn_line_is_cut_off_even_if_nothing_more_is_written(kind, file):
    path = journal_path(file)
    record(kind, file, NAMES, is_finished=False)
    path.write_bytes(path.read_bytes()[:-3])
    assert record(kind, file, NAMES[:3], resume=True) == []
    assert names_of(kind, file) == list(NAMES[:3])


def test_a_journal_that_is_not_continued_is_discarded(kind, file):
    record(kind, file, NAMES, is_finished=False)
    record(kind, file, NAMES[:1])
    assert names_of(kind, file) == [NAMES[0]]


def test_a_finished_file_that_is_continued_keeps_every_value(kind, file):
    rows = [
        Row("a.png", answer(0.25, RICH)),
        Row("clip.mp4", answer(0.1, RICH), 0, 0.0),
        Row("clip.mp4", answer(0.7, RICH), 1, 0.04),
    ]
    with Journal(KINDS[kind], file, RICH) as journal:
        for row in rows:
            journal.write(row)
        journal.finish()
    before = content_of(kind, file)
    with Journal(KINDS[kind], file, RICH, resume=True) as journal:
        assert journal.kept == 3
        frames = [journal.has("clip.mp4", frame) for frame in (0, 1, 2, None)]
        assert frames == [True, True, False, False]
        assert journal.has("a.png")
        journal.finish()
    assert content_of(kind, file) == before


def content_of(kind, file):
    if kind != "parquet":
        return file.read_bytes()
    return pytest.importorskip("pyarrow.parquet").read_table(file).to_pylist()


def test_a_finished_file_stays_until_its_continuation_is_complete(kind, file):
    record(kind, file, NAMES[:1])
    for last in (2, 3):  # killed twice, with more images each time
        record(kind, file, NAMES[:last], resume=True, is_finished=False)
        assert names_of(kind, file) == [NAMES[0]]
    assert record(kind, file, NAMES[3:], resume=True) == [NAMES[3]]
    assert names_of(kind, file) == list(NAMES)


def test_each_image_comes_once_after_a_kill_between_the_file_and_the_end_of_its_journal(kind, file):
    record(kind, file, NAMES[:1])
    record(kind, file, NAMES[:2], resume=True, is_finished=False)
    journal = journal_path(file).read_bytes()
    record(kind, file, NAMES[:3], resume=True)
    journal_path(file).write_bytes(journal)
    assert record(kind, file, NAMES, resume=True) == [NAMES[3]]
    assert names_of(kind, file) == list(NAMES)


def test_a_file_has_one_writer_at_a_time(kind, file):
    with Journal(KINDS[kind], file, LAYOUT) as first:
        first.write(Row("a.png", answer(0.5)))
        with pytest.raises(OneboxError, match="another process is writing it") as caught:
            Journal(KINDS[kind], file, LAYOUT)
    assert caught.value.exit_code == 1
    with Journal(KINDS[kind], file, LAYOUT, resume=True) as second:
        assert second.kept == 1
        with pytest.raises(OneboxError, match="another process"):
            Journal(KINDS[kind], file, LAYOUT, resume=True)


@pytest.mark.parametrize(
    ("kind", "content", "message"),
    [
        ("jsonl", '{"image": "a.png"}\n{"image": 1}\n', ":2: is no line of results. Leave --con"),
        ("jsonl", '{"image": "a.png"}\nhello\n{"image": "b.png"}\n', ":2: is no line of results"),
        ("csv", "image,label,score\n", ":1: has the columns image,label,score, and these answers"),
        ("csv", "image,label,score,x_min,y_min,x_max,y_max\na.png,cat\n", ":2: has 2 columns, and"),
        ("csv", "image,name", ":1: has the columns image,name, and these answers have image,label"),
        ("csv", 'image,label,score,x_min,y_min,x_max,y_max\n"a\n', ":2: is no row of results ("),
        ("coco", '[{"image": 1}]', ": entry 1 is no COCO result of onebox. Leave --continue"),
        (
            "coco",
            '[{"image_id": "1", "file_name": "a.png", "category_id": 1}]',
            ": entry 1 is no COCO result of onebox",
        ),
        (
            "coco",
            '[{"image_id": 1, "file_name": "a.png", "category_id": 1, "frame": [1]}]',
            ": entry 1 is no COCO result of onebox",
        ),
        ("jsonl", '{"image": "a.png", "frame": []}\n', ":1: is no line of results"),
        ("coco", "[1", ": is no list of COCO results"),
    ],
)
def test_a_file_of_something_else_is_not_continued_and_stays(kind, content, message, file):
    file.write_text(content)
    with pytest.raises(SettingError) as caught:
        Journal(KINDS[kind], file, LAYOUT, resume=True)
    assert message in str(caught.value)
    assert file.read_text() == content
    assert list(file.parent.iterdir()) == [file]


WITH_FRAMES = Layout(LAYOUT.classes, has_frames=True)
OTHER_CLASSES = Layout(("dog", "cat"), has_frames=True)


@pytest.mark.parametrize(
    ("kind", "layout", "message"),
    [
        ("coco", WITH_FRAMES, "part.jsonl:1: holds results for --csv. Leave --continue out"),
        ("csv", LAYOUT, "part.jsonl:1: has the columns image,label"),
    ],
)
def test_a_journal_of_another_kind_or_layout_is_not_continued_and_stays(
    kind, layout, message, file
):
    record("csv", file, NAMES, layout=WITH_FRAMES, is_finished=False)
    before = journal_path(file).read_bytes()
    with pytest.raises(SettingError, match=message):
        Journal(KINDS[kind], file, layout, resume=True)
    assert journal_path(file).read_bytes() == before


def test_a_journal_of_parquet_is_not_continued_with_other_classes(file):
    record("parquet", file, [], layout=WITH_FRAMES, is_finished=False)
    with pytest.raises(SettingError, match=r"probabilities\.cat,probabilities\.dog, and these"):
        Journal(KINDS["parquet"], file, OTHER_CLASSES, resume=True)


@pytest.mark.parametrize(
    "line",
    [
        *("hello", "{}", '{"results": 1}'),
        '{"results": "csv", "columns": 1, "continues": false}',
        '{"results": "csv", "columns": [1], "continues": false}',
    ],
)
def test_a_file_that_is_no_journal_is_not_continued_and_stays(line, kind, file):
    journal_path(file).write_text(f"{line}\ntorn")
    with pytest.raises(SettingError, match=r"part.jsonl:1: is no journal of results"):
        Journal(KINDS[kind], file, LAYOUT, resume=True)
    assert journal_path(file).read_text() == f"{line}\ntorn"


def test_a_frame_needs_columns(kind, file):
    frame = Row("clip.mp4", answer(0.5), 3, 0.12)
    with Journal(KINDS[kind], file, LAYOUT) as journal:
        if kind in {"csv", "parquet"}:
            with pytest.raises(SettingError, match=r"clip.mp4: is a video, and .* has no columns"):
                journal.write(frame)
        else:
            journal.write(frame)
        assert journal.kept == (kind in {"jsonl", "coco"})


# --- names, links and devices


def test_a_name_that_is_not_utf_8_is_written_as_its_bytes_and_recognized(file):
    name = os.fsdecode(b"b\xff.png")
    for kind in TEXT_KINDS:
        record(kind, file, [name])
        assert record(kind, file, [name], resume=True) == []
    assert file.read_bytes().splitlines()[1].startswith(b"b\xff.png,dog,")


def test_names_that_differ_in_bytes_that_are_not_utf_8_are_two_and_recognized(kind, file):
    names = [os.fsdecode(name) for name in (b"b\xff.png", b"b\xfe.png")]
    assert record(kind, file, names[:1]) == names[:1]
    assert record(kind, file, names, resume=True) == names[1:]
    assert record(kind, file, names, resume=True) == []
    if kind == "parquet":
        assert names_of(kind, file) == [r"b\udcff.png", r"b\udcfe.png"]


def test_a_name_that_is_not_utf_8_comes_once_after_a_kill_before_the_end_of_its_journal(file):
    pytest.importorskip("pyarrow")
    names = ["a.png", os.fsdecode(b"b\xff.png")]
    record("parquet", file, names[:1])
    record("parquet", file, names, resume=True, is_finished=False)
    journal = journal_path(file).read_bytes()
    record("parquet", file, names, resume=True)
    journal_path(file).write_bytes(journal)
    assert record("parquet", file, names, resume=True) == []
    assert names_of("parquet", file) == ["a.png", r"b\udcff.png"]


def test_a_link_to_a_file_stays_a_link(file):
    target = file.with_name("target.csv")
    target.touch()
    file.symlink_to(target)
    record("csv", file, NAMES)
    assert file.is_symlink()
    assert names_of("csv", target) == list(NAMES)


@pytest.mark.parametrize("kind", ["csv", "coco"])
def test_a_pipe_gets_the_whole_file_at_the_end(kind, file):
    os.mkfifo(file)
    reader = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
    try:
        record(kind, file, ["a.png"])
        content = os.read(reader, 9999).decode()
        with pytest.raises(SettingError, match="holds nothing to continue"):
            Journal(KINDS[kind], file, LAYOUT, resume=True)
    finally:
        os.close(reader)
    assert file.is_fifo()
    assert list(file.parent.iterdir()) == [file]
    (copy := file.with_name("copy")).write_text(content)
    assert names_of(kind, copy) == ["a.png"]


@pytest.mark.skipif(sys.platform == "win32", reason="has no limit of file sizes")
def test_a_file_that_cannot_grow_keeps_what_was_written_and_is_named(kind, file):
    import resource

    record(kind, file, NAMES[:1])
    names = [f"{number}.png" for number in range(50)]
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OneboxError, match=r"results: cannot be written \(File too large\)"):
            record(kind, file, names)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert names_of(kind, file) == [NAMES[0]]
    missing = record(kind, file, names, resume=True)
    assert 0 < len(missing) < 50
    assert names_of(kind, file) == names


def test_a_missing_folder_is_named_in_the_error(tmp_path):
    with pytest.raises(OneboxError, match=r"missing/p.csv: cannot be written \(No such file"):
        Journal(KINDS["csv"], tmp_path / "missing/p.csv", LAYOUT)
    assert list(tmp_path.iterdir()) == []


ODD_LINES = {
    "csv": ({"image": "z.png", "other": 1}, {"image": "\ud800"}),
    "coco": (
        {"image": "z.png", "category_id": 1, "image_id": "7"},
        {"image": "z.png", "category_id": 1, "image_id": -7},
        {"image": "z.png", "score": 0.5},
    ),
    "parquet": (
        {"image": "z.png", "score": "high"},
        {"image": "z.png", "label": ["cat"]},
        {"image": "z.png", "score": 10**400},
    ),
}


@pytest.mark.parametrize("kind", ODD_LINES, indirect=True)
def test_a_line_that_does_not_fit_the_file_is_an_error_in_words_and_the_journal_stays(kind, file):
    for line in ODD_LINES[kind]:
        record(kind, file, NAMES[:1], is_finished=False)
        with journal_path(file).open("a") as journal:
            journal.write(json.dumps(line) + "\n")
        before = journal_path(file).read_bytes()
        with (
            Journal(KINDS[kind], file, LAYOUT, resume=True) as journal,
            pytest.raises(SettingError, match=r"part.jsonl: has a line that is no row of"),
        ):
            journal.finish()
        assert journal_path(file).read_bytes() == before


def test_a_promise_that_is_no_number_is_another_promise(file):
    file.write_text('{"image": "a.png", "coverage": "high"}\n')
    with pytest.raises(SettingError, match="has 'high' as its coverage"):
        Journal(KINDS["jsonl"], file, LAYOUT, resume=True)
