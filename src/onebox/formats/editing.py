"""Edits label files in place: one editor for each format that can be edited.

An edited file keeps all that the labels of other images, or other programs, have in it. Reading it
gives the new labels of the edited images and the same labels as before of all others.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from onebox.formats import coco_editing, csv_editing, voc_editing, yolo_editing
from onebox.formats.edits import Edited, Edits
from onebox.formats.rows import ParsedLabels

__all__ = ["EDITORS", "Editor"]


@dataclass(frozen=True, slots=True)
class Editor:
    """Reader and editor of one label format, of a file or a folder.

    Attributes:
        parse: As `Format.parse`, but of labels of which there may be few or none yet: an image
            without a label file has no row.
        edit: Returns new content of the files that change.
        files: Lists the files that hold the labels.
    """

    parse: Callable[[Path], ParsedLabels]
    edit: Callable[[Path, Edits], Edited]
    files: Callable[[Path], Sequence[Path]]


EDITORS: dict[str, Editor] = {
    "csv": Editor(csv_editing.parse, csv_editing.edit, csv_editing.files),
    "voc": Editor(voc_editing.parse, voc_editing.edit, voc_editing.files),
    "coco": Editor(coco_editing.parse, coco_editing.edit, coco_editing.files),
    "yolo": Editor(yolo_editing.parse, yolo_editing.edit, yolo_editing.files),
}
"""Editors by format; other formats of `onebox.formats.FORMATS` are converted first."""
