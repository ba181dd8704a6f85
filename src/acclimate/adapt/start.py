"""The snapshot that a fit starts from: ``acclimate train --from``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from acclimate.config import Home, Settings
from acclimate.data.dataset import Dataset
from acclimate.data.split import SPLITS
from acclimate.errors import InputError, NotFoundError
from acclimate.models import MODELS, starts_from
from acclimate.snapshot import Registry, Snapshot
from acclimate.state.fold import LiveState
from acclimate.types import Item, Model
from acclimate.words import counted

BY_CHANCE = 0.02
"""Share of the targets that two catalogues may have in common."""


@dataclass(frozen=True, slots=True, eq=False)
class Started:
    """What a snapshot hands on to a fit.

    Args:
        snapshot: Where it lies.
        model: What was learned.
        catalogue: The items of that model, by code.
        state: What was known when it was fitted.
    """

    snapshot: Snapshot
    model: Model
    catalogue: tuple[Item, ...]
    state: LiveState


def told_before(
    start: Started | None, names: Sequence[str], data: Dataset, protocol: str, settings: Settings
) -> list[str]:
    """Return a note if what is started from has learned what a comparison holds out, else nothing.

    That is targets whose user had that item by then: the same ids, and of the item the same text. A few in a
    hundred may be chance, where two catalogues number alike.

    Raises:
        InputError: It has, and shall not learn: there is nothing to measure it by.
    """
    if start is None or start.model.name not in names or protocol not in SPLITS:
        return []
    from acclimate.models.transfer import same_items  # it brings torch

    same, had = same_items(start.catalogue, data.catalogue), dict[int, set[int]]()
    known = asked = 0
    for split in SPLITS[protocol](data, settings.train.seed, settings.repeat.again):
        rows = np.repeat(split.users, np.diff(split.target_offsets))
        for user, item in zip(rows.tolist(), split.targets.tolist(), strict=True):
            if user not in had:
                had[user] = set(start.state.standing(data.users.ids[user])[0].tolist())
            known += same.get(item, -1) in had[user]
        asked += split.n_targets
    if known <= BY_CHANCE * asked:
        return []
    name, targets = start.snapshot.id, counted(asked, "target")
    told = f"snapshot {name} has learned from {known:,} of the {targets} that are held out"
    if settings.train.params.get("epochs") == 0:
        raise InputError(
            f"{told}, so that without learning there is nothing to measure it by: set "
            "train.params.epochs=1 or more, or publish it as it is: acclimate snapshots rollback " + name,
            field="train.params.epochs",
        )
    return [f"{told}: {start.model.name} is compared as it is fitted from scratch"]


def find(home: Home, given: str) -> Snapshot:
    """Return the snapshot that ``given`` names: an id in ``home``, or the path of a snapshot's folder.

    Raises:
        NotFoundError: There is none; names the nearest.
        CorruptError: Its manifest is damaged.
    """
    path = Path(given)
    if not given.strip():
        raise NotFoundError(
            "no snapshot is named: give HOME/snapshots/ID, or an id of this home", field="from"
        )
    if "/" not in given and not path.is_dir():
        return Registry(home.snapshots).get(given)
    if not path.is_dir():
        raise NotFoundError(
            f"no snapshot {given!r}: there is no such folder; give HOME/snapshots/ID, or an id of this home",
            field="from",
        )
    path = path.resolve()
    for inside in (path, path / "snapshots"):
        if (inside / "CURRENT").is_file():
            current = Registry(inside).current()
            raise NotFoundError(
                f"{given!r} holds snapshots and is none: give one of them, the current one is "
                f"{inside / (current.id if current else 'ID')}",
                field="from",
            )
    return Registry(path.parent).get(path.name)


def started(home: Home, given: str, names: Sequence[str], *, chosen: bool) -> Started:
    """Load what a fit of one of the models ``names`` starts from.

    Args:
        home: Where an id is looked up, and item vectors are kept.
        given: As in `find`.
        names: Models that are trained.
        chosen: Whether a user named the model, and did not leave the choice open.

    Raises:
        NotFoundError: There is no such snapshot; names the nearest.
        CorruptError: It is damaged; names the file.
        InputError: Its model cannot be started from, or it is another than the one that is trained.
    """
    if chosen and not starts_from(names[0]):
        able = " and ".join(name for name in MODELS if starts_from(name))
        raise InputError(
            f"{names[0]} cannot start from a snapshot, it learns from scratch: train it without --from; "
            f"{able} can",
            code="cannot_start",
            field="from",
        )
    snapshot = find(home, given)
    name = snapshot.manifest["model"]
    if name not in names or not starts_from(name):
        wanted = names[0] if chosen else " and ".join(name for name in names if starts_from(name))
        raise InputError(
            f"snapshot {snapshot.id} holds the model {name}, and {wanted} starts from its own kind alone: "
            f"give a snapshot of {wanted}, or train without --from",
            code="other_model",
            field="from",
        )
    loaded = snapshot.load(home.cache / "vectors")
    if loaded.notes and snapshot.manifest["params"].get("item_vector") != "id":
        raise InputError(
            f"no fit can start from snapshot {snapshot.id} here: {'; '.join(loaded.notes)}",
            code="encoder_missing",
            field="from",
        )
    return Started(snapshot, loaded.model, tuple(loaded.state.catalogue), loaded.state)


def check_adapter(start: Started, settings: Settings) -> None:
    """Look whether ``settings`` ask for the adapter that ``start`` carries over, or for none.

    Raises:
        InputError: They ask for another one; it would read otherwise than what was learned.
    """
    wanted, encoder = settings.adapter.name, start.model.encoder
    told = encoder.state()[1].get("adapter") if encoder else None
    carried = told["kind"] if told else "frozen"
    if wanted not in ("frozen", carried):
        raise InputError(
            f"snapshot {start.snapshot.id} carries over the adapter {carried}, adapter.name is {wanted}: "
            "leave adapter.name at frozen to keep what it carries, or train without --from",
            code="other_adapter",
            field="adapter.name",
        )
