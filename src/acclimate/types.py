"""The vocabulary of the house: what travels between rooms, and what a part has to promise.

Outside ids are strings (``item_id``), inside codes are int32 (``item``). Times are float seconds
since 1970 UTC. Everything here is immutable; arrays are read-only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from acclimate.histories import Codes as Codes
from acclimate.histories import Events as Events
from acclimate.histories import Floats as Floats
from acclimate.histories import Histories as Histories
from acclimate.histories import Offsets as Offsets
from acclimate.histories import Times as Times

if TYPE_CHECKING:
    from acclimate.data.dataset import Dataset

State = tuple[dict[str, NDArray[Any]], dict[str, Any]]
"""What a part is made of: named arrays, and a JSON document."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that can be recommended.

    Args:
        item_id: Outside id, any non-empty string.
        title: What a person calls it; may be empty.
        text: Longer description; may be empty.
        categories: Labels such as genres.
        available: False takes it out of every list.
        created_at: Seconds since 1970, or None if unknown; before, it is in no list unless it was chosen.
        expires_at: From this time on it is never recommended; None for never.
        attributes: Anything else, by name.
    """

    item_id: str
    title: str = ""
    text: str = ""
    categories: tuple[str, ...] = ()
    available: bool = True
    created_at: float | None = None
    expires_at: float | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def reading(self) -> str:
        """What a language model reads: title, categories and text, joined; may be empty.

        Example:
            >>> Item("1", title="Heat (1995)", categories=("Crime", "Thriller")).reading
            'Heat (1995). Crime, Thriller'
        """
        return ". ".join(part for part in (self.title, ", ".join(self.categories), self.text) if part)


@dataclass(frozen=True, slots=True)
class User:
    """One person or account, with attributes by name."""

    user_id: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Event:
    """Something a user did: a click, a like, a rating, a search.

    Args:
        user_id: Who.
        event_type: A key of the ``[events]`` table, as in ``"like"``.
        timestamp: Seconds since 1970 UTC.
        item_id: With what; None for a search.
        value: A rating or an amount.
        event_id: The same id counts once.
        query: What was searched for.
        request_id: The answer that this event responds to.
        context: Anything else, by name.
    """

    user_id: str
    event_type: str
    timestamp: float
    item_id: str | None = None
    value: float | None = None
    event_id: str | None = None
    query: str | None = None
    request_id: str | None = None
    context: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Query:
    """A question for a list.

    Args:
        user_id: Who asks; None for a session without an id.
        k: Length of the list, 1..1000.
        events: Events of this session that are not in the log, oldest first.
        candidates: If given, only these items may be listed.
        exclude: Items that must not be listed.
        explain: Whether reasons are wanted.
        request_id: Names the answer and seeds its draw; made up if None.
        now: Time of the request in seconds; the clock's if None.
    """

    user_id: str | None = None
    k: int = 10
    events: tuple[Event, ...] = ()
    candidates: tuple[str, ...] | None = None
    exclude: tuple[str, ...] = ()
    explain: bool = True
    request_id: str | None = None
    now: float | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an item stands in a list.

    Args:
        kind: ``"because"`` (near to an item the user had), ``"had"`` (the user had it before),
            ``"popular"``, ``"explored"`` or ``"new"``.
        text: A sentence for a person.
        item_id: The item it refers to, if it does.
        similarity: How near, -1..1, if it is about nearness.
    """

    kind: str
    text: str
    item_id: str | None = None
    similarity: float | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """One place of a slate: ``rank`` counts from 1, ``propensity`` is given the items above it.

    ``score`` is the model's; None if it cannot give one, and then the item ranks last.
    """

    item_id: str
    rank: int
    score: float | None
    propensity: float
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Slate:
    """An answer: what was shown, by which snapshot and policy, drawn with which probability.

    Args:
        request_id: Names this answer; feedback may refer to it.
        user_id: Who asked, or None.
        items: Best first.
        snapshot: Id of the snapshot that answered, or None for a model that was never saved.
        log_offset: The answer knows every log record up to this offset.
        policy: Name of the policy that drew.
        seed: With ``request_id`` it replays the draw.
        fallback: Why the answer is weaker than usual, or None.
        now: Time of the request in seconds.
    """

    request_id: str
    user_id: str | None
    items: tuple[Listed, ...]
    snapshot: str | None
    log_offset: int
    policy: str
    seed: int
    fallback: str | None
    now: float


@dataclass(frozen=True, slots=True)
class Similar:
    """What is near to an item.

    Args:
        item_id: The item that was asked about.
        items: Nearest first; their scores are the model's nearness.
        fallback: Why there is nothing, or None.
    """

    item_id: str
    items: tuple[Listed, ...]
    fallback: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a gate found about a snapshot, kept with it.

    Args:
        passed: Whether it may be published.
        reasons: One line for each check, in words.
        checks: Name of each check and whether it held.
        figures: What was measured.
        failed: The lines that speak against it, and what else there is to say; none if it passed.
    """

    passed: bool
    reasons: tuple[str, ...]
    checks: Mapping[str, bool]
    figures: Mapping[str, float] = field(default_factory=dict)
    failed: tuple[str, ...] = ()


class Encoder(Protocol):
    """Texts in, vectors out."""

    name: str
    note: str | None
    """What a user should know, as that it stands in for a missing one; None for nothing."""

    @property
    def fingerprint(self) -> str:
        """Hash of everything that decides the vectors: weights, pooling, length."""

    def encode(self, texts: Sequence[str]) -> Floats:
        """Return unit vectors float32[n, d]; an empty text is the zero vector."""

    def fit(self, texts: Sequence[str], histories: Histories | None = None) -> None:
        """Learn what it needs from the catalogue's texts, and from what users liked.

        Args:
            texts: n texts of items that users had.
            histories: What users liked, by places in ``texts``; None if it is not known.
        """

    def state(self) -> State:
        """Return what ``restore`` needs on a machine that has the same package or weights."""

    def restore(self, state: State) -> None:
        """Become the encoder whose ``state`` this is."""


@runtime_checkable
class JointEncoder(Protocol):
    """An encoder that may learn along with a model that reads its vectors."""

    def joint(self, texts: Sequence[str]) -> Any | None:
        """Return a torch module that gives vectors float32[m, d] of places int64[m] in ``texts``, or None."""

    def take(self, net: Any) -> None:
        """Take over what the module has learned."""


class Model(Protocol):
    """Maps a history to a score for each item of the catalogue.

    A model holds nothing about single users that is not in their history, so that an event counts at
    the very next question. ``score`` of a batch equals the scores of its members. An item that cannot be
    scored is NaN. State is arrays and JSON; nothing is pickled.
    """

    name: str
    encoder: Encoder | None
    """What reads the items' texts, if the model uses any."""
    data: Dataset | None
    """What ``fit`` saw; None before ``fit`` and after ``restore``."""
    new_user: str
    """What a user without history gets, in one sentence."""
    new_item: str
    """What an item without events gets, in one sentence."""

    @property
    def n_items(self) -> int:
        """Size of the catalogue that ``score`` answers for; 0 before ``fit``."""

    def fit(self, data: Dataset) -> None:
        """Learn from scratch from ``data``."""

    def score(self, histories: Histories) -> Floats:
        """Return float32[len(histories), n_items]; NaN is "cannot say"."""

    def similarity(self, items: Codes, others: Codes | None = None) -> Floats:
        """Return how near ``items`` int32[m] are to ``others`` int32[w], or to all: float32[m, w] or NaN."""

    def put_items(self, codes: Codes, items: Sequence[Item]) -> None:
        """Take in new or changed items; a new code is ``n_items``, ``n_items + 1``, ..."""

    def state(self) -> State:
        """Return arrays and a JSON document from which ``restore`` makes an equal model."""

    def restore(self, state: State) -> None:
        """Become the model whose ``state`` this is."""


@runtime_checkable
class Habitual(Protocol):
    """A model that lists an item since the user had it before."""

    def times_had(self, items: Codes, history: Histories) -> NDArray[np.int64]:
        """Return how often the one user of ``history`` had each of ``items`` int32[k]: int64[k]."""


@runtime_checkable
class Remembering(Protocol):
    """A model that keeps what histories say, so that who did nothing new gets a list sooner."""

    def remember(self, histories: Histories) -> None:
        """Read the histories of some users before they ask."""


class Learner(Model, Protocol):
    """A model that takes in single events as well, at once: the fast clock.

    It may hold what it learned about the users it was told of, by their codes (``histories.users``); it
    answers for a stranger from the history alone. Any chunking of the same events ends in the same state.
    """

    def learn(self, events: Events) -> None:
        """Take in events that followed those of ``fit``; users may be new, new items were put before."""


@runtime_checkable
class Clocked(Protocol):
    """A learner around a fitted model: what it learns stands beside that, or goes into its weights."""

    @property
    def base(self) -> Model:
        """The model."""

    def begin(self, data: Dataset) -> None:
        """Start anew from what ``base`` was fitted on."""

    def learn(self, events: Events) -> None:
        """Take in events, as a `Learner`."""

    def forget(self, user: int) -> None:
        """Forget the user with this code."""


@dataclass(frozen=True, slots=True)
class Draw:
    """One place drawn by a policy: the index into the scores, and the exact chance it had."""

    index: int
    propensity: float
    explored: bool = False


class Policy(Protocol):
    """Decides what to show, one place at a time, and says how probable that was."""

    name: str

    def draw(self, scores: NDArray[np.float64], rng: np.random.Generator) -> Draw:
        """Draw one of ``scores`` float64[n]; -inf may not be drawn, at least one is finite."""

    def probabilities(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the chance of each index float64[n], which sums to 1; what ``draw`` draws from."""
