"""Open Bandit (Saito et al., NeurIPS 2021): what was shown in a fashion shop, and what was clicked.

The layout is that of https://research.zozo.com/data.html: a folder ``POLICY/CAMPAIGN`` with ``CAMPAIGN.csv``
and ``item_context.csv``.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from acclimate.data.columns import Columns
from acclimate.data.encodings import read_text
from acclimate.data.frames import Part, Raw
from acclimate.data.sources.cutting import Layout, cut_lines
from acclimate.data.sources.delimited import read_delimited
from acclimate.errors import InputError
from acclimate.words import counted

CONTEXT = "item_context.csv"
NEEDED = ("timestamp", "item_id", "position", "click", "propensity_score")
FEATURE = "user_feature_"


class OpenBandit:
    """A folder of one log: a click is a ``click``, what was only shown an ``impression``.

    The log has no ids of users. Whoever has the same features is taken for the same user, whose id are
    these features divided by ``|``.
    """

    def detect(self, path: Path) -> bool:
        """Take a folder that has a log and the context of its items."""
        return (path / CONTEXT).is_file() and _log(path) is not None

    def read(self, path: Path, kind: str, columns: Columns, encoding: str | None = None) -> Part:
        """Read the whole folder if ``kind`` is ``events``, or its items.

        Raises:
            InputError: It is another folder, or has no such table.
        """
        if not self.detect(path) or kind == "users" or (log := _log(path)) is None:
            raise InputError(f"{path} has no Open Bandit table of {kind}: a log and {CONTEXT}", field=kind)
        items = read_delimited(path / CONTEXT, "items", Columns(), encoding)
        if kind == "items":
            return Part(items=items)
        events, users = _read_log(log, encoding)
        return Part(events, items, users)


def _log(folder: Path) -> Path | None:
    files = [file for file in folder.glob("*.csv") if file.name != CONTEXT]
    return files[0] if len(files) == 1 else None


def _read_log(file: Path, encoding: str | None) -> tuple[Raw, Raw]:
    """Return the events, and the users with their features."""
    import polars as pl

    text = read_text(file, encoding)
    with text.open() as stream:
        header = next(stream).strip().split(",")
    features = [name for name in header if name.startswith(FEATURE)]
    if missing := [name for name in NEEDED if name not in header] or (not features and [f"{FEATURE}0"]):
        raise InputError(f"{file} is no log of Open Bandit: it has no column {missing[0]}", field="format")
    keep = {
        index: name
        for index, name in enumerate(header)
        if name in ("timestamp", "item_id", "click", *features)
    }
    raw = cut_lines(Layout(text, ",", len(header), keep, skip=1))
    click = pl.col("click")
    kind = pl.when(click == "1").then(pl.lit("click")).when(click == "0").then(pl.lit("impression"))
    rows = raw.frame.with_columns(
        pl.concat_str(features, separator="|").alias("user_id"), kind.otherwise(click).alias("event_type")
    )
    users = rows.unique("user_id", keep="first", maintain_order=True).filter(pl.col("user_id").is_not_null())
    attributes = [pl.col(name).alias(f"@{name}") for name in features]
    notes = (
        f"{file.name}: the log has no users: those with the same {counted(len(features), 'feature')} are "
        "taken for one",
        f"{file.name}: position and propensity_score are not taken",
    )
    events = rows.select("line", "user_id", "item_id", "timestamp", "event_type")
    return (
        replace(raw, frame=events, notes=(*raw.notes, *notes)),
        replace(raw, frame=users.select("line", "user_id", *attributes), dropped=(), notes=()),
    )
