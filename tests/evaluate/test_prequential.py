"""A replay ranks, logs and learns in this order, runs what serves, and finds what is known of made worlds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from acclimate.data.dataset import Dataset
from acclimate.data.synthetic import CHANGES, World, drifting_world
from acclimate.errors import InputError
from acclimate.evaluate import prequential
from acclimate.evaluate.prequential import Level, StreamReport, replay
from acclimate.evaluate.stream_page import write_stream
from acclimate.events.codec import to_body
from acclimate.events.log import Record
from acclimate.models.ease import EASE
from acclimate.models.popularity import Popularity
from acclimate.recommend import Recommender
from acclimate.state.fold import LiveState
from acclimate.types import Event, Events, Floats, Histories, Query, State

NDCG = "ndcg@10"


class Plain:
    """What a model has to have, with nothing in it."""

    name, encoder, data = "plain", None, None

    def fit(self, data: Dataset) -> None:
        """Remember the size of the catalogue."""
        self.n_items = data.n_items

    def score(self, histories: Histories) -> Floats:
        """Say the same of everything."""
        return np.zeros((len(histories), self.n_items), np.float32)

    def state(self) -> State:
        """Return the size of the catalogue."""
        return {}, {"n_items": self.n_items}

    def restore(self, state: State) -> None:
        """Take the size over."""
        self.n_items = state[1]["n_items"]


class Knows(Plain):
    """Knows every chance of a world."""

    def __init__(self, world: World) -> None:
        self.world = world

    def score(self, histories: Histories) -> Floats:
        """Return the chances at the time of the question."""
        assert histories.users is not None
        return self.world.chances(histories.users, histories.now).astype(np.float32)


class Habit(Plain):
    """Scores an item by how many of the newest ``memory`` events were of this user with it."""

    def __init__(self, memory: int = 10**9) -> None:
        self.memory, self.seen = memory, np.zeros((0, 2), np.int32)
        self.taught: list[int] = []
        self.known: list[int] = []

    def fit(self, data: Dataset) -> None:
        """Remember the events."""
        super().fit(data)
        self.seen = np.column_stack([data.user, data.item])[-self.memory :]

    def learn(self, events: Events) -> None:
        """Remember more of them."""
        self.taught.append(len(events.item))
        self.seen = np.concatenate([self.seen, np.column_stack([events.user, events.item])])[-self.memory :]

    def score(self, histories: Histories) -> Floats:
        """Count."""
        self.known.append(len(self.seen))
        assert histories.users is not None
        pairs = self.seen[:, 0].astype(np.int64) * self.n_items + self.seen[:, 1]
        wanted = histories.users[:, None].astype(np.int64) * self.n_items + np.arange(self.n_items)
        values, counts = np.unique(np.append(pairs, -1), return_counts=True)
        at = np.searchsorted(values, wanted.ravel()).clip(max=len(values) - 1)
        return np.where(values[at] == wanted.ravel(), counts[at], 0).reshape(wanted.shape).astype(np.float32)

    def state(self) -> State:
        """Return what it remembers."""
        return {"seen": self.seen}, {"n_items": self.n_items}

    def restore(self, state: State) -> None:
        """Take it over."""
        super().restore(state)
        self.seen = state[0]["seen"]


def levels(report: StreamReport) -> dict[str, dict[str, Any]]:
    """Return the document of each level by name."""
    return {level["name"]: level for level in report.document()["levels"]}


@pytest.mark.parametrize("repeats", [False, True])
@pytest.mark.parametrize("change", CHANGES)
def test_who_knows_the_world_reaches_what_the_world_says(change: str, repeats: bool) -> None:
    world = drifting_world(change, new_users=0.2, new_items=0.2, repeats=repeats, n_events=3_000)
    report = replay([Level("knows", Knows(world))], world.data, again=0.0 if repeats else np.inf)
    found = report.levels[0]
    for name, expected in ((NDCG, world.ndcg), ("hr@10", world.hit)):
        values, truth = found.per_question[name], expected[report.stream.asked]
        error = (values - truth).mean() / (values.std() / np.sqrt(len(values)))
        assert abs(error) < 4
    assert report.n_asked == 1_500
    assert sum(window.n for window in found.windows) == report.n_asked


def test_live_histories_beat_frozen_ones_after_a_change() -> None:
    world = drifting_world("sudden", new_users=0.3)
    ease = EASE()
    report = replay([Level("frozen", ease, live=False), Level("live", ease)], world.data)
    (contest,) = report.contests
    assert contest.difference.model == "frozen"
    assert contest.difference.difference.sign == -1
    (gain,) = report.gains
    assert (gain.difference.model, gain.difference.against) == ("live", "frozen")
    assert gain.difference.difference.mean == pytest.approx(-contest.difference.difference.mean)
    assert gain.difference.difference.sign == 1
    signs = [sign for _, sign in contest.windows]
    assert signs.count(-1) > len(signs) / 2
    assert 1 not in signs
    told = contest.document()["mcnemar"]
    assert (told["better"], told["worse"], told["windows"]) == (0, signs.count(-1), len(signs))
    assert [(window["time"], window["sign"]) for window in told["curve"]] == list(contest.windows)
    assert levels(report)["frozen"]["forgetting"]["backward_transfer"] == 0


def test_the_page_draws_where_hits_differ(tmp_path: Path) -> None:
    world, ease = drifting_world("sudden", new_users=0.3), EASE()
    report = replay([Level("<still>", ease, live=False), Level("live", ease)], world.data)
    write_stream(report, tmp_path / "replay.html")
    page = (tmp_path / "replay.html").read_text("utf-8")
    strip = page[page.index("significantly more than live") : page.index("by segment")]
    signs = [sign for _, sign in report.contests[0].windows]
    assert strip.count("<rect") == strip.count(": fewer</title>") == signs.count(-1) > 0
    assert f"fewer in {signs.count(-1)} of {len(signs)}" in strip
    assert "<still>" not in page
    alone = replay([Level("live", ease)], world.data)
    write_stream(alone, tmp_path / "alone.html")
    assert "McNemar" not in (tmp_path / "alone.html").read_text("utf-8")


def test_a_replay_ranks_as_the_recommender_that_serves() -> None:
    world = drifting_world("none", n_users=20, n_items=40, n_events=300, new_items=0.3, new_users=0.3)
    report = replay([Level("live", EASE())], world.data, start=world.data.time[150])
    stream, trace = report.stream, report.levels[0].trace
    model = EASE()
    model.fit(world.data.before(stream.start))
    recommender = Recommender(model, LiveState.of(world.data.before(stream.start)))
    users, items = world.data.users.ids, world.data.items.ids
    for question, at in enumerate(stream.asked):
        user, item, time = (
            users[stream.events.user[at]],
            items[stream.events.item[at]],
            stream.events.time[at],
        )
        there = tuple(items[code] for code in np.flatnonzero(stream.born <= time))
        slate = recommender.recommend(Query(user, k=40, candidates=there, now=time, explain=False))
        rank = next(listed.rank for listed in slate.items if listed.item_id == item)
        scored = trace.tied[question] == 1
        assert not scored or rank == trace.above[question] + 1
        event = Event(user, "click", float(time), item_id=item)
        recommender.apply([Record(question + 1, "event", time, to_body(event))])
    assert (trace.tied == 1).mean() > 0.5, "most questions were compared"


def test_each_group_is_ranked_before_any_of_it_is_learned() -> None:
    rows = [(f"u{n % 7}", f"i{n}", n + part) for n in range(40) for part in (0.0, 0.5)]
    model = Habit()
    replay([Level("habit", model)], Dataset.of([(user, item, time + 1) for user, item, time in rows]))
    assert model.taught == [2] * 20
    assert set(model.known) == set(range(40, 80, 2))


def test_nothing_is_learned_before_its_delay_is_over() -> None:
    world = drifting_world("none", n_events=200)
    prompt, late = Habit(), Habit()
    replay([Level("prompt", prompt)], world.data)
    replay([Level("late", late)], world.data, delay=600.0)
    assert sum(late.taught) == sum(prompt.taught) == 100
    assert prompt.taught == [1] * 100
    assert late.taught == [1] * 90 + [10], "the last ten minutes are only learned at the end"


def test_events_can_be_learned_so_many_at_a_time() -> None:
    model = Habit()
    replay([Level("habit", model, every=32)], drifting_world("none", n_events=200).data)
    assert model.taught == [32, 32, 32, 4]


def test_what_a_kill_left_is_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prequential, "SAVE_EVERY", 0.0)
    world = drifting_world("sudden", n_events=300)

    class Dies(Habit):
        left = 60

        def score(self, histories: Histories) -> Floats:
            self.left -= 1
            if not self.left:
                raise KeyboardInterrupt
            return super().score(histories)

    whole = replay([Level("habit", Habit()), Level("frozen", EASE(), live=False)], world.data)
    with pytest.raises(KeyboardInterrupt):
        replay([Level("habit", Dies())], world.data, folder=tmp_path)
    second = Habit()
    again = replay([Level("habit", second), Level("frozen", EASE(), live=False)], world.data, folder=tmp_path)
    assert 0 < sum(second.taught) < 150, "what was learned is not learned again"
    for one, other in zip(whole.levels, again.levels, strict=True):
        assert (one.trace.above == other.trace.above).all()
        assert (one.trace.tied == other.trace.tied).all()
        np.testing.assert_array_equal(one.trace.marks, other.trace.marks)
    third = Habit()
    replay([Level("habit", third)], world.data, folder=tmp_path)
    assert third.known == [], "what is finished is not done again"
    other = drifting_world("sudden", n_events=300, seed=1).data
    assert replay([Level("habit", third)], other, folder=tmp_path).levels[0].trace.done == 150
    assert third.known, "another stream is another job"


def test_what_is_kept_and_damaged_is_made_anew(tmp_path: Path) -> None:
    world = drifting_world("none", n_events=300)
    first = replay([Level("habit", Habit())], world.data, folder=tmp_path).levels[0]
    for file in tmp_path.iterdir():
        whole = file.read_bytes()
        for damaged in (whole[:-30], whole[: len(whole) // 2], b"", whole.replace(b"\x00", b"\x01", 40)):
            file.write_bytes(damaged)
            again = replay([Level("habit", Habit())], world.data, folder=tmp_path).levels[0]
            assert (again.trace.above == first.trace.above).all()


def test_levels_with_names_alike_are_kept_apart(tmp_path: Path) -> None:
    world = drifting_world("none", n_events=300, repeats=True)
    both = [Level("a b", Habit()), Level("a/b", Habit(), learns=False)]
    kept = replay(both, world.data, again=0.0, folder=tmp_path).levels
    assert (kept[0].trace.above != kept[1].trace.above).any()


def test_one_model_in_two_levels_is_fitted_once_and_starts_afresh() -> None:
    world = drifting_world("none", n_events=300, repeats=True)

    class Counts(Habit):
        fits = 0

        def fit(self, data: Dataset) -> None:
            self.fits += 1
            super().fit(data)

    model = Counts()
    report = replay(
        [Level("first", model), Level("second", model), Level("still", model, learns=False)],
        world.data,
        again=0.0,
    )
    first, second, still = report.levels
    assert model.fits == 1
    assert (first.trace.above == second.trace.above).all()
    assert (first.trace.above != still.trace.above).any()
    assert still.trace.learn_seconds == 0


def test_without_vectors_for_new_items_they_rank_last() -> None:
    world = drifting_world("none", new_items=0.4, n_events=600)
    knows = Knows(world)
    report = replay([Level("items", knows), Level("live", knows, new_items=False)], world.data)
    new = {name: level["segments"]["new items"][NDCG]["mean"] for name, level in levels(report).items()}
    old = {name: level["segments"]["known items"][NDCG]["mean"] for name, level in levels(report).items()}
    assert new["items"] > 10 * new["live"]
    assert old["live"] >= old["items"]


def test_who_remembers_little_forgets() -> None:
    world = drifting_world("sudden", n_events=4_000, n_users=20, repeats=True)
    taught = [Level("little", Habit(300)), Level("all", Habit())]
    report = replay(taught, world.data, start=world.data.time[300], again=0.0)
    found = {name: level["forgetting"] for name, level in levels(report).items()}
    assert found["little"]["backward_transfer"] < found["all"]["backward_transfer"] - 0.01
    matrix = np.array(found["little"]["matrix"], float)
    assert matrix.shape == (6, 5)
    own = [matrix[period + 1, period] for period in range(4)]
    assert found["little"]["backward_transfer"] == pytest.approx(np.mean(matrix[-1, :4] - own))
    ahead = [matrix[period, period] - matrix[0, period] for period in range(1, 5)]
    assert found["little"]["forward_transfer"] == pytest.approx(np.mean(ahead))


def test_a_constant_scorer_looks_like_chance() -> None:
    world = drifting_world("none", repeats=True, n_events=2_000)
    report = replay([Level("plain", Plain())], world.data, again=0.0)
    assert report.levels[0].metrics["hr@10"].mean == pytest.approx(10 / 200)


def test_the_document_says_what_was_done() -> None:
    document = replay(
        [Level("popularity", Popularity())], drifting_world("none", n_events=200).data
    ).document()
    (level,) = document["levels"]
    assert {"name", NDCG, "windows", "cost_seconds", "forgetting", "latency_ms", "memory_mb"} <= set(level)
    assert {"start", "end", "n", NDCG} <= set(level["windows"][0])
    assert len(document["targets_sha256"]) == 64
    assert document["n_targets"] == 100
    assert document["skipped"] == {"not positive": 0, "had before": 0}


def test_bad_calls_are_named() -> None:
    data, model = drifting_world("none", n_events=100).data, Popularity()
    with pytest.raises(InputError, match="name each level once, got a, a"):
        replay([Level("a", model), Level("a", model)], data)
    with pytest.raises(InputError, match="name each level once, got none"):
        replay([], data)
    with pytest.raises(InputError, match=r"k must be 1\.\.1000, got 0"):
        replay([Level("a", model)], data, k=0)
    blank = Dataset(data.users, data.items, data.user, data.item, data.time, weight=np.zeros(100))
    with pytest.raises(InputError, match=r"nothing is to be foreseen .*not positive: 50"):
        replay([Level("a", model)], blank)


def test_of_several_levels_it_says_which(capsys: pytest.CaptureFixture[str]) -> None:
    """Each level has a pace of its own, so what is left is said of one."""
    model = Popularity()
    levels = [Level("live", model), Level("frozen", model, learns=False)]
    replay(levels, drifting_world(seed=0, n_events=100).data, progress=True)
    err = capsys.readouterr().err
    assert "replaying with live, level 1 of 2: 50 of 50" in err
    assert "replaying with frozen, level 2 of 2: 50 of 50" in err


def test_each_tenth_is_told_off_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """A long replay is not silent for half of its time."""
    world = drifting_world(seed=0)
    replay([Level("plain", Plain())], world.data, progress=True)
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("replaying with plain")]
    assert len(told) >= 9
