"""One event more is read as the whole history would be, and what was kept never goes stale."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.data.dataset import Dataset
from acclimate.models.blocks import Layout
from acclimate.models.incremental import Kept, States, anchored, grow, read_on
from acclimate.models.mixers import MIXERS, make_block
from acclimate.models.sequence import SequenceModel
from acclimate.models.states import FOLLOWED, known_states
from acclimate.types import Histories

KINDS = sorted(MIXERS)
DEPTH = 3


def stack(kind: str, *, places: bool = False, width: int = 16) -> torch.nn.ModuleList:
    """Return blocks of one kind with random weights, also where they begin with none."""
    torch.manual_seed(3)
    blocks = [make_block(kind, width, 2, 0.2, depth, places=places) for depth in range(DEPTH)]
    for block in blocks:
        for part in block.parameters():
            torch.nn.init.normal_(part, std=0.3)
    return torch.nn.ModuleList(blocks).eval().requires_grad_(False)


def whole(blocks: torch.nn.ModuleList, x: torch.Tensor) -> torch.Tensor:
    layout = Layout.of(torch.tensor([len(x)]))
    *lower, top = blocks
    for block in lower:
        x = block(x, layout)
    out: torch.Tensor = top.last(x, layout)[0]  # type: ignore[operator]
    return out


@pytest.mark.parametrize("places", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@torch.inference_mode()
def test_reading_on_is_reading_it_all(kind: str, places: bool) -> None:
    blocks, x = stack(kind, places=places), torch.randn(40, 16)
    kept: Kept | None = None
    for low, high in ((0, 1), (1, 2), (2, 19), (19, 20), (20, 37), (37, 40)):
        found, kept = read_on(blocks, x[low:high], kept)
        np.testing.assert_allclose(found, whole(blocks, x[:high]), atol=1e-4)
    assert kept is not None
    assert kept.n == 40


@pytest.mark.parametrize("kind", ["decay", "gru", "convolution"])
@torch.inference_mode()
def test_what_is_kept_does_not_grow(kind: str) -> None:
    blocks = stack(kind)
    sizes = [read_on(blocks, torch.randn(n, 16), None)[1].bytes for n in (1, 50, 200)]
    assert sizes[0] == sizes[1] == sizes[2]


def test_a_mixer_that_is_not_known_says_so() -> None:
    with pytest.raises(TypeError, match="Linear cannot go on"):
        grow(torch.nn.Linear(2, 2), torch.zeros(1, 2), 0, None)


@settings(max_examples=30)
@given(st.lists(st.integers(0, 50), min_size=1, max_size=120), st.integers(1, 40))
def test_a_window_depends_on_its_newest_events_alone(items: list[int], longest: int) -> None:
    one = anchored(Histories.of([items]), longest)
    assert min(longest, len(items)) * 3 // 4 <= len(one.items) <= longest
    assert one.items.tolist() == items[len(items) - len(one.items) :]
    times = [list(range(len(items) - longest, len(items)))] if len(items) > longest else None
    again = anchored(Histories.of([items[-longest:]], times), longest)
    assert len(items) <= longest or len(again.items) == longest, "as long as it may be"
    shown = Histories.of([items, [1]])
    np.testing.assert_array_equal(anchored(shown, longest)[0].items, one.items, err_msg="whoever is beside")


def test_one_event_more_seldom_moves_the_beginning() -> None:
    rng = np.random.default_rng(0)
    items, times = rng.integers(0, 500, 1200), np.cumsum(rng.exponential(100, 1200))
    begins = []
    for n in range(200, 1200):
        history = Histories.of([items[:n].tolist()], [times[:n].tolist()])
        begins.append(float(anchored(history, 200).times[0]))
    moved = int((np.diff(begins) > 0).sum())
    assert 20 <= moved <= 80, "some 2 in each quarter of a window"
    assert (np.diff(begins) >= 0).all()


def ring(**more: Any) -> Dataset:
    return Dataset.of((f"u{u}", f"i{(u + t) % 12}", float(t)) for u in range(40) for t in range(14))


SMALL: dict[str, Any] = {"width": 16, "epochs": 2, "validation_users": 0, "batch_tokens": 128}
SMALL |= {"max_length": 8}


@pytest.fixture(scope="module", params=[*KINDS, "convolution+attention", "feedback"])
def model(request: pytest.FixtureRequest) -> SequenceModel:
    kind = request.param
    made = SequenceModel(**SMALL, **({"feedback": True} if kind == "feedback" else {"block": kind}))
    made.fit(ring())
    return made


def test_a_user_who_acts_is_read_on(model: SequenceModel) -> None:
    rng = np.random.default_rng(1)
    items = rng.integers(0, 12, 30).tolist()
    again = SequenceModel(**SMALL)
    again.restore(model.state())
    states = again._items.states
    assert states.goes_on == 0
    for n in range(1, 31):
        history = Histories.of([items[:n]])
        again.remember(history)
        fresh = SequenceModel(**SMALL)
        fresh.restore(model.state())
        np.testing.assert_allclose(again.score(history), fresh.score(history), atol=1e-4)
        assert states.goes_on == (1 if n <= 8 else states.goes_on)
    assert 1 <= states.goes_on <= 23, "only who moved the beginning begins anew"


def test_a_session_goes_on_from_what_is_kept_and_leaves_it(model: SequenceModel) -> None:
    again = SequenceModel(**SMALL)
    again.restore(model.state())
    again.remember(Histories.of([[1, 2, 3]]))
    for more in ([4], [5, 6], [4, 5, 6]):
        history = Histories.of([[1, 2, 3, *more]])
        fresh = SequenceModel(**SMALL)
        fresh.restore(model.state())
        np.testing.assert_allclose(again.score(history), fresh.score(history), atol=1e-4)
    assert again._items.states.goes_on == 1


def test_what_blocks_keep_is_bounded(model: SequenceModel) -> None:
    again = SequenceModel(**SMALL)
    again.restore(model.state())
    net, table = again._fitted(), again._items.vectors
    one = States()
    known_states(net, table, Histories.of([[0, 3, 0]]), one, keep=True)
    states = States(most_bytes=5 * one.bytes)
    for user in range(60):
        known_states(net, table, Histories.of([[user % 12, 3, user % 7]]), states, keep=True)
        assert states.bytes <= 5 * one.bytes
    assert states.goes_on == 5
    assert states.bytes == sum(kept.bytes for kept in states._going.values())


def test_many_at_once_are_not_followed_event_by_event(model: SequenceModel) -> None:
    again = SequenceModel(**SMALL)
    again.restore(model.state())
    again.remember(Histories.of([[user] for user in range(FOLLOWED + 1)]))
    assert again._items.states.goes_on == 0


def test_an_item_that_is_put_anew_is_read_anew(model: SequenceModel) -> None:
    again = SequenceModel(**SMALL)
    again.restore(model.state())
    again.remember(Histories.of([[1, 2, 3]]))
    again._items.text[2] += 1.0
    again._items.put(12, np.array([2], np.int32), None)
    assert again._items.states.goes_on == 0
