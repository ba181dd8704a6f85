"""The made worlds are what they say: their chances are those of the events, their changes where they say."""

from __future__ import annotations

import numpy as np
import pytest

from acclimate.data.synthetic import CHANGES, MINUTE, World, drifting_world
from acclimate.errors import InputError

SOME = {"n_users": 50, "n_items": 60, "n_events": 2_000, "repeats": True}


@pytest.mark.parametrize("change", CHANGES)
def test_events_fall_as_the_chances_say(change: str) -> None:
    world = drifting_world(change, **SOME)
    data = world.data
    chance = world.chances(data.user, data.time)
    np.testing.assert_allclose(chance.sum(axis=1), 1.0)
    own = chance[np.arange(len(data)), data.item]
    expected, spread = (
        (chance**2).sum(axis=1),
        np.sqrt((chance**3).sum(axis=1) - (chance**2).sum(axis=1) ** 2),
    )
    z = (own - expected).sum() / np.sqrt((spread**2).sum())
    assert abs(z) < 4, "the items that were chosen are as probable as they should be on average"


def turns(world: World) -> list[float]:
    """Return the times, as shares, at which the chances of the first user differ from those before."""
    at = np.linspace(0, 0.999, 200)
    chance = world.chances(np.zeros(len(at), np.int32), at * len(world.data) * MINUTE)
    moved = np.abs(np.diff(chance, axis=0)).sum(axis=1) > 1e-9
    return at[1:][moved].tolist()


def test_changes_are_where_they_should_be() -> None:
    assert turns(drifting_world("none", **SOME)) == []
    assert turns(drifting_world("sudden", **SOME)) == pytest.approx([0.5], abs=0.01)
    assert turns(drifting_world("recurring", **SOME)) == pytest.approx([0.25, 0.5, 0.75], abs=0.01)
    gradual = turns(drifting_world("gradual", **SOME))
    assert (min(gradual), max(gradual)) == pytest.approx((0.4, 0.6), abs=0.01)


def test_only_so_many_tastes_turn() -> None:
    world = drifting_world("sudden", tastes=4, turning=0.5, n_events=100)
    users = np.arange(8, dtype=np.int32)
    before, after = (world.chances(users, np.full(8, at)) for at in (0.0, 99 * 60.0))
    turned = ~np.isclose(before, after).all(axis=1)
    assert turned.tolist() == world.turns[:8].tolist() == [True, True, False, False] * 2
    np.testing.assert_allclose(after[:2], before[[1, 0]])


def test_new_users_and_items_come_in_the_course_of_time() -> None:
    world = drifting_world("none", new_users=0.5, new_items=0.5, n_users=40, n_items=100, n_events=1_000)
    data = world.data
    born = np.array([item.created_at for item in data.catalogue])
    assert (data.time >= born[data.item]).all()
    assert (born > 0).sum() == 50
    first = {int(user): time for user, time in zip(data.user[::-1], data.time[::-1], strict=True)}
    assert sum(time > 200 * MINUTE for time in first.values()) >= 10


def test_nobody_chooses_twice_unless_it_may_be() -> None:
    for repeats in (False, True):
        data = drifting_world("none", **{**SOME, "n_events": 400, "repeats": repeats}).data
        pairs = set(zip(data.user.tolist(), data.item.tolist(), strict=True))
        assert (len(pairs) < len(data)) == repeats


def test_the_seed_decides_everything() -> None:
    one, same, other = (drifting_world("sudden", **SOME, seed=seed) for seed in (1, 1, 2))
    assert (one.data.item == same.data.item).all()
    assert (one.data.item != other.data.item).any()


def test_bad_arguments_are_named() -> None:
    with pytest.raises(InputError, match="sudden"):
        drifting_world("suden")
    with pytest.raises(InputError, match="fewer events, or more items"):
        drifting_world("none", n_users=2, n_items=10, n_events=100)
