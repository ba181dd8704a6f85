"""Questions wait for others, outlive a snapshot, and go when their user is forgotten."""

from __future__ import annotations

import numpy as np

from acclimate.state.panel import Panel
from acclimate.state.waiting import Waiting


def asked() -> tuple[Panel, Waiting]:
    panel, waiting = Panel(), Waiting(block=3)
    for user, items in enumerate(([4, 5], [6], [7, 8, 9])):
        for time, item in enumerate(items):
            panel.learn(user, (item, float(time), 1.0, np.nan))
        waiting.put(panel, user, item=10 + user, time=20.0 + user)
    return panel, waiting


def test_what_waits_is_as_it_was_when_it_was_asked() -> None:
    panel, waiting = asked()
    panel.learn(1, (3, 30.0, 1.0, np.nan))
    assert waiting.full
    histories, items = waiting.take()
    assert [histories[n].items.tolist() for n in range(3)] == [[4, 5], [6], [7, 8, 9]]
    assert histories.now.tolist() == [20.0, 21.0, 22.0]
    assert items.tolist() == [10, 11, 12]
    assert not len(waiting)


def test_it_travels_in_a_state() -> None:
    _, waiting = asked()
    restored = Waiting.restored(waiting.state())
    for one, other in zip(waiting.take(), restored.take(), strict=True):
        if isinstance(one, np.ndarray):
            assert one.tolist() == other.tolist()  # type: ignore[union-attr]
        else:
            assert one.items.tolist() == other.items.tolist()  # type: ignore[union-attr]
            assert one.offsets.tolist() == other.offsets.tolist()  # type: ignore[union-attr]
    assert len(Waiting.restored(Waiting().state())) == 0


def test_a_user_who_is_forgotten_is_not_asked_about() -> None:
    _, waiting = asked()
    waiting.forget(1)
    assert not waiting.full
    histories, items = waiting.take()
    assert items.tolist() == [10, 12]
    assert histories.items.tolist() == [4, 5, 7, 8, 9]
