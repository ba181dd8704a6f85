"""A table in any order is the same data set, and takes no second copy of itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from acclimate.data.dataset import Dataset
from acclimate.data.tables import read_tables
from acclimate.data.vocab import Vocabulary


def made(seed: int = 0, rows: int = 400) -> pl.DataFrame:
    """Events in order of time, no two at once: some rated, some clicked, some of neither type."""
    rng = np.random.default_rng(seed)
    types = [(None, "rating", "click", "view")[n] for n in rng.integers(0, 4, rows)]
    stars = [float(rng.integers(1, 6)) if kind == "rating" else None for kind in types]
    return pl.DataFrame(
        {
            "user_id": [f"u{n}" for n in rng.integers(0, 30, rows)],
            "item_id": [f"i{n}" for n in rng.integers(0, 50, rows)],
            "timestamp": 1e9 + np.arange(rows),
            "value": stars,
            "event_type": types,
        }
    )


def same(one: Dataset, other: Dataset) -> bool:
    names = ("user", "item", "time", "value", "weight", "kind")
    equal = [np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True) for name in names]
    return all(equal) and (one.users.ids, one.items.ids) == (other.users.ids, other.items.ids)


def test_a_shuffled_table_is_the_same_data_set(tmp_path: Path) -> None:
    frame = made()
    frame.write_parquet(tmp_path / "sorted.parquet")
    frame.sample(fraction=1.0, shuffle=True, seed=1).write_parquet(tmp_path / "shuffled.parquet")
    ordered = read_tables(tmp_path / "sorted.parquet").dataset
    assert len(np.unique(ordered.weight)) > 5, "ratings weigh by the user's mean so far"
    assert sorted(np.unique(ordered.kind)) == [-1, 0, 1, 5]
    assert same(read_tables(tmp_path / "shuffled.parquet").dataset, ordered)


def test_a_dataset_shares_only_what_nobody_can_write_to() -> None:
    times, view = np.arange(3.0), np.arange(3, dtype=np.int32).view()
    base, fixed = view.base, pl.Series([0, 1, 0], dtype=pl.Int32).to_numpy()
    view.flags.writeable = False
    ids = Vocabulary(["a", "b", "c"])
    data = Dataset(ids, ids.copy(), view, fixed, times)
    times[:] = base[:] = 2
    assert (data.time.tolist(), data.user.tolist(), data.item.tolist()) == ([0, 1, 2], [0, 1, 2], [0, 1, 0])
    assert np.shares_memory(data.item, fixed)
