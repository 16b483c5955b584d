"""`onebox predict` killed in the middle, again and again, and gone on with: each image once."""

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import photographs
from inference_parts.claims import Claim, Place, Row, Shown

from onebox import images
from onebox.prediction.writers import journal_path

_SIZE_WH = (320, 240)
_PATIENCE_S = 120.0
_WAIT_S = 0.01
_FAILED = 1


class _Run:
    """One process of the command line that writes a file of JSON lines."""

    def __init__(self, model: Path, folder: Path, out: Path, *, goes_on: bool) -> None:
        program = Path(sys.executable).with_name("onebox")
        words = ["predict", str(model), str(folder), "--jsonl", str(out)]
        self.part = journal_path(out)
        self.process = subprocess.Popen(
            [str(program), *words, *(["--continue"] if goes_on else [])],
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_for(self, lines: int) -> bool:
        """Wait until the file has so many lines; whether the process is still at work then.

        Raises:
            RuntimeError: If that takes too long.
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

    def ended(self) -> tuple[int, str]:
        """Its exit code and what it said."""
        said = self.process.communicate()[1]
        return self.process.returncode, said

    def kill(self) -> bool:
        """Kill it as the system would; whether it was still at work."""
        self.process.send_signal(signal.SIGKILL)
        return self.ended()[0] == -signal.SIGKILL


def show(place: Place) -> Shown:
    """Kill, go on, kill, and at last let it end while a second process tries the same file."""
    folder = place.scratch / "resumed"
    if not folder.exists():
        photographs.fill(folder, _SIZE_WH, count=place.sizes.resumed, distinct=20)
    out = place.scratch / "resumed.jsonl"
    for left in (out, journal_path(out)):
        left.unlink(missing_ok=True)
    killed = _killed(place, folder, out)
    refused, code = _ended_beside_another(place, folder, out)
    named = [json.loads(line)["image"] for line in out.read_text("utf-8").splitlines()]
    row, claims = _counted(named, images.find_images(folder), out.parent)
    also: Row = {"killed": killed, "exit code": code, "second process refused": refused}
    asked = [
        Claim("7: kills in the middle", killed, place.sizes.kills, is_least=True),
        Claim("7: second process refused, of 1", refused, 1, is_least=True),
    ]
    return Shown([{**row, **also}], [*claims, *asked])


def _killed(place: Place, folder: Path, out: Path) -> int:
    """Kill at even shares of the images; how often a process was still at work."""
    count = 0
    for number in range(place.sizes.kills):
        run = _Run(place.model, folder, out, goes_on=number > 0)
        share = (number + 1) / (place.sizes.kills + 2)
        count += run.wait_for(int(share * place.sizes.resumed)) and run.kill()
    return count


def _ended_beside_another(place: Place, folder: Path, out: Path) -> tuple[int, int]:
    """Whether a second process was refused, and the exit code of the first."""
    held = journal_path(out).read_bytes().count(b"\n")
    first = _Run(place.model, folder, out, goes_on=True)
    first.wait_for(held + 1)
    code, said = _Run(place.model, folder, out, goes_on=True).ended()
    refused = code == _FAILED and "another process" in said
    return int(refused), first.ended()[0]


def _counted(named: Sequence[str], files: Sequence[Path], folder: Path) -> tuple[Row, list[Claim]]:
    """How often each image stands in the file; names resolve against the file's folder."""
    times = Counter((folder / name).resolve() for name in named)
    missing = sum(times[file.resolve()] == 0 for file in files)
    again = sum(number - 1 for number in times.values())
    row: Row = {"images": len(files), "lines": len(named), "missing": missing, "again": again}
    claims = [
        Claim("7: images missing", missing, 0),
        Claim("7: images more than once", again, 0),
    ]
    return row, claims
