"""The deep clock: fitted apart while all goes on, judged by what it has not learned, gone with its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from acclimate.adapt.beside import Beside
from acclimate.adapt.deep import Deep
from acclimate.adapt.drift import Finding
from acclimate.adapt.foreseen import Foreseen
from acclimate.adapt.learner import Account, Learner
from acclimate.adapt.renamed import renamed
from acclimate.config import Adapt, Home, Settings, load_settings
from acclimate.data.dataset import Dataset
from acclimate.data.store import Store
from acclimate.data.synthetic import World
from acclimate.data.tables import read_tables
from acclimate.errors import AcclimateError, InputError
from acclimate.locks import lock
from acclimate.models.popularity import Popularity
from acclimate.models.sequence import SequenceModel
from acclimate.snapshot import Loaded, Registry, Snapshot
from acclimate.state.fold import LiveState
from acclimate.types import Histories
from tests.adapt.test_learner import (
    ALL,
    FIT,
    TINY,
    TURN,
    _a_few_users_are_enough,
    before,
    fitted,
    later,
    log,
    published,
    world,
)

SETTINGS = Settings(adapt=Adapt(publish_every=300))
ASKED = Finding("lasting", 2.0, 7, None, ("hit rate fell from 0.300 to 0.100 since about event 3",))
CALM = Finding("calm", 1.0, None, None, ())
__all__ = ["_a_few_users_are_enough", "fitted", "world"]


@pytest.fixture
def home(tmp_path: Path, world: World) -> Home:
    """Holds what the model was fitted on as a table, too, whose items come in another order."""
    home, data = Home(tmp_path / "home"), before(world)
    quick = SequenceModel(**TINY | {"epochs": 2})
    quick.fit(data)
    order = np.argsort(-data.item, kind="stable")
    rows = [f"{data.users.ids[data.user[n]]},{data.items.ids[data.item[n]]},{data.time[n]}" for n in order]
    table = tmp_path / "likes.csv"
    table.write_text("\n".join(["user_id,item_id,timestamp", *rows]))
    Store(home.data).add(read_tables([table]))
    published(home, quick, data)
    return home


def asking(monkeypatch: pytest.MonkeyPatch, when: Callable[[Foreseen], bool]) -> None:
    """Let drift ask for a full fit from a moment on."""
    monkeypatch.setattr(Foreseen, "finding", property(lambda self: ASKED if when(self) else CALM))


def learns(home: Home, settings: Settings = SETTINGS) -> Account:
    return Learner(home, settings).run(once=True)


def test_what_drift_asked_for_is_fitted_judged_and_published(
    home: Home, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking(monkeypatch, lambda foreseen: foreseen._taken > 60)
    registry, beside = Registry(home.snapshots), Beside(home.learner)
    log(home, later(world, end=TURN))
    account = learns(home)
    (name,) = account.fitted
    candidate = registry.get(name)
    assert beside.candidate == name
    assert registry.pointer() != name, "a gate has to judge it"
    assert candidate.manifest["offset"] == account.offset
    assert candidate.manifest["params"]["width"] == 16
    assert account.drift == ASKED
    there = [item for item in candidate.load().state.items.ids if item]
    assert there != world.data.items.ids[: len(there)], "another order, so that codes have to be told apart"

    monkeypatch.setattr(Foreseen, "finding", CALM)
    log(home, later(world, TURN, TURN + 600))
    account = learns(home)
    assert beside.candidate is None
    assert name in (*account.published, *account.refused)
    verdict = registry.get(name).verdict
    assert verdict is not None
    assert verdict.checks["loads"]
    assert verdict.figures["users"] >= 12
    if verdict.passed:  # it has learned what the slow clock has, more thoroughly
        kept = beside.get(name)
        assert kept is None or kept[1]["round"]["earlier"] is not None


def test_the_fit_learns_from_table_and_log_and_knows_all_items(home: Home, world: World) -> None:
    log(home, later(world, end=TURN))
    deep, current = Deep(home, SETTINGS), Registry(home.snapshots).current()
    assert current is not None
    deep.begin(current)
    assert deep.running
    assert deep.ended() is None, "it is asked for, and answers later"
    name = deep.ended(None)
    assert name is not None
    assert not deep.running
    found = Registry(home.snapshots).get(name)
    loaded = found.load()
    assert loaded.state.offset == TURN - FIT
    assert found.verdict is None
    known = Registry(home.snapshots).current()
    assert known is not None
    assert known.id == current.id
    mine = renamed(loaded, current.load().state)
    assert mine.n_items == current.load().state.n_items


def test_a_fit_that_fails_says_why_and_learning_goes_on(
    home: Home, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking(monkeypatch, lambda foreseen: True)
    log(home, later(world, end=TURN))
    with lock(home.path / "training.lock", what="training by hand"):
        account = learns(home)
    assert account.fitted == []
    (note,) = (note for note in account.notes if "no full fit" in note)
    assert "is training or evaluating" in note
    assert "tried again in 10 minutes" in note
    assert account.events > 300


def test_a_process_that_dies_is_told(home: Home) -> None:
    deep, current = Deep(home, SETTINGS), Registry(home.snapshots).current()
    assert current is not None
    deep.begin(current)
    assert deep._process is not None
    assert deep._process.pid is not None
    os.kill(deep._process.pid, signal.SIGKILL)
    with pytest.raises(AcclimateError, match="ended with status -9"):
        deep.ended(None)
    assert not deep.running


def test_it_is_gone_with_who_began_it(home: Home, tmp_path: Path) -> None:
    script = tmp_path / "begins.py"
    script.write_text(
        "import sys, time\n"
        "from pathlib import Path\n"
        "from acclimate.adapt.deep import Deep\n"
        "from acclimate.config import Home, Settings\n"
        "from acclimate.snapshot import Registry\n"
        "if __name__ == '__main__':\n"
        "    home = Home(Path(sys.argv[1]))\n"
        "    deep = Deep(home, Settings())\n"
        "    deep.begin(Registry(home.snapshots).current())\n"
        "    print(deep._process.pid, flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, str(script), str(home.path)], stdout=subprocess.PIPE, text=True
    ) as began:
        assert began.stdout is not None
        pid = int(began.stdout.readline())
        time.sleep(1.0)
        began.kill()
        began.wait()
        end = time.monotonic() + 20
        while Path(f"/proc/{pid}").exists() and time.monotonic() < end:
            time.sleep(0.05)
    assert not Path(f"/proc/{pid}").exists()


def test_a_schedule_asks_for_a_fit_and_off_means_off(home: Home, world: World) -> None:
    log(home, later(world, end=TURN))
    learner = Learner(home, replace_deep("7d"))
    learner._open()
    assert learner._due() is None
    learner._full -= 8 * 86_400
    assert learner._due() == "adapt.deep is 7d"
    learner.settings = replace_deep("off")
    assert learner._due() is None
    for wrong, told in (("soon", "drift, off, or a length of time"), ("5s", "1 minute or more")):
        with pytest.raises(InputError, match=told):
            replace_deep(wrong)
    with pytest.raises(InputError, match=r"adapt\.deep"):
        load_settings(None, ("adapt.deep=often",))


def replace_deep(deep: str) -> Settings:
    return msgspec.structs.replace(SETTINGS, adapt=Adapt(publish_every=300, deep=deep))


def test_a_model_is_the_same_under_other_codes() -> None:
    """Its scores follow the items, new items are taken in, and another catalogue is refused."""
    rows = [(f"u{n % 7}", f"i{(n * n) % 11}", float(n)) for n in range(60)]
    data, turned = Dataset.of(rows), Dataset.of(rows[::-1])
    model = Popularity()
    model.fit(turned)
    loaded = Loaded(model, LiveState.of(turned), np.zeros((1, 1), np.float32), ())
    state = LiveState.of(data)
    expected = Popularity()
    expected.fit(data)
    asked = Histories.of([[0, 1], []])
    np.testing.assert_array_equal(renamed(loaded, state).score(asked), expected.score(asked))

    more = LiveState.of(Dataset.of([*rows, ("u1", "new", 99.0)]))
    assert renamed(loaded, more).score(asked).shape == (2, state.n_items + 1)
    other = LiveState.of(Dataset.of([(user, f"sku{item}", at) for user, item, at in rows]))
    with pytest.raises(InputError, match="it knows 0 of the 6 items"):
        renamed(loaded, other)


def test_a_step_forward_by_a_fit_that_began_before_is_no_way_back(
    home: Home, world: World, fitted: SequenceModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the slow clock published while it was fitted was written later, and is not where we came from."""
    log(home, later(world, end=TURN))
    learner = Learner(home, SETTINGS)
    learner._open()
    first = learner.snapshot
    slow = written(home, fitted, 2.0)
    learner.beside.put(slow.id, learner.lesson.anew(first.id))
    point(home, slow)
    learner._open()
    deep = written(home, fitted, 1.0)
    learner.beside.put(deep.id, learner.lesson.anew(slow.id))
    point(home, deep)
    learner._open()
    assert learner.lesson.offset == 0, "nothing is passed over"
    assert learner.lesson.earlier == slow.id


def written(home: Home, model: SequenceModel, created: float) -> Snapshot:
    registry = Registry(home.snapshots)
    current = registry.current()
    assert current is not None
    state = current.load().state
    snapshot = registry.write(model, state, metrics={"n": created})
    return replace(snapshot, manifest={**snapshot.manifest, "created": created})


def point(home: Home, snapshot: Snapshot) -> None:
    (home.snapshots / "CURRENT").write_text(f"{snapshot.id}\n")


def test_drift_is_told_and_a_person_is_warned_once(home: Home) -> None:
    said: list[str] = []
    learner = Learner(home, SETTINGS, say=said.append)
    bad = replace(ASKED, level="alarming", warning="look at what is new")
    for finding in (CALM, replace(ASKED, level="shifting"), ASKED, ASKED, bad, bad, CALM, CALM):
        learner._tell_drift(finding)
    assert [line.rpartition(": ")[2] for line in said] == [
        "learning faster",
        "that did not mend it",
        "look at what is new",
        "what was learned holds again",
    ]
    assert learner.account.notes == ["look at what is new"]


def test_what_is_foreseen_worse_is_found_however_it_is_cut() -> None:
    """A model of what is popular meets people who like something else."""

    def histories(n: int) -> Histories:
        return Histories.of([[]], users=[n])

    data = Dataset.of([(f"u{n}", f"i{n // 3 % 12 if n % 3 else 0}", float(n)) for n in range(600)])
    model = Popularity()
    model.fit(data)
    states: list[Any] = []
    for cut in (37, 256):
        foreseen, rng = Foreseen(model), np.random.default_rng(0)
        levels = list[str]()
        for n in range(5_120):
            item = int(rng.integers(12)) if n > 3_072 else 0
            if foreseen.add(histories(n), item, ["drama"]) or n % cut == 0:
                foreseen.look()
                levels.append(foreseen.finding.level)
        assert set(levels[: len(levels) // 2]) == {"calm"}
        assert levels[-1] in ("shifting", "lasting")
        states.append(foreseen.state())
    for arrays, document in states[1:]:
        assert document == states[0][1]
        assert all(np.array_equal(arrays[name], part) for name, part in states[0][0].items())
    again = Foreseen(model, states[0])
    assert again.finding == foreseen.finding
    assert Foreseen(model, again.fitted()).finding.deep is None
    assert ALL > TURN > FIT
