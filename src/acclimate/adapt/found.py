"""What a search came to: every trial, the best of them, and the settings that make others use it."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from acclimate.adapt.spaces import Space
from acclimate.durable import replace_file
from acclimate.errors import InputError
from acclimate.models import AUTO, defaults
from acclimate.words import counted


@dataclass(frozen=True, slots=True)
class Trial:
    """One set of arguments, and how well it did.

    Args:
        number: 1 for the first.
        state: ``"done"``, ``"stopped"`` early since others did better after as many epochs, or ``"failed"``.
        params: Arguments that were tried.
        figure: What was measured on the validation part; None if it was not done.
        low: End of its 95 % interval over users.
        high: The other end.
        epochs: What the fit itself watched after each epoch; empty for a model without.
        seconds: From its start to its end.
        fit_seconds: How long the fit took; None if it was not done.
        why: Why it failed; None if it did not.
    """

    number: int
    state: str
    params: Mapping[str, Any]
    figure: float | None = None
    low: float | None = None
    high: float | None = None
    epochs: Sequence[float] = ()
    seconds: float = 0.0
    fit_seconds: float | None = None
    why: str | None = None

    def document(self) -> dict[str, Any]:
        """Return the JSON object."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True)
class Found:
    """All trials of a search.

    Args:
        dataset: Name of the data.
        model: Registered name.
        protocol: How the training part was split once more.
        metric: What the figures are.
        space: What was searched.
        fixed: Arguments that were set.
        targets_sha256: Of what the trials had to foresee.
        n_targets: How many those are.
        test_sha256: Of the targets of ``acclimate evaluate``, which no trial saw.
        trials: In the order of their start.
        importances: Share of each argument in the variance of the figures, the largest first.
        before: How many trials an earlier run had made.
        unfinished: Trials that were stopped by the clock; the next run goes on with them.
    """

    dataset: str
    model: str
    protocol: str
    metric: str
    space: Space
    fixed: Mapping[str, Any]
    targets_sha256: str
    n_targets: int
    test_sha256: str
    trials: Sequence[Trial]
    importances: Mapping[str, float] = field(default_factory=dict)
    before: int = 0
    unfinished: int = 0

    @cached_property
    def done(self) -> list[Trial]:
        """The trials with a figure."""
        return [trial for trial in self.trials if trial.figure is not None]

    @property
    def best(self) -> Trial | None:
        """The trial with the highest figure, of equals the first; None if none has one."""
        return max(self.done, key=lambda trial: trial.figure or 0.0, default=None)

    @cached_property
    def standard(self) -> Trial | None:
        """The trial of the defaults; None if it is not done."""
        wanted = {name: value for name, value in defaults(self.model).items() if name in self.space}
        return next((trial for trial in self.done if trial.params == wanted), None)

    @property
    def settings(self) -> dict[str, Any]:
        """Arguments of the best trial, with those that were set; empty if there is none."""
        return {**self.fixed, **self.best.params} if self.best else {}

    @property
    def toml(self) -> str:
        """Lines for ``acclimate.toml`` that make every command use the best arguments."""
        return table(self.model, self.settings)

    def document(self) -> dict[str, Any]:
        """Return the document of ``acclimate tune --json``."""
        return {
            "dataset": self.dataset,
            "model": self.model,
            "protocol": self.protocol,
            "metric": self.metric,
            "targets_sha256": self.targets_sha256,
            "n_targets": self.n_targets,
            "test_sha256": self.test_sha256,
            "best": {**self.best.document(), "settings": self.settings} if self.best else None,
            "default": self.standard.document() if self.standard else None,
            "trials": [trial.document() for trial in self.trials],
            "importances": dict(self.importances),
            "before": self.before,
            "unfinished": self.unfinished,
            "toml": self.toml,
        }

    def remarks(self) -> list[str]:
        """Return what a reader of the figures should know, a line each."""
        count = {state: sum(trial.state == state for trial in self.trials) for state in ("stopped", "failed")}
        lines = [
            f"{counted(len(self.trials), 'trial')}: {len(self.done)} done, {count['stopped']} stopped early "
            f"since others did better after as many epochs, {count['failed']} failed."
        ]
        if self.before:
            lines.append(f"{counted(self.before, 'trial')} of an earlier run of the same search among them.")
        if self.unfinished:
            lines.append(
                f"Time was up: {counted(self.unfinished, 'trial')} unfinished; the same command goes on."
            )
        if self.fixed:
            lines.append(f"Set, not searched: {words(self.fixed)}.")
        lines += [f"Trial {trial.number} failed: {trial.why}." for trial in self.trials if trial.why][-3:]
        lines.append(
            f"Fitted and measured on the training part of protocol {self.protocol} alone, split once more: "
            f"{counted(self.n_targets, 'target')}, sha256 {self.targets_sha256}."
        )
        lines.append(
            f"No trial saw the targets that acclimate evaluate asks for, sha256 {self.test_sha256}. "
            "The best of many is partly luck: measure it there, once."
        )
        return lines


def rounded(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``params`` with numbers of at most four digits, as they are tried and told.

    Example:
        >>> rounded({"l2": 123.456, "factors": 12345, "block": "gru"})
        {'l2': 123.5, 'factors': 12345, 'block': 'gru'}
    """
    return {
        name: float(f"{value:.4g}") if isinstance(value, float) else value for name, value in params.items()
    }


def words(params: Mapping[str, Any]) -> str:
    """Return arguments as one line.

    Example:
        >>> words({"l2": 123.5, "factors": 64})
        'l2 123.5, factors 64'
    """
    return ", ".join(
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in params.items()
    )


def table(model: str, params: Mapping[str, Any]) -> str:
    """Return a table of TOML with the arguments of one model.

    Example:
        >>> print(table("ease", {"l2": 123.5}))
        [train.tuned.ease]
        l2 = 123.5
    """
    return "\n".join([f"[train.tuned.{model}]", *(f"{name} = {_toml(params[name])}" for name in params)])


def apply(file: Path, model: str, params: Mapping[str, Any]) -> None:
    """Write the arguments of a model into a settings file, so that every command uses them.

    What else stands in the file stays as it is, comments too. ``train.model`` is set if ``acclimate train``
    would not come to the model otherwise.

    Raises:
        InputError: The file is written so that this cannot be done by whole lines; names what to add.
    """
    old = file.read_text("utf-8") if file.is_file() else ""
    tree = tomllib.loads(old)
    train = tree.setdefault("train", {})
    choose = train.get("model", "auto") != model and not (
        train.get("model", "auto") == "auto" and model in AUTO
    )
    train.setdefault("tuned", {})[model] = dict(params)
    lines = _without(old.splitlines(), f"[train.tuned.{model}]")
    if choose:
        train["model"] = model
        lines = _with_model(lines, model)
    while lines and not lines[-1].strip():
        lines.pop()
    new = "\n".join([*lines, *([""] if lines else []), table(model, params)]) + "\n"
    if not _reads_as(new, tree):
        wanted = f'train.model = "{model}" and ' if choose else ""
        raise InputError(
            f"cannot write into {file} as it is laid out: put {wanted}these lines into it yourself: "
            f"{table(model, params)!r}",
            code="settings_not_written",
            field="apply",
        )
    file.parent.mkdir(parents=True, exist_ok=True)
    replace_file(file, new.encode())


def _without(lines: list[str], header: str) -> list[str]:
    """Return ``lines`` without the table under ``header``."""
    out, inside = [], False
    for line in lines:
        bare = line.strip().replace(" ", "").replace('"', "")
        if bare.startswith("["):
            inside = bare.split("#")[0] == header
        if not inside:
            out.append(line)
    return out


def _with_model(lines: list[str], model: str) -> list[str]:
    """Return ``lines`` with ``train.model`` set in the table ``[train]``, which is added if it is missing."""
    wanted = f"model = {json.dumps(model)}"
    heads = [at for at, line in enumerate(lines) if line.split("#")[0].strip() == "[train]"]
    if not heads:
        first = next((at for at, line in enumerate(lines) if line.lstrip().startswith("[")), len(lines))
        return [*lines[:first], "[train]", wanted, "", *lines[first:]]
    start = heads[0] + 1
    end = next((at for at in range(start, len(lines)) if lines[at].lstrip().startswith("[")), len(lines))
    kept = [line for line in lines[start:end] if line.split("=")[0].strip() != "model"]
    return [*lines[:start], wanted, *kept, *lines[end:]]


def _reads_as(text: str, tree: Mapping[str, Any]) -> bool:
    try:
        return tomllib.loads(text) == tree
    except tomllib.TOMLDecodeError:
        return False


def _toml(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)  # strings, numbers, truth values and lists are alike in TOML
