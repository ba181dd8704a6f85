"""The page of an evaluation in a browser, on a phone and on a desk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from acclimate.data.dataset import Dataset
from acclimate.evaluate.protocols import evaluate
from acclimate.evaluate.report import write_html
from acclimate.evaluate.scene import ENOUGH
from acclimate.models.item_knn import ItemKNN
from acclimate.models.popularity import Popularity
from acclimate.types import User
from tests.e2e.browsing import MARKS, browser, overflow, visit
from tests.evaluate.test_forecasts import Sure
from tests.evaluate.test_protocols import world

pytestmark = MARKS
__all__ = ["browser", "visit"]


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_cut_off_and_tables_scroll(visit: Any, tmp_path: Path, width: int) -> None:
    data = world(n_users=2 * ENOUGH)
    people = [
        User(name, {"occupation": ("administrator", "f")[n % 2]}) for n, name in enumerate(data.users.ids)
    ]
    told = Dataset(data.users, data.items, data.user, data.item, data.time, people=people)
    models = [Sure(), ItemKNN(), *(Popularity() for _ in range(6))]
    for n, model in enumerate(models[2:]):
        model.name = f"a-model-with-a-long-name-{n}"
    write_html(evaluate(models, told, k=(10, 5)), tmp_path / "page.html")
    page = visit(f"file://{tmp_path / 'page.html'}", width=width)
    assert overflow(page) == 0
    for box in page.locator(".scroll").all():
        edge = box.bounding_box()
        caption = box.locator("caption span").bounding_box()
        assert caption["x"] + caption["width"] <= edge["x"] + edge["width"]
        box.evaluate("box => { box.scrollLeft = box.scrollWidth }")
        head, last = (
            box.locator(f"tbody tr:first-child > :{at}-child").bounding_box() for at in ("first", "last")
        )
        assert abs(head["x"] - edge["x"]) <= 1, "the names of the rows stay"
        assert last["x"] >= head["x"] + head["width"] - 1, "and cover no figure of the last model"
