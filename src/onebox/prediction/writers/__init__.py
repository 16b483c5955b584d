"""Predictions in files: JSON lines, CSV, COCO results and Parquet.

Rows have keypoints if the model predicts keypoints, the probability that a subject is present if
the model predicts that, how sure they are if the model is calibrated, and outer boxes or a verdict
if the user asked for them. Label, box and score are the model's even if it says that there is no
subject. All frames of a video have its name, and each has its number and time.
"""

from collections.abc import Mapping

from onebox.prediction.writers.certainty import Certainty, certainty_of
from onebox.prediction.writers.coco_results import COCO
from onebox.prediction.writers.csv_results import CSV
from onebox.prediction.writers.image_names import names_in
from onebox.prediction.writers.journal import BEGINNING, Journal, journal_path
from onebox.prediction.writers.json_lines import JSON_LINES
from onebox.prediction.writers.kinds import Kind
from onebox.prediction.writers.parquet import PARQUET
from onebox.prediction.writers.records import Layout, Row, as_json_line

__all__ = [
    "BEGINNING",
    "KINDS",
    "Certainty",
    "Journal",
    "Kind",
    "Layout",
    "Row",
    "as_json_line",
    "certainty_of",
    "journal_path",
    "names_in",
]

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in (JSON_LINES, CSV, COCO, PARQUET)}
