"""What was searched for after the last click changes the next list of a model that reads users."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from acclimate.config import Home, Settings
from acclimate.models.sequence import SequenceModel
from acclimate.recommend import Recommender
from acclimate.serve.engine import Engine
from acclimate.state.fold import LiveState
from tests.models.test_sequence import SMALL
from tests.models.test_user_text import KINDS, Kinds, world
from tests.serve.conftest import Client, serving


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    data = world()
    model = SequenceModel(Kinds(), **SMALL, user_text="alone", epochs=40, validation_users=0)
    model.fit(data)

    def load(home: Home, settings: Settings) -> Recommender:
        return Recommender(model, LiveState.of(data, settings.events))

    with serving(Engine(Home(Path(tmp_path_factory.mktemp("home"))), Settings(), load)) as client:
        yield client


def kinds(client: Client, **question: object) -> set[int]:
    answer = client.post("/v1/recommendations", json={"k": 3, **question}).json()
    return {int(place["item_id"][1:]) % KINDS for place in answer["items"]}


@pytest.mark.parametrize("kind", [1, 4, 2])
def test_a_search_moves_the_next_list(client: Client, kind: int) -> None:
    search = {"user_id": "u3", "event_type": "search", "query": f"kind {kind}"}
    assert client.post("/v1/events", json=search).json()["accepted"] == 1
    assert kinds(client, user_id="u3") == {kind}


@pytest.mark.parametrize("user", [None, "u3", "never heard of"])
def test_a_search_of_the_session_counts_for_its_answer(client: Client, user: str | None) -> None:
    session = [{"event_type": "click", "item_id": "i7"}, {"event_type": "search", "query": "kind 5"}]
    assert kinds(client, user_id=user, events=session) == {5}
    assert kinds(client, user_id="u3", events=[]) != {5}


@pytest.mark.parametrize(
    ("event", "message", "field"),
    [
        (
            {"event_type": "search"},
            "events[0].query is missing: a search needs what was searched for",
            "query",
        ),
        ({"event_type": "click"}, "events[0].item_id is missing: 'click' needs an item", "item_id"),
    ],
)
def test_an_event_of_a_session_wants_what_it_is_about(
    client: Client, event: dict[str, str], message: str, field: str
) -> None:
    answer = client.post("/v1/recommendations", json={"events": [event]})
    assert answer.status_code == 422
    assert answer.json()["error"]["message"] == message
    assert answer.json()["error"]["field"] == f"events[0].{field}"
