"""Parts of a session that are made when it opens."""

from pathlib import Path

from onebox.errors import SettingError, encoding_problem
from onebox.formats.csv import NAMELESS
from onebox.labelling.image_folder import SESSION_SUFFIX
from onebox.labelling.label_file import LabelFile
from onebox.labelling.ledger import Ledger
from onebox.labelling.options import SessionOptions
from onebox.labelling.proposing import Proposing
from onebox.labelling.suspects import read_suspects
from onebox.loading import load
from onebox.structures import KeypointSet


def session_folder(label_file: Path) -> Path:
    """The folder of a session's own files, beside its label file."""
    return label_file.with_name(f"{label_file.stem}{SESSION_SUFFIX}")


def check_names(*names: str) -> None:
    """Refuse names that the page and label files cannot hold.

    Raises:
        SettingError: If a name is not UTF-8.
    """
    for name in names:
        if encoding_problem(name):
            raise SettingError(
                f"{name}: is not UTF-8, which the page and label files are. Rename it."
            )


def base_classes(options: SessionOptions, file: LabelFile) -> tuple[str, ...]:
    """The classes that the user or the model names; one without a name if nobody does."""
    named = options.classes or file.content.classes
    of_model = () if options.model is None else load(options.model).card.classes
    return (*options.classes, *of_model) if named or of_model else (NAMELESS,)


def open_proposing(
    options: SessionOptions, ledger: Ledger, classes: tuple[str, ...], keypoints: KeypointSet | None
) -> Proposing:
    """The order of the images, with the suspects of an audit in front if there is one.

    Raises:
        DataError: If the list of suspects is wrong.
    """
    path = options.suspects
    if path is None:
        return Proposing(ledger, options.order, {}, 0.0)
    suspects = read_suspects(path, ledger.images, classes, keypoints)
    return Proposing(ledger, options.order, suspects, path.stat().st_mtime)
