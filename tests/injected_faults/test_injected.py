"""A sample of `benchmarks/faults_injected.py`: calls of the file system fail, one at a time."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "faults_injected.py"
OPERATIONS = (
    *("predict --jsonl", "predict --csv", "predict --coco", "predict --parquet"),
    *("convert --to coco", "convert --to yolo", "export --to fp32", "calibrate"),
    *("label, saving", "serve, reload"),
)

pytestmark = [
    pytest.mark.train,
    pytest.mark.skipif(
        sys.platform != "linux" or shutil.which("gcc") is None,
        reason="the shim is made by gcc, and loaded as Linux loads it",
    ),
]


@pytest.fixture(scope="module")
def rows(model_file, tmp_path_factory):
    """What became of each operation, by its name."""
    folder = tmp_path_factory.mktemp("faults")
    words = ["--model", model_file, "--keep", folder, "--sample", "2", "--json", folder / "rows"]
    names = [word for name in OPERATIONS for word in ("--only", name)]
    line = [sys.executable, str(SCRIPT), *map(str, words), *names]
    ended = subprocess.run(line, check=False, capture_output=True, text=True)
    if not (folder / "rows").exists():
        pytest.fail(f"{ended.stdout}\n{ended.stderr}")
    rows = json.loads((folder / "rows").read_text("utf-8"))["rows"]
    return {row["operation"]: {**row, "said": ended.stdout} for row in rows}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_fault_ends_with_a_message_and_whole_files_and_the_next_run_succeeds(rows, operation):
    row = rows[operation]
    assert row["calls"] > 2
    assert row["faults"] == row["error"] + row["no effect"] == 2
    assert row["broken"] == 0, row["said"]
