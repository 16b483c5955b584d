"""Files that an earlier command left, and a later one reads: results, journals, plans, lists."""

import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from mutation import Input
from PIL import Image
from target import Opening, Target, check

from onebox.audit.csv_list import COLUMNS, read_corrections, read_listed
from onebox.distributed.prediction.folder import JOB, read_job
from onebox.distributed.prediction.records import JobRecord, PlanFacts, Request
from onebox.distributed.tuning.journal import Journal as TuneJournal
from onebox.distributed.tuning.records import Outcome, Point, Question
from onebox.labelling.options import SessionOptions
from onebox.labelling.records import Action, Label
from onebox.labelling.session import Session
from onebox.prediction.writers import KINDS, Journal, Layout, Row, journal_path
from onebox.runs.repeats.plan import Plan, read_plan, write_plan
from onebox.runs.repeats.summary import summarize
from onebox.structures import Dataset, KeypointSet, Prediction, Sample

_LAYOUT = Layout(("cat", "dog"), KeypointSet(("nose", "tail")), has_presence=True, has_frames=True)
_KEPT = 3


@contextmanager
def _open_predictions(kind: str, folder: Path) -> Iterator[Target]:
    file = folder / f"results.{kind}"
    journal = journal_path(file)
    with Journal(KINDS[kind], file, _LAYOUT) as opened:
        for number in range(_KEPT):
            opened.write(_row(number))
        begun = Input("journal", journal.read_bytes())
        opened.finish()
    seeds = [Input("finished", file.read_bytes()), begun]
    yield Target(seeds, partial(_continue, kind, file), (b'"image"', b'"is_readable"', b"NaN"))


def _continue(kind: str, file: Path, given: Input) -> None:
    journal = journal_path(file)
    for each in (file, journal):
        each.unlink(missing_ok=True)
    (file if given.name == "finished" else journal).write_bytes(given.content)
    with Journal(KINDS[kind], file, _LAYOUT, resume=True) as opened:
        kept = opened.kept
        opened.write(_row(99))
        opened.finish()
    with Journal(KINDS[kind], file, _LAYOUT, resume=True) as opened:
        promise = "what was continued has all that it had, and one more"
        check(holds=opened.kept in {kept, kept + 1}, promise=promise)


def _row(number: int) -> Row:
    points = ((2.5, 3.0, 0.5), (9.0, 4.0, 0.25))
    made = Prediction("dog", 0.5, (1.0, 2.0, 3.0, 4.0), (0.25, 0.75), points, present=0.75)
    return Row(f"{number}.png", made)


@contextmanager
def _open_trials(folder: Path) -> Iterator[Target]:
    file = folder / "trials.jsonl"
    question = Question(
        recipe={"model": {"size": 64}},
        space={"model.size": {"choices": [64, 96]}},
        weights=None,
        seed=0,
        trials=({}, {"model.size": 96}),
        digests={"train": "a", "val": "b"},
    )
    with TuneJournal(file, question) as journal:
        journal.append(Outcome(1, "ended", (Point(50, 0.4, 1.5), Point(100, 0.5, 3.0))))
        journal.append(Outcome(0, "failed", (), "no memory"))
        journal.append_training(1)
    seeds = [Input(file.name, file.read_bytes())]

    def attempt(given: Input) -> None:
        file.write_bytes(given.content)
        with TuneJournal(file) as opened:
            pending = opened.pending()
            opened.append(Outcome(0, "stopped", ()))
        with TuneJournal(file) as opened:
            check(holds=set(opened.pending()) <= set(pending), promise="a trial stays finished")

    yield Target(seeds, attempt, (b'"status"', b'"curve"', b'"trained"', b"[[1, 2, 3]]"))


@contextmanager
def _open_plan(folder: Path) -> Iterator[Target]:
    write_plan(Plan("folds", 2, 0, None, "digest", (0, 1, 0, 1)), folder)
    [file] = folder.iterdir()
    seeds = [Input(file.name, file.read_bytes())]

    def attempt(given: Input) -> None:
        file.write_bytes(given.content)
        plan = read_plan(folder)
        write_plan(plan, folder)
        check(holds=read_plan(folder) == plan, promise="a plan is read as it was written")

    yield Target(seeds, attempt, (b'"folds"', b'"seeds"', b'"count"'))


@contextmanager
def _open_repeats(folder: Path) -> Iterator[Target]:
    data = _data(folder)
    plan = Plan("folds", 2, 0, None, "digest", tuple(number % 2 for number in range(len(data))))
    record = {
        "label": "cat",
        "score": 0.5,
        "box": [1, 2, 30, 20],
        "probabilities": [0.5, 0.5],
        "keypoints": None,
        "present": None,
        "size_wh": [40, 30],
        "mean_box_iou": 0.5,
    }
    result = {
        "split": "test",
        "seconds": 1.0,
        "epochs": 2,
        "model": "model.onnx",
        "metrics": {"images": 2, "mean_iou": 0.5, "top1_loc": 0.5},
        "predictions": [record, record],
    }
    files = [folder / name / "result.json" for name in plan.names()]
    for file in files:
        file.parent.mkdir()
        file.write_text(json.dumps(result))
    seeds = [Input("result.json", files[0].read_bytes())]

    def attempt(given: Input) -> None:
        files[0].write_bytes(given.content)
        json.dumps(summarize(plan, data, folder, {}).as_json())

    yield Target(seeds, attempt, (b'"metrics"', b'"predictions"'))


@contextmanager
def _open_job(folder: Path) -> Iterator[Target]:
    request = Request("0.1.0", "abc", 0.9, None, ("images", "-"), "/somewhere", None)
    job = JobRecord(request, PlanFacts(2, 10, ("one is missing.",)))

    def attempt(given: Input) -> None:
        (folder / JOB).write_bytes(given.content)
        found = read_job(str(folder))
        if found is not None:
            again = JobRecord.from_json(found.as_json().encode())
            check(holds=repr(again) == repr(found), promise="a job is read as it was written")

    yield Target([Input(JOB, job.as_json().encode())], attempt, (b'"request"', b'"plan"'))


@contextmanager
def _open_audit(folder: Path) -> Iterator[Target]:
    data = _data(folder)
    file = folder / "audit.csv"
    first = dict.fromkeys(COLUMNS, "") | {
        "image": "images/0.png",
        "list": "boxes",
        "rank": "1",
        "score": "4.25",
        "p_value": "0.001",
        "q_value": "0.005",
        "listed": "yes",
        "kind": "far off",
        "suggested_x_min": "12.5",
        "suggested_y_min": "3",
        "suggested_x_max": "30",
        "suggested_y_max": "20",
    }
    lines = [",".join(COLUMNS), ",".join(first.values()), ",".join(first.values())]

    def attempt(given: Input) -> None:
        file.write_bytes(given.content)
        listed = read_listed(file, data)
        check(
            holds=len(read_corrections(file, data)) <= len(listed), promise="corrections are rows"
        )

    words = (b"yes", b"no", b"labels", b"boxes", b"suggested_label", b"images/1.png", b",,,", b'"')
    yield Target([Input(file.name, "\n".join(lines).encode())], attempt, words)


@contextmanager
def _open_session(folder: Path) -> Iterator[Target]:
    data = _data(folder)
    options = SessionOptions(folder / "images", classes=data.classes)
    with Session.open(options) as session:
        [first, *_] = session.next_entries("", 1, [])
        session.apply(Action("1", first.id, 0, Label("cat", (1.0, 2.0, 20.0, 20.0)), "drawn"))
        session.add_class("bird")
        journal = next(session.session_folder.glob("*.jsonl"))
    seeds = [Input(journal.name, journal.read_bytes())]

    def attempt(given: Input) -> None:
        journal.write_bytes(given.content)
        with Session.open(options) as opened:
            json.dumps(dataclasses.asdict(opened.summary()), default=str)

    yield Target(seeds, attempt, (b'"do"', b'"label"', b'"settle"', b'"saved"', b'"theirs"'))


def _data(folder: Path) -> Dataset:
    (folder / "images").mkdir()
    samples = []
    for number in range(4):
        path = folder / "images" / f"{number}.png"
        Image.new("RGB", (40, 30), (60 * number, 0, 0)).save(path)
        samples.append(Sample(path, "cat", (1.0, 2.0, 30.0, 20.0), "train", None, (40, 30)))
    return Dataset(tuple(samples), ("cat", "dog"))


RESULT_TARGETS: dict[str, Opening] = {
    **{f"predictions-{kind}": partial(_open_predictions, kind) for kind in KINDS},
    "trials": _open_trials,
    "plan": _open_plan,
    "repeats": _open_repeats,
    "job": _open_job,
    "audit": _open_audit,
    "session": _open_session,
}
