"""Made logs, and a slow state that a reader can check by eye."""

from hypothesis import strategies as st

from acclimate.config import EventsTable
from acclimate.events.log import Record

USERS, ITEMS = ["ann", "bob", "cy"], ["heat", "alien", "up", "big"]
TABLE = EventsTable()


def event(offset, user, kind, item=None, time=None, **more):
    body = {"user_id": user, "event_type": kind, **more}
    if item is not None:
        body["item_id"] = item
    return Record(offset, "event", float(offset) if time is None else time, body)


def put(offset, item, **more):
    return Record(offset, "item", float(offset), {"item_id": item, **more})


users, items = st.sampled_from(USERS), st.sampled_from(ITEMS)
kinds = st.sampled_from(["view", "click", "like", "purchase", "dislike", "impression", "search", "odd"])
happenings = st.one_of(
    st.tuples(st.just("event"), users, kinds, items),
    st.tuples(st.just("event"), users, kinds, items),
    st.tuples(st.just("rating"), users, st.integers(0, 7), items),
    st.tuples(st.just("item"), items, st.booleans()),
    st.tuples(st.just("item_deleted"), items),
    st.tuples(st.just("user"), users, st.integers(0, 9)),
    st.tuples(st.just("user_deleted"), users),
)


def record(offset, happening):
    kind, *rest = happening
    if kind == "event":
        user, event_type, item = rest
        return event(offset, user, event_type, None if event_type == "search" else item)
    if kind == "rating":
        return event(offset, rest[0], "rating", rest[2], value=rest[1])
    bodies = {
        "item": lambda: {"item_id": rest[0], "available": rest[1], "title": f"at {offset}"},
        "item_deleted": lambda: {"item_id": rest[0]},
        "user": lambda: {"user_id": rest[0], "attributes": {"age": rest[1]}},
        "user_deleted": lambda: {"user_id": rest[0]},
    }
    return Record(offset, kind, float(offset), bodies[kind]())


logs = st.lists(happenings, max_size=30).map(
    lambda happened: [record(offset, one) for offset, one in enumerate(happened, 1)]
)


class SlowState:
    """What `LiveState` says, from lists of everything that ever happened."""

    def __init__(self, records):
        self.events, self.ratings, self.shelf, self.order = {}, {}, {}, []
        self.liked, self.people = dict.fromkeys(ITEMS, 0), {}
        for one in records:
            getattr(self, f"_{one.kind}")(one.body, one)

    def _event(self, body, one):
        user, kind, item = body["user_id"], body["event_type"], body.get("item_id")
        self.people.setdefault(user, {})
        weight = getattr(TABLE, kind, 0.0)
        if kind == "rating":
            rating = min(max(body["value"], 1), 5)
            given = self.ratings.setdefault(user, [])
            given.append(rating)
            weight = max(-1, min(1, (rating - (6 + sum(given)) / (2 + len(given))) / 2))
            weight = 0.05 if abs(weight) < 0.05 else weight
        if item is None:
            return
        self._remember(item)
        self.shelf.setdefault(item, {"item_id": item})
        if weight:
            self.events.setdefault(user, []).append((item, one.time, weight))
        self.liked[item] += weight > 0

    def _item(self, body, one):
        self._remember(body["item_id"])
        self.shelf[body["item_id"]] = body

    def _item_deleted(self, body, one):
        if body["item_id"] in self.shelf:
            self.shelf[body["item_id"]] = None

    def _user(self, body, one):
        self.people[body["user_id"]] = body["attributes"]

    def _user_deleted(self, body, one):
        for kept in (self.people, self.events, self.ratings):
            kept.pop(body["user_id"], None)

    def _remember(self, item):
        if item not in self.order:
            self.order.append(item)

    def history(self, user, bound):
        return self.events.get(user, [])[-bound:]

    def had(self, user):
        return {item for item, _, weight in self.events.get(user, []) if weight > 0}

    def disliked(self, user):
        last = {item: weight for item, _, weight in self.events.get(user, []) if weight}
        return {item for item, weight in last.items() if weight < 0}
