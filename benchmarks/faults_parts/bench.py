"""An operation in a folder of its own: undisturbed, disturbed, and done once more."""

import dataclasses
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from faults_parts import laws, shim
from faults_parts.forks import Ended, in_child
from faults_parts.operations import CROWDS, Operation
from faults_parts.template import MANY, make

_LIMIT_S = 600.0  # of the template


@dataclasses.dataclass(frozen=True, slots=True)
class Bench:
    """An operation with its folder and what it does undisturbed.

    Attributes:
        name: Its name.
        operation: The operation.
        keep: The folder of the template, the work and what children say.
        before: What the folder has at first.
        whole: What it has after the undisturbed operation.
        calls: The calls of that.
        seconds: How long that took.
    """

    name: str
    operation: Operation
    keep: Path
    before: laws.State
    whole: laws.State
    calls: list[shim.Call]
    seconds: float

    @property
    def folder(self) -> Path:
        """Where the operation works."""
        return self.keep / "work"

    @property
    def said(self) -> Path:
        """What the disturbed child wrote on standard error."""
        return self.keep / "said.txt"

    def disturb(
        self, act: Callable[[Operation, Path], None], kill_after_s: float | None = None
    ) -> Ended:
        """Do the operation in a fresh folder by ``act``, in a child."""
        folder = reset(self.keep, self.operation)
        return _in_place(folder, lambda: act(self.operation, folder), self, kill_after_s)

    def state(self) -> laws.State:
        """What the folder has now."""
        return laws.state_of(self.operation, self.folder)

    def broken_by_next_run(self) -> Iterator[str]:
        """Do the operation once more, as a user would; what then is wrong."""
        folder, operation = self.folder, self.operation
        log = self.keep / "said-next.txt"
        ended = _in_place(folder, lambda: operation.again(folder), self, None, log)
        after = self.state()
        if ended.code:
            yield f"the next run fails with {ended.code}: {ended.error.strip()[-300:]}"
        for name in laws.differing(operation, after, self.whole):
            yield f"the next run makes another {name}"
        for name in laws.unfinished_in(folder):
            yield f"the next run leaves {name}"


def prepare(keep: Path, model: Path | None = None) -> None:
    """Import what operations need, and make the template if it is missing, in a child.

    With a model, the template has it in place of one that is trained, and less beside it.

    Raises:
        SystemExit: If the template cannot be made.
    """
    # One thread each: the pools of these libraries do not survive a fork.
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    keep.mkdir(parents=True, exist_ok=True)
    _import_everything(trains=model is None)
    if (keep / "template").exists():
        return
    folder = keep / "work"
    shutil.rmtree(folder, ignore_errors=True)
    ended = in_child(lambda: make(folder, model), keep / "said.txt", limit_s=_LIMIT_S)
    if ended.code:
        raise SystemExit(f"the template cannot be made:\n{ended.error}")
    folder.rename(keep / "template")


def reset(keep: Path, operation: Operation) -> Path:
    """The folder as the template has it, without many images if the operation reads few."""
    folder = keep / "work"
    shutil.rmtree(folder, ignore_errors=True)
    needs_many = operation in CROWDS.values()
    left_out = None if needs_many else shutil.ignore_patterns(MANY)
    shutil.copytree(keep / "template", folder, ignore=left_out)
    return folder


def watch(name: str, operation: Operation, keep: Path, *, has_shim: bool = True) -> Bench:
    """Do an operation undisturbed, and see what it does.

    Raises:
        SystemExit: If it fails.
    """
    folder = reset(keep, operation)
    before = laws.state_of(operation, folder)
    bench = Bench(name, operation, keep, before, before, [], 0.0)
    log = keep / "calls.json"

    def act(_: Operation, __: Path) -> None:
        operation.prepare(folder)
        if not has_shim:
            operation.act(folder)
            return
        shim.arm(folder)
        try:
            operation.act(folder)
        finally:
            log.write_text(json.dumps([dataclasses.astuple(call) for call in shim.disarm()]))

    ended = bench.disturb(act)
    if ended.code:
        raise SystemExit(f"{name} fails undisturbed:\n{ended.error}")
    calls = [shim.Call(*each) for each in json.loads(log.read_text())] if has_shim else []
    return dataclasses.replace(bench, whole=bench.state(), calls=calls, seconds=ended.seconds)


def _in_place(
    folder: Path,
    act: Callable[[], None],
    bench: Bench,
    kill_after_s: float | None,
    said: Path | None = None,
) -> Ended:
    def with_places() -> None:
        # Caches and temporary files are below the folder, so that they count, too.
        for name, variable in (("cache", "ONEBOX_CACHE"), ("tmp", "TMPDIR")):
            (folder / name).mkdir(exist_ok=True)
            os.environ[variable] = str(folder / name)
        act()

    limit_s = bench.operation.limit_s
    return in_child(with_places, said or bench.said, limit_s=limit_s, kill_after_s=kill_after_s)


def _import_everything(*, trains: bool) -> None:
    import onnx  # noqa: F401, PLC0415
    import onnxruntime.quantization  # noqa: F401, PLC0415
    import pyarrow.parquet  # noqa: F401, PLC0415

    import onebox.cli.app  # noqa: F401, PLC0415

    if trains:
        import lightning.pytorch  # noqa: F401, PLC0415
        import openvino  # noqa: F401, PLC0415
        import skimage.feature  # noqa: F401, PLC0415
        import sklearn.svm  # noqa: F401, PLC0415
        import torch.onnx  # noqa: F401, PLC0415

        import onebox.learning.network_runs.run  # noqa: F401, PLC0415
