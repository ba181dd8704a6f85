"""Questions that wait are answered together, on the one thread that owns the model."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Generic, TypeVar

Q = TypeVar("Q")
A = TypeVar("A")


class Batcher(Generic[Q, A]):
    """Collects the questions that come while the thread is busy, and asks them in one call.

    A lone question waits for nothing. When a call fails, its questions are asked one by one, so that a
    bad question fails alone.

    Args:
        thread: Where ``answer`` runs.
        answer: Takes questions, returns as many answers in the same order.
        largest: Most questions of one call.
    """

    def __init__(
        self, thread: Executor, answer: Callable[[Sequence[Q]], Sequence[A]], largest: int = 64
    ) -> None:
        self._thread, self._answer, self._largest = thread, answer, largest
        self._waiting: list[tuple[Q, asyncio.Future[A]]] = []
        self._running: asyncio.Task[None] | None = None

    async def ask(self, question: Q) -> A:
        """Return the answer to ``question``; raises what ``answer`` raised for it."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[A] = loop.create_future()
        self._waiting.append((question, future))
        if self._running is None or self._running.done():
            self._running = loop.create_task(self._run())
        return await future

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch, self._waiting = self._waiting[: self._largest], self._waiting[self._largest :]
            batch = [(question, future) for question, future in batch if not future.done()]
            questions = [question for question, _ in batch]
            outcomes: Sequence[A | Exception]
            try:
                outcomes = await loop.run_in_executor(self._thread, self._outcomes, questions)
            except RuntimeError as error:  # the thread was shut down
                outcomes = [error] * len(batch)
            for (_, future), outcome in zip(batch, outcomes, strict=True):
                if future.done():  # the asker has gone
                    continue
                if isinstance(outcome, Exception):
                    future.set_exception(outcome)
                else:
                    future.set_result(outcome)

    def _outcomes(self, questions: Sequence[Q]) -> list[A | Exception]:
        if not questions:
            return []
        try:
            return list(self._answer(questions))
        except Exception as error:
            if len(questions) == 1:
                return [error]
        return [outcome for question in questions for outcome in self._outcomes([question])]
