"""What was published is brought in beside what answers, while that goes on answering."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing

from acclimate.config import Home, Settings
from acclimate.errors import AcclimateError
from acclimate.events.sqlite import SqliteLog
from acclimate.recommend import Recommender
from acclimate.serve.load import catch_up, check_log, remember
from acclimate.snapshot import Registry

LOOK_EVERY, TRY_AGAIN = 1.0, 60.0
"""Seconds between two looks at what is current, and until what could not be taken up is tried again."""
AT_ONCE = 1_000
"""Records that are folded together, so that who answers waits little for its turn."""


class Uptake:
    """Loads the current snapshot of a home and folds the log on top of it, on a thread of its own.

    What cannot be loaded changes nothing: what answers goes on, and `trouble` says why.

    Args:
        home: The folder that holds the log and the snapshots.
        settings: As of the service.
        load: Builds what answers.
    """

    def __init__(self, home: Home, settings: Settings, load: Callable[[Home, Settings], Recommender]) -> None:
        self.home, self.settings, self._load = home, settings, load
        self.trouble: str | None = None
        """Why the current snapshot is not the one that answers; None if it is."""
        self._refused: tuple[str, float] = "", 0.0

    def bring(self, serving: str | None) -> Recommender | None:
        """Return what is to answer in place of the snapshot ``serving``, all but the newest records folded.

        Returns:
            None if that is current, or if what is current cannot be taken up.
        """
        named = "named in CURRENT"
        try:
            pointer = Registry(self.home.snapshots).pointer()
            if pointer in (None, serving):
                self.trouble = None
                return None
            named = f"snapshot {pointer}"
            refused, until = self._refused
            if named == refused and time.monotonic() < until:
                return None
            return self._brought()
        except Exception as error:  # whatever is wrong with it, what answers must go on
            self.refuse(named, serving, error)
            return None

    def refuse(self, named: str, serving: str | None, error: Exception) -> None:
        """Keep in mind that ``named`` cannot be taken up."""
        self._refused = named, time.monotonic() + TRY_AGAIN
        why = error.message if isinstance(error, AcclimateError) else f"{type(error).__name__}: {error}"
        self.trouble = f"{named} is current and cannot be taken up, {serving or 'no snapshot'} answers: {why}"

    def _brought(self) -> Recommender:
        recommender = self._load(self.home, self.settings)
        with closing(SqliteLog(self.home.log, readonly=True)) as log:
            check_log(recommender, log)
            catch_up(recommender, log, AT_ONCE)
        remember(recommender)
        return recommender
