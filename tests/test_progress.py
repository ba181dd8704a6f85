"""What a long job says: how far it is, how long it may still take, on stderr."""

from __future__ import annotations

import pytest

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


def test_nothing_is_said_unasked(capsys: pytest.CaptureFixture[str]) -> None:
    with counting(4, "counting sheep", shown=False) as tell:
        tell(4, "done")
    assert capsys.readouterr() == ("", "")
