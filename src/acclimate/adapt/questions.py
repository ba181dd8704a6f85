"""What was held back from learning, as questions: what came next for this user?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from acclimate.metrics import rank_metrics
from acclimate.types import Codes, Floats, Histories, State

LONGEST = 200
"""Events of a history that are kept with a question, the newest."""
CELLS, TOGETHER = 4_000_000, 256
"""Scores and questions that are asked for at once."""
_COLUMNS = ("items", "times", "weights", "values", "kinds")


class Scoring(Protocol):
    """What can be asked: any model."""

    @property
    def n_items(self) -> int:
        """Size of the catalogue."""

    def score(self, histories: Histories) -> Floats:
        """Return float32[n, n_items]."""


class Questions:
    """Events that were not learned, each with what was known of its user right before, oldest first.

    Args:
        most: So many are kept; of more, the oldest leave.

    Example:
        >>> questions = Questions()
        >>> questions.add(Histories.of([[3, 4]], users=[7]), 5)
        True
        >>> len(questions), questions.users.tolist(), questions.targets.tolist()
        (1, [7], [5])
    """

    def __init__(self, most: int = 2_000) -> None:
        self.most = most
        self._asked: list[tuple[Histories, int, int]] = []

    def __len__(self) -> int:
        return len(self._asked)

    @property
    def users(self) -> Codes:
        """Whose each is, int32[n]."""
        return np.array([int(one.users[0]) for one, *_ in self._asked if one.users is not None], np.int32)

    @property
    def targets(self) -> Codes:
        """What came next, int32[n]."""
        return np.array([target for _, target, _ in self._asked], np.int32)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """How many events were known before each, up to `LONGEST`, int64[n]."""
        return np.array([len(one.items) for one, *_ in self._asked], np.int64)

    def add(self, history: Histories, target: int, offset: int = 0) -> bool:
        """Take in a question, and return whether it is one.

        Args:
            history: Of one user, whose code it holds.
            target: What the user chose next. If that is in the history it may not be listed: it is none.
            offset: Where in the log that stands.
        """
        if (history.items == target).any():
            return False
        self._asked.append((history.last(LONGEST), target, offset))
        del self._asked[: -self.most]
        return True

    def take(self, other: Questions) -> None:
        """Take in all of ``other``."""
        self._asked = [*self._asked, *other._asked][-self.most :]

    def since(self, offset: int) -> Questions:
        """Return those that stand behind ``offset`` in the log."""
        found = Questions(self.most)
        found._asked = [each for each in self._asked if each[2] > offset]
        return found

    def forget(self, user: int) -> None:
        """Forget the user with this code."""
        self._asked = [each for each in self._asked if each[0].users != user]

    def ndcg(self, model: Scoring) -> NDArray[np.float64]:
        """Return NDCG@10 of each question among all items that its user did not have, float64[n].

        Raises:
            ValueError: A score is infinite.
        """
        found = [np.zeros(0)]
        for some in self._batches(model.n_items):
            histories = joined([one for one, *_ in some])
            targets = np.array([target for _, target, _ in some], np.int32)
            out = histories.closed(np.inf)
            scores = np.asarray(model.score(histories), np.float32)
            ends = np.arange(len(some) + 1)
            found.append(rank_metrics(scores, targets, ends, out.rows, out.items)["ndcg@10"])
        return np.concatenate(found)

    def _batches(self, n_items: int) -> Iterator[list[tuple[Histories, int, int]]]:
        size = max(1, min(TOGETHER, CELLS // max(n_items, 1)))
        for start in range(0, len(self._asked), size):
            yield self._asked[start : start + size]

    def state(self) -> State:
        """Return all that `restored` needs."""
        together = joined([one for one, *_ in self._asked])
        arrays: dict[str, NDArray[Any]] = {"targets": self.targets, "users": self.users}
        arrays["at"] = np.array([offset for *_, offset in self._asked], np.int64)
        arrays |= {name: np.array(getattr(together, name)) for name in (*_COLUMNS, "offsets", "now")}
        return arrays, {"most": self.most}

    @classmethod
    def restored(cls, state: State) -> Questions:
        """Return the questions whose `state` this is."""
        arrays, document = state
        found = cls(document["most"])
        together = Histories(
            *(arrays[name] for name in ("items", "times", "weights", "offsets", "now")),
            values=arrays["values"],
            users=arrays["users"],
            kinds=arrays["kinds"],
        )
        found._asked = list(zip(together, arrays["targets"].tolist(), arrays["at"].tolist(), strict=True))
        return found


def joined(parts: Sequence[Histories]) -> Histories:
    """Return the users of all parts side by side; what they searched for is left out.

    Example:
        >>> joined([Histories.of([[3, 4]]), Histories.of([[], [5]])]).rows.tolist()
        [0, 0, 2]
    """
    lengths = np.concatenate([np.zeros(1, np.int64), *(part.lengths for part in parts)])

    def column(name: str, missing: float) -> NDArray[Any]:
        found = [getattr(part, name) for part in parts]
        sizes = [len(part) if name in ("now", "users") else len(part.items) for part in parts]
        filled = [np.full(n, missing) if one is None else one for one, n in zip(found, sizes, strict=True)]
        return np.concatenate([np.zeros(0), *filled])

    return Histories(
        column("items", 0),
        column("times", 0),
        column("weights", 0),
        np.cumsum(lengths),
        column("now", 0),
        values=column("values", np.nan),
        users=column("users", -1),
        kinds=column("kinds", -1),
    )
