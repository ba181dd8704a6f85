"""Every registered model keeps its promises, and every check of them can fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from acclimate.data.dataset import Dataset
from acclimate.encode import make_encoder
from acclimate.models import MODELS, make_model
from acclimate.models.item_knn import ItemKNN
from acclimate.types import Histories
from tests.contract import models as contract
from tests.contract.models import CHECKS, FAST_PARAMS, Make


def maker(name: str) -> Make:
    params = FAST_PARAMS.get(name, {})
    return lambda: make_model(name, make_encoder("tfidf", progress=False), **params)


def test_the_contract_is_complete() -> None:
    assert len(CHECKS) == len(set(CHECKS)) == 20
    assert {name for name in vars(contract) if name.startswith("check_")} == {c.__name__ for c in CHECKS}
    assert set(MODELS) == {
        "popularity",
        "recent-popularity",
        "frequency",
        "item-knn",
        "user-knn",
        "content",
        "ease",
        "als",
        "bpr",
        "isgd",
        "mf",
        "vae",
        "lightgcn",
        "sequence",
        "hybrid",
        "ensemble",
        "ranker",
    }


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", MODELS)
def test_model_keeps_the_contract(name: str, check: Callable[[Make], None]) -> None:
    check(maker(name))


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_called_what_it_is_registered_as(name: str) -> None:
    assert maker(name)().name == name


class Mute(ItemKNN):
    new_user = ""


class Willing(ItemKNN):
    def score(self, histories: Histories) -> Any:
        return super().score(histories) if self.n_items else np.zeros((len(histories), 0), np.float32)


class Double(ItemKNN):
    def score(self, histories: Histories) -> Any:
        return super().score(histories).astype(np.float64)


class Patchy(ItemKNN):
    def score(self, histories: Histories) -> Any:
        scores = super().score(histories)
        scores[:, 0] = np.nan
        return scores


class Company(ItemKNN):
    """Its scores depend on who else asks."""

    def score(self, histories: Histories) -> Any:
        scores = super().score(histories)
        return scores - np.nansum(scores)


class Lending(ItemKNN):
    """Hands out its own memory."""

    kept: Any = None

    def similarity(self, items: Any, others: Any = None) -> Any:
        self.kept = super().similarity(items, others) if self.kept is None else self.kept
        return self.kept


class Nosy(ItemKNN):
    """Remembers who asked."""

    heard = 0

    def score(self, histories: Histories) -> Any:
        self.heard += len(histories.items)
        return super().score(histories) * np.float32(self.heard)


class Flattered(ItemKNN):
    """Takes every event for a like."""

    def score(self, histories: Histories) -> Any:
        scores = super().score(histories)
        scores[histories.rows, histories.items] += 1
        return scores


class Watching(ItemKNN):
    """Takes what was shown for chosen."""

    def score(self, histories: Histories) -> Any:
        told = Histories(
            histories.items, histories.times, np.abs(histories.weights) + 1, histories.offsets, histories.now
        )
        return super().score(told)


class Forgetful(ItemKNN):
    def restore(self, state: Any) -> None:
        super().restore(({**state[0], "near": state[0]["near"][::-1]}, state[1]))


class Secretive(ItemKNN):
    def state(self) -> Any:
        arrays, document = super().state()
        return arrays, {**document, "params": {"mystery": 1}}


class Stubborn(ItemKNN):
    def put_items(self, codes: Any, items: Any) -> None:
        return


class Upset(ItemKNN):
    def put_items(self, codes: Any, items: Any) -> None:
        super().put_items(codes, items)
        self._weights = self._fitted() * np.float32(2)


class Gappy(ItemKNN):
    def put_items(self, codes: Any, items: Any) -> None:
        self.n_items = max(self.n_items, int(codes.max()) + 1)


class Boasting(ItemKNN):
    def similarity(self, items: Any, others: Any = None) -> Any:
        return super().similarity(items, others) * np.float32(2)


class Skewed(ItemKNN):
    def similarity(self, items: Any, others: Any = None) -> Any:
        return super().similarity(items, None if others is None else others[::-1])


class Fickle(ItemKNN):
    made = 0

    def fit(self, data: Dataset) -> None:
        super().fit(data)
        Fickle.made += 1
        self._weights = self._fitted() * np.float32(Fickle.made)


class Hoarding(ItemKNN):
    """Mixes what it learns into what it had learned."""

    def fit(self, data: Dataset) -> None:
        before = self._weights
        super().fit(data)
        self._weights = self._fitted() * np.float32(1 if before is None else 2)


class Infinite(ItemKNN):
    """Divides by the number of users less one."""

    def fit(self, data: Dataset) -> None:
        super().fit(data)
        self.scale = np.float32(np.inf if data.n_users == 1 else 1.0)

    def score(self, histories: Histories) -> Any:
        scores = super().score(histories)
        return np.where(scores >= 0, self.scale, scores).astype(np.float32)


class Needy(ItemKNN):
    """Divides by the number of likes."""

    def fit(self, data: Dataset) -> None:
        super().fit(data)
        self.mean = len(data) / (data.weight > 0).sum().item()


BROKEN: dict[Callable[[Make], None], type[ItemKNN]] = {
    contract.check_introduces_itself: Mute,
    contract.check_unfitted_refuses: Willing,
    contract.check_scores_are_a_float32_matrix: Double,
    contract.check_nan_only_where_nothing_is_known: Patchy,
    contract.check_a_batch_equals_its_members: Company,
    contract.check_asking_changes_nothing: Lending,
    contract.check_an_event_counts_and_leaves_no_trace: Nosy,
    contract.check_what_was_only_shown_counts_for_nothing: Watching,
    contract.check_a_dislike_never_raises_its_item: Flattered,
    contract.check_state_travels: Forgetful,
    contract.check_state_holds_the_arguments: Secretive,
    contract.check_new_items_join: Stubborn,
    contract.check_a_changed_item_changes_no_other: Upset,
    contract.check_codes_leave_no_gap: Gappy,
    contract.check_similarity: Boasting,
    contract.check_similarity_to_some_is_part_of_all: Skewed,
    contract.check_fit_is_deterministic: Fickle,
    contract.check_fit_starts_from_scratch: Hoarding,
    contract.check_small_worlds: Infinite,
    contract.check_nothing_liked_is_no_crash: Needy,
}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_every_check_can_fail(check: Callable[[Make], None]) -> None:
    check(ItemKNN)
    with pytest.raises(AssertionError):
        check(BROKEN[check])
