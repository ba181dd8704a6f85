"""Who the page is for and what they did, in Chromium."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from acclimate.config import Home, Serve, Settings
from acclimate.serve.engine import Engine
from tests.e2e.browsing import MARKS, after, titles
from tests.e2e.serving import ask, in_thread

pytestmark = MARKS


def test_history_says_what_was_done(url: str, visit: Any) -> None:
    user = {"user_id": "doer", "item_id": "book-gothic-1"}
    kinds = [
        ("rating", "rated 0.5"),
        ("view", "viewed"),
        ("purchase", "bought"),
        ("like", "liked"),
        ("dislike", "not for me"),
    ]
    events = [{**user, "event_type": kind, "value": 0.5} for kind, _ in kinds]
    assert ask(url, "POST", "/v1/events", events)[0] == 200
    page = visit(f"{url}/?user_id=doer")
    page.wait_for_selector(".past")
    said = page.locator(".past .when").all_inner_texts()
    assert said == [f"{words}, just now" for _, words in reversed(kinds)]
    assert page.inner_text("#history-count") == "5"
    page = visit(f"{url}/?user_id=reader-2")
    page.wait_for_selector(".past")
    assert page.inner_text(".past .when >> nth=0").startswith("chosen, ")
    assert page.inner_text("#profile").startswith("likes ")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_narrow_screen_the_history_is_one_step_above_the_list(
    url: str, visit: Any, scheme: str, tmp_path: Path
) -> None:
    page = visit(f"{url}/?user_id=reader-4", width=360, height=740, color_scheme=scheme)
    page.wait_for_selector(".place")
    assert page.locator(".past").first.is_hidden()
    assert page.inner_text("#fold summary").split() == ["HISTORY", "5"]
    box = page.locator("#fold summary").bounding_box()
    first = page.locator(".place").first.bounding_box()
    assert box["y"] + box["height"] < first["y"] < 740, "both are seen at once"
    assert box["height"] >= 40, "a finger finds it"
    page.focus("#fresh")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.matches('#fold > summary')")
    page.keyboard.press("Enter")
    page.wait_for_selector(".past:visible")
    tree = page.locator("main").aria_snapshot()
    assert 'heading "History 5"' in tree
    assert 'list "History 5"' in tree
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.id") == "history", "arrows scroll it"
    page.screenshot(path=tmp_path / f"history-{scheme}.png")
    page.click("#fold summary")
    assert page.locator(".past").first.is_hidden()
    page.set_viewport_size({"width": 1280, "height": 740})
    page.wait_for_selector(".past:visible")
    page.set_viewport_size({"width": 360, "height": 740})
    page.wait_for_function("() => !document.querySelector('#fold').open")


def test_a_long_history_leaves_room_for_the_list(url: str, visit: Any) -> None:
    events = [
        {"user_id": "long", "event_type": "click", "item_id": f"book-gothic-{n % 3}"} for n in range(40)
    ]
    assert ask(url, "POST", "/v1/events", events)[0] == 200
    page = visit(f"{url}/?user_id=long", width=360, height=740)
    page.wait_for_selector(".place")
    page.click("#fold summary")
    page.wait_for_selector(".past:visible")
    assert page.locator("#history").bounding_box()["height"] <= 740 / 2
    page.focus("#history")
    page.keyboard.press("End")
    page.wait_for_function("() => document.querySelector('#history').scrollTop > 0")


def test_a_long_history_is_said_to_be_cut(tmp_path: Path, visit: Any) -> None:
    with in_thread(Engine(Home(tmp_path), Settings(serve=Serve(max_history=40)))) as url:
        for user, n in (("few", 31), ("many", 41)):
            events = [{"user_id": user, "event_type": "click", "item_id": f"i{k}"} for k in range(n)]
            ask(url, "POST", "/v1/events", events)
        for user, extent in (("few", "latest 30 of 31"), ("many", "latest 30 of 40+")):
            page = visit(f"{url}/?user_id={user}")
            page.wait_for_selector(".past")
            assert page.inner_text("#history-count") == extent
            page.close()


def test_it_opens_on_someone_whose_history_can_be_taken_in(tmp_path: Path, visit: Any) -> None:
    with in_thread(Engine(Home(tmp_path), Settings())) as url:
        for user, n in (("busy", 45), ("moderate", 20), ("new", 1)):
            events = [{"user_id": user, "event_type": "click", "item_id": f"i{k}"} for k in range(n)]
            ask(url, "POST", "/v1/events", events)
            page = visit(url)
            page.wait_for_selector(".past")
            assert page.input_value("#user") == ("busy" if user == "busy" else "moderate")
            page.close()


def test_a_known_user_by_name_and_by_address(url: str, visit: Any) -> None:
    page = visit(f"{url}/?user_id=reader-3")
    page.wait_for_selector(".past")
    assert page.input_value("#user") == "Dorothea"
    past = page.locator(".past").count()
    assert past >= 5
    assert not set(page.locator(".past .name").all_inner_texts()) & set(titles(page))
    page.fill("#user", "flor")
    page.wait_for_selector("#people-note:text('1 found')")
    page.click("[role=option]")
    page.wait_for_function("() => document.querySelector('#user').value === 'Florence'")
    assert page.locator("#change").inner_text() == ""


def test_all_users_are_found_from_the_keyboard(url: str, visit: Any) -> None:
    page = visit(url)
    page.wait_for_selector(".past")
    assert 0 < page.locator(".past").count() <= 30
    opened = page.input_value("#user")
    page.keyboard.press("/")
    page.wait_for_selector("[role=option]")
    assert page.get_attribute("#user", "aria-expanded") == "true"
    assert "type to search" in page.inner_text("#people-note")
    page.keyboard.type("reader-4")
    page.wait_for_selector("#people-note:text('9 found')")
    assert page.locator("[role=option][aria-selected=true]").count() == 1
    marked = page.get_attribute("#user", "aria-activedescendant")
    assert page.inner_text(f"#{marked} span") == "Edmond", "the id itself, by its name"
    page.keyboard.press("ArrowDown")
    second = page.inner_text("[aria-selected=true] span")
    page.keyboard.press("Enter")
    page.wait_for_function("name => document.querySelector('#user').value === name", arg=second)
    assert page.locator(".people").is_hidden()
    page.keyboard.press("/")
    page.keyboard.type("nobody at all")
    page.wait_for_selector("#people-note:text('No user begins so')")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    assert page.input_value("#user") == second != opened


def test_the_search_hands_the_keys_on_to_the_list(url: str, visit: Any) -> None:
    page = visit(url)
    page.wait_for_selector(".past")
    page.keyboard.press("/")
    page.wait_for_selector("[role=option]")
    page.keyboard.type("reader-41")
    page.keyboard.press("Enter")  # sooner than the search: what was typed is meant, not what is marked
    page.wait_for_function("() => document.activeElement.id === 'list'")
    page.wait_for_function("() => !document.body.classList.contains('busy')")
    chosen = page.input_value("#user")
    assert chosen == "reader-41"
    first = titles(page)[0]
    page.keyboard.press("j")
    after(page, lambda: page.keyboard.press("l"))
    assert page.inner_text(".past .name >> nth=0") == first
    assert page.input_value("#user") == chosen
    for _ in range(2):  # the key finds the field again
        page.keyboard.press("/")
        page.wait_for_selector("[role=option]")
        page.keyboard.type("reader-4")
        page.keyboard.press("Escape")
        assert page.evaluate("document.activeElement.id") == "list"
        assert page.input_value("#user") == chosen
        assert page.locator(".people").is_hidden()


def test_tab_leaves_the_search_for_the_next_field(url: str, visit: Any) -> None:
    page = visit(url)
    page.wait_for_selector(".place")
    page.keyboard.press("/")
    page.wait_for_selector("[role=option]")
    reached = []
    for _ in range(3):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.localName"))
    assert reached == ["fresh", "summary", "history"]
    assert page.locator(".people").is_hidden()


def test_a_stranger_by_address(url: str, visit: Any) -> None:
    page = visit(f"{url}/?user_id=reader-")
    page.wait_for_selector("#history-empty:visible")
    assert page.input_value("#user") == "reader-"
