"""`onebox predict` killed and resumed several times: is every image in the file exactly once?"""

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import photographs
from inference_parts.claims import Claim, PartResult, Row, Workspace

from onebox import images
from onebox.prediction.writers import journal_path

_SIZE_WH = (320, 240)
_PATIENCE_S = 120.0
_WAIT_S = 0.01
_FAILED = 1


class _Run:
    """One process of `onebox predict` that writes a file of JSON lines."""

    def __init__(self, model: Path, folder: Path, out: Path, *, resumes: bool) -> None:
        program = Path(sys.executable).with_name("onebox")
        words = ["predict", str(model), str(folder), "--jsonl", str(out)]
        self.part = journal_path(out)
        self.process = subprocess.Popen(
            [str(program), *words, *(["--continue"] if resumes else [])],
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_for(self, lines: int) -> bool:
        """Wait until the file has that many lines; returns whether the process is still running.

        Raises:
            RuntimeError: If it takes too long.
        """
        end = time.monotonic() + _PATIENCE_S
        while time.monotonic() < end:
            if self.process.poll() is not None:
                return False
            if self.part.exists() and self.part.read_bytes().count(b"\n") >= lines:
                return True
            time.sleep(_WAIT_S)
        self.process.kill()
        raise RuntimeError(f"{self.part} did not reach {lines} lines in {_PATIENCE_S:g} s.")

    def finish(self) -> tuple[int, str]:
        """Wait for the end; returns exit code and standard error."""
        messages = self.process.communicate()[1]
        return self.process.returncode, messages

    def kill(self) -> bool:
        """Kill it as the system would; returns whether it was still running."""
        self.process.send_signal(signal.SIGKILL)
        return self.finish()[0] == -signal.SIGKILL


def show(workspace: Workspace) -> PartResult:
    """Kill and resume several times, then let it end while a second process tries the same file."""
    folder = workspace.scratch / "resumed"
    if not folder.exists():
        photographs.fill(folder, _SIZE_WH, count=workspace.sizes.resumed, distinct=20)
    out = workspace.scratch / "resumed.jsonl"
    for old in (out, journal_path(out)):
        old.unlink(missing_ok=True)
    killed = _killed(workspace, folder, out)
    refused, code = _ended_beside_another(workspace, folder, out)
    named = [json.loads(line)["image"] for line in out.read_text("utf-8").splitlines()]
    row, claims = _counted(named, images.find_images(folder), out.parent)
    also: Row = {"killed": killed, "exit code": code, "second process refused": refused}
    targets = [
        Claim("7: kills in the middle", killed, workspace.sizes.kills, is_minimum=True),
        Claim("7: second process refused, of 1", refused, 1, is_minimum=True),
    ]
    return PartResult([{**row, **also}], [*claims, *targets])


def _killed(workspace: Workspace, folder: Path, out: Path) -> int:
    """Kill at equal distances; returns how often a process was still running."""
    count = 0
    for number in range(workspace.sizes.kills):
        run = _Run(workspace.model, folder, out, resumes=number > 0)
        fraction = (number + 1) / (workspace.sizes.kills + 2)
        count += run.wait_for(int(fraction * workspace.sizes.resumed)) and run.kill()
    return count


def _ended_beside_another(workspace: Workspace, folder: Path, out: Path) -> tuple[int, int]:
    """Returns whether a second process was refused (0 or 1), and the exit code of the first."""
    done = journal_path(out).read_bytes().count(b"\n")
    first = _Run(workspace.model, folder, out, resumes=True)
    first.wait_for(done + 1)
    code, messages = _Run(workspace.model, folder, out, resumes=True).finish()
    refused = code == _FAILED and "another process" in messages
    return int(refused), first.finish()[0]


def _counted(named: Sequence[str], files: Sequence[Path], folder: Path) -> tuple[Row, list[Claim]]:
    """How often each image is in the file; names are relative to the file's folder."""
    times = Counter((folder / name).resolve() for name in named)
    missing = sum(times[file.resolve()] == 0 for file in files)
    again = sum(number - 1 for number in times.values())
    row: Row = {"images": len(files), "lines": len(named), "missing": missing, "again": again}
    claims = [
        Claim("7: images missing", missing, 0),
        Claim("7: images more than once", again, 0),
    ]
    return row, claims
