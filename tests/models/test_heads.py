"""The heads of the sequence model, in worlds whose noise is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from acclimate.data.dataset import Dataset
from acclimate.data.split import split_last
from acclimate.data.vocab import Vocabulary
from acclimate.encode import make_encoder
from acclimate.errors import InputError
from acclimate.evaluate.forecasts import forecasts
from acclimate.metrics import log_loss, mae, rmse, top_lists
from acclimate.models.heads import Heads
from acclimate.models.sequence import SequenceModel
from acclimate.types import Histories
from tests.contract.models import CHECKS, WORLD, Make, questions

SMALL = {"width": 32, "heads": 2, "layers": 1, "batch_tokens": 512, "dropout": 0.0, "id_dropout": 0.0}
NOISE, FLIPPED = 0.3, 0.1
N_ITEMS, N_USERS, LENGTH = 20, 300, 14


def model(**params: Any) -> SequenceModel:
    return SequenceModel(**SMALL, feedback=True, validation_users=0, **params)


def events(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each user meets items at random; user, item, time."""
    user = np.repeat(np.arange(N_USERS), LENGTH)
    item = np.concatenate([rng.permutation(N_ITEMS)[:LENGTH] for _ in range(N_USERS)])
    return user, item, np.tile(np.arange(LENGTH), N_USERS) + user / N_USERS


def dataset(user: np.ndarray, item: np.ndarray, time: np.ndarray, **told: Any) -> Dataset:
    users, items = (
        Vocabulary(f"{kind}{n}" for n in range(size)) for kind, size in (("u", N_USERS), ("i", 20))
    )
    return Dataset(users, items, user, item, time, **told)


def rated() -> Dataset:
    """A rating is 3, the user's bias, the item's quality and noise; from 3 on it is a like."""
    rng = np.random.default_rng(0)
    user, item, time = events(rng)
    value = 3 + rng.normal(0, 0.8, N_USERS)[user] + rng.normal(0, 0.8, N_ITEMS)[item]
    value += rng.normal(0, NOISE, len(user))
    return dataset(user, item, time, value=value, weight=np.where(value >= 3, 1.0, -1.0))


def clicked() -> Dataset:
    """Half of the users like what most like, half hardly anything but good items; one in ten is turned."""
    rng = np.random.default_rng(1)
    user, item, time = events(rng)
    likes = (item % 4 + 2 * (user % 2) >= 3) != (rng.random(len(user)) < FLIPPED)
    return dataset(user, item, time, weight=np.where(likes, 1.0, -1.0))


def halves(data: Dataset) -> tuple[Dataset, Histories, np.ndarray]:
    """Leave the last event of each user out: what is left, what is known before it, and its item."""
    whole = data.histories()
    last = whole.offsets[1:] - 1
    left = data.where(data.time < LENGTH - 1)
    return left, left.histories(), whole.items[last]


@pytest.mark.parametrize(("loss", "measure"), [("mse", rmse), ("mae", mae)])
def test_ratings_of_bias_and_quality_beat_the_mean_by_two_fifths(
    loss: str, measure: Callable[..., float]
) -> None:
    data = rated()
    left, asked, items = halves(data)
    head = model(rating=loss, epochs=25)
    head.fit(left)
    whole = data.histories()
    assert whole.values is not None
    true = whole.values[whole.offsets[1:] - 1]
    foreseen = head.predict(asked, np.arange(N_ITEMS, dtype=np.int32)).rating[np.arange(N_USERS), items]
    mean = measure(true, np.full(N_USERS, left.histories().values.mean()))  # type: ignore[union-attr]
    assert measure(true, foreseen) < 0.6 * mean


def test_likes_that_hang_on_the_item_are_foreseen() -> None:
    data = clicked()
    left, asked, items = halves(data)
    head = model(click=True, epochs=12, learning_rate=5e-3)
    head.fit(left)
    whole = data.histories()
    true = (whole.weights[whole.offsets[1:] - 1] > 0).astype(float)
    foreseen = head.predict(asked, np.arange(N_ITEMS, dtype=np.int32)).liked[np.arange(N_USERS), items]
    assert log_loss(true, foreseen) < log_loss(true, np.full(N_USERS, true.mean())) - 0.15


@pytest.fixture(scope="module")
def both() -> SequenceModel:
    made = SequenceModel(
        make_encoder("tfidf", progress=False), width=16, epochs=2, feedback=True, rating="mse", click=True
    )
    made.fit(WORLD)
    return made


def test_foreseen_of_a_batch_is_that_of_its_members(both: SequenceModel) -> None:
    items, asked = np.array([3, 0, 23], np.int32), questions()
    whole = both.predict(asked, items)
    for row in range(len(asked)):
        for one, many in zip(both.predict(asked[row], items), whole, strict=True):
            np.testing.assert_allclose(one[0], many[row], atol=1e-5)
    assert whole.liked.dtype == whole.rating.dtype == whole.click.dtype == np.float32
    known = np.isfinite(whole.liked)
    assert known.any()
    assert ((whole.liked[known] > 0) & (whole.liked[known] < 1)).all()
    assert np.nanmin(whole.rating) >= 1
    assert np.nanmax(whole.rating) <= 5


def test_chances_to_come_next_add_up_to_one(both: SequenceModel) -> None:
    click = both.predict(questions(), np.arange(both.n_items, dtype=np.int32)).click
    np.testing.assert_allclose(np.nansum(click, axis=1)[np.isfinite(click).any(axis=1)], 1, atol=1e-4)


def test_heads_are_in_the_snapshot(both: SequenceModel) -> None:
    other = SequenceModel(make_encoder("tfidf", progress=False))
    other.encoder.restore(both.encoder.state())  # type: ignore[union-attr]
    other.restore(both.state())
    items = np.arange(both.n_items, dtype=np.int32)
    for mine, its in zip(both.predict(questions(), items), other.predict(questions(), items), strict=True):
        np.testing.assert_array_equal(mine, its)


def test_evaluate_measures_what_is_foreseen() -> None:
    split = split_last(WORLD)
    made = model(rating="mse", click=True, epochs=2)
    made.fit(split.train)
    lists = top_lists(made.score(split.histories), np.zeros(0, np.int64), np.zeros(0, np.int32), 5)
    assert {"rmse", "mae", "log_loss", "calibration_error"} <= set(forecasts(made, split, lists))
    plain = model(epochs=1)
    plain.fit(split.train)
    assert forecasts(plain, split, lists) == {}


def test_off_has_no_weights_and_foresees_nothing() -> None:
    plain = model(epochs=1)
    plain.fit(WORLD)
    assert not [name for name in plain.state()[0] if "foretells" in name]
    assert all(np.isnan(part).all() for part in plain.predict(questions(), np.array([0], np.int32)))


def test_what_was_never_taught_foresees_nothing() -> None:
    heads = Heads(4, {"rating": "mse", "click": True})
    assert all(part.isnan().all() for part in heads.answer(torch.ones(2, 4), torch.ones(3, 4)))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"rating": "rmse", "feedback": True}, "no rating loss 'rmse'"),
        ({"rating": "mae"}, "rating is learned from what was not liked as well: set feedback = true"),
        ({"click": True}, "click is learned from what was not liked as well: set feedback = true"),
    ],
)
def test_arguments_that_make_no_head(params: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        SequenceModel(**params)


def test_data_that_teach_no_head() -> None:
    data = Dataset.of([(f"u{u}", f"i{(u + t) % 5}", float(t)) for u in range(9) for t in range(4)])
    with pytest.raises(InputError, match="needs events with a value, the data has none: import a column"):
        model(rating="mse").fit(data)
    with pytest.raises(InputError, match=r"needs events that are not liked \(of weight 0 or below\)"):
        model(click=True).fit(data)


NOT_KEPT = {
    "check_small_worlds",  # without dislikes a click head refuses
    "check_what_was_only_shown_counts_for_nothing",  # with `feedback` it counts, heads or not
    "check_a_dislike_never_raises_its_item",  # the same
}


def with_heads() -> SequenceModel:
    return SequenceModel(
        make_encoder("tfidf", progress=False), width=16, epochs=2, feedback=True, rating="mae", click=True
    )


@pytest.mark.parametrize(
    "check", [c for c in CHECKS if c.__name__ not in NOT_KEPT], ids=lambda check: check.__name__
)
def test_the_contract_holds_with_heads(check: Callable[[Make], None]) -> None:
    check(with_heads)
