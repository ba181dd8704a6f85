"""The command line and the made shop of the tests of cli; a browser for the tests of the page."""

from tests.cli.conftest import home, run, shop
from tests.e2e.browsing import browser, url, visit

__all__ = ["browser", "home", "run", "shop", "url", "visit"]
