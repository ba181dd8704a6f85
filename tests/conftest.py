"""What tests of every room share: no deadlines of examples, and Python in other processes."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.processes import Processes

settings.register_profile("here", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("here")  # a busy machine is slow, and that is no failure


@pytest.fixture(scope="session")
def processes() -> Iterator[Processes]:
    with Processes() as processes:
        yield processes
