"""What is disturbed: commands and parts of servers, each in a folder with earlier results."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from onebox.cli import reporting_errors
from onebox.errors import ModelError, OneboxError
from onebox.labelling.options import SessionOptions
from onebox.labelling.records import Action, Label, image_id
from onebox.labelling.saving import Saver
from onebox.labelling.session import Session
from onebox.serving.model_api.models import ModelHolder

Act = Callable[[Path], None]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation.

    Attributes:
        act: Does it, in a folder that `template.make` filled.
        again: Does it once more after a failure, as a user would.
        results: Names of the files that it makes, whose bytes are compared with those of an
            undisturbed operation.
        unfinished: Endings of names of files that may stay after a failure; the next run takes
            them up.
        rows: Reads a result as rows in an order of its own: an image that could not be read comes
            last once it can be. None to compare bytes.
        prepare: Comes before it, undisturbed.
        is_slow: Whether it takes seconds, so that of each call only one error is tried.
    """

    act: Act
    again: Act
    results: tuple[str, ...]
    unfinished: tuple[str, ...] = ()
    rows: Callable[[Path], list[str]] | None = None
    prepare: Act = lambda _: None
    is_slow: bool = False
    limit_s: float = 600.0  # on a machine that does much else; not tuned


def command(*words: str) -> Act:
    """A command line of onebox; ``@`` at the beginning of a word stands for the folder."""

    def act(folder: Path) -> None:
        from onebox.cli import main  # noqa: PLC0415 - as a started program does

        names = [str(folder / word[1:]) if word.startswith("@") else word for word in words]
        sys.argv = ["onebox", *names]
        main()

    return act


def _predict(kind: str, images: str = "images") -> Operation:
    words = (
        "predict",
        "@model.onnx",
        f"@{images}",
        f"--{kind}",
        f"@out/p.{kind}",
        "--threads",
        "1",
    )
    journal = f"p.{kind}.part.jsonl"

    def again(folder: Path) -> None:
        # Before there is a journal, the file is that of an earlier run, with other images.
        is_begun = (folder / "out" / journal).exists() or images == "images"
        command(*words, *(["--continue"] if is_begun else []))(folder)

    return Operation(command(*words), again, (f"out/p.{kind}",), (journal,), _ROWS[kind])


def _lines(file: Path) -> list[str]:
    return sorted(file.read_text("utf-8").splitlines())


def _coco_entries(file: Path) -> list[str]:
    """Without the numbers of the images, which are given in the order of the rows."""
    return sorted(json.dumps(entry | {"image_id": 0}) for entry in json.loads(file.read_bytes()))


def _parquet_rows(file: Path) -> list[str]:
    from pyarrow import parquet  # noqa: PLC0415 - it starts a thread

    return sorted(map(repr, parquet.read_table(file).to_pylist()))


_ROWS = {"jsonl": _lines, "csv": _lines, "coco": _coco_entries, "parquet": _parquet_rows}


def _convert(format_name: str, out: str, *results: str) -> Operation:
    act = command("convert", "@labels.csv", f"@{out}", "--to", format_name)
    return Operation(act, _free(act, out), results)


def _free(act: Act, out: str) -> Act:
    """Do it again if the results are not there: `convert` replaces nothing."""

    def again(folder: Path) -> None:
        if not (folder / out).exists():
            act(folder)

    return again


def _export(name: str, *results: str) -> Operation:
    words = ("export", "@model.onnx", "--to", name, "--data", "@labels.csv")
    act = command(*words, "--out", f"@out/{results[0]}")
    return Operation(act, act, tuple(f"out/{each}" for each in results), is_slow=name != "fp32")


def _train(recipe: str, *results: str) -> Operation:
    words = ("train", "@labels.csv", "--recipe", f"@{recipe}.toml")

    def again(folder: Path) -> None:
        if (folder / "run" / "checkpoints" / "last.safetensors").exists():
            command("train", "@labels.csv", "--resume", "@run")(folder)
            return
        shutil.rmtree(folder / "run", ignore_errors=True)  # as the message says
        command(*words, "--out", "@run")(folder)

    made = tuple(f"run/{name}" for name in results)
    act = command(*words, "--out", "@run")
    return Operation(act, again, made, unfinished=("",), is_slow=True)


def _label(folder: Path) -> None:
    """Label the images in a session, save after two, and close it; the last save may fail.

    Raises:
        OneboxError: If the label file does not have all labels at the end.
    """
    Saver.start = lambda _: None  # type: ignore[method-assign]  # this thread saves
    images, labels = folder / "images", folder / "labelled" / "labels.csv"
    with reporting_errors():
        with Session.open(SessionOptions(images, classes=("disc",), labels=labels)) as session:
            for number, file in enumerate(sorted(images.iterdir())):
                key = image_id(file.name)
                label = Label("disc", (1.0, 2.0, 20.0 + number, 30.0))
                facts = (session.entry(key).revision, label, "drawn", 1.0, "tab")
                session.apply(Action(f"action-{number}", key, *facts))
                if number == 1:
                    session._saver.save()  # noqa: SLF001 - as its thread does
        if session.summary().file.state != "saved":
            raise OneboxError(session.summary().file.message)


_serving: dict[str, ModelHolder] = {}
"""The model that this process serves."""


def _start_serving(folder: Path) -> None:
    """Load a model, and replace its file."""
    _serving["model"] = ModelHolder(folder / "model.onnx", threads=1)
    os.replace(folder / "new.onnx", folder / "model.onnx")  # noqa: PTH105


def _look(_: Path) -> None:
    """Look at the file; the model before it must stay in use if the new one cannot be loaded.

    Raises:
        RuntimeError: If it does not.
    """
    holder = _serving["model"]
    before = holder.current()
    holder.look()
    if failure := holder.reloads.failure:
        if holder.current() is not before:
            raise RuntimeError("the model before the failure is not in use")
        print(f"error: {failure}", file=sys.stderr)
        sys.exit(ModelError.exit_code)


def _look_again(folder: Path) -> None:
    """Load the file as a new server does."""
    ModelHolder(folder / "model.onnx", threads=1)


_NETWORK = ("model.onnx", "weights.safetensors", "metrics.json", "recipe.toml")

OPERATIONS: Mapping[str, Operation] = {
    **{f"predict --{kind}": _predict(kind) for kind in _ROWS},
    "predict --draw": Operation(
        command("predict", "@model.onnx", "@images", "--draw", "@drawn", "--threads", "1"),
        command("predict", "@model.onnx", "@images", "--draw", "@drawn", "--threads", "1"),
        (),
        unfinished=(".png",),
    ),
    "convert --to coco": _convert("coco", "new.json", "new.json"),
    "convert --to csv": _convert("csv", "new.csv", "new.csv"),
    "convert --to voc": _convert("voc", "new", "new"),
    "convert --to yolo": _convert("yolo", "new", "new"),
    "convert --to parquet": _convert("parquet", "new", "new"),
    "convert --to webdataset": _convert("webdataset", "new", "new"),
    "export --to fp32": _export("fp32", "m.onnx"),
    "export --to int8": _export("int8", "m.onnx"),
    "export --to openvino": _export("openvino", "m.xml", "m.bin"),
    "calibrate": Operation(
        *[command("calibrate", "@model.onnx", "@labels.csv")] * 2, ("model.onnx",)
    ),
    "calibrate HOG windows": Operation(
        *[command("calibrate", "@model.npz", "@labels.csv")] * 2, ("model.npz",)
    ),
    "label, saving": Operation(
        _label, _label, ("labelled/labels.csv",), unfinished=("journal.jsonl",), rows=_lines
    ),
    "serve, reload": Operation(_look, _look_again, ("model.onnx",), prepare=_start_serving),
    "train HOG windows": _train("hog", "model.npz", "recipe.toml"),
    "train a network": _train("network", *_NETWORK),
}
"""Every operation by its name."""

CROWDS: Mapping[str, Operation] = {
    f"predict many --{kind}": _predict(kind, "many") for kind in _ROWS
}
"""Predictions of so many images that a kill leaves some of them done."""
