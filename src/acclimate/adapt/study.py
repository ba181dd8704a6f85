"""What Optuna keeps of a search, read and written in our words."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acclimate.adapt.found import Trial, rounded
from acclimate.adapt.spaces import Choice, Range, Whole
from acclimate.errors import AcclimateError, CorruptError, machine_error

if TYPE_CHECKING:
    import optuna


def suggest(trial: optuna.Trial, name: str, each: Range) -> Any:
    """Return what the search tries next for one argument."""
    if isinstance(each, Choice):
        return trial.suggest_categorical(name, each.values)
    if isinstance(each, Whole):
        return trial.suggest_int(name, each.low, each.high, log=each.log)
    return trial.suggest_float(name, each.low, each.high, log=each.log)


def finished(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """Return the trials that came to an end, oldest first; a search that was stopped leaves others too."""
    from optuna.trial import TrialState

    ended = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL))
    return [trial for trial in ended if trial.state != TrialState.FAIL or "why" in trial.user_attrs]


def as_trial(number: int, each: optuna.trial.FrozenTrial) -> Trial:
    """Return a trial that came to an end, the ``number``-th of them."""
    names = {"COMPLETE": "done", "PRUNED": "stopped", "FAIL": "failed"}
    low, high = each.user_attrs.get("interval", (None, None))
    return Trial(
        number=number,
        state=names[each.state.name],
        params=rounded(each.params),
        figure=each.value if each.state.name == "COMPLETE" else None,
        low=low,
        high=high,
        epochs=[float(figure) for _, figure in sorted(each.intermediate_values.items())],
        seconds=each.duration.total_seconds() if each.duration else 0.0,
        fit_seconds=each.user_attrs.get("fit_seconds"),
        why=each.user_attrs.get("why"),
    )


def importances(study: optuna.Study) -> dict[str, float]:
    """Return the share of each argument in the variance of the figures; nothing for few or equal trials.

    Few are less than four, or not more than there are arguments.
    """
    import optuna
    from optuna.trial import TrialState

    done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    few = len(done) < 4 or len(done) <= max(len(trial.params) for trial in done)
    if few or len({trial.value for trial in done}) < 2:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    found = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return {name: float(share) for name, share in found.items()}


@contextmanager
def open_trials(path: Path) -> Iterator[Any]:
    """Yield Optuna's storage in one SQLite file.

    Raises:
        CorruptError: It cannot be read; says what to do.
        AcclimateError: The disk is full, or something like it.
    """
    from optuna.exceptions import StorageInternalError
    from optuna.storages import RDBStorage
    from sqlalchemy import URL
    from sqlalchemy.exc import SQLAlchemyError

    path.parent.mkdir(parents=True, exist_ok=True)
    url = URL.create("sqlite", database=str(path)).render_as_string(hide_password=False)
    try:
        storage = RDBStorage(url, engine_kwargs={"connect_args": {"timeout": 60}})
        try:
            yield storage
        finally:
            storage.engine.dispose()
    except (SQLAlchemyError, StorageInternalError) as error:
        if words := machine_error(error):
            raise AcclimateError(
                f"cannot write {path}: {words}", code="not_writable", field="home"
            ) from error
        raise CorruptError(
            f"cannot use the trials in {path} ({' '.join(str(error).split())[:200]}): move the file away to "
            "begin the search anew",
            field="home",
        ) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Optuna's remarks off the terminal."""
    import optuna

    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            optuna.logging.set_verbosity(level)
