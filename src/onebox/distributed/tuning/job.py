"""A search from data and recipe to the best recipe, its page, and a model trained with it."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from onebox.distributed.cluster import connected, require_ray
from onebox.distributed.tuning.budget import Budget
from onebox.distributed.tuning.dimensions import Space
from onebox.distributed.tuning.drawing import draw
from onebox.distributed.tuning.full_training import Best, Trained, train_best
from onebox.distributed.tuning.journal import Journal
from onebox.distributed.tuning.learning import import_trial
from onebox.distributed.tuning.preflight import check_open, data_of_trials, open_settings
from onebox.distributed.tuning.recorder import Recorder
from onebox.distributed.tuning.records import Found, Question, TuneFiles, TuneOptions
from onebox.distributed.tuning.results import best_recipe, write_results
from onebox.distributed.tuning.search import divide, search
from onebox.distributed.tuning.space import as_tables, default_space, parse_space, read_space
from onebox.distributed.tuning.trial_worker import TrialInputs
from onebox.errors import OneboxError, SettingError
from onebox.progress import Listener
from onebox.recipes.recipe import Recipe, check_recipe
from onebox.runs.preflight import check_classes, check_data
from onebox.structures import Dataset


@dataclass(frozen=True, slots=True)
class Request:
    """A new search.

    Attributes:
        recipe: The recipe to tune.
        trials: Number of trials, the recipe itself included.
        space: A space file; None for the default space.
        weights: Initial weights, as in `onebox.train`.
    """

    recipe: Recipe
    trials: int
    space: Path | None = None
    weights: Path | None = None


@dataclass(frozen=True, slots=True)
class Tuned:
    """What a search left behind.

    Attributes:
        found: Its trials.
        files: Its files.
        trained: The full training; None if it was not asked for.
    """

    found: Found
    files: TuneFiles
    trained: Trained | None


def start(
    data: Dataset, request: Request, folder: Path, options: TuneOptions, listener: Listener
) -> Tuned:
    """Draw the trials of a new search, run them, and train with the best recipe.

    Args:
        data: Read by `onebox.read`; its recipe is checked already (`preflight`).
        request: What to search.
        folder: Where the results go; new or empty.
        options: How to search.
        listener: Told of the progress.

    Raises:
        OneboxError: If Ray or weights cannot be had, or every trial failed.
        DataError: If the images cannot be trained on.
        SettingError: If settings are wrong or do not fit together, or the time is too short.
        KeyboardInterrupt: If the user stopped it; what has finished is kept.
    """
    require_ray()
    checked = _checked(data, request.recipe, listener)
    space = _space(request, checked, listener)
    trials = draw(space, request.trials, request.recipe.train.seed)
    if len(trials) < request.trials:
        listener.note(f"the space has only {len(trials)} different trials.")
    question = Question(
        recipe=request.recipe.model_dump(mode="json", exclude_none=True),
        space=as_tables(space),
        weights=None if request.weights is None else str(request.weights.absolute()),
        seed=request.recipe.train.seed,
        trials=trials,
        digests=_digests(checked, request.recipe, listener),
    )
    with Journal(TuneFiles(folder).journal, question) as journal:
        return _continue(checked, journal, options, listener)


def resume(
    data: Dataset, folder: Path, space: Path | None, options: TuneOptions, listener: Listener
) -> Tuned:
    """Run the trials of a search that have not finished, and train with the best recipe.

    Args:
        data: The same data set as before.
        folder: The folder of the search.
        space: The same space file as before, or None; another is refused.
        options: How to search.
        listener: Told of the progress.

    Raises:
        OneboxError: As `start`.
        DataError: As `start`.
        SettingError: As `start`, and if the data or the space have changed.
        KeyboardInterrupt: As `start`.
    """
    require_ray()
    with Journal(TuneFiles(folder).journal) as journal:
        recipe = check_recipe(journal.question.recipe, place=str(journal.path))
        if space is not None and as_tables(read_space(space, recipe)) != journal.question.space:
            raise SettingError(
                f"--space {space}: is not the space of the search in {folder}. Leave --space out, "
                "or start a new search."
            )
        checked = _checked(data, recipe, listener)
        if _digests(checked, recipe, listener) != journal.question.digests:
            raise SettingError(
                f"--resume {folder}: its images or labels have changed since, or it searched on "
                "another data set. Start a new search."
            )
        return _continue(checked, journal, options, listener)


def read_recipe_of(folder: Path) -> Recipe:
    """The recipe that a search in a folder tunes.

    Raises:
        OneboxError: If another process has the search open.
        SettingError: If the folder holds no search.
    """
    with Journal(TuneFiles(folder).journal) as journal:
        return check_recipe(journal.question.recipe, place=str(journal.path))


def _checked(data: Dataset, recipe: Recipe, listener: Listener) -> Dataset:
    """The data with the images held out that every trial and the full training hold out."""
    for note in data.notes:
        listener.note(note)
    checked = check_data(data, listener.note)
    check_classes(checked, recipe)
    return dataclasses.replace(checked, notes=())  # the full training need not repeat them


def _space(request: Request, data: Dataset, listener: Listener) -> Space:
    recipe, file = request.recipe, request.space
    asked = default_space(recipe) if file is None else read_space(file, recipe)
    space, decided = open_settings(asked, recipe, data, request.weights)
    if file is not None:
        check_open(decided, str(file))
    for name, value in decided.items():
        listener.note(f"{name} is not searched: the initial weights need {value}.")
    return space


def _digests(data: Dataset, recipe: Recipe, listener: Listener) -> Mapping[str, str]:
    digests: Mapping[str, str] = import_trial().decode_splits(data, recipe.decoded_side, listener)
    return digests


def _continue(data: Dataset, journal: Journal, options: TuneOptions, listener: Listener) -> Tuned:
    minutes = options.minutes
    ends_s = None if minutes is None else options.started_s + minutes * 60
    budget = Budget(ends_s, minutes or 0.0, options.is_trained)
    files = TuneFiles(journal.path.parent)
    recorder = Recorder(journal, budget, listener)
    if journal.pending():
        _search(data, journal, recorder, options, listener)
    found = _found(journal)
    if found.outcomes:
        listener.stage("Writing the results")
        write_results(found, files, _facts(data, found))
    _check_outcome(found, recorder, journal, listener)
    recipe, best = best_recipe(found, data.name), found.best
    trained = None
    if options.is_trained and recipe is not None and best is not None:
        trained = train_best(data, Best(best.number, recipe), journal, budget, listener)
    return Tuned(found, files, trained)


def _search(
    data: Dataset,
    journal: Journal,
    recorder: Recorder,
    options: TuneOptions,
    listener: Listener,
) -> None:
    question, pending = journal.question, journal.pending()
    listener.stage("Connecting to the cluster")
    with connected(options.on) as cluster:
        shares = divide(cluster, len(question.trials), options.workers)
        weights = None if question.weights is None else Path(question.weights)
        inputs = TrialInputs(
            data_of_trials(data), question.recipe, question.trials, weights, shares.threads
        )
        listener.stage(f"Running {len(pending)} trials, {shares.workers} at once")
        recorder.show()
        search(inputs, pending, tuple(journal.outcomes), recorder, shares)


def _found(journal: Journal) -> Found:
    recipe = check_recipe(journal.question.recipe, place=str(journal.path))
    space = parse_space(journal.question.space, recipe, place=str(journal.path))
    return Found(journal.question, space, tuple(journal.outcomes))


def _check_outcome(found: Found, recorder: Recorder, journal: Journal, listener: Listener) -> None:
    # A search ends here if it cannot go on: Ctrl-C, too little time, or nothing but failures.
    folder, pending = journal.path.parent, len(journal.pending())
    if recorder.is_interrupted:
        listener.note(
            f"stopped; {len(found.outcomes)} of {len(found.question.trials)} trials have finished "
            f"and are kept. Continue with --resume {folder}."
        )
        raise KeyboardInterrupt
    if recorder.refusal is not None:
        raise recorder.refusal
    if found.best is None and pending:
        raise SettingError(
            f"--minutes: no trial trained to its end in time. Continue with --resume {folder} and "
            "more minutes."
        )
    if found.best is None:
        errors = [one.error for one in found.outcomes if one.error]
        raise OneboxError(f"{folder}: every trial failed; the first one: {errors[0]}")
    if pending:
        listener.note(f"{pending} trials did not fit into --minutes. --resume {folder} runs them.")


def _facts(data: Dataset, found: Found) -> dict[str, str]:
    recipe = check_recipe(found.question.recipe, place="recipe")
    weights = found.question.weights
    return {
        "Data": data.name,
        "Training images": str(len(data.part("train"))),
        "Validation images": str(len(data.part("val"))),
        "Backbone": recipe.model.backbone,
        "Weights": "-" if weights is None else Path(weights).name,
        "Seed": str(found.question.seed),
    }
