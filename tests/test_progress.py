"""What a long job says: how far it is, how long it may still take, on stderr."""

from __future__ import annotations

from functools import partial

import pytest
from rich.console import Console

from acclimate import progress
from acclimate.progress import counting


class Clock:
    """Goes on by ``pace`` seconds each time it is read."""

    def __init__(self, pace: float) -> None:
        self.pace, self.now = pace, 0.0

    def __call__(self) -> float:
        self.now += self.pace
        return self.now


def said(capsys: pytest.CaptureFixture[str], *, at_most: bool = False, lines: int = 10) -> list[str]:
    with counting(4, "counting sheep", shown=True, at_most=at_most, lines=lines) as tell:
        tell(1, "one")
        tell(0, "a remark")
        tell(3)
    out, err = capsys.readouterr()
    assert out == ""
    return err.splitlines()


def test_lines_say_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys) == [
        "counting sheep: 1 of 4  one",
        "counting sheep: 1 of 4  a remark",
        "counting sheep: 4 of 4",
    ]
    assert said(capsys, at_most=True)[0] == "counting sheep: 1 of at most 4  one"
    assert said(capsys, lines=1) == ["counting sheep: 1 of 4  a remark", "counting sheep: 4 of 4"]


def test_what_is_left_is_told_where_it_is_long(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "perf_counter", Clock(pace=20.0))
    assert said(capsys)[0] == "counting sheep: 1 of 4  one  1.0 min left"
    assert said(capsys, at_most=True)[0] == "counting sheep: 1 of at most 4  one  at most 1.0 min left"
    monkeypatch.setattr(progress, "perf_counter", Clock(pace=1.0))
    assert "left" not in "".join(said(capsys))


def lefts(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return what the lines so far say of the rest."""
    return [line.partition("  ")[2] for line in capsys.readouterr().err.splitlines()]


def test_what_is_left_follows_from_all_that_is_done(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One step that takes long, as where something is learned or saved, does not make the rest long."""
    clock = Clock(pace=0.0)
    monkeypatch.setattr(progress, "perf_counter", clock)
    with counting(100, "replaying", shown=True) as tell:
        for step in range(50):
            clock.now += 31.0 if step == 39 else 1.0
            tell(1)
    assert lefts(capsys) == ["1.5 min left", "1.3 min left", "1.2 min left", "1.8 min left", "1.3 min left"]


def test_nothing_is_said_of_the_rest_at_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(pace=0.0)
    monkeypatch.setattr(progress, "perf_counter", clock)
    with counting(1000, "replaying", shown=True, lines=1000) as tell:
        for seconds in (4.0, 0.9, 0.1, 5.0):
            clock.now += seconds
            tell(1)
    assert lefts(capsys) == ["", "", "27.7 min left", "41.5 min left"]


def test_what_was_done_earlier_says_nothing_of_the_pace(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(pace=0.0)
    monkeypatch.setattr(progress, "perf_counter", clock)
    with counting(100, "replaying", shown=True, lines=100) as tell:
        tell(50, "resumed", earlier=True)
        clock.now += 10.0
        tell(1)
    assert lefts(capsys) == ["resumed", "8.2 min left"]


def test_a_terminal_tells_the_same_rest(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(pace=0.0)
    monkeypatch.setattr(progress, "perf_counter", clock)
    terminal = partial(Console, force_terminal=True, width=100)
    monkeypatch.setattr(progress, "Console", terminal)
    with counting(4, "counting sheep", shown=True, at_most=True) as tell:
        clock.now += 20.0
        tell(1, "one")
    assert "1 of at most 4 at most 1.0 min left one" in capsys.readouterr().err


def test_nothing_is_said_unasked(capsys: pytest.CaptureFixture[str]) -> None:
    with counting(4, "counting sheep", shown=False) as tell:
        tell(4, "done")
    assert capsys.readouterr() == ("", "")
