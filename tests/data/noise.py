"""Made rows as people leave them, and noise that is planted among them."""

from __future__ import annotations

import numpy as np

from acclimate.data.dataset import Dataset

START = 1.5e9
DAY = 86_400.0
Row = tuple[str, str, float]


def people(rng: np.random.Generator, n_users: int = 80, n_items: int = 60, days: int = 200) -> list[Row]:
    """Visits of people: by day, some minutes long, seconds to minutes between two things."""
    rows = []
    for user in range(n_users):
        home = rng.uniform(7, 20)
        for day in rng.choice(days, rng.integers(5, 30), replace=False):
            time = START - START % DAY + DAY * day + 3600 * rng.normal(home, 1.5)
            for _ in range(rng.integers(1, 12)):
                time += rng.lognormal(3, 1)
                rows.append((f"u{user}", f"i{rng.integers(n_items)}", round(time)))
    return rows


def clock(user: str, rng: np.random.Generator, gap: float = 30.0, n: int = 120) -> list[Row]:
    """A script that asks again and again, with a little jitter."""
    begin = START + rng.uniform(10, 100) * DAY
    return [(user, f"i{rng.integers(60)}", begin + gap * step + rng.uniform(-0.2, 0.2)) for step in range(n)]


def racer(user: str, rng: np.random.Generator, n: int = 300) -> list[Row]:
    """More than one thing a second for minutes, at no regular step."""
    begin = START + rng.uniform(10, 100) * DAY
    times = begin + np.cumsum(rng.exponential(0.5, n))
    return [(user, f"i{rng.integers(60)}", float(time)) for time in times]


def sleepless(user: str, rng: np.random.Generator) -> list[Row]:
    """A crawler: some two thousand things a day, by day and by night."""
    begin = START + rng.uniform(10, 100) * DAY
    times = begin + np.cumsum(rng.exponential(40, 5_000))
    return [(user, f"i{rng.integers(60)}", float(time)) for time in times]


def pushed(item: str, rng: np.random.Generator, users: int = 8) -> list[Row]:
    """Some accounts that push one item within minutes."""
    begin = START + rng.uniform(10, 100) * DAY
    return [(f"shill{rng.integers(12)}-{n}", item, begin + float(rng.uniform(0, 900))) for n in range(users)]


def made(rows: list[Row], **options: object) -> Dataset:
    return Dataset.of(rows, **options)
