"""The prior of now beside a model: taken where popularity moved, left alone where it did not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from acclimate.adapt.swapped import AT_FIRST, Swapped
from acclimate.data.dataset import Dataset
from acclimate.encode import make_encoder
from acclimate.errors import InputError
from acclimate.evaluate.prequential import Level, replay
from acclimate.models.ease import EASE
from acclimate.models.popularity import Popularity
from acclimate.models.sequence import SequenceModel
from acclimate.state import panel
from acclimate.types import Clocked, Events, Floats, Histories
from tests.contract.learners import CHECKS, STREAM, begun, check_what_is_learned_counts
from tests.contract.models import FAST_PARAMS, travelled

N = 60
DAY = 86_400.0


class Softmax(Popularity):
    """Says the log of how often each item was had: the logits of whoever asks."""

    name = "softmax"
    scale = 4.0

    def score(self, histories: Histories) -> Floats:
        return np.log1p(super().score(histories)) / np.float32(self.scale)


def chances(turned: bool) -> np.ndarray:
    weights = 1 / np.arange(1, N + 1)
    return (weights[::-1] if turned else weights) / weights.sum()


def rows(n: int, turned: bool, first_user: int, start: float) -> list[tuple[str, str, float]]:
    """Let each of many users have three items, by chances that are those of all."""
    rng = np.random.default_rng(n + turned)
    out = []
    for at in range(n):
        user = first_user + at // 3
        item = rng.choice(N, p=chances(turned))
        out.append((f"u{user}", f"i{item}", start + at * DAY / 200))
    return out


def popular(turned: bool) -> Dataset:
    names = [(f"a{n}", f"i{n}", 0.0) for n in range(N)]  # the codes are the numbers
    return Dataset.of([*names, *rows(2000, False, 0, 1.0), *rows(2500, turned, 5000, 16 * DAY)])


@pytest.mark.parametrize("turned", [False, True])
def test_the_prior_is_swapped_where_popularity_turned(turned: bool) -> None:
    base = Softmax()
    swapped = Swapped(base)
    levels = [Level("base", base, learns=False), Level("prior", swapped)]
    report = replay(levels, popular(turned), start=16 * DAY)
    as_fitted, now = (level.per_question["ndcg@10"] for level in report.levels)
    if not turned:
        assert swapped.way is None
        np.testing.assert_array_equal(as_fitted, now)
        return
    assert swapped.way is not None
    half = len(now) // 2
    found = now[half:].mean()
    best = _of_one_who_knows(report.stream.events.part(report.stream.asked[half:]))
    assert as_fitted[half:].mean() < 0.3 * best
    assert found > 0.9 * best


def _of_one_who_knows(events: Events) -> float:
    place = np.argsort(np.argsort(-chances(True)))[events.item]
    return float(np.where(place < 10, 1 / np.log2(place + 2), 0).mean())


def fast() -> Swapped:
    return Swapped(SequenceModel(make_encoder("tfidf", progress=False), **FAST_PARAMS["sequence"]))


OTHERS = [check for check in CHECKS if check is not check_what_is_learned_counts]  # it need not be taken


@pytest.mark.parametrize("check", OTHERS, ids=lambda check: check.__name__)
def test_it_keeps_the_promises_of_learners(
    check: Callable[[Callable[[], Swapped]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(panel, "EVENTS", 3)
    check(lambda: Swapped(Softmax()))


def test_what_it_stands_around_stays_as_it_was_fitted() -> None:
    model = begun(fast)
    assert isinstance(model, Swapped)
    assert isinstance(model, Clocked)
    before = travelled(model.base.state())
    model.learn(STREAM)
    for name, array in before[0].items():
        np.testing.assert_array_equal(model.base.state()[0][name], array)
    assert model.contest.asked > 0
    assert model.contest.asked <= AT_FIRST


def test_a_way_that_was_taken_is_added_to_the_logits() -> None:
    model = begun(fast)
    assert isinstance(model, Swapped)
    model.learn(STREAM)
    plain = model.base.score(Histories.of([[0, 1]]))
    for _ in range(400):
        model.contest.judge(np.array([0.0, *[0.1] * 3, 0.3, *[0.1] * 4]))
    assert model.way == (30 * DAY, 1.0)
    expected = plain + model.prior.shift(1) / model.base.scale
    np.testing.assert_allclose(model.score(Histories.of([[0, 1]])), expected, atol=1e-6)


def test_a_model_without_logits_says_so() -> None:
    with pytest.raises(InputError, match="the prior of ease cannot be swapped, as its scores are no logits"):
        Swapped(EASE())
