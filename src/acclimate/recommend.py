"""From a question to a slate: histories, scores, rules, the policy's draw, reasons."""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from acclimate.errors import InputError, NotFoundError, check_range, is_number, shown
from acclimate.events.log import Record
from acclimate.explain.history import reasons
from acclimate.policies.greedy import Greedy
from acclimate.policies.slate import draw_slate
from acclimate.rerank.rules import Allowed, allowed
from acclimate.retrieve.exact import top
from acclimate.rng import generator
from acclimate.state.changes import Changes, Happened, stream
from acclimate.state.fold import LiveState
from acclimate.types import (
    Clocked,
    Histories,
    Listed,
    Model,
    Policy,
    Query,
    Reason,
    Remembering,
    Similar,
    Slate,
)
from acclimate.words import counted

MAX_K = 1000
"""The longest list."""


class Recommender:
    """Answers queries with a model, the live state and a policy.

    An answer is a function of (model, log offset, query, seed): with its request id and time it can be
    drawn again, and its propensities are those of what it shows, each given the items above it.
    What the model cannot score has no score and ranks behind all that it can; where it can score nothing
    for a user, the list is of what was chosen most, and ``fallback`` says so. One thread at a time may use
    it.

    Args:
        model: A fitted or restored model.
        state: What is known by now; by default what the model was fitted on.
        policy: Draws each place; by default `Greedy`.
        snapshot_id: Named in every slate.
        seed: With the request id it decides every draw.
        fallback: Why all answers are weaker than usual, if they are.
        again: Seconds after which an item that the user has had may come again; infinite for never.

    Raises:
        InputError: Model and state do not belong together.

    Example:
        >>> from acclimate.data.dataset import Dataset
        >>> from acclimate.models.popularity import Popularity
        >>> model = Popularity()
        >>> model.fit(Dataset.of([("ann", "heat", 1.0), ("bob", "heat", 2.0), ("bob", "alien", 3.0)]))
        >>> slate = Recommender(model).recommend(Query("ann", k=5))
        >>> [(listed.item_id, listed.score, listed.reasons[0].text) for listed in slate.items]
        [('alien', 1.0, 'Viewed or chosen once so far.')]
    """

    def __init__(
        self,
        model: Model,
        state: LiveState | None = None,
        policy: Policy | None = None,
        *,
        snapshot_id: str | None = None,
        seed: int = 0,
        fallback: str | None = None,
        again: float = math.inf,
    ) -> None:
        if state is None:
            if model.data is None:
                raise InputError(f"{model.name} was not fitted here: give Recommender(model, state)")
            state = LiveState.of(model.data)
        if model.n_items > state.n_items:
            raise InputError(
                f"{model.name} knows {counted(model.n_items, 'item')}, the state {state.n_items}: "
                "they must come from the same data or snapshot"
            )
        self.model, self.state, self.policy = model, state, policy or Greedy()
        self.snapshot_id, self.seed, self.fallback, self.again = snapshot_id, seed, fallback, again
        self._hand_over([])

    def apply(self, records: Iterable[Record]) -> Changes:
        """Take in log records, in order: the next answer knows them, new items included."""
        if isinstance(self.model, Clocked):
            return self._learn(self.model, records)
        changes = self.state.apply(records)
        self._hand_over(changes.items)
        return changes

    @property
    def remembers(self) -> bool:
        """Whether the model keeps what it read of users."""
        return isinstance(self.model, Remembering)

    def remember(self, user_ids: Sequence[str]) -> None:
        """Read what some users did before they ask, so that their lists come sooner, if it `remembers`."""
        if isinstance(self.model, Remembering):
            self.model.remember(self.state.histories(user_ids, time.time()))

    def recommend(self, query: Query) -> Slate:
        """Answer one query; as `recommend_many`."""
        return self.recommend_many([query])[0]

    def recommend_many(self, queries: Sequence[Query]) -> list[Slate]:
        """Answer queries together: one call of the model; each answer is as if it were asked alone.

        Raises:
            InputError: ``k`` of a query is not 1..1000, or its user is no text; none is answered then.
        """
        for query in queries:
            check_range("k", query.k, 1, MAX_K)
            _check_user(query.user_id)
        if not queries:
            return []
        nows = [time.time() if query.now is None else query.now for query in queries]
        extra = [query.events for query in queries]
        histories = self.state.histories([query.user_id for query in queries], nows, extra)
        scores = self.model.score(histories).astype(np.float64)
        scores[~np.isfinite(scores)] = np.nan
        return [self._slate(*asked) for asked in zip(queries, nows, histories, scores, strict=True)]

    def similar(self, item_id: str, k: int = 10) -> Similar:
        """Return up to ``k`` available items that the model finds nearest, or why it finds none.

        Raises:
            NotFoundError: There is no such item.
            InputError: ``k`` is not 1..1000.
        """
        check_range("k", k, 1, MAX_K)
        if self.state.find_item(item_id) is None:
            raise NotFoundError(f"no item {item_id[:80]!r}", code="unknown_item", field="item_id")
        code = self.state.items.code(item_id)
        near = self.model.similarity(np.array([code], np.int32))[0].astype(np.float64)
        near[code] = np.nan
        knows = bool(np.isfinite(near).any())
        near[~self.state.available(time.time())] = np.nan
        ids = self.state.items.ids
        found = (Listed(ids[at], rank, float(near[at]), 1.0) for rank, at in enumerate(top(near, k), 1))
        items = tuple(found)
        return Similar(item_id, items, None if items else self._why_nothing_is_near(knows))

    def _why_nothing_is_near(self, knows: bool) -> str:
        if knows:
            return "of what is near, nothing may be listed now"
        cannot = f"{self.model.name} cannot say what is near to this item"
        if self.model.encoder is None:
            cannot += "; a model that reads texts can: acclimate train --model sequence"
        else:
            cannot += f": {self.model.new_item}"
        return f"{self.fallback}; {cannot}" if self.fallback else cannot

    def _hand_over(self, changed: Iterable[int]) -> None:
        codes = sorted({*changed, *range(self.model.n_items, self.state.n_items)})
        if codes:
            self.model.put_items(np.array(codes, np.int32), [self.state.item(code) for code in codes])

    def _learn(self, model: Clocked, records: Iterable[Record]) -> Changes:
        """Take in records so that each event is learned with the items that were there by then."""
        every, changed, items, events = Changes(), set[int](), set[int](), list[Happened]()

        def learn() -> None:
            if events:
                model.learn(stream(events))
                events.clear()

        for record in records:
            one = self.state.apply([record])
            if one.items or one.forgotten:
                learn()
            items |= set(one.items)
            if one.events:
                self._hand_over(items)
                items.clear()
            for user in one.forgotten:
                model.forget(user)
            events += one.events
            every.users |= one.users
            changed |= set(one.items)
            every.events += one.events
            every.forgotten += one.forgotten
        learn()
        self._hand_over(items)
        every.items = sorted(changed)
        return every

    def _slate(self, query: Query, now: float, history: Histories, scores: NDArray[np.float64]) -> Slate:
        state, request_id = self.state, query.request_id or uuid.uuid4().hex
        rules = self._rules(query, now)
        may = rules.mask
        blind = not np.isfinite(scores[may]).any()
        order = state.liked.astype(np.float64) if blind else scores
        draws = draw_slate(order, may, query.k, self.policy, generator(self.seed, request_id))
        codes = np.array([draw.index for draw in draws], np.int32)
        why: list[tuple[Reason, ...]] = [()] * len(draws)
        if query.explain:
            by, explored = None if blind else self.model, [draw.explored for draw in draws]
            low = state.rated_low(query.user_id)
            good = history.where(~np.isin(history.items, low)) if len(low) else history
            why = reasons(by, codes, explored, good, state.catalogue, state.liked)
        given = [None if math.isnan(score) else score for score in scores[codes].tolist()]
        items = tuple(
            Listed(state.items.ids[draw.index], rank, score, draw.propensity, reason)
            for rank, (draw, score, reason) in enumerate(zip(draws, given, why, strict=True), 1)
        )
        return Slate(
            request_id=request_id,
            user_id=query.user_id,
            items=items,
            snapshot=self.snapshot_id,
            log_offset=state.offset,
            policy=self.policy.name,
            seed=self.seed,
            fallback=self._fallback(query, history, blind, rules),
            now=now,
        )

    def _rules(self, query: Query, now: float) -> Allowed:
        state = self.state
        had, disliked = state.standing(query.user_id, query.events, self._since(now))
        wanted = None if query.candidates is None else state.items.codes(query.candidates)
        unwanted = state.items.codes(query.exclude)
        return allowed(
            state.open,
            state.expired(now),
            state.upcoming(now),
            had=had,
            disliked=disliked,
            exclude=unwanted[unwanted >= 0],
            candidates=None if wanted is None else wanted[wanted >= 0],
        )

    def _since(self, now: float) -> float | None:
        """Return the time up to which what was had may come again at ``now``; None if nothing may."""
        if self.again == math.inf:
            return None
        return now - self.again if self.again else math.inf

    def _fallback(self, query: Query, history: Histories, blind: bool, rules: Allowed) -> str | None:
        popular = "the items that were chosen most"
        why = [self.fallback] if self.fallback else []
        if not rules.mask.any():
            kept_out = ", ".join(f"{n} {reason}" for reason, n in rules.counts().items())
            why.append(f"no item may be listed: {kept_out or 'the catalogue is empty'}")
        elif not len(history.items):
            why.append(f"{self._nothing_of(query)}: {popular if blind else self.model.new_user}")
        elif blind:
            why.append(f"{self.model.name} can score none of these items: {popular}")
        return "; ".join(why) or None

    def _nothing_of(self, query: Query) -> str:
        """Say why there is no history to go by: of the user, of the session, or of both."""
        state, user_id = self.state, query.user_id
        known = "no history yet" if state.known(user_id) else "unknown user"
        user = [] if user_id is None else [known]
        about = [event.item_id for event in query.events if event.item_id is not None]
        if not query.events:
            session = [] if user else ["a session without events"]
        elif not about:
            session = ["the session holds searches, and no event of an item"]
        elif (state.items.codes(about) < 0).all():
            session = ["none of the session's events is of an item that is known here"]
        else:
            session = ["the session's events of known items weigh 0"]
        return ", and ".join([*user, *session])


def _check_user(given: object) -> None:
    if not isinstance(given, str | None):
        hint = f": give str({given})" if is_number(given) else ""
        raise InputError(f"user_id must be a text or None, got {shown(given)}{hint}", field="user_id")
