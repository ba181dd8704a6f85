"""The promises of the `Model` protocol; each check is given a function that makes an unfitted model."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save

from acclimate.data.dataset import Dataset
from acclimate.data.vocab import Vocabulary
from acclimate.errors import InputError
from acclimate.types import Histories, Item, Model, State

Make = Callable[[], Model]
N_USERS, N_ITEMS, N_COLD = 40, 24, 2
FAST_PARAMS: dict[str, dict[str, Any]] = {
    "als": {"factors": 8, "l2": 1.0},
    "bpr": {"factors": 8, "epochs": 3},
    "sequence": {"width": 16, "epochs": 2},
    "vae": {"latent": 8, "hidden": 16, "epochs": 2},
    "lightgcn": {"width": 8, "epochs": 2},
    "hybrid": {"sources": ["ease", "item-knn", "recent-popularity"]},
    "ensemble": {"sources": ["als", "ease"], "seeds": 2},
    "ranker": {"width": 8, "epochs": 2},
}
"""Arguments that make a model quick enough for small worlds, by registered name."""


def world(seed: int = 0, n_users: int = N_USERS, *, text: bool = True) -> Dataset:
    """Two tastes: a user likes even items or odd items, dislikes some, and the last two items are new."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(n_users):
        mine = rng.permutation(np.arange(user % 2, N_ITEMS - N_COLD, 2))[: rng.integers(4, 9)]
        other = rng.permutation(np.arange(1 - user % 2, N_ITEMS - N_COLD, 2))[:2]
        rows += [(user, int(item), 1.0) for item in mine] + [(user, int(item), -1.0) for item in other]
    order = rng.permutation(len(rows))
    user, item, weight = (np.array(column) for column in zip(*(rows[at] for at in order), strict=True))
    kinds = ("space", "garden")
    title = "film {} of the {}" if text else ""
    catalogue = [Item(f"i{n}", title.format(n, kinds[n % 2])) for n in range(N_ITEMS)]
    times = 1e9 + 3600.0 * np.arange(len(rows))
    users = Vocabulary(f"u{n}" for n in range(n_users))
    items = Vocabulary(item.item_id for item in catalogue)
    value = 3 + 2 * weight  # stars
    return Dataset(users, items, user, item, times, value=value, weight=weight, catalogue=catalogue)


WORLD = world()
WARM = np.unique(WORLD.item[WORLD.weight > 0])
NEW = [Item("new0", "film 100 of the space"), Item("new1", "film 101 of the garden")]


def questions() -> Histories:
    """Histories as they come: of the world, empty, disliked only, of a new item only, long, repeating."""
    rows: list[list[int]] = [[], [0], [2, 4, 6], [1], [N_ITEMS - 1], [3, 3, 3], list(range(22)) * 12]
    weights = [[1.0] * len(row) for row in rows]
    weights[3] = [-1.0]
    times = [[2e9 + n for n in range(len(row))] for row in rows]
    stars = [[3 + 2 * weight for weight in row] for row in weights]
    extra = Histories.of(rows, times, weights, [3e9] * 7, values=stars)
    known = WORLD.histories()[:6]
    return Histories(
        np.concatenate([known.items, extra.items]),
        np.concatenate([known.times, extra.times]),
        np.concatenate([known.weights, extra.weights]),
        np.concatenate([known.offsets, known.offsets[-1] + extra.offsets[1:]]),
        np.concatenate([known.now, extra.now]),
        values=np.concatenate([known.values, extra.values]),
    )


def fitted(make: Make, data: Dataset = WORLD) -> Model:
    """Return a model that has seen ``data``."""
    model = make()
    model.fit(data)
    return model


def one(items: Sequence[int], weights: Sequence[float] | None = None) -> Histories:
    """Return the history of one user who asks long after the world's last event."""
    times, weights = [2e9 + n for n in range(len(items))], weights or [1.0] * len(items)
    stars = [3 + 2 * weight for weight in weights]
    return Histories.of([items], [times], [weights], now=[3e9], values=[stars])


def travelled(state: State) -> State:
    """Return what comes back from safetensors and JSON, with arrays that cannot be written."""
    arrays, document = load(save(state[0])), json.loads(json.dumps(state[1]))
    for array in arrays.values():
        array.flags.writeable = False
    return arrays, document


def equal(a: NDArray[Any], b: NDArray[Any], tolerance: float = 0.0) -> None:
    """Demand equal arrays, NaN at the same places."""
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def refuses(error: type[Exception], call: Callable[[], object]) -> str:
    """Demand that ``call`` raises ``error``; return its message."""
    try:
        call()
    except error as caught:
        return str(caught)
    except Exception as other:
        raise AssertionError(f"wanted {error.__name__}, got {other!r}") from other
    raise AssertionError(f"wanted {error.__name__}, but nothing was raised")


def check_introduces_itself(make: Make) -> None:
    model = make()
    assert model.n_items == 0
    assert model.data is None
    assert model.name
    for sentence in (model.new_user, model.new_item):
        assert sentence[:1].isupper()
        assert sentence.endswith(".")
    model.fit(WORLD)
    assert model.n_items == N_ITEMS
    assert model.data is WORLD


def check_unfitted_refuses(make: Make) -> None:
    codes = np.zeros(1, np.int32)
    for ask in (
        lambda: make().score(one([0])),
        lambda: make().similarity(codes),
        lambda: make().put_items(codes, NEW[:1]),
        lambda: make().state(),
    ):
        assert "fit" in refuses(InputError, ask)


def check_scores_are_a_float32_matrix(make: Make) -> None:
    model, asked = fitted(make), questions()
    for histories in (asked, asked[:1], asked[:0]):
        scores = model.score(histories)
        assert scores.dtype == np.float32
        assert scores.shape == (len(histories), N_ITEMS)
        assert not np.isinf(scores).any()


def check_nan_only_where_nothing_is_known(make: Make) -> None:
    scores = fitted(make).score(questions())[:, WARM]
    silent = np.isnan(scores).all(axis=1)
    assert not np.isnan(scores[~silent]).any()
    liked = questions().liked()
    heard = np.bincount(liked.rows[np.isin(liked.items, WARM)], minlength=len(liked)) > 0
    assert not silent[heard].any(), "a user who likes an item that the model knows has scores"


def check_a_batch_equals_its_members(make: Make) -> None:
    model, asked = fitted(make), questions()
    equal(model.score(asked), np.concatenate([model.score(each) for each in asked]), 1e-5)
    backwards = np.arange(len(asked))[::-1]
    equal(model.score(asked[backwards]), model.score(asked)[::-1], 1e-5)


def check_asking_changes_nothing(make: Make) -> None:
    model, asked = fitted(make), questions()
    codes = np.arange(N_ITEMS, dtype=np.int32)
    codes.flags.writeable = False
    before = {name: array.copy() for name, array in model.state()[0].items()}
    first, near = model.score(asked), model.similarity(codes)
    kept, kept_near = first.copy(), near.copy()
    first[:], near[:] = -7.0, -7.0
    equal(model.score(asked), kept)
    equal(model.similarity(codes), kept_near)
    for name, array in model.state()[0].items():
        equal(array, before[name])


def check_an_event_counts_and_leaves_no_trace(make: Make) -> None:
    model = fitted(make)
    before = model.score(one([0]))
    after = model.score(one([0, 2]))
    assert not np.isnan(after[:, WARM]).any()
    equal(model.score(one([0])), before)
    equal(after, fitted(make).score(one([0, 2])), 1e-5)


def check_what_was_only_shown_counts_for_nothing(make: Make) -> None:
    rng, data, n = np.random.default_rng(1), WORLD.events, 60
    at = np.sort(rng.choice(len(WORLD), n, replace=False))
    shown = rng.integers(0, N_ITEMS - N_COLD, n)
    seen = Dataset(
        WORLD.users,
        WORLD.items,
        np.insert(data.user, at, data.user[rng.permutation(at)]),
        np.insert(data.item, at, shown),
        np.insert(data.time, at, data.time[at]),
        value=np.insert(data.value, at, np.nan),
        weight=np.insert(data.weight, at, 0.0),
        catalogue=WORLD.catalogue,
    )
    asked = Histories.of([[0, 2], [1, 3], []], [[2e9, 2e9 + 9]] * 2 + [[]], now=[3e9] * 3)
    told = Histories.of(
        [[7, 0, 2, 2], [1, 8, 3, 9], [4]],
        [[1e9, 2e9, 2e9 + 9, 2.5e9], [2e9, 2e9 + 1, 2e9 + 9, 2.5e9], [2e9]],
        [[0, 1, 1, 0], [1, 0, 1, 0], [0]],
        now=[3e9] * 3,
    )
    equal(fitted(make).score(told), fitted(make).score(asked), 1e-5)
    equal(fitted(make, seen).score(asked), fitted(make).score(asked), 1e-5)


def check_a_dislike_never_raises_its_item(make: Make) -> None:
    model = fitted(make)
    for liked in ([], [0], [2, 4, 6], [1, 3]):
        before = model.score(one(liked))[0]
        for item in range(N_ITEMS):
            after = model.score(one([*liked, item], [*[1.0] * len(liked), -1.0]))[0]
            assert np.isnan(after[item]) == np.isnan(before[item])
            assert not after[item] > before[item] + 1e-5


def check_state_travels(make: Make) -> None:
    model, asked = fitted(make), questions()
    codes = np.arange(N_ITEMS, dtype=np.int32)
    again = make()
    if model.encoder and again.encoder:
        again.encoder.restore(travelled(model.encoder.state()))
    again.restore(travelled(model.state()))
    assert again.data is None
    assert again.n_items == N_ITEMS
    equal(again.score(asked), model.score(asked))
    equal(again.similarity(codes), model.similarity(codes))
    for name, array in again.state()[0].items():
        equal(array, model.state()[0][name])
    again.put_items(np.array([N_ITEMS], np.int32), NEW[:1])
    assert again.score(asked).shape[1] == N_ITEMS + 1


def check_state_holds_the_arguments(make: Make) -> None:
    model = fitted(make)
    document = json.loads(json.dumps(model.state()[1]))
    assert isinstance(document.get("params"), dict)
    allowed = set(inspect.signature(type(model)).parameters)
    assert set(document["params"]) <= allowed
    rebuilt = type(model)(**document["params"])
    rebuilt.restore(travelled(model.state()))
    equal(rebuilt.score(questions()), model.score(questions()))


def check_new_items_join(make: Make) -> None:
    model, asked = fitted(make), questions()
    before = model.score(asked)
    model.put_items(np.array([N_ITEMS + 1, N_ITEMS], np.int32), NEW[::-1])
    assert model.n_items == N_ITEMS + 2
    after = model.score(asked)
    equal(after[:, :N_ITEMS], before, 1e-6)
    assert after.shape == (len(asked), N_ITEMS + 2)
    for items in ([N_ITEMS], [N_ITEMS + 1, 0]):
        assert model.score(one(items)).shape == (1, N_ITEMS + 2)
    near = model.similarity(np.array([N_ITEMS], np.int32))
    assert near.shape == (1, N_ITEMS + 2)


def check_a_changed_item_changes_no_other(make: Make) -> None:
    model = fitted(make)
    before = model.score(one([0, 2]))
    model.put_items(np.array([5], np.int32), [Item("i5", "quite another thing")])
    assert model.n_items == N_ITEMS
    equal(np.delete(model.score(one([0, 2])), 5, axis=1), np.delete(before, 5, axis=1), 1e-6)


def check_codes_leave_no_gap(make: Make) -> None:
    refuses(ValueError, lambda: fitted(make).put_items(np.array([N_ITEMS + 1], np.int32), NEW[:1]))
    refuses(ValueError, lambda: fitted(make).put_items(np.array([-1], np.int32), NEW[:1]))


def check_similarity(make: Make) -> None:
    codes = np.array([0, 3, 3, N_ITEMS - 1], np.int32)
    near = fitted(make).similarity(codes)
    assert near.dtype == np.float32
    assert near.shape == (4, N_ITEMS)
    known = ~np.isnan(near)
    assert (np.abs(near[known]) <= 1 + 1e-4).all()
    equal(near[1], near[2])
    for row, code in zip(near, codes, strict=True):
        assert np.isnan(row).all() or row[code] >= np.nanmax(row) - 1e-5, "nothing is nearer than itself"


def check_similarity_to_some_is_part_of_all(make: Make) -> None:
    model, codes = fitted(make), np.array([0, 3], np.int32)
    some = np.array([N_ITEMS - 1, 3, 7], np.int32)
    equal(model.similarity(codes, some), model.similarity(codes)[:, some], 1e-6)


def check_fit_is_deterministic(make: Make) -> None:
    equal(fitted(make).score(questions()), fitted(make).score(questions()), 1e-6)


def check_fit_starts_from_scratch(make: Make) -> None:
    model = fitted(make, world(seed=1, n_users=7))
    model.fit(WORLD)
    equal(model.score(questions()), fitted(make).score(questions()), 1e-5)


def check_small_worlds(make: Make) -> None:
    for rows in (
        [("u", "i", 1.0)],
        [("u", f"i{n}", float(n)) for n in range(5)],
        [(f"u{n}", "i", float(n)) for n in range(5)],
        [("u", "i", 1.0)] * 4,
        [("u", "i", 1.0), ("v", "j", 1.0)],
    ):
        data = Dataset.of(rows, value=np.full(len(rows), 4.0))
        try:
            model = fitted(make, data)
        except InputError:
            if data.histories().lengths.max() < 2:
                continue  # there is no order to learn
            raise
        scores = model.score(data.histories())
        assert scores.shape == (data.n_users, data.n_items)
        assert not np.isinf(scores).any()
    assert fitted(make, world(text=False)).score(questions()).shape[1] == N_ITEMS


def check_nothing_liked_is_no_crash(make: Make) -> None:
    one_event = (np.zeros(1, np.int32), np.zeros(1, np.int32), np.ones(1))
    disliked = Dataset(Vocabulary(["u"]), Vocabulary(["i"]), *one_event, weight=-np.ones(1))
    for data in (disliked, disliked.where(np.array([False]))):
        model = make()
        try:
            model.fit(data)
        except InputError:
            continue
        except Exception as error:
            raise AssertionError(f"nothing to learn from is for InputError, not {error!r}") from error
        assert model.score(one([0])).shape == (1, 1)


CHECKS: list[Callable[[Make], None]] = [
    check_introduces_itself,
    check_unfitted_refuses,
    check_scores_are_a_float32_matrix,
    check_nan_only_where_nothing_is_known,
    check_a_batch_equals_its_members,
    check_asking_changes_nothing,
    check_an_event_counts_and_leaves_no_trace,
    check_what_was_only_shown_counts_for_nothing,
    check_a_dislike_never_raises_its_item,
    check_state_travels,
    check_state_holds_the_arguments,
    check_new_items_join,
    check_a_changed_item_changes_no_other,
    check_codes_leave_no_gap,
    check_similarity,
    check_similarity_to_some_is_part_of_all,
    check_fit_is_deterministic,
    check_fit_starts_from_scratch,
    check_small_worlds,
    check_nothing_liked_is_no_crash,
]
