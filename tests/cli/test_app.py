"""What holds for every command: help, version, and wrong usage."""

import pytest
from typer.main import get_command

import onebox
from onebox.cli.app import app

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


def test_the_version_is_the_version_of_the_package(run):
    assert run("--version") == (0, f"{onebox.__version__}\n", "")


@pytest.mark.parametrize(
    ("words", "message"),
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
def test_wrong_usage_ends_with_2_and_a_message_on_standard_error(words, message, run):
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert message in err
