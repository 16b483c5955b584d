"""The folder of a job: what may be in it, and what a rerun checks."""

from dataclasses import replace
from pathlib import Path

import pytest

from onebox.distributed.prediction import folder as results
from onebox.distributed.prediction.job import begin, share_cores
from onebox.distributed.prediction.records import JobRecord, PlanFacts, Request
from onebox.errors import DataError, OneboxError, SettingError
from onebox.prediction.items import UnreadableSource

REQUEST = Request("0.1.0", "ab12", None, 0.05, ("in", "a.tar"), "/here")


def start(folder, request=REQUEST, targets=(Path("/a.jpg"),)):
    return begin(str(folder), request, iter(targets), str)


def test_a_job_is_read_as_it_was_written(place):
    record = JobRecord(REQUEST, PlanFacts(3, None, ("b: holds no image.",)))
    assert JobRecord.from_json(record.as_json().encode()) == record


def test_a_rerun_takes_the_plan_that_is_there(place):
    first = start("out")
    plan = Path("out/_plan.jsonl").read_bytes()
    assert start("out", targets=[Path("/a.jpg"), Path("/new.jpg")]) == first
    assert Path("out/_plan.jsonl").read_bytes() == plan


def test_a_plan_without_its_job_is_made_again(place):
    Path("out").mkdir()
    Path("out/_plan.jsonl").write_text("torn")
    assert start("out").plan.parts == 1


def test_half_written_files_of_a_killed_job_are_removed(place):
    start("out")
    Path("out/_temporary").mkdir(exist_ok=True)
    Path("out/_temporary/x.parquet").touch()
    start("out")
    assert not Path("out/_temporary/x.parquet").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "cd34"}, "the SHA-256 of the model was ab12, and now is cd34"),
        ({"max_risk": None}, "--max-risk was 0.05, and now is not given"),
        ({"sources": ("in",)}, "SOURCE was in a.tar, and now is in"),
        ({"onebox": "0.2.0"}, "the version of onebox was 0.1.0, and now is 0.2.0"),
        ({"listed": "ef56"}, "the list on standard input was not given, and now is ef56"),
        ({"working_folder": "/there"}, "the working folder was /here, and now is /there"),
    ],
)
def test_a_rerun_that_asks_for_anything_else_is_refused(place, change, message):
    start("out")
    with pytest.raises(SettingError) as error:
        start("out", replace(REQUEST, **change))
    assert message in str(error.value)
    assert "Name another folder, or remove this one." in str(error.value)


def test_a_folder_with_other_files_is_refused(place):
    Path("out").mkdir()
    Path("out/part-1.parquet").touch()
    with pytest.raises(SettingError, match=r"holds other files, such as part-1.parquet"):
        start("out")


def test_a_file_is_refused(place):
    Path("out").touch()
    with pytest.raises(SettingError, match=r"is a file. With --on, the results are a folder"):
        start("out")


def test_a_damaged_job_is_refused(place):
    start("out")
    Path("out/_job.json").write_text('{"request": {}}')
    with pytest.raises(SettingError, match="is no job that this onebox can read"):
        start("out")


def test_sources_without_any_image_are_an_error(place):
    with pytest.raises(DataError, match="b: holds no image"):
        start("out", targets=[UnreadableSource("b: holds no image.")])
    with pytest.raises(DataError, match="there is no image to predict"):
        start("out", targets=[])


def test_a_full_disk_is_named(small_disk):
    (small_disk / "filler").write_bytes(b"x" * 2**20)
    with pytest.raises((OneboxError, SettingError)):
        start(small_disk / "out", targets=[Path(f"/{number}") for number in range(1000)])


def test_a_store_holds_a_job_as_a_disk_does(place):
    name = "memory://jobs/out"
    first = start(name)
    assert start(name) == first
    assert [*results.plan_lines(name)] == [
        (0, len(b'{"part": 0, "images": [["/a.jpg", "/a.jpg"]]}\n'))
    ]


@pytest.mark.parametrize(
    ("cores", "workers", "expected"),
    [
        ([2], 2, (2, 1)),
        ([2], 1, (1, 2)),
        ([2], 5, (2, 1)),
        ([1, 1], 1, (1, 1)),  # a worker lies on one machine
        ([4, 2], 2, (2, 2)),  # two of 3 cores would leave one without a place
        ([8, 8], 3, (3, 4)),
    ],
)
def test_workers_get_the_cores_that_fit_on_the_machines(cores, workers, expected):
    assert share_cores(cores, workers) == expected
