import errno
import json
import os
import re
import shutil
import signal
import time

import numpy as np
import pytest

from acclimate.config import Settings
from acclimate.encode.tfidf import TfidfEncoder
from acclimate.errors import AcclimateError, BusyError, ConflictError, CorruptError, InputError, NotFoundError
from acclimate.evaluate.compare import Interval
from acclimate.locks import lock
from acclimate.models.ease import EASE
from acclimate.models.item_knn import ItemKNN
from acclimate.models.popularity import Popularity
from acclimate.models.sequence import SequenceModel
from acclimate.recommend import Recommender
from acclimate.snapshot import Registry, probe
from acclimate.snapshot import folder as folders
from acclimate.state.fold import LiveState
from acclimate.types import Item, Query, Verdict
from tests.contract.models import WORLD
from tests.state.worlds import event, put

PASSED = Verdict(True, ("fine",), {"loads": True}, {"gain": 0.5})
REFUSED = Verdict(False, ("loads", "scores are infinite"), {"loads": True, "valid": False})


@pytest.fixture
def registry(tmp_path):
    return Registry(tmp_path / "snapshots")


def write(registry, model=None, **metrics):
    model = model or Popularity()
    model.fit(WORLD)
    return registry.write(model, LiveState.of(WORLD), metrics=metrics)


def published(registry, **metrics):
    snapshot = write(registry, **metrics)
    registry.publish(snapshot, PASSED)
    return snapshot


def test_a_snapshot_is_written_published_listed_and_rolled_back(registry):
    assert registry.current() is None
    assert registry.list() == []
    first = write(registry, ndcg=Interval(0.1, 0.0, 0.2))
    assert registry.current() is None, "written is not published"
    assert first.verdict is None
    registry.publish(first, PASSED)
    assert registry.current() == first
    second = published(registry, ndcg=0.2)
    assert registry.current().id == second.id != first.id
    assert [snapshot.id for snapshot in registry.list()] == [second.id, first.id]
    assert registry.list()[0].verdict == PASSED
    assert registry.rollback(first.id) == first
    assert registry.current() == Registry(registry.folder).current() == first
    assert first.manifest["metrics"] == {"ndcg": {"mean": 0.1, "low": 0.0, "high": 0.2}}
    assert (first.manifest["model"], first.manifest["params"]) == ("popularity", {})
    assert (first.manifest["offset"], first.manifest["data"]) == (0, "made")
    assert (first.manifest["n_users"], first.manifest["n_items"]) == (WORLD.n_users, WORLD.n_items)
    assert len(first.id) == 16


def test_the_id_is_that_of_the_content(registry):
    first, again = write(registry, a=1), write(registry, a=1)
    assert first == again, "a second writing of the same is the same, with its first date"
    assert write(registry, a=2).id != first.id
    assert write(registry, ItemKNN(neighbours=3), a=1).id != write(registry, ItemKNN(neighbours=4), a=1).id


def test_settings_are_kept(registry):
    model = Popularity()
    model.fit(WORLD)
    snapshot = registry.write(model, LiveState.of(WORLD), metrics={}, settings=Settings())
    assert snapshot.manifest["settings"]["train"]["model"] == "auto"


@pytest.fixture(scope="module")
def fitted():
    """A neural model that reads texts; the state of a fitted one, since fits are slow."""
    model = SequenceModel(TfidfEncoder(dim=8), width=16, heads=1, layers=1, epochs=1)
    model.fit(WORLD)
    return model.state(), model.encoder.state()


def sequence(fitted):
    model = SequenceModel(TfidfEncoder())
    model.encoder.restore(fitted[1])
    model.restore(fitted[0])
    return model


def of_sequence(registry, fitted):
    return registry.write(sequence(fitted), LiveState.of(WORLD), metrics={})


@pytest.mark.parametrize("make", [Popularity, ItemKNN, EASE, SequenceModel])
def test_what_is_loaded_answers_as_before(registry, make, request):
    if make is SequenceModel:
        model = sequence(request.getfixturevalue("fitted"))
    else:
        model = make()
        model.fit(WORLD)
    before = Recommender(model, LiveState.of(WORLD, offset=5))
    before.state.log = "abc"
    before.apply([event(6, "u0", "like", "i9"), put(7, "new", title="film 7 of the space")])
    snapshot = registry.write(before.model, before.state, metrics={})
    loaded = snapshot.load()
    assert loaded.notes == ()
    assert loaded.state.offset == 7
    assert loaded.state.log == snapshot.manifest["log"] == "abc"
    np.testing.assert_array_equal(loaded.probe, probe(model, before.state))
    after = Recommender(loaded.model, loaded.state)
    more = [event(8, "u1", "like", "new"), put(9, "newer", title="film 8 of the garden")]
    before.apply(more)
    after.apply(more)
    for user in ("u0", "u1", "nobody"):
        query = Query(user, k=30, request_id="r", now=5e9)
        one, other = before.recommend(query), after.recommend(query)
        assert [item.item_id for item in one.items] == [item.item_id for item in other.items]
        assert [item.score for item in one.items] == pytest.approx(
            [item.score for item in other.items], rel=1e-5
        )
        assert one.fallback == other.fallback


ELSEWHERE = """
import sys
from pathlib import Path
from acclimate.snapshot import Registry, probe
loaded = Registry(Path(sys.argv[1])).current().load()
Path(sys.argv[2]).write_bytes(probe(loaded.model, loaded.state).tobytes())
"""


def test_another_process_gets_equal_scores(registry, fitted, processes, tmp_path):
    snapshot = of_sequence(registry, fitted)
    registry.publish(snapshot, PASSED)
    done = processes.run(ELSEWHERE, registry.folder, tmp_path / "scores")
    assert done.returncode == 0, done.stderr
    found = np.fromfile(tmp_path / "scores", np.float32).reshape(snapshot.load().probe.shape)
    np.testing.assert_allclose(found, snapshot.load().probe, rtol=1e-5, atol=1e-6)


def test_without_its_encoder_a_model_serves_what_it_knows(registry, fitted, monkeypatch):
    snapshot = of_sequence(registry, fitted)

    def missing(name, **options):
        raise NotFoundError("not installed: pip install 'acclimate[demo]'")

    monkeypatch.setattr(folders, "make_encoder", missing)
    loaded = snapshot.load()
    assert len(loaded.notes) == 1
    assert loaded.notes[0].startswith("encoder 'tfidf' is not here, so new items are not read: not installed")
    np.testing.assert_allclose(probe(loaded.model, loaded.state), loaded.probe, rtol=1e-5, atol=1e-6)
    recommender = Recommender(loaded.model, loaded.state)
    recommender.apply([put(1, "new", title="film 7 of the space")])
    assert recommender.recommend(Query("u0", k=30)).items[-1].item_id == "new"


def test_nothing_is_published_without_a_verdict_that_passed(registry):
    first, second = published(registry), write(registry, a=2)
    with pytest.raises(TypeError, match="needs the Verdict of a gate, got bool"):
        registry.publish(second, True)
    with pytest.raises(
        AcclimateError, match="is not published, valid failed: loads; scores are infinite"
    ) as refused:
        registry.publish(second, REFUSED)
    assert refused.value.code == "refused"
    assert registry.current() == first
    assert registry.get(second.id).verdict == REFUSED
    with pytest.raises(AcclimateError, match="did not pass, valid failed: loads; scores are infinite"):
        registry.rollback(second.id)
    third = write(registry, a=3)
    with pytest.raises(AcclimateError, match="never stood before a gate"):
        registry.rollback(third.id)


def test_an_unknown_snapshot_names_the_nearest(registry):
    with pytest.raises(NotFoundError, match="there are none yet: acclimate train"):
        registry.get("0123456789abcdef")
    snapshot = write(registry)
    with pytest.raises(NotFoundError, match=f"did you mean '{snapshot.id}'"):
        registry.rollback(snapshot.id[:-1])
    for name in ("..", "", "CURRENT", "../snapshots", "x" * 10_000):
        with pytest.raises(NotFoundError):
            registry.get(name)


def files_of(snapshot):
    return sorted(path.name for path in snapshot.path.iterdir())


def test_every_damage_is_found_and_named(registry, fitted):
    snapshot = of_sequence(registry, fitted)
    assert files_of(snapshot) == sorted([*snapshot.manifest["files"], "snapshot.json"])
    assert len(snapshot.manifest["files"]) == 7
    for name in files_of(snapshot):
        path = snapshot.path / name
        whole = path.read_bytes()
        for broken in (whole[:-1], b"", bytes([whole[0] ^ 1]) + whole[1:], whole + b"\0", None):
            path.unlink() if broken is None else path.write_bytes(broken)
            with pytest.raises(CorruptError, match=name.replace(".", r"\.")):
                registry.get(snapshot.id).load()
            path.write_bytes(whole)
    registry.get(snapshot.id).load()


def test_a_damaged_snapshot_is_listed_as_broken(registry):
    first, second = published(registry), published(registry, a=2)
    (second.path / "model.safetensors").write_bytes(b"")
    (first.path / "verdict.json").write_bytes(b"{")
    listed = {snapshot.id: snapshot for snapshot in registry.list()}
    assert re.search(r"model\.safetensors is altered \(0 bytes, \d+ were written\)", listed[second.id].broken)
    assert "verdict.json is damaged" in listed[first.id].broken
    with pytest.raises(CorruptError, match=r"is altered .*: go back .*rollback ID\), or train anew"):
        registry.current()
    assert write(registry, a=2).id == second.id, "writing it again mends it"
    second.load()


def test_a_file_that_is_altered_is_told_from_one_that_is_missing(registry):
    snapshot = published(registry)
    file = snapshot.path / "model.safetensors"
    whole = file.read_bytes()
    n = len(whole)
    for data, what in (
        (whole + b"\0", rf"altered \({n + 1} bytes, {n} were written\)"),
        (whole[:-1], rf"altered \({n - 1} bytes, {n} were written\)"),
        (whole[:-1] + bytes([whole[-1] ^ 1]), r"altered \(its bytes are not those that were written\)"),
        (None, "missing"),
    ):
        file.unlink() if data is None else file.write_bytes(data)
        with pytest.raises(CorruptError, match=rf"model\.safetensors is {what}: go back to another"):
            registry.get(snapshot.id).load()
        file.write_bytes(whole)


def test_a_manifest_cannot_be_rewritten(registry):
    snapshot = write(registry, ndcg=0.1)
    better = {**snapshot.manifest, "metrics": {"ndcg": 0.9}}
    (snapshot.path / "snapshot.json").write_text(json.dumps(better))
    with pytest.raises(CorruptError, match=r"snapshot\.json is damaged: it is not what was written"):
        registry.get(snapshot.id)


def test_flipped_bytes_are_never_published(registry):
    first, second = published(registry), write(registry, a=2)
    data = (second.path / "state.safetensors").read_bytes()
    (second.path / "state.safetensors").write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(CorruptError, match="acclimate snapshots rollback ID"):
        registry.publish(second, PASSED)
    assert registry.current() == first


def test_a_lost_current_says_what_to_do(registry):
    first, second = published(registry), published(registry, a=2)
    shutil.rmtree(second.path)
    with pytest.raises(CorruptError, match=r"is missing from .* go back to another"):
        registry.current()
    assert registry.rollback(first.id) == registry.current()
    (registry.folder / "CURRENT").write_text("../elsewhere")
    with pytest.raises(CorruptError, match=r"does not name a snapshot: .*: go back to another"):
        registry.current()


def test_a_newer_layout_is_refused(registry):
    snapshot = write(registry)
    manifest = {**snapshot.manifest, "format": 99}
    newer = registry.folder / folders.id_of(manifest)
    shutil.copytree(snapshot.path, newer)
    (newer / "snapshot.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match=r"newer Acclimate \(layout 99, this one reads 2\)"):
        registry.get(newer.name)


def test_an_earlier_layout_says_to_train_again(registry):
    snapshot = write(registry)
    manifest = {**snapshot.manifest, "format": 1}
    older = registry.folder / folders.id_of(manifest)
    shutil.copytree(snapshot.path, older)
    (older / "snapshot.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match=r"layout 1, this one reads 2\): train again"):
        registry.get(older.name).load()


def test_a_full_disk_leaves_nothing_behind(registry, monkeypatch):
    first = published(registry)

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(AcclimateError, match=r"cannot write a snapshot to .* No space left on device"):
        write(registry, a=2)
    with pytest.raises(AcclimateError, match="cannot write a snapshot"):
        registry.rollback(first.id)
    monkeypatch.undo()
    assert sorted(path.name for path in registry.folder.iterdir()) == sorted(
        [".publishing", "CURRENT", first.id]
    )
    assert registry.current() == first


def test_who_was_overtaken_does_not_publish(registry):
    """Two who publish know what was current when they began; the second one begins anew."""
    first = published(registry)
    mine, other = write(registry, a=2), write(registry, a=3)
    registry.publish(other, PASSED, instead_of=first)
    with pytest.raises(ConflictError, match=rf"the place of {first.id}, and {other.id} is current by now"):
        registry.publish(mine, PASSED, instead_of=first)
    with pytest.raises(ConflictError, match="is current by now"):
        registry.rollback(first.id, instead_of=mine)
    assert registry.current() == other
    assert registry.rollback(first.id, instead_of=other) == registry.current()


def test_while_one_publishes_another_is_told(registry):
    first = published(registry)
    with lock(registry.folder / ".publishing", what="holding"), pytest.raises(BusyError, match="publishing"):
        registry.rollback(first.id)


def test_the_current_one_is_not_removed(registry):
    first, second = published(registry), published(registry, a=2)
    for each in (first, second):
        registry.remove(each)
    assert [each.id for each in registry.list()] == [second.id]


def test_what_is_judged_is_not_current_yet(registry):
    first, second = published(registry), write(registry, a=2)
    registry.judge(second, PASSED)
    assert registry.current() == first
    assert second.verdict == PASSED
    assert registry.rollback(second.id) == registry.current()


def test_leftovers_of_the_killed_are_swept_after_a_day(registry):
    published(registry)
    old, new = registry.folder / ".writing-old", registry.folder / ".writing-new"
    old.mkdir()
    new.mkdir()
    os.utime(old, (time.time() - 90_000,) * 2)
    snapshot = registry.current()
    files = [registry.folder / ".CURRENT-old", snapshot.path / ".verdict.json-old"]
    for file in (*files, registry.folder / ".CURRENT-new"):
        file.write_text("half")
    for file in files:
        os.utime(file, (time.time() - 90_000,) * 2)
    write(registry, a=2)
    assert not any(path.exists() for path in (old, *files))
    assert new.exists(), "another process may be at it"
    assert (registry.folder / ".CURRENT-new").exists()
    assert registry.current() == snapshot


class Killed(BaseException):
    """Ends a process without any of its clean-up."""


@pytest.mark.parametrize("call", ["fsync", "rename", "replace"])
def test_killed_at_any_point_the_old_one_stays_or_the_new_one_is_there(registry, monkeypatch, call):
    """Before or after each system call that makes something durable."""
    first = published(registry)
    outcomes = []
    real, rmtree = getattr(os, call), shutil.rmtree
    for after in (False, True):
        for point in range(20):
            left = [point]

            def counted(*arguments, left=left, after=after):
                left[0] -= 1
                if left[0] < 0 and not after:
                    raise Killed
                result = real(*arguments)
                if left[0] < 0:
                    raise Killed
                return result

            def unless_dead(path, left=left, **options):
                if left[0] >= 0:
                    rmtree(path, **options)

            monkeypatch.setattr(os, call, counted)
            monkeypatch.setattr(shutil, "rmtree", unless_dead)
            try:
                snapshot = write(registry, point=point, after=after, call=call)
                registry.publish(snapshot, PASSED)
            except Killed:
                outcomes.append(registry.current() == first)
            else:
                break
            finally:
                monkeypatch.undo()
            current = registry.current()
            current.load()
            assert current == first or current.manifest["metrics"]["point"] == point
            assert all(one.broken is None for one in registry.list())
            registry.rollback(first.id)
        assert registry.current().id == snapshot.id
        registry.rollback(first.id)
    assert outcomes.count(True) >= 2, "kills before the point of no return"
    assert call != "replace" or outcomes.count(False) == 1, "and behind it"


KILL = """
import os, signal, sys
from pathlib import Path
from acclimate.data.dataset import Dataset
from acclimate.models.popularity import Popularity
from acclimate.snapshot import Registry
from acclimate.state.fold import LiveState
from acclimate.types import Verdict
data = Dataset.of([("ann", "heat", 1.0)])
model, registry = Popularity(), Registry(Path(sys.argv[1]))
model.fit(data)
snapshot = registry.write(model, LiveState.of(data), metrics={})
os.replace = lambda *arguments: os.kill(os.getpid(), signal.SIGKILL)
registry.publish(snapshot, Verdict(True, (), {}))
"""


def test_a_real_kill_leaves_the_old_one(registry, processes):
    first = published(registry)
    done = processes.run(KILL, registry.folder)
    assert done.returncode == -signal.SIGKILL
    assert registry.current() == first
    assert len(registry.list()) == 2


def test_the_probe_is_of_some_users_and_some_items():
    model = Popularity()
    model.fit(WORLD)
    state = LiveState.of(WORLD)
    assert probe(model, state).shape == (17, WORLD.n_items)
    model = Popularity()
    model.fit(type(WORLD).of([]))
    assert probe(model, LiveState()).shape == (1, 0)
    model.put_items(np.arange(3000, dtype=np.int32), [Item(str(n)) for n in range(3000)])
    assert probe(model, LiveState()).shape == (1, 1000)
