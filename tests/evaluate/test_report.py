"""The table and the page say what the report holds, and nothing that a name could inject."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from rich.console import Console

from acclimate.data.dataset import Dataset
from acclimate.evaluate.page_tables import MEANING
from acclimate.evaluate.plot import round_up
from acclimate.evaluate.protocols import evaluate
from acclimate.evaluate.report import print_table, remarks, write_html
from acclimate.evaluate.results import Report
from acclimate.evaluate.scene import ENOUGH
from acclimate.models.ease import EASE
from acclimate.models.item_knn import ItemKNN
from acclimate.models.popularity import Popularity
from acclimate.types import User
from tests.evaluate.test_forecasts import Sure
from tests.evaluate.test_protocols import Noisy, world

PLOTTED = ["ndcg", "hr", "mrr", "auc", "coverage", "gini", "novelty", "serendipity", "popularity"]


class Rude(Popularity):
    name = "<script>[bold]&\"'"


@pytest.fixture(scope="module")
def report() -> Report:
    return evaluate([Popularity(), ItemKNN(), EASE(l2=5.0), Rude()], world(), k=5)


def printed(report: object, width: int) -> str:
    console = Console(width=width, force_terminal=True, color_system="truecolor")
    with console.capture() as captured:
        print_table(report, console)  # type: ignore[arg-type]
    return captured.get()


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_fits_and_marks_the_best(report: Report, width: int) -> None:
    text = printed(report, width)
    best = max(report.models, key=lambda model: model.metrics["ndcg@5"].mean)
    assert f"\x1b[1;32m{best.metrics['ndcg@5'].mean:.4f}" in text
    lines = plain(text).splitlines()
    table = lines[: next(n for n, line in enumerate(lines) if line.startswith("One target"))]
    assert max(map(len, table)) <= width
    assert "…" not in "".join(table)
    for model in report.models:
        assert any(line.startswith(f" {model.name} ") for line in table)
    assert report.targets_sha256 in plain(text)


def test_a_report_prints_itself_and_so_does_its_document(report: Report) -> None:
    assert "ndcg@5 by segment" in str(report)
    assert printed(report.document(), 120) == printed(report, 120)


def test_remarks_name_what_was_left_out() -> None:
    data = world()
    extra = [("one", "i0", 1.0), ("two", "i1", 2.0), ("rep", "i2", 3.0), ("rep", "i2", 4.0)]
    rows = zip((f"u{u}" for u in data.user), (f"i{i}" for i in data.item), data.time.tolist(), strict=True)
    more = Dataset.of([*rows, *extra, ("new", "i3", 5.0), ("new", "only here", 6.0)])
    report = evaluate([ItemKNN()], more)
    lines = remarks(report.document())
    assert "Not among the targets: users with fewer than two positive events (2), had before (1)." in lines
    assert "item-knn: 1 of 41 targets cannot be scored and ranks last" in lines
    assert lines[-1] == f"41 targets of protocol last, sha256 {report.targets_sha256}"


def test_what_has_a_segment_of_its_own_is_said_to_be_measured_apart() -> None:
    rows = [(f"u{n % 30}", f"i{n % 13}", float(n)) for n in range(340)]
    late = [("late", "i1", 360.0), ("late", "i2", 361.0), ("u1", "fresh", 362.0), ("u1", "i12", 363.0)]
    report = evaluate([ItemKNN()], Dataset.of([*rows, *late, ("u2", "i2", 364.0)]), protocol="time")
    assert {"new users", "new items"} <= report.models[0].segments.keys()
    lines = remarks(report.document())
    assert [line for line in lines if line.startswith("Not among")] == [
        f"Not among the targets: had before ({report.skipped['had before']})."
    ]
    assert (
        "Measured apart, not in the main figures: users unseen before the cut (1), the segment 'new users'; "
        "items unseen before the cut (1), the segment 'new items'."
    ) in lines


class Reader(HTMLParser):
    """Collects tags, what they point to, and checks that they close."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_page_is_whole_and_needs_no_network(report: Report, tmp_path: Path) -> None:
    write_html(report, tmp_path / "page.html")
    html = (tmp_path / "page.html").read_text("utf-8")
    reader = Reader()
    reader.feed(html)
    assert reader.open == []
    tags = [tag for tag, _ in reader.tags]
    assert "script" not in tags
    assert not re.search(r"https?://|url\(|@import", html)
    assert {"title", "h1", "table", "caption", "figure"} <= set(tags)
    tracks = [attributes for tag, attributes in reader.tags if attributes.get("role") == "img"]
    told = [name for name in PLOTTED if f"{name}@5" in report.models[0].metrics or name == "auc"]
    assert len(tracks) == 4 * (len(told) + len(report.models[0].segments))
    assert all("95 % interval" in str(track["aria-label"]) for track in tracks)
    text = " ".join(reader.text)
    for model in report.models:
        assert model.name in text
        assert f"{model.metrics['map@5'].mean:.4f}" in text
    assert report.targets_sha256 in text


def test_every_line_stays_on_its_axis(report: Report, tmp_path: Path) -> None:
    write_html(report.document(), tmp_path / "page.html")
    html = (tmp_path / "page.html").read_text("utf-8")
    whiskers = re.findall(r"left:([\d.]+)%;width:([\d.]+)%", html)
    assert whiskers
    assert all(float(left) + float(width) <= 100.01 for left, width in whiskers)


def test_several_seeds_are_shown_everywhere(tmp_path: Path) -> None:
    report = evaluate([[Noisy(seed) for seed in range(3)], Popularity()], world(), k=5)
    seeds = report.models[0].seeds
    assert seeds is not None
    spread, values = f"±{seeds.deviation('ndcg@5'):.4f}", seeds.values["ndcg@5"]
    for width in (80, 120):
        lines = plain(printed(report, width)).splitlines()
        end = next(n for n, line in enumerate(lines) if line.startswith("One target"))
        assert max(map(len, lines[:end])) <= width
        text = "\n".join(lines)
        assert "by seed" in text
        assert spread in text
        assert "3 seeds" in text
    assert (
        f"noisy: means over 3 seeds; by seed ndcg@5 is {min(values):.4f} to {max(values):.4f}, "
        f"with standard deviation {seeds.deviation('ndcg@5'):.4f}." in remarks(report.document())
    )
    write_html(report, tmp_path / "page.html")
    html = (tmp_path / "page.html").read_text("utf-8")
    assert f"{spread} by seed" in html
    assert html.count("<u style=") == 3 * len(PLOTTED), "a tick for each seed in each plot of a metric"
    assert all(float(left) <= 100 for left in re.findall(r'<u style="left:([\d.]+)%', html))
    reader = Reader()
    reader.feed(html)
    assert any(f"by seed {values[0]:.4f}" in str(tag.get("aria-label")) for _, tag in reader.tags)


def test_who_was_left_out_is_told(report: Report) -> None:
    document = {**report.document(), "left_out": {"ease": "too many items"}}
    assert "ease was left out: too many items" in remarks(document)


@pytest.mark.parametrize(
    ("value", "end"), [(0.0, 1.0), (0.0734, 0.08), (0.1, 0.1), (0.101, 0.2), (0.93, 1.0), (7.0, 8.0)]
)
def test_an_axis_ends_at_a_round_number(value: float, end: float) -> None:
    assert round_up(value) == pytest.approx(end)


def row(html: str, head: str) -> str:
    """Return the cells of the table row that begins with ``head``."""
    found = re.search(rf'<th scope="row">{re.escape(head)}.*?</tr>', html)
    assert found, head
    return found[0]


def test_less_may_be_better_or_neither(report: Report, tmp_path: Path) -> None:
    write_html(report, tmp_path / "page.html")
    html = (tmp_path / "page.html").read_text("utf-8")
    for name, best in (("ndcg@5", max), ("gini@5", min)):
        means = [model.metrics[name].mean for model in report.models]
        bold = re.findall(r"<b>([\d.]+)</b>", row(html, name + "<small>"))
        assert set(bold) == {f"{best(means):.4f}"}
        plot = html[html.index(f"<b>{name}</b>") :].split("</figure>")[0]
        marked = re.findall(r'row best"><span class="name">.*?<span class="value">([\d.]+)<', plot)
        assert set(marked) == {f"{best(means):.4f}"}
    for name in ("popularity@5", "lift@5"):
        assert "<b>" not in row(html, name + "<small>")
    assert {name.partition("@")[0] for name in report.models[0].metrics} <= MEANING.keys()


def test_user_attributes_are_a_table_and_forecasts_are_explained(tmp_path: Path) -> None:
    data = world(n_users=2 * ENOUGH)
    people = [User(name, {"sex": "fm"[n % 2]}) for n, name in enumerate(data.users.ids)]
    told = Dataset(data.users, data.items, data.user, data.item, data.time, people=people)
    report = evaluate([Sure(), ItemKNN()], told, k=5)
    write_html(report, tmp_path / "page.html")
    html = (tmp_path / "page.html").read_text("utf-8")
    assert "ndcg@5 by user attribute" in html
    for model in report.models:
        assert f"{model.segments['sex: f'].metrics['ndcg@5'].mean:.4f}" in row(html, "sex: f<small>30 users")
    losses = row(html, f"log loss<small>{MEANING['log_loss']}")
    assert f"{report.models[0].forecasts['log_loss'].mean:.4f}" in losses
    assert losses.count("<td>") == 1, "the other model foresees no chances"
    assert "<b>" not in losses, "it has no rival"
    assert "Ratings and chances" not in page_of(evaluate([ItemKNN()], world()), tmp_path)


def page_of(report: Report, folder: Path) -> str:
    write_html(report, folder / "page.html")
    return (folder / "page.html").read_text("utf-8")
