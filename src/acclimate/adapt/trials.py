"""Trials side by side: each process fits one model after the other, and says after each epoch how it goes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from acclimate.adapt.train import Trainer
from acclimate.config import Home, Settings
from acclimate.data.split import Split
from acclimate.errors import AcclimateError
from acclimate.evaluate.ranking import measure
from acclimate.models import arguments
from acclimate.training import GivenUp
from acclimate.training.spent import spent

METRIC = "ndcg@10"
"""What is searched for."""


class Epoch(NamedTuple):
    """An epoch is over: its number, 0 first, and the figure that the fit watches. Wants an answer."""

    number: int
    figure: float


class Done(NamedTuple):
    """A model was fitted and measured: the mean of `METRIC`, its interval, and how long the fit took."""

    figure: float
    low: float
    high: float
    fit_seconds: float


class Failed(NamedTuple):
    """There is no figure, and why."""

    why: str


class Stopped(NamedTuple):
    """It was told to give up after an epoch."""


Said = Epoch | Done | Failed | Stopped


@dataclass(frozen=True)
class Work:
    """What all trials of a search share.

    Args:
        home: Its cache holds item vectors and unfinished fits.
        settings: ``train.params`` holds what is fixed.
        model: Registered name.
        split: What a model is fitted on, and what it has to foresee.
        threads: Of each process.
    """

    home: Home
    settings: Settings
    model: str
    split: Split
    threads: int

    def run(self, params: Mapping[str, Any], folder: Path, answer: Connection | None = None) -> Said:
        """Fit and measure one model.

        Args:
            params: Arguments that are tried.
            folder: Where its fit keeps checkpoints and logs.
            answer: Hears of each epoch, and says whether to give up; None fits to the end.
        """

        def watch(epoch: int, figure: float) -> None:
            if answer is not None and figure == figure:
                answer.send(Epoch(epoch, figure))
                if answer.recv():
                    raise GivenUp

        try:
            train = self.settings.train
            mine = msgspec.structs.replace(train, params={**train.params, **params}, tuned={})
            trainer = Trainer(self.home, msgspec.structs.replace(self.settings, train=mine))
            alone = "sources" not in arguments(self.model)  # else several fits would speak at once
            trainer.training = replace(trainer.training, folder=folder, watch=watch if alone else None)
            model = trainer.build(self.model)
            with spent() as took:
                model.fit(self.split.train)
            found = measure(model, self.split).metrics[METRIC]
        except GivenUp:
            return Stopped()
        except AcclimateError as error:
            return Failed(error.message)
        except MemoryError:
            return Failed("out of memory: lower --jobs, or set a smaller model")
        except Exception as error:  # one trial that fails must not end the search
            return Failed(f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")
        if found.mean != found.mean:
            return Failed(f"{METRIC} is nan")
        return Done(found.mean, found.low, found.high, took.seconds)


class Worker:
    """One process that runs trials, from the first that it is given until `end`.

    Args:
        work: What all trials share.
    """

    def __init__(self, work: Work) -> None:
        context = multiprocessing.get_context("spawn")  # a forked process could not use torch's threads
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()
        self.connection.send(work)

    def start(self, params: Mapping[str, Any], folder: Path) -> None:
        """Begin a trial."""
        self.connection.send((dict(params), folder))

    def hear(self) -> Said:
        """Return what the process says next; `Failed` if it is gone."""
        try:
            said: Said = self.connection.recv()
        except (EOFError, ConnectionError):
            self.process.join()
            code = self.process.exitcode or 0
            how = f"signal {-code}, as when memory runs out: lower --jobs" if code < 0 else f"status {code}"
            return Failed(f"its process ended by itself ({how})")
        return said

    def answer(self, *, give_up: bool) -> None:
        """Answer an `Epoch`."""
        with suppress(OSError):  # it is gone: hear will say so
            self.connection.send(give_up)

    @property
    def alive(self) -> bool:
        """Whether it can run another trial."""
        return self.process.is_alive()

    def end(self) -> None:
        """Stop it, whatever it does; an unfinished fit leaves its checkpoint."""
        self.process.kill()
        self.process.join()
        self.connection.close()


def first_to_speak(workers: Sequence[Worker], seconds: float | None) -> list[Worker]:
    """Return those that have something to say; none if ``seconds`` go by before."""
    ready = wait([worker.connection for worker in workers], seconds)
    return [worker for worker in workers if worker.connection in ready]


def _serve(connection: Connection) -> None:
    """Run what comes until nobody asks any more; the body of a worker's process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all; who asks decides
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    with suppress(EOFError, OSError):
        work: Work = connection.recv()
        _bound_threads(work.threads)
        while True:
            params, folder = connection.recv()
            connection.send(work.run(params, folder, connection))


def _leave_with_parent() -> None:
    """End this process as soon as the one that started it is gone, even if that was killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _bound_threads(threads: int) -> None:
    """Take no more threads than that, unless the environment says how many; torch is not loaded yet."""
    from threadpoolctl import threadpool_limits

    if "OMP_NUM_THREADS" not in os.environ:
        os.environ["OMP_NUM_THREADS"] = str(threads)
        threadpool_limits(threads)
