"""What travels over HTTP: one struct a shape, from which both the checks and the OpenAPI page are made."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

LONGEST_ID = 10_000
K_RANGE = (1, 1000)

Id = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=LONGEST_ID,
        description="Any string that is not empty: spaces, slashes, emoji.",
    ),
]
K = Annotated[int, Meta(ge=K_RANGE[0], le=K_RANGE[1], description="How long the list may be.")]
Moment = Annotated[
    float | str,
    Meta(description="Seconds since 1970 UTC, or ISO 8601 text (UTC if it names no zone)."),
]


class Request(Struct, frozen=True, forbid_unknown_fields=True):
    """A body; a field that is not declared is refused with the nearest one that is."""


class EventBody(Request, frozen=True):
    """Something a user did."""

    user_id: Id
    event_type: str
    item_id: Id | None = None
    timestamp: Moment | None = None
    value: float | None = None
    event_id: Id | None = None
    query: str | None = None
    request_id: Id | None = None
    context: dict[str, Any] = {}


class SessionEvent(Request, frozen=True):
    """Something the asker did that is in no log."""

    item_id: Id | None = None
    event_type: str = "click"
    timestamp: Moment | None = None
    value: float | None = None
    query: str | None = None


class RecommendBody(Request, frozen=True):
    """A question for a list."""

    user_id: Id | None = None
    k: K = 10
    events: list[SessionEvent] = []
    candidates: list[Id] | None = None
    exclude: list[Id] = []
    explain: bool = True
    offset: Annotated[int, Meta(ge=0, description="Answer only if the log is read up to here.")] = 0


class ItemBody(Request, frozen=True):
    """One thing that can be recommended; it replaces what was known of this id."""

    item_id: Id
    title: str = ""
    text: str = ""
    categories: list[str] = []
    available: bool = True
    created_at: Moment | None = None
    expires_at: Moment | None = None
    attributes: dict[str, Any] = {}


class UserBody(Request, frozen=True):
    """One person; it replaces what was known of this id."""

    user_id: Id
    attributes: dict[str, Any] = {}


class ActivateBody(Request, frozen=True):
    """Which snapshot is to be current: one that waits for approval, or an earlier one again."""

    id: Id


class Problem(Struct, frozen=True):
    """What went wrong, or may have: for a program, for a person, and where."""

    code: str
    message: str
    field: str | None


class ProblemAnswer(Struct, frozen=True):
    """The one shape of an error."""

    error: Problem


class EventsAnswer(Struct, frozen=True):
    """What a write of events did; ``offset`` is how far the log holds all of it.

    ``warnings`` tell what looks like a mistake, and was accepted all the same.
    """

    accepted: int
    duplicates: int
    offset: int
    warnings: list[Problem]


class WriteAnswer(Struct, frozen=True):
    """What a write did; ``offset`` is how far the log holds all of it."""

    accepted: int
    offset: int


class PutItemsAnswer(Struct, frozen=True):
    """What a write of items did; ``offset`` is how far the log holds all of it.

    ``warnings`` name items that the model cannot place yet, so that they come last, and items in no list.
    """

    accepted: int
    offset: int
    warnings: list[Problem]


class ReasonAnswer(Struct, frozen=True):
    """Why an item stands in a list."""

    kind: str
    text: str
    item_id: str | None
    similarity: float | None


class Place(Struct, frozen=True):
    """One place of a list; a score that the model cannot give is null and ranks last."""

    item_id: str
    rank: int
    score: float | None
    propensity: float
    reasons: list[ReasonAnswer]
    title: str
    categories: list[str]


class Fallback(Struct, frozen=True):
    """Why an answer is weaker than usual."""

    reason: str


class RecommendAnswer(Struct, frozen=True):
    """A list, and everything needed to replay it."""

    request_id: str
    user_id: str | None
    snapshot: str | None
    log_offset: int
    policy: str
    fallback: Fallback | None
    items: list[Place]


class LoggedPlace(Struct, frozen=True):
    """One place of a list as it was shown."""

    item_id: str
    rank: int
    score: float | None
    propensity: float
    reasons: list[ReasonAnswer]


class RequestAnswer(Struct, frozen=True):
    """What was answered to a request, as the log holds it; with ``seed`` it can be drawn again."""

    request_id: str
    user_id: str | None
    snapshot: str | None
    log_offset: int
    policy: str
    seed: int
    now: float
    fallback: Fallback | None
    items: list[LoggedPlace]


class Neighbour(Struct, frozen=True):
    """An item near to another; nearness is the score."""

    item_id: str
    rank: int
    score: float | None
    title: str
    categories: list[str]


class SimilarAnswer(Struct, frozen=True):
    """What is near to an item; ``fallback`` says why there is nothing."""

    item_id: str
    snapshot: str | None
    fallback: Fallback | None
    items: list[Neighbour]


class ItemAnswer(Struct, frozen=True):
    """What is known of an item."""

    item_id: str
    title: str
    text: str
    categories: list[str]
    available: bool
    created_at: float | None
    expires_at: float | None
    attributes: dict[str, Any]


class ItemsAnswer(Struct, frozen=True):
    """The first items of the catalogue, and how many there are."""

    items: list[ItemAnswer]
    total: int


class UserAnswer(Struct, frozen=True):
    """What is known of a user.

    ``events`` is how many events of their history are kept in full, ``more`` whether there were older ones.
    """

    user_id: str
    attributes: dict[str, Any]
    events: int
    more: bool


class UsersAnswer(Struct, frozen=True):
    """The users that were asked for, the longest history first, and how many fit."""

    users: list[UserAnswer]
    total: int


class PastEvent(Struct, frozen=True):
    """An event of a history.

    ``weight`` is what it counts: below 0 is a dislike. ``event_type`` is null where an imported table does
    not say it; ``value`` is a rating or an amount, if there is one.
    """

    item_id: str
    title: str
    categories: list[str]
    timestamp: float
    weight: float
    event_type: str | None
    value: float | None


class TasteAnswer(Struct, frozen=True):
    """A category, and its share of what a user liked; newer likes count more."""

    category: str
    share: float


class ProfileAnswer(Struct, frozen=True):
    """What is known of a user now, from the events that are kept in full.

    ``hours`` (24, UTC) and ``weekdays`` (Monday first) are shares of the events, empty where times are no
    dates. ``variety`` is how many categories the tastes are worth. ``words`` says it for a person.
    """

    likes: int
    dislikes: int
    items: int
    since_last: float | None
    active_days: int
    hours: list[float]
    weekdays: list[float]
    tastes: list[TasteAnswer]
    variety: float
    mean_value: float | None
    words: list[str]


class HistoryAnswer(Struct, frozen=True):
    """What a user did with items, newest first; empty for a user who is not known.

    ``total`` is how many events are kept in full, ``more`` whether there were older ones; ``profile`` sums
    up those that are kept.
    """

    user_id: str
    known: bool
    log_offset: int
    total: int
    more: bool
    events: list[PastEvent]
    profile: ProfileAnswer


class SnapshotAnswer(Struct, frozen=True):
    """One entry of the registry; ``current`` is what this process answers with."""

    id: str
    created: float | None
    offset: int | None
    model: str | None
    metrics: dict[str, Any]
    verdict: dict[str, Any] | None
    current: bool
    broken: str | None


class SnapshotsAnswer(Struct, frozen=True):
    """What was published, newest first."""

    snapshots: list[SnapshotAnswer]


class ActivateAnswer(Struct, frozen=True):
    """``id`` is current now, in place of ``previous``; this process takes it up within seconds.

    ``serving`` is what it answers with until then; `GET /readyz` tells when it has, or why it cannot.
    """

    id: str
    previous: str | None
    serving: str | None


class Health(Struct, frozen=True):
    """Whether this process serves, and how far it has read.

    ``degraded`` says what works less well: answers cannot be logged, or the current snapshot cannot be
    taken up; null for nothing.
    """

    status: str
    snapshot: str | None = None
    log_offset: int | None = None
    items: int | None = None
    users: int | None = None
    degraded: str | None = None
