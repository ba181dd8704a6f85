"""A browser and a library to look at: what the tests of the page share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
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
MARKS = [
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
    return list(page.locator(".place:not(.done) .name").all_inner_texts())


def after(page: Any, act: Any) -> None:
    """Do ``act`` and wait until the list knows it."""
    offset = page.inner_text("#offset")
    act()
    page.wait_for_function("was => document.querySelector('#offset').textContent !== was", arg=offset)
    page.wait_for_function("() => !document.body.classList.contains('busy')")


def overflow(page: Any) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))
