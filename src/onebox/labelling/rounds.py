"""The folders of training rounds in a session's folder.

::

    labels.onebox/model.onnx     of the newest round; model.npz from HOG windows
    labels.onebox/rounds/3/      job.json  status.json  worker.log
                                 run/            what `onebox.train` leaves; newest round only
                                 sample.json     predictions for the accuracy sample
                                 proposals.json  written last: the round is finished
"""

import shutil
from contextlib import suppress
from pathlib import Path

from onebox.files import replacing
from onebox.labelling.accuracy import Round
from onebox.labelling.job import (
    Job,
    Proposals,
    job_as_json,
    proposals_from_json,
    read_json,
    round_from_json,
    write_json,
)

MODELS = ("model.onnx", "model.npz")
"""Names of the model file of a run."""

JOB, STATUS, LOG, SAMPLE, PROPOSALS = (
    *("job.json", "status.json", "worker.log"),
    *("sample.json", "proposals.json"),
)


class Rounds:
    """The rounds of a session, in files."""

    def __init__(self, folder: Path) -> None:
        """Look at the rounds in a session's folder; unfinished ones are removed."""
        self._session, self._folder = folder, folder / "rounds"
        self.read: dict[int, Round] = {}
        for half_made in self._folder.glob(".*.part"):
            shutil.rmtree(half_made, ignore_errors=True)
        for number in self._numbers():
            self._take_up(number)

    @property
    def newest(self) -> int | None:
        """Number of the newest finished round; None before the first."""
        return max(self.read, default=None)

    def forget(self, number: int) -> None:
        """Remove a round."""
        self.read.pop(number, None)
        shutil.rmtree(self.folder(number), ignore_errors=True)

    def folder(self, number: int) -> Path:
        """The folder of a round."""
        return self._folder / str(number)

    def begin(self, job: Job) -> Path:
        """Make the folder of a round, with its job; what an earlier try left is removed.

        Raises:
            OneboxError: If it cannot be written.
        """
        folder = self.folder(job.round)
        shutil.rmtree(folder, ignore_errors=True)
        with replacing(folder) as temporary:
            temporary.parent.mkdir(parents=True, exist_ok=True)
            temporary.mkdir()
            write_json(temporary / JOB, job_as_json(job), sync=False)
        return folder / JOB

    def finish(self, number: int) -> Proposals | None:
        """Take over what a round left, and publish its model; None if it is not finished.

        Raises:
            OneboxError: If the model cannot be copied.
        """
        proposals = self.proposals(number)
        one = read_json(self.folder(number) / SAMPLE)
        if proposals is None or one is None:
            return None
        self._publish(number)
        self.read[number] = round_from_json(one)
        for earlier in self._numbers():
            if earlier < number:
                self._thin_out(earlier)
        return proposals

    def proposals(self, number: int) -> Proposals | None:
        """The proposals of a round; None if it is not finished."""
        value = read_json(self.folder(number) / PROPOSALS)
        return None if value is None else proposals_from_json(value)

    def weights(self, number: int | None) -> Path | None:
        """The weights that a round left; None if it left none."""
        if number is None:
            return None
        file = self.folder(number) / "run" / "weights.safetensors"
        return file if file.is_file() else None

    def _numbers(self) -> list[int]:
        names = [path.name for path in self._folder.glob("*/")] if self._folder.is_dir() else []
        return sorted(int(name) for name in names if name.isdecimal())

    def _take_up(self, number: int) -> None:
        one = read_json(self.folder(number) / SAMPLE)
        is_finished = (self.folder(number) / PROPOSALS).is_file() or not self._has_job(number)
        if one is None or not is_finished:
            shutil.rmtree(self.folder(number), ignore_errors=True)
            return
        self.read[number] = round_from_json(one)

    def _has_job(self, number: int) -> bool:
        return (self.folder(number) / JOB).is_file()

    def _publish(self, number: int) -> None:
        run = self.folder(number) / "run"
        for name in MODELS:
            if (run / name).is_file():
                with replacing(self._session / name) as temporary:
                    shutil.copyfile(run / name, temporary)
                for other in set(MODELS) - {name}:
                    (self._session / other).unlink(missing_ok=True)

    def _thin_out(self, number: int) -> None:
        """Remove what the advice does not need; the job first: see `_take_up`."""
        folder = self.folder(number)
        shutil.rmtree(folder / "run", ignore_errors=True)
        for name in (JOB, PROPOSALS, STATUS, LOG):
            with suppress(OSError):
                (folder / name).unlink(missing_ok=True)
