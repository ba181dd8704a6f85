"""What is told of a user: in order, within its room, and nothing that the history does not hold."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from acclimate.data.user_text import LONGEST, TITLE, UserTexts, room_of, shortened
from acclimate.histories import Searched
from acclimate.types import Histories, Item

ITEMS = [
    Item("0", title="Heat (1995)", categories=("Crime", "Drama")),
    Item("1", title="Alien", categories=("Horror",)),
    Item("2", text="A house that flies. " * 9),
    Item("3"),
]


def told(items: list[int], searches: list[tuple[float, str]] | None = None, **more: object) -> str:
    histories = Histories.of([items], **more)  # type: ignore[arg-type]
    if searches is not None:
        histories = Histories(
            histories.items,
            histories.times,
            histories.weights,
            histories.offsets,
            histories.now,
            searches=Searched.of([searches]),
        )
    return UserTexts.of(ITEMS).render(histories)[0]


def test_titles_and_searches_come_in_order_of_time_the_newest_last() -> None:
    assert told([0, 1], [(0.5, "space"), (1.0, "ships")]) == (
        "likes Horror, Crime. Heat (1995). searched for space. Alien. searched for ships"
    )
    assert told([], [(0.5, "space")]) == "searched for space"
    assert told([]) == told([3]) == ""


def test_the_newer_taste_counts_more() -> None:
    times = [[0.0, 4e8]]
    assert told([1, 0], times=times).startswith("likes Crime, Drama.")
    assert told([0, 1, 1], times=[[0.0, 1.0, 2.0]]).startswith("likes Horror, ")


def test_what_was_disliked_is_not_told() -> None:
    assert told([1, 0], weights=[[1.0, -1.0]]) == "likes Horror. Alien"


def test_an_item_without_title_is_called_by_the_start_of_its_text() -> None:
    assert told([2]) == "A house that flies. A house that flies. A house that flies."
    assert len(told([2])) <= TITLE


def test_the_same_twice_is_told_once() -> None:
    assert told([1, 1, 1, 0, 1]).endswith("Alien. Heat (1995). Alien")


def test_room_is_kept_and_the_oldest_goes_first() -> None:
    texts = UserTexts([f"a film that is number {n}" for n in range(100)], [()] * 100)
    (text,) = texts.render(Histories.of([list(range(100))]))
    assert text.endswith("number 98. a film that is number 99")
    assert LONGEST - 30 < room_of(text) <= LONGEST


@given(
    st.lists(st.text(max_size=300), min_size=1, max_size=20),
    st.lists(st.text(max_size=300), max_size=8),
)
def test_any_titles_and_searches_fit(titles: list[str], searches: list[str]) -> None:
    texts = UserTexts.of([Item(str(n), title=title, categories=(title,)) for n, title in enumerate(titles)])
    histories = Histories.of([list(range(len(titles)))])
    histories = Histories(
        histories.items,
        histories.times,
        histories.weights,
        histories.offsets,
        searches=Searched.of([[(float(n), query) for n, query in enumerate(searches)]]),
    )
    assert room_of(texts.render(histories)[0]) <= LONGEST


@given(st.text(), st.integers(1, 50))
def test_what_is_shortened_has_room(text: str, room: int) -> None:
    assert room_of(shortened(text, room)) <= room


def test_changed_items_are_told_otherwise() -> None:
    texts = UserTexts.of(ITEMS)
    texts.put([5, 1], [Item("5", title="Up"), Item("1", title="Aliens")])
    assert texts.render(Histories.of([[1, 5, 4]])) == ["Aliens. Up"]
