"""What knows the answers already: attributes and texts that were made of the targets, models that know them.

Each test compares with a world in which there is nothing to know: another user's target, the same statistic
without what is held out, or the same data under other names. So what merely goes with the truth passes.
"""

from __future__ import annotations

import copy
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from numbers import Real

import numpy as np
from numpy.typing import NDArray

from acclimate.data.dataset import Dataset
from acclimate.data.split import Split
from acclimate.data.vocab import Vocabulary
from acclimate.errors import InputError
from acclimate.metrics import find_places, metrics_at
from acclimate.rng import generator
from acclimate.types import Histories, Model
from acclimate.words import counted

ENOUGH = 20
"""Users or items that a finding rests on, at least."""
SURE = 0.95
"""Rank correlation with what is held out, given what is not, from which on an attribute was made of it."""
MORE = 0.05
"""Share of the users of whom something names the target, beyond what names another user's."""
SUSPECT = 0.5
"""From this ndcg on a model is looked at: so much is rarely foreseen."""
NUMBERS = re.compile(r"\d+(?:\.\d+)?")
WORDS = re.compile(r"\w+")

PerItem = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Leak:
    """Something that knows what is to be foreseen.

    Args:
        kind: ``"item attribute"``, ``"item text"``, ``"user attribute"`` or ``"model"``.
        name: Of the attribute or model.
        why: What was found, in words.
    """

    kind: str
    name: str
    why: str

    def document(self) -> dict[str, str]:
        """Return the JSON object."""
        return {"kind": self.kind, "name": self.name, "why": self.why}

    def __str__(self) -> str:
        return f"{self.kind} {self.name!r} {self.why}"


def find_leaks(data: Dataset, split: Split) -> list[Leak]:
    """Return what of the items and users knows the targets of ``split``, a split of ``data``.

    Example:
        >>> from acclimate.data.split import split_last
        >>> from acclimate.types import User
        >>> rows = [(f"u{n}", f"i{n % 9 + t}", n + 100 * t) for n in range(40) for t in range(2)]
        >>> data = Dataset.of(rows)
        >>> people = [User(f"u{n}", {"next": f"i{n % 9 + 1}"}) for n in range(40)]
        >>> told = Dataset(data.users, data.items, data.user, data.item, data.time, people=people)
        >>> [leak.name for leak in find_leaks(told, split_last(told))]
        ['next']
    """
    return [*_made_of_targets(data, split), *_naming_users(split), *_naming_targets(split)]


def find_model_leak(model: Model, split: Split, ndcg: float, k: int) -> Leak | None:
    """Return whether a model that was fitted on ``split.train`` knows the targets from elsewhere.

    A model whose ``data`` hold targets was fitted on them. One that foresees more than `SUSPECT` is fitted
    once more on the same events, with users and items in another order and under other names: what was
    learned from the data is found again, what came from elsewhere is not.

    Args:
        model: It is left as it is; a copy is fitted.
        split: What it was fitted on, and had to foresee.
        ndcg: Its mean over the questions at ``k``.
        k: Length of the lists.
    """
    if seen := _targets_in(model.data, split):
        why = f"was fitted on data with {seen:,} of the {counted(split.n_targets, 'target')}"
        return Leak("model", model.name, why)
    if ndcg < SUSPECT or len(split.users) < ENOUGH:
        return None
    other, histories, items = _renamed(split)
    again = copy.deepcopy(model)
    try:
        again.fit(other)
    except InputError:
        return None
    scores, had = again.score(histories), split.closed()
    targets = items[split.targets].astype(np.int32)
    places = find_places(scores, targets, split.target_offsets, had.rows, items[had.items])
    found = float(metrics_at(places, k)[f"ndcg@{k}"].mean())
    if found >= ndcg / 2:
        return None
    why = f"foresees {ndcg:.3f} (ndcg@{k}), and {found:.3f} when users and items have other names"
    return Leak("model", model.name, f"{why}: it does not know that from the events")


def _made_of_targets(data: Dataset, split: Split) -> Iterator[Leak]:
    """Find numbers of items that follow a statistic of all events, not only of the training part."""
    stats = {name: (stat(data), stat(split.train)) for name, stat in STATISTICS.items()}
    for kind, name, values in _numbers(data):
        for what, (whole, train) in stats.items():
            moved = np.isfinite(values) & (whole != train) & np.isfinite(whole)
            told = np.nan_to_num(train[moved], nan=-np.inf)
            if moved.sum() >= ENOUGH and abs(_beyond(values[moved], whole[moved], told)) >= SURE:
                yield Leak(kind, name, f"follows {what} of an item, with the events that are held out")
                break


def _count(data: Dataset) -> PerItem:
    return np.bincount(data.item, minlength=data.n_items).astype(np.float64)


def _mean_value(data: Dataset) -> PerItem:
    known = np.isfinite(data.value)
    sums = np.bincount(data.item[known], weights=data.value[known], minlength=data.n_items)
    counts = np.bincount(data.item[known], minlength=data.n_items)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _last_time(data: Dataset) -> PerItem:
    out = np.full(data.n_items, np.nan)
    out[data.item] = data.time  # in order of time, so the last one stays
    return out


STATISTICS: dict[str, Callable[[Dataset], PerItem]] = {
    "the number of events": _count,
    "the mean rating": _mean_value,
    "the time of the last event": _last_time,
}


def _numbers(data: Dataset) -> Iterator[tuple[str, str, PerItem]]:
    """Yield kind, name and float64[n_items] of each number that is known of items, NaN where it is not."""
    for name in sorted({name for item in data.catalogue for name in item.attributes}):
        values = [_number(item.attributes.get(name)) for item in data.catalogue]
        yield "item attribute", name, np.array(values)
    yield "item attribute", "created_at", np.array([_number(item.created_at) for item in data.catalogue])
    found = [NUMBERS.findall(text) for text in data.texts]
    for place in range(min(max(map(len, found), default=0), 3)):
        values = [float(row[place]) if place < len(row) else np.nan for row in found]
        yield "item text", f"number {place + 1}", np.array(values)


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, str | Real):
        return np.nan
    try:
        return float(value)
    except ValueError:
        return np.nan


def _beyond(a: PerItem, b: PerItem, given: PerItem) -> float:
    """Return the rank correlation of ``a`` and ``b``, given those of a third: -1..1, 0 if it tells all."""
    from scipy.stats import rankdata

    x, y, z = (rankdata(values) - (len(a) + 1) / 2 for values in (a, b, given))
    x, y = (one - z * (one @ z) / max(float(z @ z), 1.0) for one in (x, y))
    scale = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / scale if scale > 1e-6 * len(a) else 0.0


def _naming_users(split: Split) -> Iterator[Leak]:
    """Find texts and attributes of items that name the users whose target an item is."""
    users, targets = _sample(split)
    if len(users) < ENOUGH:
        return
    ids, others = split.train.users.ids, np.roll(users, 1)
    catalogue = split.train.catalogue
    fields: dict[tuple[str, str], list[str]] = {("item text", "text"): [item.reading for item in catalogue]}
    for name in sorted({name for item in catalogue for name in item.attributes}):
        fields["item attribute", name] = [str(item.attributes.get(name, "")) for item in catalogue]
    for (kind, name), texts in fields.items():
        words = {item: set(WORDS.findall(texts[item])) for item in set(targets.tolist())}
        mine = [ids[user] in words[item] for user, item in zip(users, targets.tolist(), strict=True)]
        theirs = [ids[user] in words[item] for user, item in zip(others, targets.tolist(), strict=True)]
        if (share := _more(mine, theirs)) > 0:
            yield Leak(kind, name, f"names the user of whom the item is the target, for {share:.0%} of them")


def _naming_targets(split: Split) -> Iterator[Leak]:
    """Find attributes of users that are the target, or a code of it."""
    users, targets = _sample(split)
    if len(users) < ENOUGH:
        return
    people, catalogue = split.train.people, split.train.catalogue
    names = [{catalogue[item].item_id, catalogue[item].title} - {""} for item in targets.tolist()]
    others = [*names[1:], names[0]]
    for name in sorted({name for user in users.tolist() for name in people[user].attributes}):
        values = [str(people[user].attributes.get(name, "")).strip() for user in users.tolist()]
        mine = [value in named for value, named in zip(values, names, strict=True)]
        theirs = [value in named for value, named in zip(values, others, strict=True)]
        if (share := _more(mine, theirs)) > 0:
            yield Leak("user attribute", name, f"is the target of {share:.0%} of the users")
            continue
        same, usual, pairs = _agreement(values, targets.tolist())
        if pairs >= ENOUGH and same >= max(0.5, 5 * usual):
            told = f"{same:.0%} of the pairs of users who share a value share the target"
            yield Leak("user attribute", name, f"tells the target: {told}, of all pairs {usual:.1%}")


def _more(mine: Sequence[bool], theirs: Sequence[bool]) -> float:
    """Return the share of ``mine`` if it is clearly above that of ``theirs``, else 0."""
    n, share, chance = len(mine), float(np.mean(mine)), float(np.mean(theirs))
    spread = np.sqrt(max(chance, 1 / n) / n)
    return share if share - chance > max(MORE, 4 * spread) else 0.0


def _agreement(values: Sequence[str], targets: Sequence[int]) -> tuple[float, float, int]:
    """Return how often two users with one value have one target, how often any two, and the pairs."""

    def pairs(counts: Counter[object]) -> int:
        return sum(n * (n - 1) // 2 for n in counts.values())

    known = [(value, target) for value, target in zip(values, targets, strict=True) if value]
    within = pairs(Counter(value for value, _ in known))
    same, usual = pairs(Counter(known)), pairs(Counter(target for _, target in known))
    return same / max(within, 1), usual / max(len(known) * (len(known) - 1) // 2, 1), within


def _sample(split: Split, most: int = 5_000) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return users and their first targets, int32[n] each, in an order that goes with neither."""
    users, first = np.unique(split.users[split.rows], return_index=True)
    order = generator(0, "leaks").permutation(len(users))[:most]
    return users[order], split.targets[first[order]]


def _targets_in(data: Dataset | None, split: Split) -> int:
    """Return how many targets are events of ``data`` and not of the training part."""
    train = split.train
    if data is None or data is train or (data.n_users, data.n_items) != (train.n_users, train.n_items):
        return 0
    asked = np.unique(split.users[split.rows].astype(np.int64) * train.n_items + split.targets)
    held = [part.user.astype(np.int64) * train.n_items + part.item for part in (data, train)]
    return int((np.isin(asked, held[0]) & ~np.isin(asked, held[1])).sum())


def _renamed(split: Split) -> tuple[Dataset, Histories, NDArray[np.int64]]:
    """Return the training part and the questions under other names, and the new code of each item."""
    train, rng = split.train, generator(0, "leaks", "names")
    items, users = rng.permutation(train.n_items), rng.permutation(train.n_users)
    catalogue = [train.catalogue[code] for code in np.argsort(items)]
    people = [train.people[code] for code in np.argsort(users)]
    made = Dataset(
        Vocabulary(f"user {n}" for n in range(train.n_users)),
        Vocabulary(f"item {n}" for n in range(train.n_items)),
        users[train.user],
        items[train.item],
        train.time,
        value=train.value,
        weight=train.weight,
        kind=train.kind,
        catalogue=[replace(item, item_id=f"item {n}") for n, item in enumerate(catalogue)],
        people=[replace(user, user_id=f"user {n}") for n, user in enumerate(people)],
        name=train.name,
        until=train.until,
        timed=train.timed,
    )
    told = split.histories
    histories = Histories(
        items[told.items],
        told.times,
        told.weights,
        told.offsets,
        told.now,
        values=told.values,
        users=None if told.users is None else users[told.users],
        searches=told.searches,
        kinds=told.kinds,
    )
    return made, histories, items
