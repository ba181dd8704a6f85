import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.data.dataset import Dataset
from acclimate.data.vocab import Vocabulary
from acclimate.encode.tfidf import TfidfEncoder
from acclimate.errors import InputError, NotFoundError
from acclimate.events.codec import event_entry, item_entry, slate_entry, slate_from
from acclimate.events.log import Record
from acclimate.events.sqlite import SqliteLog
from acclimate.models.item_knn import ItemKNN
from acclimate.models.popularity import Popularity
from acclimate.policies.epsilon import Epsilon
from acclimate.recommend import Recommender
from acclimate.state.fold import LiveState
from acclimate.types import Event, Item, Query
from tests.near_model import Near
from tests.state.worlds import event, put

NAN = np.nan
SEARCH = Event("", "search", 1.0, query="heat")
STRANGE = "none of the session's events is of an item that is known here"
IDS = ["a", "b", "c", "d", "e"]
TABLE = np.array(
    [
        [1.0, 0.9, 0.5, 0.1, NAN],
        [0.9, 1.0, 0.4, 0.2, NAN],
        [0.5, 0.4, 1.0, 0.8, NAN],
        [0.1, 0.2, 0.8, 1.0, NAN],
        [NAN] * 5,
    ]
)


def near(policy=None, **options):
    """Five items of which the last has no score; ann liked a, bob disliked b, cy did nothing yet."""
    state = LiveState()
    records = [put(n, name, title=name.upper()) for n, name in enumerate(IDS, 1)]
    records += [event(6, "ann", "like", "a"), event(7, "bob", "like", "c"), event(8, "bob", "dislike", "b")]
    state.apply([*records, Record(9, "user", 9.0, {"user_id": "cy"})])
    return Recommender(Near(TABLE), state, policy, snapshot_id="s1", **options)


def listed(slate):
    return [item.item_id for item in slate.items]


def test_an_item_may_come_again_after_a_time():
    ann = Query("ann", k=5, now=50.0)  # who liked a at 6
    for again, comes in ((np.inf, False), (44.1, False), (44.0, True), (0.0, True)):
        assert ("a" in listed(near(again=again).recommend(ann))) == comes, again
    bob = near(again=1.0).recommend(Query("bob", k=5, now=50.0))
    assert "b" not in listed(bob), "what was disliked stays away"
    session = Query(k=5, now=50.0, events=(Event("", "like", 49.5, "a"), Event("", "like", 40.0, "c")))
    assert sorted(listed(near(again=1.0).recommend(session))) == ["b", "c", "d", "e"]
    ahead = Query("ann", k=5, now=1.0)
    assert "a" in listed(near(again=0.0).recommend(ahead)), "always is always, also if a clock is wrong"
    assert "a" not in listed(near(again=9.0).recommend(ahead))


def test_what_is_kept_in_brief_may_come_again():
    state = LiveState(max_history=1)
    state.apply([event(n, "ann", "like", name, time=100.0) for n, name in enumerate("abcd", 1)])
    assert listed(Recommender(Near(TABLE[:4, :4]), state).recommend(Query("ann", now=101.0))) == []
    slate = Recommender(Near(TABLE[:4, :4]), state, again=5.0).recommend(Query("ann", now=101.0))
    assert sorted(listed(slate)) == ["a", "b", "c"], "of what is older than max_history, nobody knows when"


def test_a_list_is_scored_ruled_ranked_and_explained():
    slate = near().recommend(Query("ann", k=5, request_id="r1", now=50.0))
    assert listed(slate) == ["b", "c", "d", "e"], "a was had; e has no score and comes last"
    assert [item.score for item in slate.items] == pytest.approx([0.9, 0.5, 0.1, None])
    assert [item.rank for item in slate.items] == [1, 2, 3, 4]
    assert [item.propensity for item in slate.items] == [1.0] * 4
    assert slate.items[0].reasons[0].text == "Because of A, which is near."
    assert slate.items[3].reasons[0].kind == "new"
    assert (slate.request_id, slate.user_id, slate.snapshot, slate.log_offset) == ("r1", "ann", "s1", 9)
    assert (slate.policy, slate.seed, slate.fallback, slate.now) == ("greedy", 0, None, 50.0)
    assert listed(near().recommend(Query("bob", k=1))) == ["d"], "b was disliked"
    assert near().recommend(Query("ann", explain=False)).items[0].reasons == ()


def test_what_was_rated_below_the_mean_is_no_reason_and_amounts_are_no_ratings():
    ids, users = Vocabulary(IDS), Vocabulary(["dee"])
    rated = Dataset(
        users, ids, np.zeros(2, int), np.array([0, 1]), np.arange(2.0), value=np.array([2.0, 5.0])
    )

    def why(state):
        (place,) = Recommender(Near(TABLE), state).recommend(Query("dee", candidates=("c",))).items
        return place.reasons[0].item_id

    assert why(LiveState.of(rated)) == "b", "a is nearer, and had a 2"
    bought = LiveState()
    bought.apply([put(n, name) for n, name in enumerate(IDS, 1)])
    bought.apply([event(6, "dee", "purchase", "a", value=2.0), event(7, "dee", "purchase", "b", value=50.0)])
    assert why(bought) == "a"


def test_an_event_counts_at_the_next_question():
    recommender = near()
    assert listed(recommender.recommend(Query("ann", k=1))) == ["b"]
    recommender.apply([event(10, "ann", "like", "d")])
    slate = recommender.recommend(Query("ann", k=1))
    assert (listed(slate), slate.log_offset) == (["c"], 10)
    recommender.apply([event(11, "ann", "dislike", "c")])
    assert listed(recommender.recommend(Query("ann", k=1))) == ["b"]
    recommender.apply([event(12, "zed", "like", "c")])
    assert listed(recommender.recommend(Query("zed", k=1))) == ["d"], "a new user works from the first event"


def test_a_new_item_is_there_at_the_next_question():
    recommender = near()
    recommender.apply([put(10, "f", title="F"), put(11, "a", title="A!"), event(12, "bob", "like", "g")])
    assert recommender.model.put[-1] == ([0, 5, 6], ["A!", "F", ""])
    assert listed(recommender.recommend(Query("ann", k=9))) == ["b", "c", "d", "e", "f", "g"]
    assert recommender.similar("f", 3).items == ()


def test_a_deleted_item_is_handed_over_without_its_text_however_the_log_is_chunked():
    records = [put(10, "f", title="F"), Record(11, "item_deleted", 11.0, {"item_id": "f"})]
    at_once, one_by_one = near(), near()
    at_once.apply(records)
    for record in records:
        one_by_one.apply([record])
    assert at_once.model.put[-1] == one_by_one.model.put[-1] == ([5], [""])


def test_a_state_ahead_of_its_model_is_caught_up():
    recommender = near()
    behind = Recommender(Near(TABLE[:3, :3]), recommender.state)
    assert behind.model.put == [([3, 4], ["D", "E"])]
    with pytest.raises(InputError, match="near knows 5 items, the state 0"):
        Recommender(Near(TABLE), LiveState())
    with pytest.raises(InputError, match="not fitted here"):
        Recommender(Near(TABLE))


def test_items_leave_the_lists():
    recommender = near()
    recommender.apply(
        [
            put(10, "b", available=False),
            put(11, "c", expires_at=100.0),
            Record(12, "item_deleted", 12.0, {"item_id": "d"}),
        ]
    )
    assert listed(recommender.recommend(Query("ann", now=99.0))) == ["c", "e"]
    assert listed(recommender.recommend(Query("ann", now=100.0))) == ["e"]
    slate = recommender.recommend(Query("ann", now=100.0, exclude=("e", "no such item")))
    assert listed(slate) == []
    assert slate.fallback == "no item may be listed: 2 unavailable, 1 expired, 1 excluded, 1 had"


def test_an_item_is_there_from_its_date_or_its_first_choice_on():
    recommender = near()
    recommender.apply([put(10, "b", created_at=100.0), put(11, "a", created_at=100.0)])
    before = recommender.recommend(Query("ann", now=99.0))
    assert listed(before) == ["c", "d", "e"]
    assert listed(recommender.recommend(Query("ann", now=100.0))) == ["b", "c", "d", "e"]
    assert "a" in listed(recommender.recommend(Query("bob", now=99.0))), "ann chose it already"
    nothing = recommender.recommend(Query("ann", now=99.0, candidates=("b",)))
    assert nothing.fallback == "no item may be listed: 1 not there yet, 4 not a candidate"
    recommender.apply([put(12, "b", created_at=4e9)])
    assert "b" not in [item.item_id for item in recommender.similar("a", 5).items]
    restored = LiveState()
    restored.restore(recommender.state.state())
    assert restored.upcoming(99.0).tolist() == recommender.state.upcoming(99.0).tolist()
    assert restored.upcoming(99.0).tolist() == [False, True, False, False, False]


def test_candidates_and_session_events_are_for_this_answer():
    recommender = near()
    assert listed(recommender.recommend(Query("ann", candidates=("d", "a", "no such item")))) == ["d"]
    session = (Event("", "like", 5.0, "d"), Event("", "dislike", 6.0, "c"))
    slate = recommender.recommend(Query(events=session, k=2))
    assert (listed(slate), slate.fallback, slate.user_id) == (["b", "a"], None, None)
    assert listed(recommender.recommend(Query("ann", k=1))) == ["b"]


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        (Query("zed"), "unknown user: the items that were chosen most"),
        (Query("cy"), "no history yet: the items that were chosen most"),
        (Query(), "a session without events: the items that were chosen most"),
        (Query(events=(Event("", "like", 1.0, "z"), SEARCH)), f"{STRANGE}: the items that were chosen most"),
        (Query("cy", events=(Event("", "like", 1.0, "z"),)), f"no history yet, and {STRANGE}: the items"),
        (Query(events=(SEARCH,)), "the session holds searches, and no event of an item: the items"),
        (Query(events=(Event("", "impression", 1.0, "a"),)), "the session's events of known items weigh 0: "),
        (
            Query("ann", candidates=("e",)),
            "near can score none of these items: the items that were chosen most",
        ),
    ],
)
def test_a_weaker_answer_says_why(query, reason):
    slate = near().recommend(query)
    assert slate.fallback.startswith(reason)
    assert slate.items
    kinds = {reason.kind for item in slate.items for reason in item.reasons}
    assert kinds <= {"popular", "new"}
    assert near(fallback="no model yet").recommend(query).fallback.startswith("no model yet; ")


def test_popularity_stands_in_where_nothing_can_be_scored():
    recommender = near()
    recommender.apply([event(10, "bob", "like", "d"), event(11, "ann", "like", "d")])
    slate = recommender.recommend(Query("zed", k=3))
    assert listed(slate) == ["d", "a", "c"]
    assert [item.score for item in slate.items] == [None] * 3, "counts are no scores of the model"
    told = [item.reasons[0].text for item in slate.items]
    assert told == [
        "Popular: viewed or chosen 2 times.",
        "Viewed or chosen once so far.",
        "Viewed or chosen once so far.",
    ]


def test_what_has_no_score_gets_none_whoever_else_is_asked_about():
    for wanted in (("b", "e"), ("c", "d", "e")):
        *scored, last = near().recommend(Query("ann", candidates=wanted)).items
        assert (last.item_id, last.score) == ("e", None)
        assert all(item.score is not None for item in scored)
        slate = near().recommend(Query("ann", candidates=wanted))
        assert slate_from(slate_entry(slate).body) == slate, "the log says so too"


def test_what_popularity_chose_is_not_said_to_be_near():
    recommender = near()
    recommender.model.score = lambda histories: np.full((len(histories), 5), NAN, np.float32)
    slate = recommender.recommend(Query("ann"))
    assert {reason.kind for item in slate.items for reason in item.reasons} == {"popular", "new"}


def test_a_model_that_serves_strangers_does_so():
    model = Popularity()
    model.fit(Dataset.of([("ann", "heat", 1.0), ("bob", "heat", 2.0), ("bob", "up", 3.0)]))
    slate = Recommender(model).recommend(Query("zed"))
    assert listed(slate) == ["heat", "up"]
    assert slate.fallback == f"unknown user: {model.new_user}"


def test_an_empty_catalogue_has_an_empty_list():
    model = Popularity()
    model.fit(Dataset.of([]))
    slate = Recommender(model).recommend(Query("ann"))
    assert slate.items == ()
    assert slate.fallback == "no item may be listed: the catalogue is empty"


@pytest.mark.parametrize("k", [0, -1, 10**9, "ten", 1.5, True, None])
def test_k_has_a_range(k):
    with pytest.raises(InputError, match=r"k must be 1\.\.1000, got") as failure:
        near().recommend(Query("ann", k=k))
    assert failure.value.code == "k_out_of_range"
    with pytest.raises(InputError, match=r"k must be 1\.\.1000, got"):
        near().similar("a", k)


def test_a_user_is_named_by_a_text():
    for user, message in ((5, r"got 5: give str\(5\)$"), (b"ann", "got b'ann'$"), (("ann",), "got ")):
        with pytest.raises(InputError, match=f"^user_id must be a text or None, {message}") as failure:
            near().recommend(Query(user))
        assert failure.value.field == "user_id"


def test_neighbours_are_near_available_and_not_the_item_itself():
    recommender = near()
    recommender.apply([put(10, "b", available=False)])
    found = recommender.similar("a", 10)
    assert (found.item_id, found.fallback) == ("a", None)
    assert [(item.item_id, item.rank, round(item.score, 3)) for item in found.items] == [
        ("c", 1, 0.5),
        ("d", 2, 0.1),
    ]
    with pytest.raises(NotFoundError, match="no item 'zzz'") as failure:
        recommender.similar("zzz")
    assert failure.value.code == "unknown_item"
    recommender.apply([Record(11, "item_deleted", 11.0, {"item_id": "c"})])
    with pytest.raises(NotFoundError):
        recommender.similar("c")


def test_where_nothing_is_near_the_answer_says_why():
    recommender = near()
    found = recommender.similar("e")
    assert found.items == ()
    assert found.fallback == (
        "near cannot say what is near to this item; a model that reads texts can: "
        "acclimate train --model sequence"
    )
    recommender.model.encoder = TfidfEncoder()
    assert recommender.similar("e").fallback == f"near cannot say what is near to this item: {Near.new_item}"
    assert near(fallback="no model yet").similar("e").fallback.startswith("no model yet; near cannot say")
    recommender.apply([put(at, name, available=False) for at, name in enumerate("bcde", 10)])
    assert recommender.similar("a").fallback == "of what is near, nothing may be listed now"


def test_many_queries_are_one_call_of_the_model():
    recommender = near(Epsilon(0.5))
    queries = [
        Query(name, request_id=f"r{n}", now=9.0) for n, name in enumerate(["ann", "bob", "zed", None, "ann"])
    ]
    together = recommender.recommend_many(queries)
    assert recommender.model.calls == [5]
    assert together == [recommender.recommend(query) for query in queries]
    assert recommender.recommend_many([]) == []
    with pytest.raises(InputError):
        recommender.recommend_many([Query("ann"), Query("ann", k=0)])


def test_a_slate_can_be_drawn_again():
    """The log's slate names offset, request, seed and time: they and the log give the same slate."""
    first = near(Epsilon(0.5), seed=3)
    slates = [first.recommend(Query("ann", k=4)) for _ in range(20)]
    first.apply([event(10, "ann", "like", "d")])
    again = near(Epsilon(0.5), seed=3)
    for slate in slates:
        assert slate.log_offset == again.state.offset
        replayed = again.recommend(Query("ann", k=4, request_id=slate.request_id, now=slate.now))
        assert replayed == slate
    assert len({tuple(listed(slate)) for slate in slates}) > 1
    other = near(Epsilon(0.5), seed=4)
    redrawn = [
        other.recommend(Query("ann", k=4, request_id=slate.request_id, now=slate.now)) for slate in slates
    ]
    assert [listed(slate) for slate in redrawn] != [listed(slate) for slate in slates]


def test_the_log_suffices_to_draw_a_slate_again(tmp_path):
    """From the file alone: fold the log up to the slate's offset, and ask again."""
    log, live = SqliteLog(tmp_path / "log.sqlite"), near(Epsilon(0.5), seed=5)
    start = live.state.offset
    entries = [
        event_entry(Event(user, "like", float(n), item)) for n, (user, item) in enumerate(["zc", "ad", "zd"])
    ]
    log.append([item_entry(Item(name), 1.0) for name in IDS]).result()
    log.append([event_entry(Event("ann", "like", 1.0, "a"))] * (start - len(IDS))).result()
    for entry in entries:
        log.append([entry]).result()
        live.apply(log.read(live.state.offset))
        log.append([slate_entry(live.recommend(Query("z", k=3)))]).result()
    logged = [record for record in log.read(start) if record.kind == "slate"]
    assert len(logged) == 3
    for record in logged:
        slate = slate_from(record.body)
        again = near(Epsilon(0.5), seed=slate.seed)
        again.apply(one for one in log.read(start) if one.offset <= slate.log_offset)
        query = Query(slate.user_id, k=3, request_id=slate.request_id, now=slate.now)
        assert again.recommend(query) == slate
        assert log.find("slate", slate.request_id) == record
    log.close()


def test_propensities_are_the_frequencies_of_what_is_shown():
    recommender = near(Epsilon(0.6))
    slates = [recommender.recommend(Query("ann", k=2, request_id=str(n), explain=False)) for n in range(3000)]
    chance = {}
    for slate in slates:
        places = tuple(listed(slate))
        chance.setdefault(places, []).append(np.prod([item.propensity for item in slate.items]))
    for places, product in chance.items():
        assert np.ptp(product) < 1e-12, "one slate has one propensity"
        assert len(product) / len(slates) == pytest.approx(product[0], abs=0.03), places
    assert sum(product[0] for product in chance.values()) == pytest.approx(1.0)


def test_what_was_tried_says_so():
    slates = near(Epsilon(1.0)).recommend_many([Query("ann", k=3, request_id=str(n)) for n in range(20)])
    tried = [item for slate in slates for item in slate.items if item.reasons[0].kind == "explored"]
    assert tried
    assert all(len(item.reasons) == 2 for item in tried)


rows = st.lists(st.tuples(st.sampled_from("uvw"), st.sampled_from("abcdef")), min_size=1, max_size=20)


@given(rows, st.integers(0, 20), st.integers(1, 8))
def test_no_list_breaks_a_rule(rows, cut, k):
    data = Dataset.of([(user, item, float(n)) for n, (user, item) in enumerate(rows[: cut + 1])])
    model = ItemKNN()
    model.fit(data)
    recommender = Recommender(model, policy=Epsilon(0.5))
    after = [event(n, user, "like", item) for n, (user, item) in enumerate(rows[cut + 1 :], 1)]
    recommender.apply(after)
    for user in "uvwx":
        slate = recommender.recommend(Query(user, k=k))
        items = listed(slate)
        had = {item for name, item in rows if name == user}
        assert len(items) == len(set(items)) == min(k, recommender.state.n_items - len(had))
        assert not had & set(items)
        assert (slate.fallback is None) == bool(had) or slate.fallback.startswith(("item-knn can", "no item"))


def test_a_bad_item_does_not_break_the_state():
    recommender = near()

    def refuse(codes, items):
        raise RuntimeError("cannot read this")

    put_items, recommender.model.put_items = recommender.model.put_items, refuse
    with pytest.raises(RuntimeError):
        recommender.apply([put(10, "f", title="F")])
    recommender.model.put_items = put_items
    recommender.apply([])
    assert recommender.state.item(5) == Item("f", title="F")
    assert listed(recommender.recommend(Query("ann")))[-1] == "f"
