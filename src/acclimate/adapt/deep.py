"""The deep clock: a full fit on all that is known, in a process of its own, while everything else goes on."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path

import msgspec
from msgspec.structs import replace

from acclimate.config import Home, Settings
from acclimate.errors import AcclimateError
from acclimate.snapshot import Registry, Snapshot
from acclimate.training.spent import spent

FITTED = "fit_seconds"
"""The figure of a snapshot that was fitted for a gate to judge, beside what is current."""
KINDER = 10
"""How much lower the priority of a fit is, so that servers beside it answer."""


class Deep:
    """Fits a model anew on the data of a home and its log, from what a snapshot knows.

    The process writes a snapshot and does not publish it: that is the gate's affair. It ends with the process
    that began it, however that ends.

    Args:
        home: Where data, log and snapshots lie.
        settings: What the fit is made with.
    """

    def __init__(self, home: Home, settings: Settings) -> None:
        self.home, self.settings = home, settings
        self._process: SpawnProcess | None = None
        self._heard: Connection | None = None

    @property
    def running(self) -> bool:
        """Whether a fit was begun whose end was not heard of."""
        return self._process is not None

    def begin(self, snapshot: Snapshot) -> None:
        """Begin a fit from ``snapshot``; one at a time.

        Raises:
            AcclimateError: The machine has no room for another process.
        """
        made = snapshot.manifest["settings"]
        settings = self.settings if made is None else msgspec.convert(made, Settings)
        train = replace(settings.train, model=snapshot.manifest["model"])
        if made is None:  # as it was made: arguments that its weights do not fit are of no use
            train = replace(train, params=own(snapshot.manifest["params"]))
        given = msgspec.json.encode(replace(settings, train=train))
        context = multiprocessing.get_context("spawn")
        self._heard, telling = context.Pipe(duplex=False)
        arguments = (str(self.home.path), snapshot.id, given, telling)
        self._process = context.Process(target=fit, args=arguments, daemon=True, name="acclimate-deep")
        try:
            self._process.start()
        except OSError as error:
            self._process = None
            raise AcclimateError(
                f"no full fit: a process cannot be started: {error}", code="no_process"
            ) from error
        finally:
            telling.close()

    def ended(self, wait: float | None = 0.0) -> str | None:
        """Return the id of the snapshot that was written, or None as long as the fit goes on.

        Args:
            wait: Seconds to wait for the end; None for as long as it takes.

        Raises:
            AcclimateError: The fit failed; says why.
        """
        if self._process is None or self._heard is None or not self._heard.poll(wait):
            return None
        try:
            told, text = self._heard.recv()
        except EOFError:
            self._process.join()
            told, text = "failed", f"its process ended with status {self._process.exitcode}"
        self.close()
        if told != "written":
            raise AcclimateError(f"no full fit: {text}", code="deep_failed")
        return str(text)

    def close(self) -> None:
        """End the fit, if one is going on."""
        if self._process is not None:
            self._process.kill()  # a fit that is begun again goes on where it was
            self._process.join()
        if self._heard is not None:
            self._heard.close()
        self._process = self._heard = None


def own(params: dict[str, object]) -> dict[str, object]:
    """Return the arguments of a model without those that are settings of their own.

    Example:
        >>> own({"width": 32, "seed": 1})
        {'width': 32}
    """
    from acclimate.adapt.train import OURS

    return {name: value for name, value in params.items() if name not in OURS and value is not None}


def fit(home: str, snapshot: str, given: bytes, telling: Connection) -> None:
    """Fit, write a snapshot, and tell its id; the whole life of the process."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.nice(KINDER)
    try:
        telling.send(
            ("written", _written(Home(Path(home)), snapshot, msgspec.json.decode(given, type=Settings)))
        )
    except AcclimateError as error:
        telling.send(("failed", error.message))
    except Exception as error:  # the learner shall say why, and go on
        telling.send(("failed", f"{type(error).__name__}: {error}"))


def _written(home: Home, snapshot: str, settings: Settings) -> str:
    from acclimate.adapt.feedback import gather
    from acclimate.adapt.start import started
    from acclimate.adapt.train import Trainer

    name = settings.train.model
    start = started(home, snapshot, [name], chosen=True)
    trainer = Trainer(home, settings, start=start, keep=True)
    trainer.check([name])
    with trainer.alone(), spent() as took:
        gathered, model = gather(home, settings), trainer.build(name)
        model.fit(gathered.data)
    metrics = {FITTED: took.seconds}
    return Registry(home.snapshots).write(model, gathered.state, metrics=metrics, settings=settings).id


def _end_with_parent() -> None:
    parent: Callable[[], object] = multiprocessing.parent_process().join  # type: ignore[union-attr]
    parent()
    os._exit(1)
