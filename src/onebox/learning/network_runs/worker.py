"""One of several workers that train a network together: what each of them does.

Whoever starts the workers has made the process group. A worker that is started again, after one was
lost, goes on from the last checkpoint.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from safetensors.torch import load_file

from onebox.errors import OneboxError, StoppedError
from onebox.learning.data.decoded_cache import Decoded, add_digests, decode
from onebox.learning.fitting.fit import FitLimits, Fitted, fit
from onebox.learning.network_runs.events import Reporter, fitted_as, problem_of
from onebox.learning.network_runs.facts import check_facts, count_keypoints
from onebox.learning.network_runs.job import STOPPED, Job
from onebox.learning.networks.network import Network
from onebox.learning.parallel.placement import Placement
from onebox.learning.parallel.process_group import from_all
from onebox.progress import Listener, Silent, StopTraining
from onebox.runs.folder import last_checkpoint
from onebox.structures import Dataset, Split


def work(job: Job, part: Dataset, placement: Placement) -> None:
    """Decode the worker's own samples, and train with the others.

    The first worker writes the checkpoints, and into their folder how the fit ended. What a user
    can repair is no failure of a worker: it is written there too, once for all workers.
    """
    problems: list[dict[str, Any]] = []
    listener: Listener = Reporter(job.checkpoints) if placement.is_first else Silent()
    decoded: Mapping[str, Decoded] = {}
    with _collected(problems):
        decoded = _decode(job, part, placement, listener)
    if not _is_agreed(problems, listener):
        return
    digests = from_all({split: rows.digest for split, rows in decoded.items()})
    with _collected(problems):
        if placement.is_first:
            _write_facts(job, part, digests)
    if _is_agreed(problems, listener):
        fitted = _fit(job, part, decoded, placement, listener)
        if isinstance(listener, Reporter):
            listener.write("fitted", **fitted_as(fitted))


@contextmanager
def _collected(problems: list[dict[str, Any]]) -> Iterator[None]:
    try:
        yield
    except OneboxError as error:
        problems.append(problem_of(error))
    except StopTraining:
        problems.append(problem_of(StoppedError(STOPPED)))


# Whether no worker has a problem; the first one writes those of all.
def _is_agreed(problems: list[dict[str, Any]], listener: Listener) -> bool:
    found = [each for some in from_all(problems) for each in some]
    if found and isinstance(listener, Reporter):
        kind = found[0]["kind"]
        alike = [each["sentences"] for each in found if each["kind"] == kind]
        sentences = [*dict.fromkeys(line for lines in alike for line in lines)]
        kept = sentences if kind == "DataError" else ["\n".join(sentences)]
        listener.write("error", kind=kind, sentences=kept)
    return not found


def _decode(
    job: Job, part: Dataset, placement: Placement, listener: Listener
) -> dict[str, Decoded]:
    splits: tuple[Split, ...] = ("train", "val")
    decoded: dict[str, Decoded] = {}
    for split in splits:
        listener.stage(f"Decoding {split} images")
        samples = part.part(split)
        side = job.recipe.decoded_side
        decoded[split] = decode(samples, side, progress=listener.advance, placement=placement)
    return decoded


def _write_facts(job: Job, part: Dataset, digests: list[dict[str, str]]) -> None:
    whole = {split: add_digests(each[split] for each in digests) for split in digests[0]}
    facts = {"classes": list(part.classes), "weights": job.weights, "digests": whole}
    check_facts(job.folder, facts, is_resumed=job.is_resumed)


def _fit(
    job: Job,
    part: Dataset,
    decoded: Mapping[str, Decoded],
    placement: Placement,
    listener: Listener,
) -> Fitted:
    listener.stage("Training")
    network = Network(
        job.recipe,
        classes=len(part.classes),
        keypoints=count_keypoints(part),
        presence=job.presence,
    )
    last = last_checkpoint(job.folder)
    resume = last if last.is_file() else None
    if resume is None:
        network.load_state_dict(load_file(job.initial))
    budget_s = None if job.ends_at is None else max(1.0, job.ends_at - time.time())
    limits = FitLimits(resume, budget_s, budget_s, placement)
    fitted = fit(network, job.recipe, decoded, job.checkpoints, listener, limits)
    return replace(fitted, devices=tuple(from_all(fitted.devices[0])))
