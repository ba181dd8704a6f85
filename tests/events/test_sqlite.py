import re
import shutil
import sqlite3
import threading
from concurrent.futures import Future
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.errors import AcclimateError, BusyError, ConflictError, CorruptError, InputError, NotFoundError
from acclimate.events import sqlite as store
from acclimate.events.log import Appended, Entry, Record, check_continues
from acclimate.events.sqlite import SqliteLog


def like(user="ann", item="heat", key=None, time=1.0):
    return Entry("event", {"user_id": user, "event_type": "like", "item_id": item}, time, key)


@pytest.fixture
def log(tmp_path):
    log = SqliteLog(tmp_path / "log.sqlite")
    yield log
    log.close()


def test_records_come_back_in_order_after_reopening(tmp_path):
    path = tmp_path / "new" / "folder" / "log.sqlite"
    log = SqliteLog(path)
    assert log.offset == 0
    assert log.append([like("ann"), like("bob")]).result() == Appended(2, 0, 2)
    assert log.append([like("cy", time=-5.5)]).result() == Appended(1, 0, 3)
    log.close()
    log = SqliteLog(path)
    assert log.offset == 3
    assert [record.body["user_id"] for record in log.read(0)] == ["ann", "bob", "cy"]
    third = Record(3, "event", -5.5, {"user_id": "cy", "event_type": "like", "item_id": "heat"})
    assert log.read(2) == [third]
    assert [record.offset for record in log.read(0, limit=2)] == [1, 2]
    assert log.read(3) == []
    log.close()
    log.close()


def test_an_empty_append_is_done(log):
    assert log.append([]).result() == Appended(0, 0, 0)
    log.append([like()]).result()
    assert log.append([]).result() == Appended(0, 0, 1)


def test_the_same_key_counts_once(log):
    assert log.append([like(key="e1"), like(key="e1"), like(key="e2")]).result() == Appended(2, 1, 2)
    log.append([like()] * 5).result()
    assert log.append([like(key="e1")]).result() == Appended(0, 1, 1)
    assert log.append([like(key="e2"), like(key="e3")]).result() == Appended(1, 1, 8)
    assert len(log.read(0)) == 8


def test_a_key_belongs_to_its_kind(log):
    log.append([like(key="same"), Entry("slate", {"request_id": "same"}, 1.0, "same")]).result()
    assert log.offset == 2
    assert log.find("slate", "same").offset == 2
    assert log.find("event", "same").offset == 1
    assert log.find("event", "other") is None


def test_another_content_under_a_key_is_refused_alone_and_whole(log):
    log.append([like(key="e1")]).result()
    bad = log.append([like("new"), like("zoe", key="e1")])
    good = log.append([like("bob")])
    with pytest.raises(ConflictError, match="event id 'e1' was used before for another content"):
        bad.result()
    assert good.result() == Appended(1, 0, 2)
    assert [record.body["user_id"] for record in log.read(0)] == ["ann", "bob"]
    with pytest.raises(ConflictError):
        log.append([like("x", key="e9"), like("y", key="e9")]).result()
    assert log.offset == 2


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (Entry("nonsense", {}, 1.0), "kind must be one of event, item"),
        (Entry("event", {"user_id": 5}, 1.0), "text as user_id"),
        (Entry("event", {"user_id": "ann"}, float("nan")), "finite time"),
        (Entry("event", {"user_id": "ann", "x": object()}, 1.0), "must be JSON"),
        (Entry("event", {"user_id": "\ud800"}, 1.0), "not Unicode"),
        (Entry("event", {"user_id": "ann"}, 1.0, "\ud800"), "not Unicode"),
    ],
)
def test_what_cannot_be_logged_is_refused_before_it_is_queued(log, entry, message):
    with pytest.raises(InputError, match=message):
        log.append([like(), entry])
    assert log.append([like()]).result() == Appended(1, 0, 1)


@pytest.mark.parametrize(
    "name", ["a b", "a/b//c", "007", "🎬", "'; DROP TABLE records; --", "x" * 10_000, "\0", "\n"]
)
def test_any_text_is_an_id(log, name):
    log.append([like(name, name, key=name)]).result()
    assert log.append([like(name, name, key=name)]).result() == Appended(0, 1, 1)
    assert log.read(0)[0].body["item_id"] == name
    assert log.find("event", name).body["user_id"] == name
    log.forget(name).result()
    assert [record.kind for record in log.read(0)] == ["user_deleted"]


def test_forgetting_leaves_no_byte_but_the_id_of_the_user(log, tmp_path):
    secret = "seven-of-nine-secret"
    log.append(
        [like("ann", secret, key="k1"), like("bob", "heat"), Entry("user", {"user_id": "ann"}, 1.0)]
    ).result()
    log.append([Entry("slate", {"user_id": "ann", "items": [secret]}, 1.0, "r1")]).result()
    assert any(secret.encode() in path.read_bytes() for path in tmp_path.iterdir())
    assert log.forget("ann").result() == Appended(1, 0, 5)
    assert [(record.offset, record.kind) for record in log.read(0)] == [(2, "event"), (5, "user_deleted")]
    assert not any(secret.encode() in path.read_bytes() for path in tmp_path.iterdir())
    assert log.append([like("ann", "alien", key="k1")]).result() == Appended(1, 0, 6)
    assert log.forget("nobody").result() == Appended(1, 0, 7)


def test_what_was_drawn_from_erased_records_is_not_written(log):
    def shown(key, knows, user="ann"):
        return Entry("slate", {"user_id": user, "items": ["heat"]}, 1.0, key, knows=knows)

    log.append([like("ann"), like("bob")]).result()
    assert log.forget("ann").result() == Appended(1, 0, 3)
    assert log.append([shown("r1", 2), shown("r2", 2, "bob")]).result() == Appended(1, 0, 4)
    assert log.append([shown("r3", 2)]).result() == Appended(0, 0, 4)
    assert log.append([shown("r4", 3)]).result() == Appended(1, 0, 5)
    found = [record.kind for record in log.read(2)]
    assert found == ["user_deleted", "slate", "slate"]
    assert log.find("slate", "r1") is None


def test_threads_share_transactions_and_lose_nothing(log):
    futures: list[list[Future[Appended]]] = [[] for _ in range(8)]

    def send(mine, name):
        for at in range(50):
            mine.append(log.append([like(f"{name}", f"{at}-{part}") for part in range(3)]))

    threads = [threading.Thread(target=send, args=(mine, name)) for name, mine in enumerate(futures)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    offsets = [future.result().offset for mine in futures for future in mine]
    records = log.read(0)
    assert [record.offset for record in records] == list(range(1, 1201))
    assert sorted(offsets) == list(range(3, 1201, 3)), "an append is contiguous"
    for name in range(8):
        own = [record.body["item_id"] for record in records if record.body["user_id"] == str(name)]
        assert own == [f"{at}-{part}" for at in range(50) for part in range(3)], "a sender's order is kept"


def test_a_cancelled_append_is_not_written(log):
    with log._wake:  # the writer cannot take anything up
        first, second = log.append([like("ann")]), log.append([like("bob")])
        assert first.cancel()
    assert second.result() == Appended(1, 0, 1)
    assert [record.body["user_id"] for record in log.read(0)] == ["bob"]


def test_a_full_queue_refuses_and_recovers(log, monkeypatch):
    monkeypatch.setattr(store, "MAX_WAITING", 3)
    with log._wake:
        waiting = log.append([like()] * 5)  # what is alone is never refused
        with pytest.raises(BusyError, match="5 records wait for the disk, 3 may: try again"):
            log.append([like()])
    assert waiting.result().accepted == 5
    assert log.append([like()]).result().accepted == 1


def test_what_may_wait_goes_with_the_next_append(log):
    slow = [log.append([like(key=f"s{n}")], linger=30) for n in range(3)]
    assert not any(each.done() for each in slow)
    assert log.append([like(key="now")]).result(timeout=5) == Appended(1, 0, 4)
    assert [each.result(timeout=0).offset for each in slow] == [1, 2, 3]
    alone = log.append([like(key="alone")], linger=0.05)
    assert alone.result(timeout=5) == Appended(1, 0, 5)


def test_closing_does_not_linger(tmp_path):
    log = SqliteLog(tmp_path / "log.sqlite")
    waits = log.append([like()], linger=30)
    log.close()
    assert waits.result(timeout=0) == Appended(1, 0, 1)


def test_closing_writes_what_waits_and_refuses_what_comes(tmp_path):
    log = SqliteLog(tmp_path / "log.sqlite")
    futures = [log.append([like()]) for _ in range(200)]
    log.close()
    assert all(future.done() for future in futures)
    with pytest.raises(BusyError, match="is closed"):
        log.append([like()])
    with pytest.raises(BusyError, match="is closed"):
        log.read(0)
    log = SqliteLog(tmp_path / "log.sqlite")
    assert log.offset == 200
    log.close()


def test_a_write_that_fails_is_reported_and_leaves_nothing(log):
    log.append([like()]).result()
    log._writer.execute("PRAGMA query_only = ON")  # as a full disk would, it fails on the writer thread
    with pytest.raises(AcclimateError, match="nothing was recorded") as failure:
        log.append([like()]).result()
    assert failure.value.code == "log_not_writable"
    log._writer.execute("PRAGMA query_only = OFF")
    assert log.append([like()]).result() == Appended(1, 0, 2)


def test_one_process_writes_others_read(tmp_path):
    path = tmp_path / "log.sqlite"
    writer = SqliteLog(path)
    writer.append([like()]).result()
    with pytest.raises(BusyError, match=r"this process is writing .*log\.sqlite already"):
        SqliteLog(path)
    reader = SqliteLog(path, readonly=True)
    assert reader.offset == 1
    writer.append([like("bob")]).result()
    assert reader.offset == 2
    assert [record.offset for record in reader.read(1)] == [2]
    with pytest.raises(InputError, match="open for reading only"):
        reader.append([like()])
    writer.close()
    assert reader.read(0)[0].offset == 1
    reader.close()
    SqliteLog(path).close()


def test_a_reader_of_nothing_says_so(tmp_path):
    with pytest.raises(NotFoundError, match="there is no event log at"):
        SqliteLog(tmp_path / "log.sqlite", readonly=True)
    (tmp_path / "log.sqlite").touch()
    with pytest.raises(NotFoundError, match="is empty"):
        SqliteLog(tmp_path / "log.sqlite", readonly=True)


def test_files_of_others_are_left_alone(tmp_path):
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE theirs (x)")
    db.close()
    before = other.read_bytes()
    with pytest.raises(InputError, match="another application"):
        SqliteLog(other)
    assert other.read_bytes() == before
    text = tmp_path / "text.sqlite"
    text.write_text("not a database, " * 100)
    with pytest.raises(CorruptError, match="not a readable event log"):
        SqliteLog(text)
    with pytest.raises(InputError, match="cannot open"):
        SqliteLog(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot write"):
        SqliteLog(tmp_path / "file" / "log.sqlite")


def test_a_newer_layout_is_refused_and_the_lock_let_go(tmp_path):
    path = tmp_path / "log.sqlite"
    SqliteLog(path).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    for _ in range(2):
        with pytest.raises(InputError, match=r"newer Acclimate \(layout 99, this one reads 2"):
            SqliteLog(path)


def as_of_layout_1(path):
    """Make the file what an Acclimate before ids would have written."""
    with sqlite3.connect(path) as db:
        db.executescript("DROP TABLE log; PRAGMA user_version = 1;")
    db.close()


def test_a_log_has_an_id_of_its_own_for_good(tmp_path):
    path, ids = tmp_path / "log.sqlite", set()
    for _ in range(2):
        log = SqliteLog(path)
        reader = SqliteLog(path, readonly=True)
        log.append([like()]).result()
        ids |= {log.id, reader.id}
        reader.close()
        log.close()
    (one,) = ids
    assert re.fullmatch("[0-9a-f]{32}", one)
    shutil.copy(path, tmp_path / "copy.sqlite")
    copy, other = SqliteLog(tmp_path / "copy.sqlite"), SqliteLog(tmp_path / "other.sqlite")
    assert copy.id == one != other.id
    copy.close()
    other.close()


def test_an_old_log_is_read_as_it_is_and_gets_an_id_when_it_is_written(tmp_path):
    path = tmp_path / "log.sqlite"
    log = SqliteLog(path)
    log.append([like("ann"), like("bob")]).result()
    log.close()
    as_of_layout_1(path)
    reader = SqliteLog(path, readonly=True)
    assert (reader.id, reader.offset) == (None, 2)
    log = SqliteLog(path)
    assert reader.id == log.id is not None
    assert [record.body["user_id"] for record in log.read(0)] == ["ann", "bob"]
    assert log.append([like("cy")]).result() == Appended(1, 0, 3)
    reader.close()
    log.close()
    again = SqliteLog(path, readonly=True)
    assert again.id == log_id(path)
    again.close()


def log_id(path):
    with sqlite3.connect(path) as db:
        (row,) = db.execute("SELECT id FROM log").fetchall()
    db.close()
    return row[0]


class Known:
    """A log as far as `check_continues` asks."""

    def __init__(self, id, offset):
        self.id, self.offset = id, offset


@pytest.mark.parametrize(
    ("there", "log", "offset", "code"),
    [
        (Known("a", 5), "a", 5, None),
        (Known("a", 9), "a", 5, None),
        (Known("b", 9), "a", 0, None),  # nothing is known of it
        (Known("b", 9), None, 5, None),  # a snapshot from before ids
        (Known(None, 9), "a", 5, None),  # a log from before ids that is only read
        (Known("a", 4), "a", 5, "log_behind"),
        (Known("b", 4), None, 5, "log_behind"),
        (Known("b", 9), "a", 5, "log_replaced"),
        (Known("b", 4), "a", 5, "log_replaced"),
    ],
)
def test_another_log_is_noticed(there, log, offset, code):
    if code is None:
        check_continues(there, log, offset, "snapshot x")
        return
    with pytest.raises(CorruptError, match=r"snapshot x knows .*Put it back, or train anew") as found:
        check_continues(there, log, offset, "snapshot x")
    assert found.value.code == code


def test_damage_is_named(tmp_path):
    path = tmp_path / "log.sqlite"
    log = SqliteLog(path)
    log.append([like(item="x" * 500)] * 200).result()
    log.close()
    data = bytearray(path.read_bytes())
    data[8192:] = b"\xff" * (len(data) - 8192)
    path.write_bytes(data)
    with pytest.raises(CorruptError, match=r"damaged|not a readable"):
        SqliteLog(path).read(0)


users, items = st.sampled_from("abc"), st.sampled_from("xy")
entries = st.builds(like, users, items, st.none() | st.sampled_from("123"))
actions = st.lists(
    st.lists(entries, max_size=4) | st.tuples(st.just("forget"), users) | st.just("reopen"), max_size=12
)


@settings(max_examples=30)
@given(actions)
def test_it_behaves_like_a_list(tmp_path_factory, actions):
    path = tmp_path_factory.mktemp("log") / "log.sqlite"
    log, model, keys, last = SqliteLog(path), {}, {}, 0
    try:
        for action in actions:
            if action == "reopen":
                log.close()
                log = SqliteLog(path)
            elif isinstance(action, tuple):
                model = {at: entry for at, entry in model.items() if entry.body["user_id"] != action[1]}
                keys = {key: at for key, at in keys.items() if at in model}
                last += 1
                model[last] = Entry("user_deleted", {"user_id": action[1]}, 0.0)
                assert log.forget(action[1]).result() == Appended(1, 0, last)
            else:
                last = _append(log, model, keys, last, action)
        assert [(r.offset, r.kind, r.body) for r in log.read(0)] == [
            (at, entry.kind, entry.body) for at, entry in sorted(model.items())
        ]
        assert log.offset == last
    finally:
        log.close()


def _append(log, model, keys, last, entries):
    """Append to both, and check that they agree; return the last offset."""
    new, now, known, conflict = {}, dict(keys), 0, False
    for entry in entries:
        seen = now.get(entry.key) if entry.key else None
        if seen is None:
            at = last + len(new) + 1
            new[at] = entry
            if entry.key:
                now[entry.key] = at
        else:
            conflict = conflict or {**model, **new}[seen].body != entry.body
            known = max(known, seen)
    future = log.append(entries)
    if conflict:
        assert isinstance(future.exception(), ConflictError)
        return last
    model |= new
    keys |= now
    upto = last + len(new) if new or known == 0 else known
    assert future.result() == Appended(len(new), len(entries) - len(new), upto)
    return last + len(new)


def test_the_path_may_hold_what_a_uri_would_read(tmp_path: Path):
    path = tmp_path / "100% a?b#c" / "log.sqlite"
    log = SqliteLog(path)
    log.append([like()]).result()
    log.close()
    assert path.is_file()
