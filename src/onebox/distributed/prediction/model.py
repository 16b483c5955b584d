"""The model as a job sends it to its workers: the bytes of its files, opened once in each."""

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

from onebox import loading
from onebox.errors import ModelError
from onebox.files import write_atomically
from onebox.localizer import Localizer

_WEIGHTS = {".xml": ".bin"}  # of OpenVINO, beside the file that is named


@dataclass(frozen=True, slots=True)
class SentModel:
    """A model file with what it is asked to promise.

    Attributes:
        files: Content by name; the first is the file that is opened.
        coverage: As in `Localizer.with_guarantees`.
        max_risk: As there.
    """

    files: dict[str, bytes]
    coverage: float | None = None
    max_risk: float | None = None

    @property
    def digest(self) -> str:
        """SHA-256 of the files."""
        return hashlib.sha256(b"".join(self.files.values())).hexdigest()

    def open(self) -> Localizer:
        """Open the model, with one thread: many images keep all cores busy.

        Raises:
            ModelError: If it cannot be opened here.
            SettingError: If it cannot make the promise.
        """
        with tempfile.TemporaryDirectory(prefix="onebox-model-") as folder:
            for name, content in self.files.items():
                write_atomically(Path(folder, name), content)
            localizer = loading.load(Path(folder, next(iter(self.files))), threads=1)
        if self.coverage is None and self.max_risk is None:
            return localizer
        return localizer.with_guarantees(coverage=self.coverage, max_risk=self.max_risk)


def read_model(file: Path, coverage: float | None, max_risk: float | None) -> SentModel:
    """Read a model file, and the weights beside it if its format keeps them there.

    Raises:
        ModelError: If a file cannot be read.
    """
    names = [file.name]
    if (suffix := _WEIGHTS.get(file.suffix.lower())) is not None:
        names.append(file.with_suffix(suffix).name)
    try:
        files = {name: (file.parent / name).read_bytes() for name in names}
    except OSError as error:
        raise ModelError(
            f"{file}: cannot be read ({error.strerror}). Name a model file."
        ) from error
    return SentModel(files, coverage, max_risk)
