"""States that go through a file, and are compared."""

from __future__ import annotations

import json

import numpy as np

from acclimate.types import State


def travelled(state: State) -> State:
    arrays, document = state
    return {name: each.copy() for name, each in arrays.items()}, json.loads(json.dumps(document))


def equal(one: State, other: State) -> None:
    assert one[1] == other[1]
    assert one[0].keys() == other[0].keys()
    for name, each in one[0].items():
        np.testing.assert_array_equal(each, other[0][name], err_msg=name)
