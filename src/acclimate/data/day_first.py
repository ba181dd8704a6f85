"""Dates that do not begin with the year: 31.05.2024, 31/05/2024 and 05/31/2024."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

_DOTS = r"^(\d{1,2})\.(\d{1,2})\.(\d{4})"
_SLASHES = r"^(\d{1,2})/(\d{1,2})/(\d{4})"


def year_first(text: pl.Series) -> tuple[pl.Series, list[str]]:
    """Return the dates of a column with the year first, and in sentences what was assumed.

    With dots the day comes first. With slashes that is told by the column: a first number above 12 anywhere
    is a day, and so is a second one. Where neither is, or both are, the dates stay as they are written.

    Args:
        text: Text, n of them.

    Example:
        >>> import polars as pl
        >>> year_first(pl.Series(["31.5.2024 18:30"]))[0].to_list()
        ['2024-05-31 18:30']
        >>> year_first(pl.Series(["01/02/2024", "01/31/2024"]))[0].to_list()
        ['2024-01-02', '2024-01-31']
    """
    import polars as pl

    if text.dtype != pl.String:
        return text, []
    out = _moved(text, _DOTS, day_first=True)
    remarks: list[str] = []
    first, second = (out.str.extract(_SLASHES, part).cast(pl.Int32, strict=False) for part in (1, 2))
    if not first.null_count() < len(first):
        return out, remarks
    shown = str(out.filter(first.is_not_null())[0])
    days = [bool((part > 12).any()) for part in (first, second)]
    if days[0] == days[1]:
        why = "some have a first number above 12, some a second" if days[0] else "none has a number above 12"
        remarks.append(
            f"dates such as {shown} may have the day or the month first ({why}): write them as 2024-05-31"
        )
        return out, remarks
    remarks.append(f"dates such as {shown} are read with the {'day' if days[0] else 'month'} first")
    return _moved(out, _SLASHES, day_first=days[0]), remarks


def _moved(text: pl.Series, pattern: str, *, day_first: bool) -> pl.Series:
    """Return ``text`` with what fits ``pattern`` turned to year-month-day, two digits each."""
    import polars as pl

    parts = [text.str.extract(pattern, part) for part in (1, 2, 3)]
    day, month = parts[:2] if day_first else parts[1::-1]
    rest = text.str.replace(pattern, "")
    date = pl.DataFrame({"y": parts[2], "m": month.str.zfill(2), "d": day.str.zfill(2), "r": rest, "t": text})
    turned = pl.concat_str([pl.concat_str(["y", "m", "d"], separator="-"), "r"])
    return date.select(pl.when(pl.col("y").is_not_null()).then(turned).otherwise("t").alias("t"))["t"]
