"""Why a split asks nothing, and what helps."""

from __future__ import annotations

import pytest

from acclimate.data.dataset import Dataset
from acclimate.data.split import split_last, split_time
from acclimate.evaluate.ranking import nothing_held_out

Row = tuple[str, str, float]
BOB: list[Row] = [("bob", "i1", 20.0), ("bob", "i2", 21.0)]
NEW_USER = "users unseen before the cut: 1"


@pytest.mark.parametrize(
    ("later", "why", "what_helps"),
    [
        (BOB, NEW_USER, "all users after the cut are new, so take the protocol 'last' or 'cold-user'"),
        (
            [("ann", "new", 20.0), ("ann", "newer", 21.0)],
            "items unseen before the cut: 2",
            "take the protocol 'last' or 'cold-item'",
        ),
        (
            [*BOB, ("ann", "i1", 22.0)],
            f"{NEW_USER}, had before: 1",
            "let items come again with --set repeat.default=always (in Python again=0.0), or take the "
            "protocol 'last' or 'cold-user'",
        ),
    ],
)
def test_where_all_that_comes_later_is_new_it_says_what_fits(
    later: list[Row], why: str, what_helps: str
) -> None:
    data = Dataset.of([*(("ann", f"i{n}", float(n)) for n in range(9)), *later])
    split = split_time(data, quantile=9 / len(data))
    wanted = f"protocol 'time' can hold nothing out of 'made' ({why}): {what_helps}, or data of a longer time"
    assert nothing_held_out(split) == wanted
    assert split_last(data).n_targets


def test_of_a_new_user_with_one_event_no_protocol_can_ask() -> None:
    split = split_time(Dataset.of([("ann", "i1", 1.0), ("bob", "i1", 2.0)]), quantile=0.5)
    assert nothing_held_out(split).endswith(f"({NEW_USER}): give more events for each user")
