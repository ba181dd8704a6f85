"""Last.fm of HetRec 2011: how often users listened to artists, without times.

The layout is that of https://grouplens.org/datasets/hetrec-2011/ (hetrec2011-lastfm-2k).
"""

from __future__ import annotations

from pathlib import Path

from acclimate.data.columns import Columns
from acclimate.data.frames import Part
from acclimate.data.sources.cutting import cut_named
from acclimate.errors import InputError

EVENTS = ("user_artists.dat", ("user_id", "item_id", "value"))
ITEMS = ("artists.dat", ("item_id", "title", "@url", ""))


class LastFM:
    """A folder with ``user_artists.dat`` and ``artists.dat``; the value is the number of listens."""

    def detect(self, path: Path) -> bool:
        """Take a folder that has both files."""
        return all((path / name).is_file() for name, _ in (EVENTS, ITEMS))

    def read(self, path: Path, kind: str, columns: Columns, encoding: str | None = None) -> Part:
        """Read the whole folder if ``kind`` is ``events``, or its artists.

        Raises:
            InputError: It is another folder, or has no such table.
        """
        if not self.detect(path) or kind == "users":
            raise InputError(f"{path} has no Last.fm table of {kind}: {EVENTS[0]} and {ITEMS[0]}", field=kind)
        files = {"events": EVENTS, "items": ITEMS}
        wanted = files if kind == "events" else {kind: files[kind]}
        return Part.of(
            {
                own: cut_named(path / name, "\t", names, encoding, skip=1)
                for own, (name, names) in wanted.items()
            }
        )
