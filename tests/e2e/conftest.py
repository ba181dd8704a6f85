"""The command line and the made shop of the tests of cli."""

from tests.cli.conftest import home, run, shop

__all__ = ["home", "run", "shop"]
