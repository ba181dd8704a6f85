"""Which models are compared, what they are told of the data, and which one is taken."""

from __future__ import annotations

from collections.abc import Sequence

from acclimate.errors import InputError, NotFoundError, nearest
from acclimate.evaluate.results import Report
from acclimate.models import AUTO, MODELS


def candidates(model: str, again: float = float("inf")) -> list[str]:
    """Return the models that ``train.model`` stands for: those of `acclimate.models.AUTO` for ``auto``.

    Where items may come again (after ``again`` seconds), the user's own ``frequency`` is one of them.

    Raises:
        NotFoundError: No such model; names the nearest.

    Example:
        >>> candidates("ease"), candidates("auto") == list(AUTO), candidates("auto", again=0.0)[-1]
        (['ease'], True, 'frequency')
    """
    if model == "auto":
        return [*AUTO, *(["frequency"] if again < float("inf") else [])]
    if model not in MODELS:
        hint = nearest(model, ["auto", *MODELS])
        raise NotFoundError(f"no model {model!r}: {hint}", code="unknown_model", field="model")
    return [model]


def again_told(again: float) -> dict[str, bool]:
    """Return the arguments of a model that knows that items may come again after ``again`` seconds.

    Example:
        >>> again_told(0.0), again_told(float("inf"))
        ({'repeats': True, 'baskets': True, 'item_bias': True}, {})
    """
    return dict.fromkeys(("repeats", "baskets", "item_bias"), True) if again < float("inf") else {}


def best(report: Report, names: Sequence[str]) -> str:
    """Return which of ``names`` has the highest NDCG; of equals the first.

    Raises:
        InputError: None of them could be fitted; says why.
    """
    ndcg = {entry.name: entry.metrics[f"ndcg@{report.k}"].mean for entry in report.models}
    found = [name for name in names if name in ndcg]
    if not found:
        raise InputError("; ".join(report.left_out[name] for name in names), field="model")
    return max(found, key=ndcg.__getitem__)
