"""The steps of the demo; each one finds what an earlier run left behind."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace
from rich.markup import escape
from rich.text import Text

from acclimate.adapt.feedback import gather
from acclimate.adapt.train import Trained, Trainer
from acclimate.cli.data import sets_folder
from acclimate.cli.output import Output, encode
from acclimate.cli.recommend import open_recommender
from acclimate.cli.samples import sample_lists
from acclimate.config import Home, Settings
from acclimate.data.fetch import KNOWN, fetch
from acclimate.data.split import split_last
from acclimate.data.store import Store
from acclimate.data.tables import read_tables
from acclimate.durable import replace_file
from acclimate.errors import CorruptError, InputError, NotFoundError, nearest
from acclimate.evaluate.ranking import check_targets
from acclimate.evaluate.report import print_table, write_html
from acclimate.evaluate.results import Report
from acclimate.models import AUTO
from acclimate.snapshot import Registry
from acclimate.words import counted

EXPECTED = {"ml-latest-small-2016": "six minutes on two older cores, fewer on new ones"}
"""How long the training takes, where it was measured."""
SHORT = {"sequence": {"epochs": 15}}
"""A demo is to be looked at soon; `acclimate train` learns for longer. What the settings say comes first."""


class Diary(msgspec.Struct):
    """What a demo did in a home, so that the next run does not do it again.

    ``data`` names the set; ``made_from`` is the fingerprint of the training, ``document`` and ``table`` what
    it came to. They are empty until it is done.
    """

    data: str
    made_from: str = ""
    document: dict[str, Any] = {}
    table: str = ""


class Show:
    """Imports a set, compares models, publishes the best, and shows what it lists.

    Args:
        out: Hears of every step.
        home: Made if it is missing. It may hold an earlier demo of the same data, and no other data.
        settings: As for `acclimate.adapt.train.Trainer`.
    """

    def __init__(self, out: Output, home: Home, settings: Settings) -> None:
        train = settings.train
        tuned = train.tuned | {name: short | train.tuned.get(name, {}) for name, short in SHORT.items()}
        settings = replace(settings, train=replace(train, tuned=tuned))
        self.out, self.home, self.settings = out, home, settings
        self.trainer = Trainer(home, settings, progress=True, say=out.step, keep=True)
        self.diary_file = home.path / "demo.json"
        self.page = home.path / "reports" / "evaluate.html"

    def play(self, name: str, *, again: bool = False) -> dict[str, Any]:
        """Do all of it and return the document of ``acclimate demo --json``.

        Args:
            name: A known set, or the path of a folder or file.
            again: Train also if data and settings are those of the current snapshot.

        Raises:
            InputError: The home holds other data.
            BusyError: Another process trains in the home.
            AcclimateError: As those of fetching, reading and training.
        """
        self._claim(name)  # before anything is made
        with self.trainer.alone():
            self._claim(name)  # and now nobody else can
            source = self._import(name)
            document = {**self._report(name, again), **source, "report": self.page, "home": self.home.path}
        document["samples"] = self._samples()
        document["seconds"] = round(self.out.seconds, 2)
        document["peak_rss_mb"] = peak_rss_mb()
        self._close(document)
        return document

    def _claim(self, name: str) -> None:
        """Refuse what is not there, and a home of other data: a demo never mixes with a shop's own."""
        if name not in KNOWN and not Path(name).exists():
            raise NotFoundError(
                f"no data set or path {name!r}: {nearest(name, KNOWN)}, or a path", field="data"
            )
        diary = self._diary()
        holds = diary.data if diary else None if Store(self.home.data).empty else "imported data"
        if holds not in (None, name):
            raise InputError(
                f"{self.home.path} holds {holds}, the demo wants a home of its own for {name}: "
                "acclimate demo --home ./demo-home",
                code="home_in_use",
                field="home",
            )

    def _import(self, name: str) -> dict[str, Any]:
        path, source = Path(name), {"source": f"path {name}", "sha256": None}
        if name in KNOWN:
            self.out.step(f"looking for {name}")
            found = fetch(name, cache=sets_folder(self.home))
            path, source = found.path, {"source": found.source, "sha256": found.sha256}
        self.out.step(f"reading {name} from {source['source']}")
        tables = read_tables([path], name=name if name in KNOWN else None, events=self.settings.events)
        if self._diary() is None:  # only now: a set that cannot be read claims nothing
            self._write(Diary(name))
        imported = Store(self.home.data).add(tables)
        for note in tables.notes:
            self.out.note(note)
        counts = {"interactions": imported.interactions, "already_present": imported.already_present}
        dropped = sum(part.count for part in imported.dropped)
        new = counted(imported.interactions, "interaction is", "interactions are")
        self.out.note(f"{new} new, {counted(dropped, 'row was', 'rows were')} dropped")
        return {**source, **counts, "dropped": imported.dropped}

    def _report(self, name: str, again: bool) -> dict[str, Any]:
        """Return what the training came to: of an earlier run if it is still current, else of a new one."""
        imported = Store(self.home.data).load(
            positive=self.settings.train.positive, events=self.settings.events
        )
        made_from = self.trainer.fingerprint(imported, AUTO)
        diary = self._diary()
        if diary and diary.made_from == made_from and not again and self._is_current(diary):
            self.out.note("nothing changed since the last demo: this is what it found (--again trains anew)")
            self.out.console.print(Text(diary.table), soft_wrap=True)
            return {**diary.document, "reused": True}
        gathered = gather(self.home, self.settings)
        check_targets(split_last(gathered.data, again=self.settings.repeat.again))
        self.out.note(
            f"now {len(AUTO)} models are fitted and measured, then the best is fitted on everything: "
            + EXPECTED.get(name, "each fit says how far it is")
        )
        trained = self.trainer.train(AUTO, gathered)
        assert trained.report is not None, "several models are always compared"
        print_table(trained.report, self.out.console)
        document = self._document(trained, trained.report)
        self._write(Diary(name, made_from, msgspec.json.decode(encode(document)), str(trained.report)))
        return document

    def _document(self, trained: Trained, report: Report) -> dict[str, Any]:
        self.page.parent.mkdir(parents=True, exist_ok=True)
        write_html(report, self.page)
        return {
            **report.document(),
            "best": trained.model.name,
            "fit_seconds": trained.fit_seconds,
            "snapshot": trained.snapshot.id,
            "verdict": trained.verdict,
            "encoder": self.trainer.encoder.name,
            "notes": self.trainer.notes,
            "reused": False,
        }

    def _samples(self) -> list[dict[str, Any]]:
        self.out.step("asking the snapshot for three lists")
        recommender = open_recommender(self.home, self.settings)
        samples = sample_lists(recommender, seed=self.settings.train.seed)
        for sample in samples:
            history, listed = "; ".join(sample["history"]), "; ".join(sample["list"])
            self.out.show(Text.assemble(("\nUser " + sample["user_id"], "bold"), f" had lately: {history}"))
            self.out.show(Text.assemble("  is shown: ", (listed, "green")))
        return samples

    def _close(self, document: dict[str, Any]) -> None:
        memory = f", at most {document['peak_rss_mb']:,.0f} MB of memory" if document["peak_rss_mb"] else ""
        self.out.show(
            f"\n[bold]{document['best']}[/] is published as snapshot {document['snapshot']}\n"
            f"report: {escape(str(self.page))}\nhome: {escape(str(self.home.path))}\n"
            f"{document['seconds']:.0f} seconds{memory}"
        )
        for note in document["notes"]:
            self.out.show(f"[yellow]note:[/] {escape(note)}")

    def _is_current(self, diary: Diary) -> bool:
        try:
            current = Registry(self.home.snapshots).current()
        except CorruptError as error:
            self.out.note(error.message)
            return False
        return current is not None and current.id == diary.document.get("snapshot")

    def _diary(self) -> Diary | None:
        try:
            return msgspec.json.decode(self.diary_file.read_bytes(), type=Diary)
        except (FileNotFoundError, msgspec.MsgspecError):
            return None

    def _write(self, diary: Diary) -> None:
        self.home.path.mkdir(parents=True, exist_ok=True)
        replace_file(self.diary_file, msgspec.json.encode(diary))


def peak_rss_mb() -> float | None:
    """Return the most memory this process has held, in MB; None where the system does not tell (Windows)."""
    try:
        import resource
    except ImportError:
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6, 1)
