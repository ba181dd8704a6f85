import numpy as np
import pytest

from acclimate.data.dataset import Dataset
from acclimate.explain.history import because, reasons
from acclimate.models.frequency import Frequency
from acclimate.models.hybrid import Hybrid
from acclimate.models.popularity import Popularity
from acclimate.types import Histories, Item, Reason
from tests.near_model import Near

NAN = np.nan
TABLE = [
    [1.0, 0.9, 0.2, 0.9, -0.5],
    [0.9, 1.0, 0.3, NAN, -0.5],
    [0.2, 0.3, 1.0, 0.3, -0.5],
    [0.9, NAN, 0.3, 1.0, -0.5],
    [-0.5, -0.5, -0.5, -0.5, 1.0],
]
CATALOGUE = [Item("heat", title="Heat (1995)"), Item("ronin"), Item("up"), Item("alien"), Item("big")]


def codes(*items):
    return np.array(items, np.int32)


def test_the_nearest_liked_item_is_named():
    found = because(Near(TABLE), codes(1, 3, 4), Histories.of([[0, 2]]), CATALOGUE)
    assert found[0] == Reason("because", "Because of Heat (1995), which is near.", "heat", 0.9)
    assert found[1].item_id == "heat"
    assert found[1].text == "Because of Heat (1995), which is near."
    far = because(Near(TABLE), codes(0, 3), Histories.of([[2]]), CATALOGUE)
    assert [reason.text for reason in far] == ["Of what you liked, up comes nearest."] * 2
    assert found[2] is None, "what is far is no reason"


def test_of_equally_near_items_the_newest_is_named():
    assert because(Near(TABLE), codes(2), Histories.of([[1, 3]]), CATALOGUE)[0].item_id == "alien"
    assert because(Near(TABLE), codes(2), Histories.of([[3, 1]]), CATALOGUE)[0].item_id == "ronin"


@pytest.mark.parametrize("history", [Histories.of([[]]), Histories.of([[0, 2]], weights=[[-1.0, 0.0]])])
def test_without_a_like_there_is_no_because(history):
    assert because(Near(TABLE), codes(1, 3), history, CATALOGUE) == [None, None]


def test_unknown_nearness_is_no_reason():
    assert because(Near(TABLE), codes(3), Histories.of([[1]]), CATALOGUE) == [None]
    assert because(Near(TABLE), codes(), Histories.of([[1]]), CATALOGUE) == []


def test_either_side_may_be_the_smaller_one():
    long, short = Histories.of([[0, 1, 2, 1, 0]]), Histories.of([[0]])
    assert because(Near(TABLE), codes(3), long, CATALOGUE)[0].item_id == "heat"
    assert [
        reason and reason.item_id for reason in because(Near(TABLE), codes(1, 2, 3, 4), short, CATALOGUE)
    ] == [
        "heat",
        "heat",
        "heat",
        None,
    ]


def test_only_the_newest_fifty_are_looked_at():
    history = Histories.of([[0] + [2] * 50])
    assert because(Near(TABLE), codes(1), history, CATALOGUE)[0].item_id == "up"


def test_where_nothing_is_near_counts_speak():
    liked = np.array([0, 1, 1234, 0, 0])
    found = reasons(None, codes(0, 1, 2), [False, False, True], Histories.of([[3]]), CATALOGUE, liked)
    assert found == [
        (Reason("new", "New: nobody has chosen it yet."),),
        (Reason("popular", "Viewed or chosen once so far."),),
        (
            Reason("explored", "Shown to learn whether you like it."),
            Reason("popular", "Popular: viewed or chosen 1,234 times."),
        ),
    ]
    near = reasons(Near(TABLE), codes(0, 4), [False, False], Histories.of([[3]]), CATALOGUE, liked)
    assert [why[0].kind for why in near] == ["because", "new"]


def test_no_item_is_said_to_be_near_to_itself():
    found = because(Near(TABLE), codes(0, 2), Histories.of([[0, 2]]), CATALOGUE)
    assert [reason.item_id for reason in found] == ["up", "heat"]
    assert because(Near(TABLE), codes(0), Histories.of([[0, 0]]), CATALOGUE) == [None]


def test_what_is_listed_since_the_user_had_it_says_so():
    model, liked = Frequency(), np.array([17, 1, 2, 0, 0])
    model.fit(Dataset.of([("ann", name, 1.0) for name in ("heat", "ronin", "up", "alien", "big")]))
    history = Histories.of([[0, 0, 1, 0, 2]], weights=[[1.0, 2.0, 1.0, 1.0, -1.0]])
    found = reasons(model, codes(0, 1, 2, 3), [False, False, True, False], history, CATALOGUE, liked)
    assert [[why.text for why in place] for place in found] == [
        ["You had it 3 times."],
        ["You had it once."],
        ["Shown to learn whether you like it.", "Popular: viewed or chosen 2 times."],
        ["New: nobody has chosen it yet."],
    ]
    assert found[0][0] == Reason("had", "You had it 3 times.", "heat")
    popular = reasons(None, codes(0), [False], history, CATALOGUE, liked)
    assert popular[0][0].text == "Popular: viewed or chosen 17 times.", (
        "who counts all says how often all chose it"
    )


@pytest.mark.parametrize(
    ("sources", "texts"),
    [
        (
            (Popularity, Frequency),
            ["You had it 2 times.", "You had it once.", "Viewed or chosen once so far."],
        ),
        (
            (Popularity,),
            [
                "Popular: viewed or chosen 3 times.",
                "Popular: viewed or chosen 2 times.",
                "Viewed or chosen once so far.",
            ],
        ),
    ],
)
def test_a_model_of_several_goes_by_what_the_user_had_if_one_of_them_does(sources, texts):
    model, liked = Hybrid(sources=[source() for source in sources]), np.array([3, 2, 1])
    model.fit(Dataset.of([("ann", "heat", 1.0), ("bob", "ronin", 2.0), ("cid", "up", 3.0)]))
    history = Histories.of([[0, 1, 0]])
    found = reasons(model, codes(0, 1, 2), [False] * 3, history, CATALOGUE, liked)
    assert [why.text for (why,) in found] == texts
