"""A search for good arguments of a model: trials that learn from those before, kept in the home.

Every trial is fitted and measured on the training part of a protocol, split once more by the same protocol;
what `acclimate evaluate` measures is never looked at. What stops the search, be it a kill, costs nothing:
the next one with the same data and settings goes on, unfinished fits too.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import msgspec

from acclimate import __version__
from acclimate.adapt.feedback import gather
from acclimate.adapt.found import Found, rounded, words
from acclimate.adapt.spaces import Space, holds, space_of
from acclimate.adapt.study import as_trial, finished, importances, open_trials, quiet, suggest
from acclimate.adapt.train import Trainer, data_sha256
from acclimate.adapt.trials import METRIC, Done, Epoch, Failed, Stopped, Work, Worker, first_to_speak
from acclimate.data.dataset import Dataset
from acclimate.data.held_out import Split
from acclimate.data.split import SPLITS
from acclimate.errors import NotFoundError, check_range, nearest
from acclimate.evaluate.ranking import check_targets
from acclimate.models import arguments, defaults
from acclimate.progress import counting
from acclimate.rng import generator
from acclimate.words import counted

if TYPE_CHECKING:
    import optuna

PROTOCOLS = ("last", "time")
"""Protocols whose training part can be split once more in the same way."""
RANDOM = 8
"""Trials before the search begins to learn from them."""


@dataclass(frozen=True)
class Parts:
    """What a search may look at, and the hash of what it may not.

    Args:
        inner: The training part, split once more: what trials are fitted on, and have to foresee.
        test_sha256: Of the targets that ``acclimate evaluate`` asks for.
    """

    inner: Split
    test_sha256: str


def check_search(trainer: Trainer, model: str, protocol: str) -> Space:
    """Look at what was asked for, before any work is done; return what is searched.

    Raises:
        NotFoundError: No such model or protocol, or there are no data.
        InputError: An argument does not fit, the model has nothing to tune, or all of it is set.
    """
    if protocol not in PROTOCOLS:
        hint = nearest(protocol, PROTOCOLS)
        message = f"no protocol {protocol!r} for a search: {hint}"
        raise NotFoundError(message, code="unknown_protocol", field="protocol")
    space = space_of(model, trainer.settings.train.params)
    trainer.check([model])
    return space


def parts_of(data: Dataset, protocol: str, seed: int = 0, again: float = float("inf")) -> Parts:
    """Split the training part of ``protocol`` once more by the same protocol.

    Raises:
        InputError: Nothing can be held out.

    Example:
        >>> data = Dataset.of([("ann", item, n + 1.0) for n, item in enumerate(["heat", "alien", "up"])])
        >>> parts = parts_of(data, "last")
        >>> data.items.ids[parts.inner.targets[0]], len(parts.inner.train)
        ('alien', 1)
    """
    outer = SPLITS[protocol](data, seed, again)[0]
    check_targets(outer)
    inner = SPLITS[protocol](outer.train, seed, again)[0]
    check_targets(inner)
    return Parts(replace(inner, parts={}, among={}, beside={}), outer.targets_sha256)


class Search:
    """Tries arguments of one model, and keeps what came of it in the home.

    Args:
        trainer: Builds the models. Its ``train.params`` are fixed and not searched.
        model: Registered name.
        protocol: One of `PROTOCOLS`.
        jobs: Trials at the same time, each in a process of its own.
        minutes: How long, at most; None until all trials are done.
    """

    def __init__(
        self,
        trainer: Trainer,
        model: str,
        protocol: str = "last",
        *,
        jobs: int = 1,
        minutes: float | None = None,
    ) -> None:
        self.trainer, self.model, self.protocol, self.jobs, self.minutes = (
            trainer,
            model,
            protocol,
            check_range("jobs", jobs, 1, 64),
            minutes,
        )
        self.space = check_search(trainer, model, protocol)
        train = trainer.settings.train
        self.fixed = {key: value for key, value in train.params.items() if key in arguments(model)}
        self._unfinished = 0

    def run(self, trials: int) -> Found:
        """Go on until there are ``trials`` of this search, those of earlier runs included.

        Who calls this holds `acclimate.adapt.train.Trainer.alone`.

        Raises:
            NotFoundError: There are no data.
            InputError: Nothing can be held out.
            CorruptError: The file of the trials is damaged.
        """
        check_range("trials", trials, 1, 100_000)
        settings = self.trainer.settings
        data = gather(self.trainer.home, settings).data
        parts = parts_of(data, self.protocol, settings.train.seed, settings.repeat.again)
        with quiet(), open_trials(self.trainer.home.tuning) as storage:
            study = self._study(storage, self._key(data))
            before = len(finished(study))
            self._take_up(study)
            self.trainer.say(
                f"searching {counted(len(self.space), 'argument')} of {self.model} on {parts.inner.train!r}"
                + (f", after {counted(before, 'trial')} of an earlier run" if before else "")
            )
            if before < trials:
                self._go_on(study, parts, trials - before)
            return self._found(study, parts, data.name, before)

    def _key(self, data: Dataset) -> str:
        """Return a name for all that decides what a trial comes to."""
        settings = msgspec.to_builtins(self.trainer.settings)
        for name in ("policy", "serve"):
            del settings[name]
        for name in ("model", "params", "tuned", "tracking", "device"):
            del settings["train"][name]
        made = {
            "version": __version__,
            "data": data_sha256(data),
            "model": self.model,
            "protocol": self.protocol,
            "fixed": self.fixed,
            "space": repr(self.space),
            "settings": settings,
            "encoder": self.trainer.encoder.name if "encoder" in arguments(self.model) else "",
        }
        told = hashlib.sha256(msgspec.json.encode(made, order="deterministic")).hexdigest()
        return f"{self.model}-{told[:16]}"

    def _study(self, storage: Any, name: str) -> optuna.Study:
        import optuna

        pruner = optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=3, n_min_trials=4)
        study = optuna.create_study(
            storage=storage, study_name=name, direction="maximize", pruner=pruner, load_if_exists=True
        )
        rng = generator(self.trainer.settings.train.seed, "tune", len(study.trials))
        study.sampler = optuna.samplers.TPESampler(
            n_startup_trials=RANDOM,
            multivariate=True,
            constant_liar=self.jobs > 1,
            seed=int(rng.integers(2**31)),
        )
        if not study.trials:
            for known in (defaults(self.model), self.trainer.settings.train.tuned.get(self.model, {})):
                if all(name in known and holds(each, known[name]) for name, each in self.space.items()):
                    params = {name: known[name] for name in self.space}
                    study.enqueue_trial(params, skip_if_exists=True)
        return study

    def _take_up(self, study: optuna.Study) -> None:
        """Put the trials that a stopped search left behind back into the queue."""
        import optuna

        for trial in study.get_trials(states=(optuna.trial.TrialState.RUNNING,)):
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
            params = trial.system_attrs.get("fixed_params", trial.params)
            if params.keys() == self.space.keys():
                study.enqueue_trial(params, user_attrs={"folder": trial.number, **trial.user_attrs})

    def _go_on(self, study: optuna.Study, parts: Parts, wanted: int) -> None:
        """Run ``wanted`` more trials, or as many as the time allows."""
        end = None if self.minutes is None else monotonic() + 60 * self.minutes
        threads = max(1, (os.cpu_count() or 1) // self.jobs)
        work = Work(self.trainer.home, self.trainer.settings, self.model, parts.inner, threads)
        running: dict[Worker, optuna.Trial] = {}
        idle: list[Worker] = []
        with ExitStack() as stack, counting(wanted, "searching, trial", shown=True, lines=wanted) as tell:
            while wanted or running:
                while wanted and len(running) < self.jobs:
                    if not idle:
                        idle.append(Worker(work))
                        stack.callback(idle[-1].end)
                    worker = idle.pop()
                    running[worker] = self._start(study, worker)
                    wanted -= 1
                left = None if end is None else max(0.0, end - monotonic())
                spoken = first_to_speak(list(running), left)
                if left == 0.0 or not spoken:
                    self._unfinished = len(running)
                    return
                for worker in spoken:
                    if line := self._hear(study, worker, running[worker]):
                        tell(1, line)
                        _tidy(self._folder(study, running.pop(worker)))
                        idle += [worker] if worker.alive else []

    def _start(self, study: optuna.Study, worker: Worker) -> optuna.Trial:
        trial = study.ask()
        params = {name: suggest(trial, name, each) for name, each in self.space.items()}
        worker.start(rounded(params), self._folder(study, trial))
        return trial

    def _folder(self, study: optuna.Study, trial: optuna.Trial) -> Path:
        """Return where a trial's fit is kept: for one that was stopped, where it was."""
        number = trial.user_attrs.get("folder", trial.number)
        return self.trainer.home.cache / "training" / "tune" / f"{study.study_name}-{number}"

    def _hear(self, study: optuna.Study, worker: Worker, trial: optuna.Trial) -> str:
        """Take in what a worker says of its trial; return a line once the trial has ended."""
        from optuna.trial import TrialState

        match worker.hear():
            case Epoch(number, figure):
                trial.report(figure, number)
                worker.answer(give_up=trial.should_prune())
                return ""
            case Done(figure, low, high, seconds):
                trial.set_user_attr("interval", [low, high])
                trial.set_user_attr("fit_seconds", seconds)
                study.tell(trial, figure)
                line = f"{METRIC} {figure:.4f}, best {study.best_value:.4f}"
            case Stopped():
                study.tell(trial, state=TrialState.PRUNED)
                line = "stopped early: below the median"
            case Failed(why):
                trial.set_user_attr("why", why)
                study.tell(trial, state=TrialState.FAIL)
                self.trainer.say(f"a trial failed with {words(rounded(trial.params))}: {why}")
                line = "failed"
        return f"{line}  {words(rounded(trial.params))}"

    def _found(self, study: optuna.Study, parts: Parts, dataset: str, before: int) -> Found:
        """Return everything that is known by now."""
        trials = [as_trial(number, each) for number, each in enumerate(finished(study), 1)]
        return Found(
            dataset=dataset,
            model=self.model,
            protocol=self.protocol,
            metric=METRIC,
            space=dict(self.space),
            fixed=self.fixed,
            targets_sha256=parts.inner.targets_sha256,
            n_targets=parts.inner.n_targets,
            test_sha256=parts.test_sha256,
            trials=trials,
            importances=importances(study),
            before=before,
            unfinished=self._unfinished,
        )


def _tidy(folder: Path) -> None:
    """Remove what a trial that ended left in its folder, but for the logs."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name != "logs":
            shutil.rmtree(path, ignore_errors=True)
    with suppress(OSError):
        folder.rmdir()
