"""The label file of a labelling session: read, and edited in place.

Other programs may edit the file at the same time. Before anything is written, the file is read
again if it changed; a label replaces only one that the session knows. No content of the file is
ever replaced unread: the comparison is repeated when the new content is on the disk, just before it
gets the name of the file.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from onebox.errors import DataError, OneboxError
from onebox.files import real_path
from onebox.formats.discovery import LabelSource
from onebox.formats.editing import EDITORS
from onebox.formats.edits import Edits, Replacement
from onebox.formats.rows import ParsedLabels
from onebox.images import Header
from onebox.labelling.label_reading import Reading, read_content
from onebox.labelling.label_source import find_source
from onebox.labelling.merging import Changes, Known, differences, is_same, merge
from onebox.labelling.new_samples import Rules, Samples, make_samples
from onebox.labelling.records import FileContent, Label
from onebox.labelling.watched_files import TRIES, ChangedMeanwhileError, WatchedFiles
from onebox.structures import KeypointSet, Split


@dataclass(frozen=True, slots=True)
class Saved:
    """What became of the changes that were saved.

    Attributes:
        theirs: Image → label that it got from outside since the last read; None if it was taken
            away. The session adopts these.
        conflicts: Image → label that it has in the file. The change of the session is another one
            and was not written.
        refused: Image → why its new label was not written: the format cannot hold it, or the
            system refuses one of its files.
    """

    theirs: Changes = field(default_factory=dict)
    conflicts: Changes = field(default_factory=dict)
    refused: Mapping[Path, str] = field(default_factory=dict)


class LabelFile:
    """One label file, or one folder of them, of the images in a folder.

    It is used by one thread at a time.

    Attributes:
        path: The file or folder.
        format: A key of `onebox.formats.FORMATS`.
        content: What the file said when it was last read or written.
        keypoints: Keypoints that the file names; None without keypoints.
    """

    def __init__(self, source: LabelSource, folder: Path) -> None:
        """Read a file that may be missing or empty; `open` explains the errors."""
        self.path = source.path
        self.format = source.format
        self.content = FileContent({})
        self.keypoints: KeypointSet | None = None
        self._split = source.split
        self._folder = real_path(folder)
        self._editor = EDITORS[source.format]
        self._files = WatchedFiles(source.path, self._editor.files)
        self._declares_classes = False
        self._headers: dict[Path, Header] = {}
        self._origins: Mapping[Path, Sequence[str]] = {}
        self._unreported: dict[Path, Label | None] = {}  # edits from outside
        self._uncertain: set[Path] = set()  # images of which not all files may be written
        self._read()

    @classmethod
    def open(cls, path: Path, format: str | None, folder: Path) -> "LabelFile":  # noqa: A002
        """Read a label file.

        Args:
            path: A label file or a folder of them; or a file that does not exist yet, a CSV file,
                or a COCO file if it ends in ``.json``.
            format: A key of `onebox.formats.FORMATS`; None to find it.
            folder: The folder of the images. Rows of other images are left as they are.

        Raises:
            DataError: If labels are wrong; it holds every problem.
            SettingError: If there is no such format, the labels are in several files, or a file of
                this format cannot be made.
        """
        return cls(find_source(path, format), folder)

    def refresh(self) -> Changes:
        """Read the file again if it changed, and adopt its labels.

        Returns:
            Image → label that it got from outside since the last read; None if it was taken away.
            The caller compares them with its changes that are not saved yet.

        Raises:
            DataError: If the file cannot be read; `content` stays as it was.
        """
        self._take_in()
        outside, self._unreported = self._unreported, {}
        return outside

    @contextmanager
    def reported(self, theirs: Changes) -> Iterator[None]:
        """Report edits from outside once more if the body cannot take them over.

        Args:
            theirs: What `refresh` or `save` reported.
        """
        try:
            yield
        except BaseException:
            self._unreported = {**theirs, **self._unreported}
            raise

    def save(
        self,
        changes: Changes,
        *,
        known: Known,
        classes: Sequence[str],
        splits: Mapping[Path, Split] | None = None,
    ) -> Saved:
        """Write changed labels into the file as it is now; all else in it stays.

        A label of the file that is neither the new one nor among the known ones is a conflict.

        Args:
            changes: Image of the folder → its new label; None to take the label away.
            known: Of each of these images, the labels that the new one may replace.
            classes: All class names. The file declares those that it lacks, if its format
                declares classes.
            splits: Image → its split, for images that the file does not name yet; written if the
                file states splits, or is new. An image without one is in ``train``.

        Raises:
            DataError: If the file can no longer be read. Nothing was written.
            OneboxError: If the system refuses to write one file of all images, or it changes all
                the time.
        """
        resolved, stated = _resolved(changes), splits or {}
        ours = {new: changes[image] for new, image in resolved.items()}
        replaceable = {new: known[image] for new, image in resolved.items()}
        split_of = {new: stated[image] for new, image in _resolved(stated).items()}
        rules = Rules(
            tuple(dict.fromkeys([*self.content.classes, *classes])),
            self.keypoints,
            {image: self._split or split_of.get(image, "train") for image in ours},
        )
        for _ in range(TRIES):
            self._take_in()
            try:
                return self._save_merged(ours, replaceable, rules)
            except ChangedMeanwhileError:
                continue
        raise OneboxError(
            f"{self.path}: another program writes it all the time. Wait, or stop that program."
        )

    def _save_merged(self, ours: Changes, known: Known, rules: Rules) -> Saved:
        merged = merge(ours, known, self.content.labels)
        refused = self._write(merged.to_write, rules)
        theirs = {image: one for image, one in self._unreported.items() if image not in ours}
        self._unreported = {}
        return Saved(theirs, merged.conflicts, refused)

    def _take_in(self) -> None:
        """Adopt what the file says now, and keep what is new to the session."""
        if self._files.have_changed():
            before = self.content.labels
            self._read()
            self._unreported |= differences(before, self.content.labels)

    def _read(self) -> None:
        labels, reading = self._files.read(self._parse)
        self.content, self._origins = reading.content, reading.origins
        self.keypoints = labels.keypoints
        self._declares_classes = labels.classes is not None

    def _parse(self, path: Path) -> tuple[ParsedLabels, Reading]:
        labels = self._editor.parse(path)
        if self.content.labels and not labels.rows:
            # An empty file is more often an accident than the wish to take all labels away.
            raise DataError(
                f"{path}: holds no labels; it held {len(self.content.labels)} before. Put them "
                "back, or end the session and start it again."
            )
        if self._split is not None:
            rows = (replace(row, split=row.split or self._split) for row in labels.rows)
            labels = replace(labels, rows=tuple(rows))
        return labels, read_content(labels, self._folder, self._headers)

    def _write(self, changes: Changes, rules: Rules) -> dict[Path, str]:
        """Write changes into the files as they were last read; return what is refused."""
        needed = {image: label for image, label in changes.items() if self._is_new(image, label)}
        samples, refused = make_samples(needed, rules, self._headers)
        return refused | self._write_apart(samples, rules)

    def _write_apart(self, samples: Samples, rules: Rules) -> dict[Path, str]:
        """Write samples; a file that is refused costs no other image its label.

        Raises:
            OneboxError: If the one file of all images is refused.
        """
        refused: dict[Path, str] = {}
        left = samples
        while left:
            edited = self._editor.edit(self.path, Edits(left, rules.classes, self._origins))
            self._uncertain.update(left.keys() - edited.refused.keys())
            failed = self._replace_apart(edited.replacements)
            refused |= {**edited.refused, **failed}
            left = {image: one for image, one in left.items() if image not in refused}
            if not failed:
                break
        self._note_written(left, rules)
        return refused

    def _replace_apart(self, replacements: Sequence[Replacement]) -> dict[Path, str]:
        """Replace files, but none that also holds something of an image that was refused.

        Returns:
            Image → why one of its files was refused. If there are any, files of the other images
            may be missing: they are to be made again, without these.

        Raises:
            OneboxError: If the one file of all images is refused.
        """
        failed: dict[Path, str] = {}
        waiting: set[Path] = set()
        for one in replacements:
            if one.old == one.new:
                continue
            if waiting.isdisjoint(one.images):
                problem = self._replace(one)
                if not problem:
                    continue
                failed |= dict.fromkeys(one.images, problem)
            waiting |= one.images
        return failed

    def _replace(self, replacement: Replacement) -> str:
        """Why a file was not replaced; empty if it was.

        Raises:
            OneboxError: If the one file of all images is refused.
        """
        try:
            self._files.replace(replacement)
        except OneboxError as error:
            if not replacement.images:  # of all images
                raise
            return str(error)
        return ""

    def _note_written(self, samples: Samples, rules: Rules) -> None:
        self._uncertain.difference_update(samples)
        declared = rules.classes if self._declares_classes else ()
        self.content = _updated(self.content, samples, declared)

    def _is_new(self, image: Path, label: Label | None) -> bool:
        is_known = is_same(label, self.content.labels.get(image))
        return not is_known or image in self.content.crowded or image in self._uncertain


def _updated(content: FileContent, samples: Samples, classes: Sequence[str]) -> FileContent:
    """What a file says after these samples were written into it."""
    labels, splits = dict(content.labels), dict(content.splits)
    states_splits = bool(splits) or not labels
    for image, sample in samples.items():
        if sample is None:
            labels.pop(image, None)
            splits.pop(image, None)
            continue
        if states_splits and image not in labels:
            splits[image] = sample.split
        labels[image] = Label(sample.label, sample.box, sample.keypoints)
    used = [sample.label for sample in samples.values() if sample and sample.label is not None]
    return replace(
        content,
        labels=labels,
        classes=tuple(dict.fromkeys([*content.classes, *classes, *used])),
        splits=splits,
        crowded=content.crowded.difference(samples),
    )


def _resolved(images: Collection[Path]) -> dict[Path, Path]:
    """Each path as reading gives it → the path: absolute, links in its folders followed."""
    folders = {image.parent: real_path(image.parent) for image in images}
    return {folders[image.parent] / image.name: image for image in images}
