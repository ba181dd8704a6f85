"""One folder holds everything a shop makes."""

from __future__ import annotations

import os
from pathlib import Path

from acclimate.errors import InputError


class Home:
    """The folder that holds the data, the event log, the snapshots and the cache.

    Args:
        path: The folder; by default ``ACCLIMATE_HOME``, else ``./acclimate-home``. Not created here.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self.path = Path(path or os.environ.get("ACCLIMATE_HOME") or "acclimate-home")

    def checked(self) -> Home:
        """Return itself if it is a folder or can become one.

        Raises:
            InputError: It is a file, or in one.
        """
        for at in (self.path, *self.path.parents):
            if at.exists() and not at.is_dir():
                raise InputError(
                    f"the home {self.path} cannot be: {at} is a file, not a folder; choose another with "
                    "--home or ACCLIMATE_HOME",
                    code="home_is_a_file",
                    field="home",
                )
        return self

    @property
    def data(self) -> Path:
        """Imported tables."""
        return self.path / "data"

    @property
    def log(self) -> Path:
        """The event log."""
        return self.path / "log.sqlite"

    @property
    def snapshots(self) -> Path:
        """Published snapshots."""
        return self.path / "snapshots"

    @property
    def learner(self) -> Path:
        """What the learner knows beside each snapshot."""
        return self.path / "learner"

    @property
    def cache(self) -> Path:
        """Item vectors and unfinished training; may be deleted."""
        return self.path / "cache"

    @property
    def tuning(self) -> Path:
        """Trials of every search for good arguments."""
        return self.path / "tuning.sqlite"

    @property
    def settings_file(self) -> Path:
        """Read if it is there and ``--config`` names no other."""
        return self.path / "acclimate.toml"
