"""Predictions in files: JSON lines, CSV, COCO results and Parquet, written as they are made.

From a model with joints, each answer has its keypoints too, and from one that says whether the
subject is there, the probability of that; from one without, nothing speaks of them. Label, box and
score are those of the model also where it says that the subject is not there. The pictures of a
video have one name, and the number and the time of the frame beside it.
"""

from collections.abc import Mapping

from onebox.results.coco import COCO
from onebox.results.csv import CSV
from onebox.results.json_lines import JSON_LINES
from onebox.results.lines import Kind, part_of
from onebox.results.naming import names_in
from onebox.results.parquet import PARQUET
from onebox.results.recording import Recorder
from onebox.results.rows import Layout, Row, as_json_line

__all__ = ["KINDS", "Kind", "Layout", "Recorder", "Row", "as_json_line", "names_in", "part_of"]

KINDS: Mapping[str, Kind] = {"jsonl": JSON_LINES, "csv": CSV, "coco": COCO, "parquet": PARQUET}
