"""Every registered source keeps its promises, and every check of them can fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from acclimate.data.columns import Columns
from acclimate.data.frames import Dropped, Part, Raw
from acclimate.data.sources import SOURCES, Source, make_source
from acclimate.data.sources.csv import CSV
from tests.contract import sources as contract
from tests.contract.sources import CHECKS, USERS, Sample


def csv_sample(folder: Path) -> Sample:
    lines = [f"{user},x,{n}" for n, user in enumerate(USERS)] + ["lonely"]
    (folder / "r.csv").write_text("user,item,time\n" + "\n".join(lines), "utf-8")
    return Sample(folder / "r.csv", lines)


def movielens_sample(folder: Path) -> Sample:
    lines = [f"{user}::1::5::{n}" for n, user in enumerate(USERS)] + ["lonely"]
    (folder / "ratings.dat").write_text("\n".join(lines) + "\n", "utf-8")
    (folder / "movies.dat").write_text("1::Heat::Crime\n")
    return Sample(folder, lines)


def sequences_sample(folder: Path) -> Sample:
    lines = [f"{user}\tx\ty" for user in USERS] + ["lonely"]
    (folder / "s.txt").write_text("\n".join(lines), "utf-8")
    return Sample(folder / "s.txt", lines)


SAMPLES: dict[str, Callable[[Path], Sample]] = {
    "csv": csv_sample,
    "movielens": movielens_sample,
    "sequences": sequences_sample,
}


def test_the_contract_is_complete() -> None:
    assert len(CHECKS) == len(set(CHECKS)) == 8
    assert {name for name in vars(contract) if name.startswith("check_")} == {c.__name__ for c in CHECKS}
    assert SAMPLES.keys() == SOURCES.keys()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", SOURCES)
def test_source_keeps_the_contract(
    name: str, check: Callable[[Source, Sample], None], tmp_path: Path
) -> None:
    check(make_source(name), SAMPLES[name](tmp_path))


class Changed(CSV):
    """A source that spoils its answer; `spoil` says how."""

    def read(self, path: Path, kind: str, columns: Columns, encoding: str | None = None) -> Part:
        raw = super().read(path, kind, columns, encoding).events
        assert raw is not None
        return Part(events=self.spoil(raw))

    def spoil(self, raw: Raw) -> Raw:
        raise NotImplementedError


class Numbers(Changed):
    def spoil(self, raw: Raw) -> Raw:
        return replace(raw, frame=raw.frame.with_columns(pl.col("user_id").str.strip_chars_start("0")))


class Backwards(Changed):
    def spoil(self, raw: Raw) -> Raw:
        return replace(raw, frame=raw.frame.reverse())


class Silent(Changed):
    def spoil(self, raw: Raw) -> Raw:
        return replace(raw, dropped=())


class OffByOne(Changed):
    def spoil(self, raw: Raw) -> Raw:
        return replace(raw, frame=raw.frame.with_columns(pl.col("line") - 1))


class NoExample(Changed):
    def spoil(self, raw: Raw) -> Raw:
        return replace(raw, dropped=tuple(Dropped(d.reason, d.count) for d in raw.dropped))


class Typed(Changed):
    def spoil(self, raw: Raw) -> Raw:
        return replace(raw, frame=raw.frame.cast({"timestamp": pl.Int64}))


class Scribbler(Changed):
    def spoil(self, raw: Raw) -> Raw:
        (raw.file.parent / "notes").write_text("read")
        return raw


class Greedy(CSV):
    def detect(self, path: Path) -> bool:
        return True


BROKEN = [Numbers, Backwards, Silent, OffByOne, NoExample, Typed, Scribbler, Greedy]


@pytest.mark.parametrize(
    ("check", "broken"), list(zip(CHECKS, BROKEN, strict=True)), ids=lambda x: x.__name__
)
def test_every_check_can_fail(
    check: Callable[[Source, Sample], None], broken: type[CSV], tmp_path: Path
) -> None:
    sample = csv_sample(tmp_path)
    check(CSV(), sample)
    with pytest.raises(AssertionError):
        check(broken(), sample)
