"""Notes, errors, tables and progress bars on the console."""

from pathlib import Path

import pytest
from rich.progress import ProgressSample, Task, TaskID

from onebox.cli import console
from onebox.cli.console import (
    ConsoleListener,
    print_error,
    print_note,
    print_rows,
    print_table,
    progress_bar,
)


@pytest.mark.parametrize(
    "message",
    [
        "labels.csv:100: label 'cta' is not one of cat.",  # Rich has an emoji called 100
        "recipe.toml: [train] has no setting 'epoch'.",
        "a" * 200 + " " + "b" * 200,
    ],
)
def test_a_message_is_printed_verbatim(message, capsys):
    print_error(message)
    print_note(message)
    assert capsys.readouterr() == ("", f"error: {message}\nnote: {message}\n")


def test_a_table_has_one_unbroken_line_for_each_fact(capsys):
    path = Path("/a") / ("long" * 50) / "model.onnx"
    print_table("run", {"model": path, "iou_at": {"0.5": 0.75, "0.9": None}, "box": [0.25, 1.0]})
    assert capsys.readouterr() == (
        f"run\n  model       {path}\n  iou_at.0.5  0.75\n  iou_at.0.9  -\n  box         0.25, 1\n",
        "",
    )


def test_an_empty_value_leaves_no_trailing_blanks(capsys):
    print_table("model.onnx", {"source": "", "options": {}, "size": 64})
    assert capsys.readouterr().out == "model.onnx\n  source\n  size    64\n"


def test_no_bar_is_shown_without_a_terminal(capsys):
    with progress_bar("Measuring") as progress:
        progress(1, 2)
        print("a result")  # noqa: T201
    assert capsys.readouterr() == ("a result\n", "")


def test_a_bar_with_a_unit_shows_the_rate_per_second():
    task = Task(TaskID(0), "", total=None, completed=0, _get_time=lambda: 4.0)
    column = console.RateColumn("images")
    assert column.render(task).plain == ""
    task.start_time = 0.0
    task._progress.extend([ProgressSample(0.0, 0), ProgressSample(4.0, 50)])
    assert column.render(task).plain == "12.5 images/s"  # 50 in 4 s


def test_a_bar_without_a_total_counts_too(capsys, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    terminal = console.stderr_console()
    monkeypatch.setattr(terminal, "_force_terminal", True)
    monkeypatch.setattr(console, "stderr_console", lambda: terminal)
    terminal.is_interactive = True
    assert console.is_terminal()
    with progress_bar("Predicting", unit="images") as progress:
        progress(7, None)
    assert "7/?" in capsys.readouterr().err


def test_what_is_printed_under_a_bar_stays_on_standard_output(capsys, monkeypatch):
    terminal = console.stderr_console()
    monkeypatch.setattr(terminal, "_force_terminal", True)
    monkeypatch.setattr(console, "stderr_console", lambda: terminal)
    with progress_bar("Measuring") as progress:
        progress(1, 2)
        print("a result")  # noqa: T201
    out, err = capsys.readouterr()
    assert out == "a result\n"
    assert "a result" not in err
    assert err


def test_the_progress_of_training_is_printed_line_by_line_on_standard_error(capsys):
    with ConsoleListener() as bar:
        bar.stage("Decoding [train] images")
        bar.advance(1, 2)
        bar.note("labels.csv:100: a note")
    expected = "Decoding [train] images\nnote: labels.csv:100: a note\n"
    assert capsys.readouterr() == ("", expected)


def test_rows_are_aligned_by_column(capsys):
    rows = [("part", "layers"), ("backbone", "202"), ("box_head", "6")]
    print_rows("parts", rows, alignments="<>")
    assert capsys.readouterr().out == (
        "parts\n  part      layers\n  backbone     202\n  box_head       6\n"
    )
