"""What tests of every room share: Python in other processes."""

from collections.abc import Iterator

import pytest

from tests.processes import Processes


@pytest.fixture(scope="session")
def processes() -> Iterator[Processes]:
    with Processes() as processes:
        yield processes
