"""Box regression with fastai: its learner, augmentation and fine-tuning, one box per image.

As in its chapter on points: coordinates in [-1, 1], ``y_range``, ``fine_tune`` with 1e-2. A
rotated box is no longer tight, so ``aug_transforms`` neither rotates nor warps.

References:
    docs.fast.ai: ``vision.learner``, ``vision.augment``; fastbook, chapter 6.
"""

import copy
import time
from itertools import cycle, islice

import torch
from fastai.callback.core import Callback, CancelFitException
from fastai.callback.schedule import Learner  # with fine_tune patched on
from fastai.data.block import DataBlock, TransformBlock
from fastai.data.transforms import IndexSplitter
from fastai.losses import L1LossFlat
from fastai.torch_core import set_seed
from fastai.vision.augment import Resize, ResizeMethod, aug_transforms
from fastai.vision.core import PILImage, PointScaler, TensorBBox
from fastai.vision.data import ImageBlock
from fastai.vision.learner import vision_learner
from jobs import Box, Budget, Job, Sample, image, read_job, scaled, write_answer
from torch import Tensor

_SIZE, _BATCH = 224, 32
_RATE = 1e-2
_STEPS = 2  # timed steps, after one of warm-up
_OVERHEAD = 1.15  # whole step over forward and backward: optimizer, callbacks
_DISTANCE = L1LossFlat()
_FROZEN = 0.6  # time of a step with a frozen body, as a fraction


class Deadline(Callback):
    """Ends training when the budget is used up."""

    def __init__(self, budget: Budget) -> None:
        super().__init__()
        self.budget = budget

    def after_batch(self) -> None:
        """Called by the learner.

        Raises:
            CancelFitException: If the budget is used up; the learner then stops.
        """
        if self.training and self.budget.fraction >= 1:
            raise CancelFitException


def main() -> None:
    job = read_job()
    set_seed(job.seed, reproducible=True)
    budget = Budget(job.minutes)
    learner = _learner(job)
    epochs = _planned(learner, budget)
    with learner.no_bar(), learner.no_logging():
        learner.fine_tune(epochs, base_lr=_RATE, cbs=[Deadline(budget)])
        seconds = budget.spent
        boxes = _answers(learner, job.part("test"))
    write_answer(job, boxes, seconds, {"epochs": epochs + 1})


def _learner(job: Job) -> Learner:
    samples = [*job.part("train"), *job.part("val")]
    images = {sample.image: PILImage(image(sample)) for sample in samples}
    block = DataBlock(
        blocks=(ImageBlock, TransformBlock(type_tfms=TensorBBox.create, item_tfms=PointScaler)),
        get_x=lambda sample: images.get(sample.image) or PILImage(image(sample)),
        get_y=lambda sample: _on_decoded(sample, images[sample.image]),
        splitter=IndexSplitter(range(len(job.part("train")), len(samples))),
        item_tfms=Resize(_SIZE, method=ResizeMethod.Squish),
        batch_tfms=aug_transforms(max_rotate=0, max_warp=0),
    )
    own = {"file": str(job.weights), "mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
    return vision_learner(
        block.dataloaders(samples, bs=_BATCH, num_workers=0, device=torch.device("cpu")),
        "mobilenetv2_100",
        n_out=4,
        y_range=(-1, 1),
        loss_func=_visible_distance,
        path=job.answer.parent,
        pad_type="same",
        pretrained_cfg_overlay=own,
    )


def _visible_distance(found: Tensor, truth: Tensor) -> Tensor:
    """L1 to the visible part of the box."""
    return _DISTANCE(found, truth.clamp(-1, 1))


def _on_decoded(sample: Sample, decoded: PILImage) -> list[float]:
    """The box in pixels of the decoded image; a list, since fastai splits tuples."""
    width, height = decoded.size
    return list(scaled(sample.box, width / sample.width, height / sample.height))


def _planned(learner: Learner, budget: Budget) -> int:
    """Number of epochs, after the frozen one, that fit into the budget."""
    step = _OVERHEAD * _seconds_of_step(learner)
    steps = len(learner.dls.train)
    # Validating an image takes about a third of the arithmetic of a training step.
    validation = len(learner.dls.valid_ds) / _BATCH * step / 3
    left = budget.minutes * 60 - budget.spent - (_FROZEN * steps * step + validation)
    return max(1, int(left / (steps * step + validation)))


def _seconds_of_step(learner: Learner) -> float:
    """Mean seconds of a batch, forward and backward, without freezing."""
    network = copy.deepcopy(learner.model).train().requires_grad_(requires_grad=True)
    times = []
    start = time.perf_counter()
    for images, boxes in islice(cycle(learner.dls.train), 1 + _STEPS):
        learner.loss_func(network(images), boxes).backward()
        times.append(time.perf_counter() - start)
        start = time.perf_counter()
    return sum(times[1:]) / _STEPS


def _answers(learner: Learner, samples: list[Sample]) -> list[Box]:
    found, _ = learner.get_preds(dl=learner.dls.test_dl(samples))
    boxes = ((found.clamp(-1, 1) + 1) / 2).tolist()
    return [
        scaled(box, sample.width, sample.height) for box, sample in zip(boxes, samples, strict=True)
    ]


if __name__ == "__main__":
    main()
