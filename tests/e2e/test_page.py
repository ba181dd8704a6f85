"""The page in Chromium: a like changes the list, and what changed is named."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from acclimate.config import Home, Settings
from acclimate.serve.engine import Engine
from tests.e2e.browsing import MARKS, after, overflow, titles
from tests.e2e.serving import in_thread

PICTURE = os.environ.get("ACCLIMATE_PICTURE")
"""Where to put the picture of the README; by default it is taken and thrown away."""

pytestmark = MARKS


def test_a_like_changes_the_list_and_says_what_changed(url: str, visit: Any) -> None:
    page = visit(url)
    page.wait_for_selector(".place")
    page.click("#fresh")
    page.wait_for_selector("#history-empty:visible")
    assert "unknown user" in page.inner_text("#fallback")
    before = titles(page)
    assert len(before) == 10
    after(page, page.locator(".place").nth(2).locator("[data-feedback=like]").click)
    now = titles(page)
    assert before[2] not in now
    assert len(now) == 10
    assert now != before
    assert f"because you liked {before[2]}" in page.inner_text("#change")
    assert page.locator("#change").get_attribute("aria-live") == "polite"
    assert page.locator(".badge:visible").count() > 0
    assert page.locator(".past .name").all_inner_texts() == [before[2]]
    assert before[2] in page.inner_text(".place .reason >> nth=0")
    assert page.locator("#fallback").is_hidden()
    assert page.inner_text("#snapshot") == "3f9a27c41b60d8e5"
    after(page, page.locator(".place").first.locator("[data-feedback=dislike]").click)
    assert now[0] not in titles(page)
    assert f"said no to {now[0]}" in page.inner_text("#change")


@pytest.mark.parametrize(
    ("before", "now", "moves", "words"),
    [
        ("abcd", "bcde", {"b": 0, "c": 0, "d": 0, "e": "new"}, "1 new"),
        ("abcdef", "fbdce", {"f": 4, "b": -1, "d": 0, "c": -2, "e": -1}, "1 moved up, 3 moved down"),
        ("abc", "xbyc", {"x": "new", "b": 0, "y": "new", "c": 0}, "2 new"),
        ("abc", "cab", {"c": 2, "a": -1, "b": -1}, "1 moved up, 2 moved down"),
        ("a", "", {}, ""),
    ],
)
def test_moves_are_counted_among_what_is_in_both_lists(
    url: str, visit: Any, before: str, now: str, moves: dict[str, Any], words: str
) -> None:
    page = visit(url)
    page.wait_for_selector(".place")
    found = page.evaluate(
        """async ([before, now]) => {
            const { compare, describe } = await import("/page/words.js");
            const list = (ids) => [...ids].map((id) => ({ item_id: id }));
            const moves = compare(list(before), list(now));
            return [Object.fromEntries(moves), describe(moves)];
        }""",
        [before, now],
    )
    assert found == [moves, words]


def test_the_headline_counts_the_badges(url: str, visit: Any) -> None:
    page = visit(f"{url}/?user_id=reader-6")
    page.wait_for_selector(".place")
    said: set[str] = set()
    for _ in range(4):
        after(page, page.locator(".place:not(.done)").first.locator("[data-feedback=like]").click)
        badges = page.locator(".badge:visible").all_inner_texts()
        told = re.findall(r"(\d+) (new|moved up|moved down)[,:]", page.inner_text("#change"))
        marks = {"new": "new", "moved up": "↑", "moved down": "↓"}
        seen = {word: sum(text.startswith(mark) for text in badges) for word, mark in marks.items()}
        assert {word: int(number) for number, word in told} == {word: n for word, n in seen.items() if n}
        said |= {word for _, word in told}
    assert {"moved up", "moved down"} <= said


@pytest.mark.parametrize("width", [360, 1280])
def test_what_was_acted_upon_stays_under_the_pointer(url: str, visit: Any, width: int) -> None:
    page = visit(url, width=width)
    page.wait_for_selector(".place")
    page.click("#fresh")
    page.wait_for_selector("#history-empty:not([hidden])", state="attached")  # folded if narrow
    button = page.locator(".place").nth(3).locator("[data-feedback=like]")
    button.scroll_into_view_if_needed()
    box, title = button.bounding_box(), titles(page)[3]
    at = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    after(page, lambda: page.mouse.click(*at))
    under = "at => document.elementFromPoint(...at).closest('.place').className"
    for _ in range(2):  # at once, and when the rows have moved
        assert page.evaluate(under, at) == "place done like"
        page.wait_for_function("() => !document.querySelector('.settling')")
    assert page.inner_text(".done .name") == title
    assert "Liked" in page.inner_text(".done .said")
    offset = page.inner_text("#offset")
    page.mouse.dblclick(*at)
    page.wait_for_function("() => !document.body.classList.contains('busy')")
    assert page.inner_text("#offset") == offset, "a second click acts upon nothing else"
    assert page.locator(".past").count() == 1
    after(page, page.locator(".place:not(.done) [data-feedback=dislike]").first.click)
    assert page.locator(".done").count() == 1
    assert "Not for me" in page.inner_text(".done .said")
    page.click("#fresh")
    page.wait_for_selector(".done", state="detached")


def test_a_dot_is_placed_between_the_lowest_and_the_highest_score(url: str, visit: Any) -> None:
    page = visit(f"{url}/?user_id=reader-7")
    page.wait_for_selector(".place")
    numbers = [float(text) for text in page.locator(".number").all_inner_texts()]
    low, high = min(numbers), max(numbers)
    assert page.inner_text("#legend") == f"Score, from {low} on the left to {high} on the right"
    placed = [float(dot.get_attribute("style").split()[1].rstrip("%;")) for dot in page.locator(".dot").all()]
    assert (placed[0], placed[-1]) == (100, 0)
    for number, share in zip(numbers, placed, strict=True):
        assert abs((number - low) / (high - low) - share / 100) < 0.06


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        ([0.418, 0.3812, 0.4], ["0.418", "0.381", "0.400"]),
        ([-3.5, -812.25, None], ["-4", "-812", "–"]),
        ([2.0, 2.0], ["2.0", "2.0"]),
        ([0.0, 0.0], ["0.0", "0.0"]),
        ([341, 238], ["341", "238"]),
        ([None], ["–"]),
        ([], []),
    ],
)
def test_scores_of_any_scale(url: str, visit: Any, scores: list[float | None], words: list[str]) -> None:
    page = visit(url)
    page.wait_for_selector(".place")
    found = page.evaluate(
        """async (scores) => {
            const { Scale } = await import("/page/scores.js");
            const scale = new Scale(scores);
            const places = scores.filter((score) => score !== null).map((score) => scale.share(score));
            return [scores.map((score) => scale.say(score)), places, scale.legend];
        }""",
        scores,
    )
    assert found[0] == words
    assert all(0 <= share <= 1 for share in found[1])
    assert bool(found[2]) == any(score is not None for score in scores)


def test_the_page_from_the_keyboard(url: str, visit: Any) -> None:
    page = visit(url)
    page.wait_for_selector(".place")
    page.keyboard.press("n")
    page.wait_for_selector("#history-empty:visible")
    before = titles(page)
    for key in ("j", "ArrowDown", "j", "k"):
        page.keyboard.press(key)
    focused = "document.activeElement.querySelector('.name')?.textContent"
    assert page.evaluate(focused) == before[1]
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    after(page, lambda: page.keyboard.press("l"))
    assert page.locator(".past .name").all_inner_texts() == [before[1]]
    now = titles(page)
    assert page.evaluate(focused) == now[1], "the one below what was acted upon"
    after(page, lambda: page.keyboard.press("d"))
    assert page.inner_text(".past .name >> nth=0") == now[1], "a key works at once after another"
    assert page.locator(".past").count() == 2
    assert page.evaluate("document.activeElement.previousElementSibling.matches('.done')")
    page.keyboard.press("k")
    assert page.evaluate("document.activeElement.nextElementSibling.matches('.done')"), "it is passed over"
    page.keyboard.press("n")
    page.wait_for_selector("#history-empty:visible")
    assert page.evaluate(focused) in titles(page), "the focus is on another list, and not lost"


def test_the_last_of_the_list_and_a_key_that_is_held_down(url: str, visit: Any) -> None:
    page = visit(url)
    page.wait_for_selector(".place")
    page.keyboard.press("n")
    page.wait_for_selector("#history-empty:visible")
    last = page.locator(".place").nth(9)
    after(page, last.locator("[data-feedback=dislike]").click)
    focused = "document.activeElement.querySelector('.name')?.textContent"
    assert page.evaluate(focused) == titles(page)[-1], "above it, where nothing is below"
    offset = page.inner_text("#offset")
    page.evaluate(
        """() => document.activeElement.dispatchEvent(
            new KeyboardEvent("keydown", { key: "l", repeat: true, bubbles: true }))"""
    )
    page.wait_for_function("() => !document.body.classList.contains('busy')")
    assert page.inner_text("#offset") == offset


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (820, "light"), (1440, "dark")])
def test_nothing_overflows(url: str, visit: Any, tmp_path: Path, width: int, scheme: str) -> None:
    page = visit(url, width=width, height=800, color_scheme=scheme, reduced_motion="reduce")
    page.wait_for_selector(".past", state="attached")
    page.evaluate("document.querySelector('#fold').open = true")
    assert overflow(page) == 0
    long = "Anunbrokentitle" * 40
    page.click("#add summary")
    page.fill("[name=title]", long)
    page.fill("[name=categories]", f"{long[:200]}, <b>x</b>")
    after(page, lambda: page.click("#add-form button"))
    assert f"{long[:79]}… is in the catalogue" in page.inner_text("#change")
    inside = """() => {
        const bubble = document.querySelector("#change"), box = bubble.getBoundingClientRect();
        const range = document.createRange();
        range.selectNodeContents(bubble);
        const text = range.getBoundingClientRect();
        const radius = parseFloat(getComputedStyle(bubble).borderTopLeftRadius);
        return radius <= 12 && box.left < text.left && text.right < box.right && box.right <= innerWidth;
    }"""
    assert page.evaluate(inside), "the message stays within its bubble"
    after(page, page.locator(".place").first.locator("[data-feedback=like]").click)
    assert overflow(page) == 0
    page.screenshot(path=tmp_path / f"page-{width}.png", full_page=True)
    assert (tmp_path / f"page-{width}.png").stat().st_size > 10_000


def test_dark_and_light(url: str, visit: Any) -> None:
    page = visit(url, color_scheme="dark")
    page.wait_for_selector(".place")
    paper = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(paper) == "rgb(20, 25, 27)"
    page.click("#theme")
    assert page.evaluate(paper) == "rgb(247, 245, 240)"
    page.reload()
    page.wait_for_selector(".place")
    assert page.evaluate(paper) == "rgb(247, 245, 240)"


def test_an_empty_home_explains_itself_and_takes_an_item(tmp_path: Path, visit: Any) -> None:
    with in_thread(Engine(Home(tmp_path), Settings())) as url:
        page = visit(url)
        page.wait_for_selector("#empty:visible")
        assert "acclimate demo" in page.inner_text("#empty")
        title = "<img src=x onerror=console.error(1)>"
        page.fill("[name=title]", title)
        after(page, lambda: page.click("#add-form button"))
        assert titles(page) == [title]
        told = page.inner_text("#change")
        assert "comes last in every list for now: an item without events scores 0" in told
        assert "can be recommended" not in told
        assert page.locator("#empty").is_hidden()
        after(page, page.locator("[data-feedback=like]").click)
        assert titles(page) == []
        assert page.evaluate("document.activeElement.matches('.done')"), "the focus is not lost"
        page.keyboard.press("n")
        page.wait_for_function("() => document.querySelectorAll('.place:not(.done)').length === 1")
        page.close()


def test_the_routes_are_shown_without_a_network(url: str, visit: Any) -> None:
    page = visit(f"{url}/docs", width=360)
    page.wait_for_selector("article")
    assert page.locator("article").count() == 17
    assert "/v1/recommendations" in page.inner_text("#operations")
    assert overflow(page) == 0


def test_picture_for_the_readme(url: str, visit: Any, tmp_path: Path) -> None:
    picture = Path(PICTURE or tmp_path / "page.png")
    page = visit(f"{url}/?user_id=reader-4", color_scheme="light", reduced_motion="reduce")
    page.wait_for_selector(".past")
    after(page, page.locator(".place").nth(3).locator("[data-feedback=like]").click)
    page.mouse.move(0, 0)
    page.evaluate("document.activeElement.blur()")
    page.screenshot(path=picture)
    assert picture.stat().st_size < 300_000
