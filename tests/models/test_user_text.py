"""The reading of a user: in a world where a search tells what comes next, and nothing else does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from acclimate.data.dataset import Dataset, Searches
from acclimate.data.user_text import UserTexts
from acclimate.data.vocab import Vocabulary
from acclimate.errors import InputError
from acclimate.histories import Searched
from acclimate.models.item_vectors import TextSpace
from acclimate.models.sequence import SequenceModel
from acclimate.models.user_text import Join, Read, Readings, UserReader, text_places
from acclimate.recommend import Recommender
from acclimate.state.fold import LiveState
from acclimate.types import Event, Floats, Histories, Item, Query, State
from tests.models.test_sequence import SMALL

KINDS, COPIES = 6, 6
N = KINDS * COPIES


class Kinds:
    """Reads "kind 3" wherever it stands; what was searched for last counts most."""

    name, note = "kinds", None
    fingerprint = "kinds"

    def __init__(self) -> None:
        self.read: list[str] = []

    def encode(self, texts: Sequence[str]) -> Floats:
        self.read += texts
        out = np.zeros((len(texts), KINDS), np.float32)
        for row, text in enumerate(texts):
            parts = [part for part in text.split(". ") if part]
            for part in parts:
                newest = "searched" in part and part is parts[-1]
                out[row, int(part.split("kind ")[1][0])] += 3.0 if newest else 0.1
        return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9)

    def fit(self, texts: Sequence[str], histories: Histories | None = None) -> None:
        return

    def state(self) -> State:
        return {}, {}

    def restore(self, state: State) -> None:
        return


def world(n_users: int = 200, length: int = 6) -> Dataset:
    """Each item is of the kind that the user searched for the moment before; kinds are drawn at random."""
    rng = np.random.default_rng(0)
    kind = rng.integers(KINDS, size=(n_users, length))
    item = kind + KINDS * rng.integers(COPIES, size=kind.shape)
    user = np.repeat(np.arange(n_users), length)
    time = np.tile(10.0 * np.arange(length), n_users) + 1000.0
    catalogue = [Item(f"i{n}", title=f"kind {n % KINDS} copy {n // KINDS}") for n in range(N)]
    queries = tuple(f"kind {each}" for each in kind.ravel())
    ids = Vocabulary(each.item_id for each in catalogue)
    users = Vocabulary(f"u{n}" for n in range(n_users))
    searches = Searches(user, time - 5.0, queries)
    return Dataset(users, ids, user, item.ravel(), time, catalogue=catalogue, searches=searches)


def after(kind: int, *items: int) -> Histories:
    """One user who had the items and then searched for a kind."""
    times = 1000.0 + 10.0 * np.arange(len(items))
    told = Searched.of([[(2000.0, f"kind {kind}")]])
    return Histories(
        np.array(items),
        times,
        np.ones(len(items)),
        np.array([0, len(items)]),
        np.array([2005.0]),
        searches=told,
    )


@pytest.fixture(scope="module", params=["on", "alone"])
def reader(request: pytest.FixtureRequest) -> SequenceModel:
    model = SequenceModel(Kinds(), **SMALL, user_text=request.param, epochs=15, validation_users=0)
    model.fit(world(600))
    return model


def test_a_search_moves_the_next_list(reader: SequenceModel) -> None:
    right = [
        reader.score(after(kind, other, 7))[0].argmax() % KINDS == kind
        for kind in range(KINDS)
        for other in range(KINDS)
    ]
    assert np.mean(right) >= 0.95


def test_a_search_is_heard_of_who_has_no_history(reader: SequenceModel) -> None:
    assert reader.score(after(4))[0].argmax() % KINDS == 4
    assert np.isnan(reader.score(Histories.of([[]]))).all()


def test_together_is_as_one_by_one(reader: SequenceModel) -> None:
    told = Searched.of([[(5.0, "kind 2")], [], [(6.0, "kind 5")], []])
    all_ = Histories(
        np.array([1, 2, 3]), np.arange(3.0), np.ones(3), np.array([0, 2, 3, 3, 3]), searches=told
    )
    each = np.concatenate([reader.score(one) for one in all_])
    np.testing.assert_allclose(reader.score(all_), each, atol=1e-5)


def test_what_was_read_travels_with_the_model(reader: SequenceModel) -> None:
    again = SequenceModel(Kinds())
    again.restore(reader.state())
    np.testing.assert_array_equal(again.score(after(2, 1, 7)), reader.score(after(2, 1, 7)))
    assert again.new_user == reader.new_user != SequenceModel.new_user
    again.put_items(np.array([N], np.int32), [Item("new", title="kind 3 copy 9")])
    best = np.argsort(-again.score(after(3, N))[0])[: COPIES + 1]
    assert N in best, "it is of the kind that was searched for"


def test_without_the_encoder_the_sequence_stands_alone(reader: SequenceModel) -> None:
    bare = SequenceModel()
    bare.restore(reader.state())
    scores = bare.score(after(2, 1, 7))
    if reader.params["user_text"] == "on":
        np.testing.assert_array_equal(scores, bare.score(after(5, 1, 7)))
        assert np.isfinite(scores).all()
    else:
        assert np.isnan(scores).all()


def test_a_search_moves_the_next_list_of_the_live_state(reader: SequenceModel) -> None:
    recommender = Recommender(reader, LiveState.of(world()))

    def kinds(*searches: Event) -> list[int]:
        slate = recommender.recommend(Query("u0", k=3, now=5000.0, events=searches, request_id="r"))
        return [int(place.item_id[1:]) % KINDS for place in slate.items]

    for kind in (1, 4):
        assert kinds(Event("u0", "search", 5000.0, query=f"kind {kind}")) == [kind] * 3


def test_who_does_not_read_users_is_moved_by_no_search() -> None:
    encoder = Kinds()
    model = SequenceModel(encoder, **SMALL, epochs=1, validation_users=0)
    model.fit(world())
    np.testing.assert_array_equal(model.score(after(2, 1, 7)), model.score(after(5, 1, 7)))
    assert not any("searched" in text for text in encoder.read)


def test_users_are_read_once_for_each_window_and_once_for_a_question() -> None:
    encoder = Kinds()
    model = SequenceModel(encoder, **SMALL, user_text="on", epochs=3, validation_users=0)
    model.fit(world(n_users=50))
    texts = [text for text in encoder.read if "searched" in text]
    assert 40 < len(texts) <= 50
    for _ in range(3):
        model.score(after(2, 1, 7))
    assert len([text for text in encoder.read if "searched" in text]) == len(texts) + 1


def test_no_step_hears_of_what_it_foresees() -> None:
    data = world(n_users=20, length=9)
    whole, texts = data.histories(), UserTexts.of(data.catalogue)
    space = TextSpace.fit(Kinds().encode(data.texts), 8)
    heard = Readings(whole, UserReader(Kinds(), space, texts), 4, seed=0)
    for place in range(len(whole.items)):
        if place + 1 in whole.offsets or heard.which[place] == 0:
            continue
        row = int(whole.rows[place])
        changed = np.array(whole.items)
        changed[place + 1 :] = 0
        later = whole.searches
        assert later is not None
        queries = later.queries.copy()
        queries[later.times >= whole.times[place + 1]] = "kind 0"
        told = Histories(
            changed, whole.times, whole.weights, whole.offsets, searches=later._replace(queries=queries)
        )
        other = Readings(told, UserReader(Kinds(), space, texts), 4, seed=0)
        at = torch.tensor([place])
        assert torch.equal(heard.at(at).vectors, other.at(at).vectors), (row, place)
        assert int(heard.at(at).age) >= 0


def test_a_text_is_heard_until_the_next_one_with_its_age() -> None:
    data = world(n_users=5, length=9)
    space = TextSpace.fit(Kinds().encode(data.texts), 8)
    histories = data.histories()
    heard = Readings(histories, UserReader(Kinds(), space, UserTexts.of(data.catalogue)), 4, seed=0)
    users, lengths = text_places(histories.offsets, 4, seed=0)
    assert users.tolist() == [user for user in range(5) for _ in range(2)]
    fresh = (9 * users + lengths - 1).tolist()
    for user in range(5):
        last = None
        for place in range(9 * user, 9 * user + 8):
            last = place if place in fresh else last
            at = torch.tensor([place])
            assert bool(heard.at(at).vectors.any()) == (last is not None)
            assert last is None or int(heard.at(at).age) == place - last
            expected = 0.0 if last is None else 1 / (1 + place - last)
            assert float(heard.weights(at)) == pytest.approx(expected)


def test_nothing_read_leaves_the_state_as_it_is() -> None:
    torch.manual_seed(0)
    join, states = Join(8, alone=False), torch.randn(5, 8)
    blank = Read.now(np.zeros((5, 8), np.float32))
    assert torch.equal(join(states, blank), states)
    assert not torch.equal(join(states, Read.now(np.ones((5, 8), np.float32))), states)


@pytest.mark.parametrize("user_text", ["on", "alone"])
def test_who_reads_users_wants_an_encoder(user_text: str) -> None:
    with pytest.raises(InputError, match=f"user_text='{user_text}' needs an encoder; 'off' does without"):
        SequenceModel(user_text=user_text).fit(world())


def test_another_user_text_is_refused() -> None:
    with pytest.raises(InputError, match=r"no user text 'onn': did you mean 'on'[?] Allowed: alone, off, on"):
        SequenceModel(user_text="onn")


def test_users_are_read_whatever_items_are_made_of() -> None:
    for item_vector in ("id", "sum"):
        model = SequenceModel(
            Kinds(), **SMALL, user_text="on", item_vector=item_vector, epochs=2, validation_users=20
        )
        model.fit(world(n_users=60))
        again = SequenceModel(Kinds())
        again.restore(model.state())
        np.testing.assert_array_equal(again.score(after(2, 1, 7)), model.score(after(2, 1, 7)))
        assert not np.array_equal(model.score(after(2, 1, 7)), model.score(after(5, 1, 7)))
