"""Writes the label file soon after each change, and notices edits from outside."""

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from onebox.errors import OneboxError, first_line
from onebox.labelling.label_file import LabelFile
from onebox.labelling.ledger import Ledger
from onebox.labelling.records import FileStatus

_DELAY_S = 0.3  # several labels are written at a time; not tuned
_POLL_S = 2.0  # between two looks at the file, and two tries to write it; not tuned


class Saver:
    """A thread that keeps a label file up to date.

    A save that fails loses nothing: the journal has the labels, and the next try comes soon.
    """

    def __init__(
        self,
        ledger: Ledger,
        file: LabelFile,
        classes: Callable[[], Sequence[str]],
        on_edit: Callable[[], None],
    ) -> None:
        """Prepare the thread; `start` starts it.

        Args:
            ledger: The labels.
            file: The label file.
            classes: All class names, in order.
            on_edit: Called after labels from outside may have been taken over.
        """
        self._ledger, self._file = ledger, file
        self._classes, self._on_edit = classes, on_edit
        self._refused = ""
        self._is_changed, self._is_stopped = threading.Event(), threading.Event()
        self._saving = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="onebox-saver", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def notify(self) -> None:
        """Labels have changed."""
        self._is_changed.set()

    def close(self) -> None:
        """Stop the thread, and write what is not written."""
        self._is_stopped.set()
        self._is_changed.set()
        if self._thread.is_alive():
            self._thread.join()
        self.save()

    def status(self) -> FileStatus:
        """Whether the file has all labels."""
        if self._refused:
            return FileStatus("refused", self._refused)
        return FileStatus("pending" if self._ledger.state.unsaved else "saved")

    def save(self) -> None:
        """Write the file if labels have changed, else look whether it was edited."""
        with self._saving:
            try:
                self._refused = self._exchange()
            except OneboxError as error:
                self._refused = first_line(error)
            except OSError as error:
                self._refused = (
                    f"{error.filename or self._file.path}: cannot be read or written "
                    f"({error.strerror or error}). Check its permissions and the disk."
                )
            except Exception as error:  # noqa: BLE001 - the thread must go on, and the user know
                self._refused = f"the label file cannot be saved ({first_line(error)})."

    def _exchange(self) -> str:
        """Write or look; why the file cannot hold a label, or nothing."""
        refused: Mapping[Path, str] = {}
        pending = self._ledger.pending()
        if pending.changes:
            answer = self._file.save(
                pending.changes,
                known=pending.known,
                classes=self._classes(),
                splits=pending.splits,
            )
            with self._file.reported(answer.theirs):
                self._ledger.saved(pending, answer)
            refused = answer.refused
            is_edited = bool(answer.theirs or answer.conflicts)
        else:
            theirs = self._file.refresh()
            with self._file.reported(theirs):
                self._ledger.adopt(theirs)
            is_edited = bool(theirs)
        if is_edited:
            self._on_edit()
        return next(iter(refused.values()), "")

    def _run(self) -> None:
        while not self._is_stopped.is_set():
            if self._is_changed.wait(_POLL_S):
                self._is_stopped.wait(_DELAY_S)
            self._is_changed.clear()
            if not self._is_stopped.is_set():
                self.save()
