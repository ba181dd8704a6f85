import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from acclimate.retrieve.exact import top


@given(
    st.lists(st.sampled_from([np.nan, -np.inf, np.inf, 0.0, -0.0, 1.0, 2.5, -3.0]), max_size=30),
    st.integers(1, 40),
)
def test_it_is_the_sorted_list(scores, k):
    ranked = sorted((-score, code) for code, score in enumerate(scores) if score > -np.inf)
    found = top(np.array(scores, np.float64), k)
    assert found.dtype == np.int32
    assert found.tolist() == [code for _, code in ranked[:k]]
