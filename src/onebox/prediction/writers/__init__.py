"""Predictions in files: JSON lines, CSV, COCO results and Parquet, written as they are made.

From a model with keypoints, each answer has its keypoints too, and from one that says whether the
subject is there, the probability of that; from one without, nothing speaks of them. Label, box and
score are those of the model also where it says that the subject is not there. The images of a
video have one name, and the number and the time of the frame beside it.
"""

from collections.abc import Mapping

from onebox.prediction.writers.coco_results import COCO
from onebox.prediction.writers.csv_results import CSV
from onebox.prediction.writers.image_names import names_in
from onebox.prediction.writers.json_lines import JSON_LINES
from onebox.prediction.writers.kinds import Kind, part_of
from onebox.prediction.writers.parquet import PARQUET
from onebox.prediction.writers.recorder import Recorder
from onebox.prediction.writers.records import Layout, Row, as_json_line

__all__ = ["KINDS", "Kind", "Layout", "Recorder", "Row", "as_json_line", "names_in", "part_of"]

KINDS: Mapping[str, Kind] = {"jsonl": JSON_LINES, "csv": CSV, "coco": COCO, "parquet": PARQUET}
