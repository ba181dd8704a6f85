import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from acclimate.rerank.rules import REASONS, allowed

N = 6
some = st.lists(st.integers(0, N - 1), max_size=4).map(lambda codes: np.array(codes, np.int32))
flags = st.lists(st.booleans(), min_size=N, max_size=N).map(lambda flags: np.array(flags, bool))


@given(flags, flags, flags, some, some, some, st.none() | some)
def test_each_item_has_the_first_reason_that_holds(
    offered, expired, upcoming, had, disliked, exclude, candidates
):
    before = offered.copy(), expired.copy()
    found = allowed(
        offered, expired, upcoming, had=had, disliked=disliked, exclude=exclude, candidates=candidates
    )
    for code in range(N):
        holds = {
            "unavailable": not offered[code],
            "expired": expired[code],
            "not there yet": upcoming[code],
            "not a candidate": candidates is not None and code not in candidates,
            "excluded": code in exclude,
            "disliked": code in disliked,
            "had": code in had,
        }
        assert list(holds) == list(REASONS[1:])
        first = next((reason for reason, held in holds.items() if held), "allowed")
        assert REASONS[found.why[code]] == first
        assert found.mask[code] == (first == "allowed")
    assert sum(found.counts().values()) == N - found.mask.sum()
    np.testing.assert_array_equal(before, (offered, expired))


def test_an_empty_catalogue_allows_nothing():
    none = np.zeros(0, np.int32)
    found = allowed(*[np.zeros(0, bool)] * 3, had=none, disliked=none, exclude=none)
    assert found.mask.tolist() == []
    assert found.counts() == {}
