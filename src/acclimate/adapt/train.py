"""From a home to a published snapshot: gather, compare, fit on everything, gate, publish."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import msgspec

from acclimate import __version__
from acclimate.adapt.choices import again_told, best
from acclimate.adapt.feedback import Gathered, check_data, gather
from acclimate.adapt.gate import first_verdict
from acclimate.adapt.start import Started, check_adapter, told_before
from acclimate.adapt.unused import unused, unused_by
from acclimate.config import Home, Settings
from acclimate.data.dataset import Dataset
from acclimate.data.split import split_last
from acclimate.devices import choose_device
from acclimate.encode import check_encoder, make_encoder
from acclimate.encode.tuning import Tuning, forget_older
from acclimate.errors import AcclimateError, InputError, NotFoundError, nearest
from acclimate.evaluate.compare import Interval
from acclimate.evaluate.protocols import evaluate
from acclimate.evaluate.ranking import nothing_held_out
from acclimate.evaluate.results import Report
from acclimate.locks import lock
from acclimate.models import MODELS, arguments, make_model
from acclimate.policies import make_policy
from acclimate.snapshot import FORMAT, Registry, Snapshot
from acclimate.tracking import check_tracking
from acclimate.training import Training
from acclimate.training.spent import spent
from acclimate.types import Encoder, Model, Verdict

BASELINE = "popularity"
"""What the gate compares with."""
OURS = frozenset({"encoder", "seed", "training"})
"""Arguments that come from settings of their own."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A snapshot that was published, and how it came about.

    Args:
        snapshot: It is the current one now.
        model: The model in it, fitted on everything.
        report: How it and its rivals did when they had to foresee; None where nothing can be held out.
        metrics: The model's own figures in ``report``; empty without one.
        verdict: What the gate found.
        fit_seconds: How long the fit on everything took.
    """

    snapshot: Snapshot
    model: Model
    report: Report | None
    metrics: Mapping[str, Interval]
    verdict: Verdict
    fit_seconds: float


class Trainer:
    """Builds, compares, fits and publishes models in one home.

    Args:
        home: Where data, log, cache and snapshots lie.
        settings: The tables ``train``, ``adapter``, ``events`` and ``repeat`` are used. ``train.params`` go
            to every model that takes an argument of that name, and stand above what ``train.tuned`` has for a
            model.
        progress: Whether fits and encoders say on stderr how far they are.
        say: Hears one line when a new part of the work begins.
        start: What fits of the same model start from; the encoder is then the one that was learned with.
        keep: Whether fits that end are kept until `alone` ends, so that none is redone after a kill.
    """

    def __init__(
        self,
        home: Home,
        settings: Settings,
        *,
        progress: bool = False,
        say: Callable[[str], None] = lambda line: None,
        start: Started | None = None,
        keep: bool = False,
    ) -> None:
        self.home, self.settings, self.progress, self.say = home, settings, progress, say
        self.start = start
        self.training = Training(
            home.cache / "training",
            settings.train.device,
            progress,
            tracking=settings.train.tracking,
            item_rows=settings.train.item_rows,
            keep=keep,
        )
        """Where and how neural models are fitted."""
        self._refit: dict[str, dict[str, Any]] = {}
        self._replaced: list[str] = []
        self._unused: list[str] = []

    @cached_property
    def encoder(self) -> Encoder:
        """Reads the items; its vectors are kept in the home."""
        train = self.settings.train
        return make_encoder(
            train.encoder,
            cache=self.home.cache / "vectors",
            device=train.device,
            progress=self.progress,
            tuning=None if self.start else tuning_of(self.settings),
            training=replace(self.training, watch=None),
            pooling=train.pooling,
            max_length=train.max_tokens,
            precision=train.precision,
        )

    @property
    def notes(self) -> list[str]:
        """What a user should know by now: that the encoder stands in for a missing one, if it was used, which
        settings changed nothing, and that what was replaced had the better figure.
        """
        used = vars(self).get("encoder")
        return [*([used.note] if used is not None and used.note else []), *self._unused, *self._replaced]

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be the only one that fits models in this home: who resumes a fit must not find that of another.

        What ``keep`` has kept is thrown away at the end, unless there was an error.

        Raises:
            BusyError: Another process does; names it, and since when.
        """
        with lock(self.home.path / "training.lock", what=f"training or evaluating in {self.home.path}"):
            yield
            self.training.forget_finished()
            forget_older(self.home.cache / "training")

    def check(self, names: Sequence[str]) -> None:
        """Look at what was asked for, before any work is done.

        Raises:
            NotFoundError: No such model, policy or encoder; names the nearest. Or the home holds nothing to
                learn from.
            InputError: A name comes twice, ``train.params`` has an argument that none of them takes, or a
                neural model shall run on a device that is not there.
        """
        if len(set(names)) < len(names) or not names:
            raise InputError(f"name each model once, got {', '.join(names) or 'none'}", field="model")
        for name in names:
            if name not in MODELS:
                raise NotFoundError(
                    f"no model {name!r}: {nearest(name, MODELS)}", code="unknown_model", field="model"
                )
        check_tracking(self.settings.train.tracking)
        make_policy(self.settings.policy)
        check_encoder(self.settings.train.encoder)
        tuning_of(self.settings)
        check_data(self.home)
        self._check_tuned(names)
        wanted = {argument for name in names for argument in arguments(name)}
        taken = wanted - OURS
        for key in self.settings.train.params.keys() - taken:
            hint = nearest(key, taken) if taken else "it takes none"
            hint = f"set train.{key} instead" if key in OURS & wanted & {"seed", "encoder"} else hint
            raise InputError(
                f"{' and '.join(names)}: no argument {key!r}: {hint}", field=f"train.params.{key}"
            )
        if self.settings.train.params.get("epochs") == 0 and "sequence" in names and not self.start:
            why = "nothing is learned, which is for a model that starts from another: give --from, or more"
            raise InputError(f"train.params.epochs is 0: {why}", field="train.params.epochs")
        if "training" in wanted:
            choose_device(self.settings.train.device)
        if self.start:
            check_adapter(self.start, self.settings)
            self.build(self.start.model.name)
        self._tell_unused(unused(self.settings, names))

    def _tell_unused(self, found: Sequence[str]) -> None:
        """Say now what of the settings changes nothing, before it costs any time."""
        for note in found:
            if note not in self._unused:
                self._unused.append(note)
                self.say(f"note: {note}")

    def _check_tuned(self, names: Sequence[str]) -> None:
        tuned = self.settings.train.tuned
        for name in tuned:
            if name not in MODELS:
                raise InputError(
                    f"train.tuned: no model {name!r}: {nearest(name, MODELS)}", field=f"train.tuned.{name}"
                )
        for name in names:
            taken = set(arguments(name)) - OURS
            for key in tuned.get(name, {}).keys() - taken:
                hint = nearest(key, taken) if taken else "it takes none"
                raise InputError(
                    f"train.tuned.{name}: no argument {key!r}: {hint}", field=f"train.tuned.{name}.{key}"
                )

    def build(self, name: str, *, fresh: bool = False, **learned: Any) -> Model:
        """Return an unfitted model with what ``train.tuned`` and ``train.params`` say, and with ``learned``.

        What was learned stands above what was set. A ``fresh`` one starts from nothing.

        Raises:
            NotFoundError: No such model; names the nearest.
            InputError: An argument does not fit.
        """
        train, allowed = self.settings.train, arguments(name)
        tuned = train.tuned.get(name, {})
        set_to = {**again_told(self.settings.repeat.again), **tuned, **train.params}
        if set_to.get("loss", "full") != "full" and "repeats" not in train.params:
            set_to.pop("repeats", None)
        offered: dict[str, Any] = {**set_to, "seed": train.seed, "training": self.training}
        params = {key: value for key, value in offered.items() if key in allowed} | learned
        encoder = self.encoder if "encoder" in allowed else None
        try:
            model = make_model(name, encoder, **params)
        except (InputError, TypeError, ValueError) as error:
            what = "train.params and train.tuned" if tuned else "train.params"
            raise InputError(f"{what} of {name}: {error}", field="train.params") from error
        if self.start and self.start.model.name == name and not fresh:
            model.start_from(self.start.model, self.start.catalogue)  # type: ignore[attr-defined]
        return model

    def compare(
        self,
        names: Sequence[str],
        data: Dataset,
        *,
        protocol: str = "last",
        k: int | Sequence[int] = 10,
        seeds: int = 1,
    ) -> Report:
        """Fit each model on the training part of ``data`` and measure what it foresees.

        A model that takes a seed is fitted with ``seeds`` of them, ``train.seed`` and those that follow.

        Raises:
            InputError: No such protocol, or nothing can be held out.
        """
        told = told_before(self.start, names, data, protocol, self.settings)
        self._tell_unused([*unused_by(self.settings, names, data), *told])
        first, fresh = self.settings.train.seed, bool(told)
        models = {
            name: [self.build(name, fresh=fresh, seed=seed) for seed in range(first, first + seeds)]
            if "seed" in arguments(name)
            else [self.build(name)]
            for name in names
        }
        self.say(f"comparing {', '.join(names)} on {data!r}")
        report = evaluate(
            list(models.values()),
            data,
            protocol=protocol,
            k=k,
            seed=first,
            again=self.settings.repeat.again,
            progress=self.progress,
        )
        self._refit = {name: getattr(group[0], "refit", {}) for name, group in models.items()}
        return report

    def train(self, names: Sequence[str], gathered: Gathered | None = None) -> Trained:
        """Compare ``names`` (and popularity), fit the best on everything, and publish it if the gate agrees.

        Where nothing can be held out there is no telling which is best: the first is taken.

        Raises:
            InputError: There are no data, no such model, or none of them can be fitted on so much data.
            AcclimateError: The gate refused; the snapshot is kept, and not published.
        """
        self.check(names)
        gathered = gathered or gather(self.home, self.settings)
        return self._publish(gathered, *self._fit(names, gathered))

    def follow(self, names: Sequence[str]) -> None:
        """Fit what the first of several processes fits in `train`, with it; nothing is written."""
        self.check(names)
        self._fit(names, gather(self.home, self.settings))

    def _fit(self, names: Sequence[str], gathered: Gathered) -> tuple[Model, Report | None, float, str]:
        """Return the best model, fitted on everything, how it was compared or why not, and seconds."""
        report, name, missing = None, names[0], ""
        split = split_last(gathered.data, again=self.settings.repeat.again)
        if not split.n_targets:
            missing = nothing_held_out(split)
        else:
            report = self.compare(list(dict.fromkeys([*names, BASELINE])), gathered.data)
            name = best(report, names)
        model = self.build(name, **self._refit.get(name, {}))
        self.say(f"fitting {name} on all of {gathered.data!r}")
        with spent() as took:
            model.fit(gathered.data)
        return model, report, took.seconds, missing

    def fingerprint(self, data: Dataset, names: Sequence[str]) -> str:
        """Return a hash of what decides `train`: imported data, settings, models, encoder."""
        made = {
            "version": __version__,
            "format": FORMAT,
            "data": data_sha256(data),
            "train": msgspec.to_builtins(self.settings.train),
            "adapter": msgspec.to_builtins(self.settings.adapter),
            "events": msgspec.to_builtins(self.settings.events),
            "repeat": msgspec.to_builtins(self.settings.repeat),
            "encoder": self.encoder.name,
            "models": list(names),
        }
        return hashlib.sha256(msgspec.json.encode(made, order="deterministic")).hexdigest()

    def _publish(
        self, gathered: Gathered, model: Model, report: Report | None, seconds: float, missing: str
    ) -> Trained:
        self.say("saving the snapshot")
        registry = Registry(self.home.snapshots)
        metrics = metrics_of(report, model.name)
        snapshot = registry.write(model, gathered.state, metrics=metrics, settings=self.settings)
        verdict = first_verdict(snapshot, report=report, missing=missing)
        try:
            before = registry.current()
        except AcclimateError:  # damaged: this one takes its place
            before = None
        registry.publish(snapshot, verdict)
        self._replaced = better_before(before, metrics)
        return Trained(snapshot, model, report, metrics, verdict, seconds)


def tuning_of(settings: Settings) -> Tuning | None:
    """Return how the table ``adapter`` says that the encoder is tuned; None if it is frozen.

    Raises:
        InputError: A value does not fit.

    Example:
        >>> tuning_of(Settings())
    """
    table = msgspec.to_builtins(settings.adapter)
    try:
        tuning = Tuning(table.pop("name"), **table, seed=settings.train.seed)
        tuning.rewording()
    except InputError as error:
        raise InputError(f"table adapter: {error}", code=error.code, field="adapter") from error
    return None if tuning.adapter == "frozen" else tuning


def better_before(before: Snapshot | None, metrics: Mapping[str, Interval]) -> list[str]:
    """Return a line if the snapshot ``before`` had a better figure than ``metrics``, else nothing."""
    told = before.manifest["metrics"] if before else {}
    for name in sorted(told.keys() & metrics.keys()):
        was, now = float(told[name]["mean"]), metrics[name].mean
        if name.startswith("ndcg@") and was > now:
            assert before is not None
            return [
                f"{before.manifest['model']}, which this replaces, had {name} {was:.4f} when it was made, "
                f"this has {now:.4f}; both were asked the same only if the data have not changed since. Go "
                f"back with acclimate snapshots rollback {before.id}"
            ]
    return []


def metrics_of(report: Report | None, name: str) -> Mapping[str, Interval]:
    """Return what ``report`` says of one model; nothing if there is no report."""
    found = [entry.metrics for entry in report.models if entry.name == name] if report else []
    return found[0] if found else {}


def data_sha256(data: Dataset) -> str:
    """Return a hash of the events and the texts of a dataset.

    Example:
        >>> data = Dataset.of([("ann", "heat", 1.0)])
        >>> data_sha256(data)[:8] == data_sha256(data.before(2.0))[:8]
        True
    """
    digest = hashlib.sha256()
    for array in (data.user, data.item, data.time, data.value, data.weight):
        digest.update(array.tobytes())
    for words in (data.users.ids, data.items.ids, data.texts):
        digest.update(msgspec.json.encode(words))
    return digest.hexdigest()
