"""A person makes a snapshot current: one that waits for approval, or an earlier one again."""

from __future__ import annotations

from contextlib import closing

from acclimate.data.store import Store
from acclimate.errors import InputError
from acclimate.events.log import check_continues
from acclimate.events.sqlite import SqliteLog
from acclimate.home import Home
from acclimate.snapshot.folder import Snapshot
from acclimate.snapshot.registry import Registry
from acclimate.words import counted


def activate(home: Home, snapshot_id: str) -> Snapshot:
    """Make a snapshot that passed a gate the current one, if it goes with log and catalogue, and return it.

    Raises:
        NotFoundError: There is no such snapshot; names the nearest.
        AcclimateError: It never passed a gate.
        InputError: It knows none of the items of the home.
        CorruptError: It is damaged, or the log is another one than it goes on from.
    """
    registry = Registry(home.snapshots)
    snapshot = registry.get(snapshot_id)
    _check_log(home, snapshot)
    _check_catalogue(home, snapshot)
    return registry.rollback(snapshot_id)


def _check_log(home: Home, snapshot: Snapshot) -> None:
    """Raise CorruptError if the log of the home is not the one that the snapshot goes on from."""
    if not home.log.exists():
        return
    with closing(SqliteLog(home.log, readonly=True)) as log:
        known = snapshot.manifest
        check_continues(log, known.get("log"), known["offset"], f"snapshot {snapshot.id}")


def _check_catalogue(home: Home, snapshot: Snapshot) -> None:
    """Raise InputError if the snapshot knows none of the items of the home: it is another shop's."""
    store = Store(home.data)
    if store.empty or snapshot.broken:
        return
    ours = store.load().items.ids
    known = {item.item_id for item in snapshot.load().state.catalogue}
    if ours and known.isdisjoint(ours):
        raise InputError(
            f"snapshot {snapshot.id} knows none of the {counted(len(ours), 'item')} of this home: it was "
            "made for another catalogue. Take one of this home, or acclimate train --from it",
            code="other_catalogue",
            field="snapshot",
        )
