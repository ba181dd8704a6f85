"""The page in Chromium: a like changes the list, and what changed is named."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from acclimate.config import Home, Settings
from acclimate.serve.engine import Engine
from tests.e2e.books import load_library
from tests.e2e.serving import in_thread

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
PICTURE = os.environ.get("ACCLIMATE_PICTURE")
"""Where to put the picture of the README; by default it is taken and thrown away."""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(90),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = Home(tmp_path_factory.mktemp("library"))
    with in_thread(Engine(home, Settings(), load_library)) as url:
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Any) -> Iterator[Any]:
    """Open an address; what the console says is an error at the end."""
    said: list[str] = []
    pages: list[Any] = []

    def open_page(address: str, width: int = 1280, height: int = 800, **options: Any) -> Any:
        page = browser.new_page(viewport={"width": width, "height": height}, **options)
        pages.append(page)
        page.set_default_timeout(15_000)
        page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(address)
        return page

    yield open_page
    for page in pages:
        page.close()
    assert said == []


def titles(page: Any) -> list[str]:
    return list(page.locator(".place .name").all_inner_texts())


def after(page: Any, act: Any) -> None:
    """Do ``act`` and wait until the list knows it."""
    offset = page.inner_text("#offset")
    act()
    page.wait_for_function("was => document.querySelector('#offset').textContent !== was", arg=offset)
    page.wait_for_function("() => !document.body.classList.contains('busy')")


def overflow(page: Any) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


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
    assert now != before
    assert f"because you liked {before[2]}" in page.inner_text("#change")
    assert page.locator("#change").get_attribute("aria-live") == "polite"
    assert page.locator(".badge:visible").count() > 0
    assert page.locator(".past .name").all_inner_texts() == [before[2]]
    assert f"Because of {before[2]}" in page.inner_text(".place .reason >> nth=0")
    assert page.locator("#fallback").is_hidden()
    assert page.inner_text("#snapshot") == "3f9a27c41b60d8e5"
    after(page, page.locator(".place").first.locator("[data-feedback=dislike]").click)
    assert now[0] not in titles(page)
    assert f"said no to {now[0]}" in page.inner_text("#change")


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
    assert page.evaluate(focused) == titles(page)[1]
    after(page, lambda: page.keyboard.press("d"))
    assert len(page.locator(".past").all()) == 2


def test_a_known_user_by_name_and_by_address(url: str, visit: Any) -> None:
    page = visit(f"{url}/?user_id=reader-3")
    page.wait_for_selector(".past")
    assert page.locator("#user option:checked").inner_text().startswith("Dorothea")
    past = page.locator(".past").count()
    assert past >= 5
    assert not set(page.locator(".past .name").all_inner_texts()) & set(titles(page))
    page.select_option("#user", "reader-5")
    page.wait_for_function("() => document.querySelector('#user').value === 'reader-5'")
    assert page.locator("#change").inner_text() == ""


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (820, "light"), (1440, "dark")])
def test_nothing_overflows(url: str, visit: Any, tmp_path: Path, width: int, scheme: str) -> None:
    page = visit(url, width=width, height=800, color_scheme=scheme, reduced_motion="reduce")
    page.wait_for_selector(".past")
    assert overflow(page) == 0
    long = "Anunbrokentitle" * 40
    page.click("#add summary")
    page.fill("[name=title]", long)
    page.fill("[name=categories]", f"{long[:200]}, <b>x</b>")
    after(page, lambda: page.click("#add-form button"))
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
        assert page.locator("#empty").is_hidden()
        after(page, page.locator("[data-feedback=like]").click)
        assert titles(page) == []
        page.close()


def test_the_routes_are_shown_without_a_network(url: str, visit: Any) -> None:
    page = visit(f"{url}/docs", width=360)
    page.wait_for_selector("article")
    assert page.locator("article").count() == 16
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
