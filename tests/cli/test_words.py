"""What holds for every command: help, versions, wrong words, and where each kind of text goes."""

from pathlib import Path

import pytest
from rich.progress import ProgressSample, Task, TaskID
from typer.main import get_command

import onebox
from onebox.cli import console
from onebox.cli.app import app
from onebox.cli.console import TrainingProgress, print_error, print_note, print_table, progress_bar
from onebox.errors import DataError, ModelError, OneboxError, SettingError
from onebox.recipes import loading

COMMANDS = sorted(get_command(app).commands)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_is_printed_on_standard_output(command, run):
    code, out, err = run(command, "--help")
    assert (code, err) == (0, "")
    assert f"Usage: onebox {command}" in out
    assert "--no-no-" not in out


def test_the_help_lists_each_command_with_a_whole_sentence(run):
    code, out, err = run("--help")
    listed = out.partition("Commands:\n")[2]
    assert (code, err) == (0, "")
    assert sorted(line.split()[0] for line in listed.splitlines()) == COMMANDS
    assert "..." not in listed


def test_the_version_is_that_of_the_package(run):
    assert run("--version") == (0, f"{onebox.__version__}\n", "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "Usage: onebox"),
        (["predcit"], "Did you mean 'predict'?"),
        (["predict"], "Missing argument 'MODEL'"),
        (["predict", "model.onnx"], "Missing argument 'SOURCE'"),
        (["predict", "model.onnx", "a.png", "--jsn"], "--json"),
        (["evaluate", "model.onnx"], "Missing argument 'DATA'"),
        (["convert", "labels.csv", "out"], "Missing option '--to'"),
        (["synth", "blobs", "out"], "Missing option '--count'"),
        (["synth", "blobs", "out", "--count", "few"], "Invalid value for '--count'"),
        (["synth", "blobs", "out", "--count", "0"], "Invalid value for '--count'"),
        (["train"], "Missing argument 'DATA'"),
        (["train", "labels.csv", "--seed", "-1"], "Invalid value for '--seed'"),
        (["annotate"], "haar"),
        (["annotate", "har", "images", "faces.csv"], "Did you mean 'haar'?"),
        (["annotate", "haar", "images"], "Missing argument 'OUT.csv'"),
        (["recipes", "shwo"], "Did you mean show?"),
        (["recipes", "show"], "needs the NAME"),
    ],
)
def test_a_wrong_call_ends_with_2_and_speaks_on_standard_error(words, said, run):
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert said in err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OneboxError("weights cannot be had."), 1),
        (SettingError("no such setting."), 2),
        (DataError("labels.csv:2: wrong.", "labels.csv:3: wrong too."), 3),
        (ModelError("no model."), 4),
    ],
)
def test_each_kind_of_error_ends_the_program_with_its_code(error, code, run, monkeypatch):
    def fail():
        raise error

    monkeypatch.setattr(loading, "recipe_names", fail)
    assert run("recipes") == (code, "", f"error: {error}\n")


def test_what_the_system_refuses_is_a_sentence(run, monkeypatch):
    def fail():
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(loading, "recipe_names", fail)
    assert run("recipes") == (1, "", "error: standard output: No space left on device.\n")


@pytest.mark.parametrize(
    "message",
    [
        "labels.csv:100: label 'cta' is not one of cat.",  # Rich has an emoji called 100
        "recipe.toml: [train] has no setting 'epoch'.",
        "a" * 200 + " " + "b" * 200,
    ],
)
def test_a_message_is_printed_as_it_is(message, capsys):
    print_error(message)
    print_note(message)
    assert capsys.readouterr() == ("", f"error: {message}\nnote: {message}\n")


def test_a_table_has_one_line_a_fact_and_breaks_none(capsys):
    path = Path("/a") / ("long" * 50) / "model.onnx"
    print_table("run", {"model": path, "iou_at": {"0.5": 0.75, "0.9": None}, "box": [0.25, 1.0]})
    assert capsys.readouterr() == (
        f"run\n  model       {path}\n  iou_at.0.5  0.75\n  iou_at.0.9  -\n  box         0.25, 1\n",
        "",
    )


def test_an_empty_fact_leaves_no_blanks_behind_its_name(capsys):
    print_table("model.onnx", {"source": "", "options": {}, "size": 64})
    assert capsys.readouterr().out == "model.onnx\n  source\n  size    64\n"


def test_a_bar_is_silent_where_nobody_watches(capsys):
    with progress_bar("Measuring") as progress:
        progress(1, 2)
        print("a result")  # noqa: T201
    assert capsys.readouterr() == ("a result\n", "")


def test_a_bar_of_a_unit_says_how_many_are_done_in_a_second():
    task = Task(TaskID(0), "", total=None, completed=0, _get_time=lambda: 4.0)
    column = console.RateColumn("images")
    assert column.render(task).plain == ""
    task.start_time = 0.0
    task._progress.extend([ProgressSample(0.0, 0), ProgressSample(4.0, 50)])
    assert column.render(task).plain == "12.5 images/s"  # 50 in 4 s


def test_a_bar_without_a_total_moves_too(capsys, monkeypatch):
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


def test_a_training_run_speaks_line_by_line_on_standard_error(capsys):
    with TrainingProgress() as bar:
        bar.stage("Decoding [train] images")
        bar.advance(1, 2)
        bar.note("labels.csv:100: a note")
    expected = "Decoding [train] images\nnote: labels.csv:100: a note\n"
    assert capsys.readouterr() == ("", expected)
