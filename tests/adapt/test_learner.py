"""The learner: what turns is learned and published, what harms is not, and no kill counts anything twice."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from acclimate.adapt import learner as module
from acclimate.adapt.gate import first_verdict
from acclimate.adapt.learner import Account, Learner
from acclimate.adapt.lesson import Lesson, beginning
from acclimate.adapt.slow import Slow
from acclimate.config import Adapt, Home, Settings
from acclimate.data.dataset import Dataset
from acclimate.data.synthetic import World, drifting_world
from acclimate.errors import AcclimateError, BusyError, CorruptError, InputError
from acclimate.events.codec import event_entry
from acclimate.events.sqlite import SqliteLog
from acclimate.locks import lock
from acclimate.models.ease import EASE
from acclimate.models.sequence import SequenceModel
from acclimate.snapshot import Registry, Snapshot
from acclimate.state.fold import LiveState
from acclimate.types import Event, Model

EVERY = Settings(adapt=Adapt(publish_every=500))
ASK = Settings(adapt=Adapt(publish_every=500, gate="ask"))
N_USERS, N_ITEMS, FIT, TURN, ALL = 120, 60, 1_000, 1_500, 3_000
TINY: dict[str, Any] = {
    "width": 16,
    "heads": 1,
    "layers": 1,
    "epochs": 30,
    "batch_tokens": 256,
    "validation_users": 0,
    "max_length": 20,
    "item_vector": "id",
}


@pytest.fixture(autouse=True)
def _a_few_users_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("learner", "gate", "against"):
        monkeypatch.setattr(f"acclimate.adapt.{name}.ENOUGH", 12)
    monkeypatch.setattr("acclimate.adapt.against.FEW", 12)
    monkeypatch.setattr("acclimate.adapt.slow.STRETCHES", 32)
    monkeypatch.setattr("acclimate.adapt.against.SLOWER", 100.0)  # tiny models, and other work beside


@pytest.fixture(scope="module")
def world() -> World:
    return drifting_world("sudden", n_users=N_USERS, n_items=N_ITEMS, n_events=ALL, tastes=3)


@pytest.fixture(scope="module")
def fitted(world: World) -> SequenceModel:
    """Knows the world before it turns."""
    model = SequenceModel(**TINY)
    model.fit(before(world))
    return model


def before(world: World) -> Dataset:
    return world.data.where(np.arange(len(world.data)) < FIT)


def published(home: Home, model: Model, data: Dataset, **state: Any) -> Snapshot:
    registry = Registry(home.snapshots)
    snapshot = registry.write(model, LiveState.of(data), metrics={})
    registry.publish(snapshot, first_verdict(snapshot, report=None))
    return snapshot


@pytest.fixture
def home(tmp_path: Path, world: World, fitted: SequenceModel) -> Home:
    home = Home(tmp_path / "home")
    published(home, fitted, before(world))
    return home


def log(home: Home, events: Iterable[Event]) -> None:
    home.path.mkdir(exist_ok=True)
    writing = SqliteLog(home.log)
    try:
        writing.append([event_entry(event) for event in events]).result()
    finally:
        writing.close()


def later(world: World, start: int = FIT, end: int = ALL) -> list[Event]:
    data = world.data
    return [
        Event(data.users.ids[data.user[n]], "like", float(data.time[n]), item_id=data.items.ids[data.item[n]])
        for n in range(start, end)
    ]


def learns(home: Home, settings: Settings = EVERY) -> Account:
    return Learner(home, settings).run(once=True)


def current(home: Home) -> Snapshot:
    snapshot = Registry(home.snapshots).current()
    assert snapshot is not None
    return snapshot


def test_a_world_that_turned_is_learned_and_published(home: Home, world: World) -> None:
    first = current(home)
    log(home, later(world))
    account = learns(home)
    assert len(account.published) >= 2
    assert account.refused == account.rolled_back == account.waiting == []
    assert account.offset == ALL - FIT
    last = current(home)
    assert last.id == account.published[-1]
    assert last.verdict is not None
    assert set(last.verdict.checks) >= {"loads", "equal", "valid", "not_worse", "not_slower", "not_larger"}
    verdict = Registry(home.snapshots).get(account.published[0]).verdict
    assert verdict is not None
    assert verdict.figures["ndcg@10"] > verdict.figures["ndcg@10 of current"]
    assert last.manifest["offset"] <= ALL - FIT
    assert last.manifest["log"] is not None
    assert first.id in {each.id for each in Registry(home.snapshots).list()}, "there is a way back"
    loaded = last.load()
    scores = loaded.model.score(loaded.state.histories(loaded.state.users.ids, 1e9))
    assert np.isfinite(scores).all()


def test_every_event_is_learned_once_or_waits_to_be(home: Home, world: World) -> None:
    log(home, later(world))
    seen: list[tuple[int, int, float]] = []

    class Counting(Learner):
        def _judge(self) -> None:
            self.counted = self.lesson
            super()._judge()

    learner = Counting(home, EVERY)
    learn = module.Lesson.flush

    def flush(lesson: Any) -> None:
        seen.extend(event[:3] for event in lesson._fresh)
        learn(lesson)

    module.Lesson.flush = flush  # type: ignore[method-assign]
    try:
        account = learner.run(once=True)
    finally:
        module.Lesson.flush = learn  # type: ignore[method-assign]
    waiting = [event[:3] for event in (*learner.lesson._held, *learner.lesson._fresh)]
    assert len(seen) + len(waiting) == ALL - FIT
    assert len({*seen, *waiting}) == ALL - FIT, "none twice"
    assert account.events == len(seen)


@pytest.mark.parametrize("at_once", [7, 100])
def test_how_the_log_is_cut_is_not_seen(
    home: Home, world: World, tmp_path: Path, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    log(home, later(world, end=FIT + 900))
    copy = copied(home, tmp_path / "copy")
    whole = learns(home)
    monkeypatch.setattr(module, "AT_ONCE", at_once)
    assert learns(copy).published == whole.published != []


def copied(home: Home, path: Path) -> Home:
    import shutil

    shutil.copytree(home.path, path)
    return Home(path)


class Killed(BaseException):
    """Ends a process without any of its clean-up."""


@pytest.mark.parametrize("adapter", ["adalora", "drift"])
def test_an_adapter_learns_and_goes_on_in_the_next_round(
    home: Home, world: World, tmp_path: Path, adapter: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Drift lasts from the beginning, for the learner; what was learned beside the weights is not lost."""
    monkeypatch.setattr("acclimate.adapt.lesson.LASTING", ("calm", "shifting", "lasting"))
    monkeypatch.setattr("acclimate.state.contest.LEAST", 5)
    log(home, later(world, end=FIT + 1_200))
    settings = Settings(adapt=Adapt(publish_every=300, adapter=adapter))
    copy = copied(home, tmp_path / "copy")
    learner = Learner(home, settings)
    account = learner.run(once=True)
    assert len(account.published) >= 2
    assert any("an adapter was added" in note for note in account.notes) == (adapter == "drift")
    with np.load(home.learner / f"{account.published[0]}.npz") as file:
        factors = {name: file[name] for name in file.files if "factors.P." in name}
    assert any(part.any() for part in factors.values()), "they are kept, and the next round begins with them"
    assert learns(copy, settings).published == account.published, "all of it follows from log and seed"


@pytest.mark.timeout(240)
def test_killed_at_any_write_it_ends_where_it_would_have(
    home: Home, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log(home, later(world, end=FIT + 900))
    untouched = copied(home, tmp_path / "untouched")
    writes = count_writes(monkeypatch, lambda: learns(untouched))
    assert writes > 6
    for at in range(1, writes + 1, 2):
        killed = copied(home, tmp_path / f"killed-{at}")
        with pytest.raises(Killed):
            count_writes(monkeypatch, lambda killed=killed: learns(killed), stop=at)  # type: ignore[misc]
        learns(killed)
        assert current(killed).id == current(untouched).id, f"killed at write {at} of {writes}"
        assert kept(killed) == kept(untouched), f"killed at write {at} of {writes}"


def count_writes(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object], stop: int = 10**9) -> int:
    """Return how many files or folders take their names in ``act``; it is killed at the one ``stop``."""
    n = 0
    with monkeypatch.context() as patch:
        for name in ("replace", "rename"):
            real = getattr(os, name)

            def counted(*args: Any, real: Any = real) -> None:
                nonlocal n
                n += 1
                if n == stop:
                    raise Killed
                real(*args)

            patch.setattr(os, name, counted)
        act()
    return n


def kept(home: Home) -> bytes:
    """What the next round begins with."""
    return (home.learner / f"{current(home).id}.npz").read_bytes()


def spoilt(ids: np.ndarray) -> np.ndarray:
    """Return the vectors, each at another item."""
    return np.random.default_rng(0).permutation(ids)


def test_what_harms_is_stopped_and_what_follows_is_learned(
    home: Home, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch that makes it worse for others does not reach anybody."""
    start = current(home)
    log(home, later(world, end=TURN))  # as before: there is nothing to gain
    real = Slow.learn

    def shaken(self: Slow, events: Any) -> None:
        """Confuses the items."""
        real(self, events)
        arrays, document = self.base.state()
        self.base.restore(({**arrays, "ids": spoilt(arrays["ids"])}, document))
        self._open = None

    monkeypatch.setattr(Slow, "learn", shaken)
    account = learns(home)
    assert len(account.refused) == 1
    assert account.published == []
    assert current(home) == start
    refused = Registry(home.snapshots).get(account.refused[0])
    assert refused.verdict is not None
    assert not refused.verdict.passed
    assert not refused.verdict.checks["not_worse"]
    assert any("worse than the current model" in line for line in account.notes)
    monkeypatch.setattr(Slow, "learn", real)
    log(home, later(world, TURN))
    after = learns(home)
    assert after.published, "and it learns on behind what was dropped"
    assert after.events <= ALL - TURN


def test_one_that_asks_waits_for_a_person(home: Home, world: World) -> None:
    start = current(home)
    log(home, later(world))
    account = learns(home, ASK)
    assert len(account.waiting) >= 2
    assert account.published == []
    assert current(home) == start
    Registry(home.snapshots).rollback(account.waiting[-1])
    more = [Event(f"u{n % 50}", "like", 3e6 + n, item_id=f"i{n % 20}") for n in range(40)]
    log(home, more)
    learner = Learner(home, ASK)
    learner.run(once=True)
    assert learner.snapshot.id == account.waiting[-1]
    assert learner.lesson.number == 1


def test_what_a_person_went_back_from_is_not_learned_again(home: Home, world: World) -> None:
    start = current(home)
    log(home, later(world, end=FIT + 900))
    account = learns(home)
    assert account.published
    Registry(home.snapshots).rollback(start.id)
    again = learns(home)
    assert again.published == []
    assert again.events < 300, "nothing that led to what was published"
    assert current(home) == start


def test_what_does_worse_than_the_one_before_is_rolled_back(home: Home, world: World) -> None:
    """However it passed the gate: the figures of what came since decide."""
    good = current(home)
    loaded = good.load()
    arrays, document = loaded.model.state()
    loaded.model.restore(({**arrays, "ids": spoilt(arrays["ids"])}, document))
    registry = Registry(home.snapshots)
    bad = registry.write(loaded.model, loaded.state, metrics={})
    registry.publish(bad, first_verdict(bad, report=None))
    learner = Learner(home, EVERY)
    learner.beside.put(bad.id, beginning(({}, {}), [], 3, 0, good.id))
    log(home, later(world, end=TURN))
    account = learner.run(once=True)
    assert account.rolled_back == [bad.id]
    assert current(home) == good
    assert any(line.startswith(f"went back from {bad.id} to {good.id}") for line in account.notes)
    assert registry.get(bad.id), "it can be looked at"


def test_there_is_one_learner_at_a_time(home: Home) -> None:
    with lock(home.path / "learning.lock", what="learning"), pytest.raises(BusyError, match="learning in"):
        learns(home)


def test_what_was_trained_meanwhile_is_gone_on_from(home: Home, world: World, fitted: SequenceModel) -> None:
    log(home, later(world, end=FIT + 600))
    learner, fresh = Learner(home, EVERY), list[Snapshot]()
    judge = learner.registry.publish

    def overtaken(snapshot: Snapshot, verdict: Any, **more: Any) -> None:
        if not fresh:
            fresh.append(published(home, EASE_OR(fitted), before(world)))
        judge(snapshot, verdict, **more)

    learner.registry.publish = overtaken  # type: ignore[method-assign]
    account = learner.run(once=True)
    assert any("is current by now" in line for line in account.notes)
    assert learner.snapshot.id in {fresh[0].id, *account.published}


def EASE_OR(fitted: SequenceModel) -> SequenceModel:
    """The same weights but a hair."""
    arrays, document = fitted.state()
    other = SequenceModel(**TINY)
    other.restore(({**arrays, "ids": np.array(arrays["ids"]) * np.float32(1.001)}, document))
    return other


def test_a_full_disk_while_publishing_loses_nothing(home: Home, world: World) -> None:
    start = current(home)
    log(home, later(world, end=FIT + 700))
    said: list[str] = []
    paused: list[float] = []

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    patch = pytest.MonkeyPatch()

    def pause(seconds: float) -> None:
        paused.append(seconds)
        patch.undo()
        if len(paused) > 1:
            raise KeyboardInterrupt

    learner = Learner(home, EVERY, say=said.append, pause=pause)
    open_as_usual = learner._open
    learner._open = lambda: (open_as_usual(), patch.setattr(os, "fsync", full))[0]  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        learner.run()
    assert paused[0] == module.TRY_AGAIN
    assert "No space left on device" in said[0]
    assert "it is tried again in 60 s" in said[0]
    assert current(home) != start


def test_once_on_a_full_disk_fails_and_publishes_nothing(
    home: Home, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = current(home)
    log(home, later(world, end=FIT + 700))

    def full(*_: object, **__: object) -> None:
        raise AcclimateError("cannot write: No space left on device", code="not_writable")

    learner = Learner(home, EVERY)
    monkeypatch.setattr(learner.registry, "write", full)
    with pytest.raises(AcclimateError, match="No space left"):
        learner.run(once=True)
    assert current(home) == start
    assert learns(home).published


def test_another_log_is_refused(home: Home, world: World) -> None:
    log(home, later(world, end=FIT + 700))
    learns(home)
    for file in home.path.glob("log.sqlite*"):
        file.unlink()
    log(home, later(world, end=FIT + 1000))
    with pytest.raises(CorruptError, match="not the event log"):
        learns(home)


def test_a_model_that_cannot_go_on_says_so(tmp_path: Path, world: World) -> None:
    home = Home(tmp_path / "other")
    model, data = EASE(), before(world)
    model.fit(data)
    published(home, model, data)
    with pytest.raises(InputError, match="ease cannot go on learning: take sequence"):
        learns(home)


def test_damage_beside_a_snapshot_says_what_to_do(home: Home, world: World) -> None:
    log(home, later(world, end=FIT + 700))
    learns(home)
    path = home.learner / f"{current(home).id}.npz"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CorruptError, match=rf"{current(home).id}.npz is damaged: delete it, and the learner"):
        learns(home)
    path.unlink()
    learns(home)


def test_without_a_log_or_new_events_nothing_happens(home: Home) -> None:
    account = learns(home)
    assert (account.events, account.offset, account.published) == (0, 0, [])


def test_few_users_are_not_enough_to_judge_by(
    home: Home, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("acclimate.adapt.learner.ENOUGH", 1_000)
    log(home, later(world, end=FIT + 100))
    account = learns(home)
    assert account.published == []
    assert "of 1,000 users" not in account.notes[0]
    assert "1000 are needed" in account.notes[0]


@pytest.mark.parametrize(("enough", "one_in"), [(0, 5), (12, 5), (20, 3), (30, 2), (1000, 2)])
def test_where_few_users_are_known_more_are_held_back(home: Home, enough: int, one_in: int) -> None:
    """There are 120: of twice as many as are needed events are held back, but of no more than half."""
    loaded = current(home).load()
    lesson = Lesson(loaded, current(home).load().model, enough=enough)
    assert lesson.one_in == one_in
    assert sum(map(lesson.held, range(6_000))) == pytest.approx(6_000 / one_in, rel=0.1)


def test_who_is_forgotten_is_not_asked_about(
    home: Home, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ENOUGH", 1_000)
    log(home, later(world, end=FIT + 300))
    learner = Learner(home, EVERY)
    learner.run(once=True)
    lesson = learner.lesson
    user = int(lesson.newest.users[0])
    name = lesson.state.users.ids[user]
    writing = SqliteLog(home.log)
    writing.forget(name).result()
    writing.close()
    lesson.take(SqliteLog(home.log, readonly=True).read(lesson.state.offset), every=10**6, users=1)
    assert user not in lesson.newest.users
    assert user not in lesson.before.users
    assert not [event for event in (*lesson._held, *lesson._fresh) if event[0] == user]
    assert user not in lesson._asked


def test_one_who_acts_much_does_not_push_out_those_who_are_asked(home: Home) -> None:
    """There are as many to be asked about as were counted, however much one of them did."""
    learner = Learner(home, EVERY)
    learner._open()
    lesson = learner.lesson
    busy = next(user for user in range(N_USERS) if lesson.held(user))
    history = lesson.state.histories([lesson.state.users.ids[busy]], 1e6)
    fresh = [item for item in range(N_ITEMS) if item not in set(history.items.tolist())]
    for item in fresh:
        lesson._event((busy, item, 1e6, 2.0, float("nan")), history, 0)
    assert len(fresh) > 20
    assert len(lesson.newest) == 20
    assert lesson.asked == len(set(lesson.newest.users.tolist())) == 1
    assert len(lesson._held) == len(fresh), "all of them are learned later"


def test_a_flood_of_one_account_is_learned_once_and_fills_no_round(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("acclimate.adapt.lesson.PASSED", 40)
    learner = Learner(home, EVERY)
    learner._open()
    lesson = learner.lesson
    for held in (True, False):
        busy = next(user for user in range(N_USERS) if lesson.held(user) == held)
        before = lesson.learned, len(lesson._held)
        for n in range(1_000):
            lesson._event((busy, 3, 1e6 + n, 2.0, float("nan")), None, n)
        lesson.flush()
        assert lesson.learned + len(lesson._held) == sum(before) + 1
        for n in range(1_000):
            lesson._event((busy, n % N_ITEMS, 2e6 + n, 2.0, float("nan")), None, n)
        lesson.flush()
        assert lesson.learned + len(lesson._held) == sum(before) + 40


def test_a_candidate_that_cannot_be_judged_is_told_once(home: Home, world: World) -> None:
    said: list[str] = []
    few = [event for event in later(world) if event.user_id in set(world.data.users.ids[:8])]
    log(home, few * 4)
    settings = Settings(adapt=Adapt(publish_every=20))
    account = Learner(home, settings, say=said.append).run(once=True)
    assert sum("a candidate is due, and waits" in line for line in said) == 1
    assert account.open == account.events > 20
    assert any("are in no snapshot" in note for note in account.notes)
