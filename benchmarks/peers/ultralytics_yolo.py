"""Ultralytics' YOLO26n from scratch, with its own time budget; the best box of each image.

Its weights pretrained on COCO would be downloaded at first use, which is not done here. All options
are defaults, except the size, the time, images kept in memory, and no plots.

References:
    docs.ultralytics.com: modes/train (``time``), usage/cfg.
"""

import json
import os
from pathlib import Path

from jobs import Box, Budget, Job, Sample, read_job, write_answer

_NETWORK = "yolo26n.yaml"
_LEAST_SCORE = 0.001


def main() -> None:
    job = read_job()
    folder = job.answer.parent.resolve() / "yolo"
    _stay_offline(folder)
    data = _write_data(job, folder)
    boxes, seconds, epochs = _trained(job, data, folder)
    write_answer(job, boxes, seconds, {"epochs": epochs, "network": _NETWORK, "weights": None})


def _stay_offline(folder: Path) -> None:
    """Prevent downloads and reports, and keep settings in the folder; read at import."""
    folder.mkdir(parents=True, exist_ok=True)
    os.environ |= {
        "YOLO_CONFIG_DIR": str(folder),
        "YOLO_OFFLINE": "true",
        "YOLO_AUTOINSTALL": "false",
    }


def _trained(job: Job, data: Path, folder: Path) -> tuple[list[Box | None], float, int]:
    from ultralytics import YOLO  # noqa: PLC0415 - after the environment is set

    model = YOLO(_NETWORK)
    ends: list[float] = []
    budget = Budget(job.minutes)
    model.add_callback("on_train_epoch_end", lambda _: ends.append(budget.spent))
    model.train(
        data=str(data),
        time=job.minutes / 60,
        imgsz=job.options["size"],
        seed=job.seed,
        pretrained=False,
        device="cpu",
        cache="ram",
        plots=False,
        verbose=False,
        project=str(folder),
        name="run",
        exist_ok=True,
    )
    boxes = [_top(model, sample, job.options["size"]) for sample in job.part("test")]
    return boxes, ends[-1], len(ends)


def _top(model: object, sample: Sample, size: int) -> Box | None:
    found = model.predict(
        str(sample.image), imgsz=size, conf=_LEAST_SCORE, max_det=1, device="cpu", verbose=False
    )[0].boxes
    return tuple(found.xyxy[0].tolist()) if len(found) else None


def _write_data(job: Job, folder: Path) -> Path:
    """Write links to the images, a label file for each, and the file with the folders."""
    for split in ("train", "val"):
        for number, sample in enumerate(job.part(split)):
            _write_sample(sample, folder / split, f"{number:05}", job.labels)
    names = "".join(f"  {number}: {json.dumps(label)}\n" for number, label in enumerate(job.labels))
    file = folder / "data.yaml"
    head = f"path: {json.dumps(str(folder))}\ntrain: train/images\nval: val/images\n"
    file.write_text(f"{head}names:\n{names}", "utf-8")
    return file


def _write_sample(sample: Sample, folder: Path, name: str, labels: list[str]) -> None:
    (folder / "images").mkdir(parents=True, exist_ok=True)
    (folder / "labels").mkdir(parents=True, exist_ok=True)
    link = folder / "images" / f"{name}{sample.image.suffix.lower()}"
    link.unlink(missing_ok=True)
    link.symlink_to(sample.image.resolve())
    left, top, right, bottom = sample.box
    normalized = (
        (left + right) / 2 / sample.width,
        (top + bottom) / 2 / sample.height,
        (right - left) / sample.width,
        (bottom - top) / sample.height,
    )
    line = f"{labels.index(sample.label)} {' '.join(f'{value:.6f}' for value in normalized)}\n"
    (folder / "labels" / f"{name}.txt").write_text(line, "utf-8")


if __name__ == "__main__":
    main()
