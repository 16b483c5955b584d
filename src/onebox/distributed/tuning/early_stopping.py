"""Early stopping of trials by ASHA, as Ray Tune has it.

At a quarter and at half of the schedule, a trial that is worse than the median of those that were
there before it is stopped. The first trial, the recipe unchanged, is never stopped: what the search
finds is compared with it.

References:
    Li et al., "A System for Massively Parallel Hyperparameter Tuning", arXiv:1810.05934.
"""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from onebox.distributed.tuning.records import WHOLE, Outcome
from onebox.distributed.tuning.trial_worker import NUMBER, PROGRESS, VALUE
from onebox.optional import require

# Not tuned. Earlier, the learning rate is still high and a backbone may be frozen, so the order of
# the trials says little about their order at the end.
FIRST_RUNG, FACTOR = 25, 2


def make_scheduler(finished: Sequence[Outcome]) -> Any:  # noqa: ANN401 - Ray is imported by name
    """A scheduler that knows what the trials of an earlier part of the search reached.

    Args:
        finished: The trials that have finished, in their order.
    """
    schedulers = require("ray.tune.schedulers", extra="ray", purpose="searches")

    class SpareFirst(schedulers.ASHAScheduler):  # type: ignore[misc, name-defined]
        """ASHA that lets the first trial go on."""

        def on_trial_result(self, tune_controller: Any, trial: Any, result: Any) -> Any:  # noqa: ANN401
            action = super().on_trial_result(tune_controller, trial, result)
            is_spared = trial.config[NUMBER] == 0 and result.get(PROGRESS, WHOLE) < WHOLE
            return self.CONTINUE if is_spared else action

    scheduler = SpareFirst(
        time_attr=PROGRESS, metric=VALUE, mode="max", max_t=WHOLE, grace_period=FIRST_RUNG,
        reduction_factor=FACTOR,
    )  # fmt: skip
    for outcome in finished:
        _replay(scheduler, outcome)
    return scheduler


def _replay(scheduler: Any, outcome: Outcome) -> None:  # noqa: ANN401
    trial = SimpleNamespace(trial_id=f"earlier-{outcome.number}", config={NUMBER: outcome.number})
    scheduler.on_trial_add(None, trial)
    for point in outcome.curve:
        scheduler.on_trial_result(None, trial, {PROGRESS: point.progress, VALUE: point.value})
    scheduler.on_trial_remove(None, trial)
