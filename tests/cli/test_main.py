"""The entry points `onebox` and `python -m onebox`: exit codes, and Ctrl-C during the imports."""

import subprocess
import sys

import pytest

import onebox
from onebox.errors import DataError, ModelError, OneboxError, SettingError
from onebox.recipes import loading

# --- exit codes


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OneboxError("weights cannot be had."), 1),
        (SettingError("no such setting."), 2),
        (DataError("labels.csv:2: wrong.", "labels.csv:3: wrong too."), 3),
        (ModelError("no model."), 4),
    ],
)
def test_each_kind_of_error_has_its_exit_code(error, code, run, monkeypatch):
    def fail():
        raise error

    monkeypatch.setattr(loading, "recipe_names", fail)
    assert run("recipes") == (code, "", f"error: {error}\n")


def test_an_error_of_the_operating_system_is_a_sentence(run, monkeypatch):
    def fail():
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(loading, "recipe_names", fail)
    assert run("recipes") == (
        1,
        "",
        "error: standard output: No space left on device. Free space on the disk.\n",
    )


# --- Ctrl-C

# Sends this process SIGINT when it begins to import a module, and then runs the command line.
INTERRUPTED_IMPORT = """
import os, signal, sys

MODULE = sys.argv.pop(1)

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == MODULE:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupt())
from onebox.cli import main
main()
"""
LINES = {
    "typer": ["--version"],
    "rich": ["recipes"],
    "pydantic": ["recipes", "show", "default"],
    "numpy": ["info", "model.onnx"],
    "onnxruntime": ["predict", "model.onnx", "images"],
    "onebox.evaluation": ["evaluate", "model.onnx", "labels.csv"],
    "onebox.formats.coco": ["convert", "labels.csv", "out", "--to", "voc"],
    "onebox.synthetic.scenes": ["synth", "blobs", "out", "--count", "1"],
    "onebox.variants": ["export", "model.onnx", "--to", "int8"],
    "onebox.classic.haar": ["annotate", "haar", "images", "faces.csv"],
    "torch": ["train", "synth:blobs"],
    "lightning": ["demo"],
}


def ended(*words, cwd):
    """Exit code, standard output and standard error of a Python process."""
    line = [sys.executable, *words]
    process = subprocess.run(
        line, check=False, capture_output=True, text=True, timeout=120, cwd=cwd
    )
    return process.returncode, process.stdout, process.stderr


@pytest.mark.parametrize("module", LINES)
@pytest.mark.train
def test_ctrl_c_during_the_imports_of_any_command_ends_it_quietly(module, tmp_path):
    code, out, err = ended("-c", INTERRUPTED_IMPORT, module, *LINES[module], cwd=tmp_path)
    assert (code, out) == (130, "")
    assert err in {"", "Loading PyTorch\n"}
    assert list(tmp_path.iterdir()) == []


# --- entry points


@pytest.mark.train
def test_python_m_onebox_is_the_same_command(tmp_path):
    expected = (0, f"{onebox.__version__}\n", "")
    assert ended("-m", "onebox", "--version", cwd=tmp_path) == expected


@pytest.mark.train
def test_the_entry_point_imports_neither_the_commands_nor_numpy(tmp_path):
    code = "import sys, onebox.cli; print(*sorted({'numpy', 'rich', 'typer'} & set(sys.modules)))"
    assert ended("-c", code, cwd=tmp_path) == (0, "\n", "")
