"""Vectors on disk: found again, never trusted when damaged, safe for two writers."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from acclimate.encode import cache as module
from acclimate.encode.cache import CachedEncoder
from acclimate.types import Floats, Histories, State


class Counting:
    """An encoder that says what it was asked."""

    name, note = "counting", None

    def __init__(self, fingerprint: str = "one", dim: int = 8) -> None:
        self.fingerprint, self.dim, self.asked = fingerprint, dim, list[str]()

    def encode(self, texts: Sequence[str]) -> Floats:
        self.asked += texts
        rows = [np.full(self.dim, hash(text) % 97 + 1) for text in texts]
        return np.array(rows, np.float32).reshape(len(texts), self.dim)

    def fit(self, texts: Sequence[str], histories: Histories | None = None) -> None: ...

    def state(self) -> State:
        return {}, {}

    def restore(self, state: State) -> None: ...


def test_a_text_is_read_once(tmp_path: Path) -> None:
    first, second = Counting(), Counting()
    a = CachedEncoder(first, tmp_path).encode(["x", "y", "x", ""])
    b = CachedEncoder(second, tmp_path).encode(["", "x", "z", "y"])
    assert (first.asked, second.asked) == (["x", "y", ""], ["z"])
    np.testing.assert_array_equal(a[[3, 0, 1]], b[[0, 1, 3]])
    assert b.dtype == np.float32


def test_another_encoder_is_a_miss(tmp_path: Path) -> None:
    CachedEncoder(Counting("one"), tmp_path).encode(["x"])
    other = Counting("two", dim=3)
    assert CachedEncoder(other, tmp_path).encode(["x"]).shape == (1, 3)
    assert other.asked == ["x"]


def test_no_texts_have_the_right_width(tmp_path: Path) -> None:
    assert CachedEncoder(Counting(), tmp_path).encode([]).shape == (0, 8)


def damage_header(path: Path) -> None:
    path.write_bytes(b"garbage" * 400)


def damage_pages(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    whole[2_000:-2_000] = b"\xff" * len(whole[2_000:-2_000])
    path.write_bytes(whole)


def damage_tail(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("damage", [damage_header, damage_pages, damage_tail])
def test_a_damaged_file_is_made_anew(
    tmp_path: Path, damage: object, caplog: pytest.LogCaptureFixture
) -> None:
    texts = [str(i) for i in range(400)]
    cached = CachedEncoder(Counting(), tmp_path)
    expected = cached.encode(texts)
    damage(cached.path)  # type: ignore[operator]
    np.testing.assert_array_equal(CachedEncoder(Counting(), tmp_path).encode(texts), expected)
    assert "anew" in caplog.text
    again = Counting()
    np.testing.assert_array_equal(CachedEncoder(again, tmp_path).encode(texts), expected)
    assert again.asked == []


def test_a_flipped_bit_in_a_vector_is_noticed(tmp_path: Path) -> None:
    cached = CachedEncoder(Counting(), tmp_path)
    expected = cached.encode(["x"])
    with closing(sqlite3.connect(cached.path)) as db, db:
        db.execute("UPDATE vectors SET vector = zeroblob(32)")
    np.testing.assert_array_equal(cached.encode(["x"]), expected)


def test_a_folder_that_cannot_be_written_costs_no_answer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("not a folder")
    assert CachedEncoder(Counting(), tmp_path / "file").encode(["x"]).shape == (1, 8)
    assert "no cache of vectors" in caplog.text


def test_what_was_read_before_a_kill_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Dying(Counting):
        def encode(self, texts: Sequence[str]) -> Floats:
            if len(self.asked) >= 6:
                raise KeyboardInterrupt
            return super().encode(texts)

    monkeypatch.setattr(module, "_SAVED", 3)
    texts = [str(i) for i in range(9)]
    with pytest.raises(KeyboardInterrupt):
        CachedEncoder(Dying(), tmp_path).encode(texts)
    again = Counting()
    CachedEncoder(again, tmp_path).encode(texts)
    assert again.asked == ["6", "7", "8"]


def test_two_processes_at_once_lose_nothing(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from acclimate.encode.cache import CachedEncoder
from acclimate.encode.tfidf import TfidfEncoder
encoder = TfidfEncoder(4)
encoder.fit(["a b", "b c", "c d"])
cached = CachedEncoder(encoder, Path(sys.argv[1]))
for i in range(15):
    cached.encode([f"{sys.argv[2]} {i}", f"both {i}"])
"""
    jobs = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path), who], stderr=subprocess.PIPE)
        for who in ("a", "b")
    ]
    assert [job.communicate()[1] for job in jobs] == [b"", b""]
    with closing(sqlite3.connect(tmp_path / "vectors-1.sqlite")) as db:
        assert db.execute("SELECT count(*) FROM vectors").fetchone() == (45,)
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_nine_thousand_texts_come_back_within_a_second(tmp_path: Path) -> None:
    texts = [f"title number {i} with some words (19{i % 100})" for i in range(9_000)]
    CachedEncoder(Counting(dim=384), tmp_path).encode(texts)
    again, start = Counting(dim=384), time.process_time()
    CachedEncoder(again, tmp_path).encode(texts)
    assert time.process_time() - start < 1.0
    assert again.asked == []
