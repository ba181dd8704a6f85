"""Train, evaluate, recommend, snapshots, doctor and serve on a small made home."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from acclimate.cli import main
from acclimate.config import Home
from acclimate.data.split import SPLITS
from acclimate.encode.weights import PACKAGED
from acclimate.events.codec import event_entry
from acclimate.events.sqlite import SqliteLog
from acclimate.models import AUTO, ease
from acclimate.types import Event
from tests.cli.conftest import SMALL, Run

INTERVAL = {"mean", "low", "high"}


def train(run: Run, home: Path, model: str = "popularity", *words: str) -> str:
    ran = run("train", "--model", model, "--home", home, "--json", *words)
    assert ran.code == 0, ran.err
    return str(ran.document["snapshot"])


@pytest.mark.parametrize("model", ["item-knn", "sequence"])
def test_train_publishes_a_snapshot(run: Run, home: Path, model: str) -> None:
    words = SMALL if model == "sequence" else ()
    ran = run("train", "--model", model, "--home", home, "--seed", 3, "--json", *words)
    assert ran.code == 0, ran.err
    document = ran.document
    assert document["model"] == model
    assert document["metrics"]["ndcg@10"].keys() >= INTERVAL
    assert document["fit_seconds"] > 0
    assert document["verdict"]["passed"]
    current = run("snapshots", "--home", home, "--json").document["snapshots"]
    assert [(entry["id"], entry["current"]) for entry in current] == [(document["snapshot"], True)]


def test_train_takes_the_best_of_all_if_none_is_named(run: Run, home: Path) -> None:
    ran = run("train", "--home", home, "--json", *SMALL)
    assert ran.code == 0, ran.err
    document = ran.document
    assert document["compared"].keys() | document["left_out"].keys() == set(AUTO)
    ndcg = {name: metrics["ndcg@10"]["mean"] for name, metrics in document["compared"].items()}
    assert ndcg[document["model"]] == max(ndcg.values())
    assert "did better" not in ran.err
    assert document["metrics"] == document["compared"][document["model"]]
    named = run("train", "--model", "popularity", "--home", home, "--json")
    assert named.document["model"] == "popularity"


def test_train_names_the_better_model(run: Run, tmp_path: Path) -> None:
    """All like one hit last, and nothing else together: neighbours cannot know, and the gate says who can."""
    rows = [f"u{u},own{u},{u}\nu{u},hit,{100 + u}\nother{u},hit,{u}" for u in range(12)]
    (tmp_path / "ratings.csv").write_text("\n".join(["user,item,time", *rows]) + "\n")
    home = tmp_path / "home"
    assert run("data", "import", tmp_path / "ratings.csv", "--home", home).code == 0
    ran = run("train", "--model", "item-knn", "--home", home, "--json")
    assert (ran.code, ran.document["error"]["code"]) == (1, "refused")
    told = ran.document["error"]["message"]
    assert "popularity did better than item-knn, ndcg@10 1.0000 against 0." in told
    assert told.endswith("acclimate train --model popularity, or the best of several with acclimate train")


def test_train_leaves_out_what_cannot_be_fitted_on_so_much(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ease, "MAX_ITEMS", 3)
    monkeypatch.setattr("acclimate.adapt.choices.AUTO", ("popularity", "ease", "item-knn"))
    ran = run("train", "--home", home, "--json")
    assert ran.code == 0, ran.err
    assert list(ran.document["compared"]) == ["popularity", "item-knn"]
    assert "use item-knn" in ran.document["left_out"]["ease"]
    named = run("train", "--model", "ease", "--home", home, "--json")
    assert (named.code, "use item-knn" in named.document["error"]["message"]) == (2, True)


def test_train_writes_only_its_document_on_stdout(run: Run, home: Path) -> None:
    ran = run("train", "--model", "ease", "--home", home, "--json")
    assert json.loads(ran.out)
    assert "fitting ease" in ran.err


def test_train_learns_from_the_feedback_of_the_log(run: Run, home: Path) -> None:
    log = SqliteLog(home / "log.sqlite")
    log.append([event_entry(Event("new", "like", 5000.0 + n, "made up")) for n in range(3)]).result()
    log.close()
    train(run, home)
    listed = run("recommend", "--user", "u0", "-k", 20, "--home", home, "--json").document
    assert "made up" in [item["item_id"] for item in listed["items"]]
    assert listed["log_offset"] == 3
    entry = run("snapshots", "--home", home, "--json").document["snapshots"][0]
    assert entry["offset"] == 3


def test_params_of_no_model_and_of_the_wrong_kind_are_refused(run: Run, home: Path) -> None:
    wrong = run("train", "--model", "ease", "--home", home, "--set", "train.params.l22=5")
    assert (wrong.code, "ease: no argument 'l22': did you mean 'l2'?" in wrong.err) == (2, True)
    kind = run("train", "--model", "ease", "--home", home, "--set", "train.params.l2=high")
    assert (kind.code, "train.params of ease" in kind.err) == (2, True)
    none = run("train", "--model", "popularity", "--home", home, "--set", "train.params.l2=1")
    assert (none.code, "popularity: no argument 'l2': it takes none" in none.err) == (2, True)


def test_a_stand_in_for_the_encoder_is_told(run: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PACKAGED, "minilm", replace(PACKAGED["minilm"], module="no_such_package"))
    asked = ("--home", home, "--json", "--set", "train.params.epochs=1", "--set", "train.params.width=16")
    for command in ("train", "evaluate"):
        ran = run(command, "--model", "sequence", *asked)
        assert ran.code == 0, ran.err
        assert ran.document["notes"] == ["tfidf stands in for minilm: pip install 'acclimate[demo]'"]
        assert "tfidf stands in for minilm" in " ".join(ran.err.split())
    assert run("train", "--model", "ease", "--home", home, "--json").document["notes"] == []


def test_what_cannot_be_trained_is_told_before_any_work(run: Run, home: Path) -> None:
    for device in ("tpu", "cuda:99"):
        ran = run("train", "--device", device, "--home", home, "--json", *SMALL)
        assert ran.code == 2, ran.err
        assert device in ran.document["error"]["message"]
        assert "comparing" not in ran.err
    for command in ("train", "evaluate", "replay"):
        for words in (("--set", "train.positive='>=5'"), ("--positive", ">=5")):
            ran = run(command, "--home", home, *words, "--json")
            assert (ran.code, ran.document["error"]["code"]) == (2, "no_positives")
            assert "none of 144 events is positive" in ran.document["error"]["message"]
        ran = run(command, "--home", home, "--positive", "4", "--json")
        assert (ran.code, ran.document["error"]["code"]) == (2, "bad_positive")
        assert (
            "positive must be 'all' or a threshold such as '>=4', got '4'" in ran.document["error"]["message"]
        )


def test_one_event_is_enough_to_train(run: Run, tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_text("user,item,time\nann,heat,1\n")
    home = tmp_path / "home"
    assert run("data", "import", tmp_path / "ratings.csv", "--home", home).code == 0
    ran = run("train", "--model", "popularity", "--home", home, "--json")
    assert ran.code == 0, ran.err
    assert ran.document["metrics"] == {}
    assert run("train", "--home", home, "--json").document["model"] == "popularity", "nothing to compare"
    refused = run("evaluate", "--model", "popularity", "--home", home)
    assert refused.code == 2
    assert "Traceback" not in refused.err


def test_favourites_bought_again_say_that_items_may_come_again(run: Run, tmp_path: Path) -> None:
    """Each user buys the same three things over and over: the last one was always had before."""
    rows = [f"u{user},{item},{1000 * user + n}" for user in range(20) for n, item in enumerate("abcabc")]
    (tmp_path / "tea.csv").write_text("\n".join(["user,item,time", *rows]) + "\n")
    home = tmp_path / "home"
    assert run("data", "import", tmp_path / "tea.csv", "--home", home).code == 0
    why = (
        "protocol 'last' can hold nothing out of 'tea' (had before: 20): "
        "let items come again with --set repeat.default=always"
    )
    refused = run("evaluate", "--model", "ease", "--home", home)
    assert (refused.code, why in refused.err) == (2, True), refused.err
    assert "more events" not in refused.err, "every user has six"
    ran = run("train", "--model", "ease", "--home", home, "--json")
    assert (ran.code, f"not compared with popularity: {why}" in ran.err) == (0, True), ran.err
    compared = run("train", "--model", "ease", "--home", home, "--set", "repeat.default=always", "--json")
    assert "not_worse" in compared.document["verdict"]["checks"], compared.err


def test_evaluate_prints_the_document_and_writes_the_page(run: Run, home: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    ran = run(
        "evaluate", "--model", "popularity", "--model", "ease", "--home", home, "--html", page, "--json"
    )
    assert ran.code == 0, ran.err
    document = ran.document
    assert document["protocol"] == "last"
    assert document["n_targets"] > 0
    assert len(document["targets_sha256"]) == 64
    assert [model["name"] for model in document["models"]] == ["popularity", "ease"]
    for model in document["models"]:
        assert model["metrics"]["ndcg@10"].keys() >= INTERVAL
        assert model.keys() >= {"fit_seconds", "segments"}
    assert "<html" in page.read_text()
    again = run("evaluate", "--model", "popularity", "--home", home, "--json").document
    assert again["targets_sha256"] == document["targets_sha256"]


def test_evaluate_knows_its_protocols_and_lengths(run: Run, home: Path) -> None:
    asked = ("evaluate", "--model", "popularity", "--home", home, "--json")
    assert "ndcg@5" in run(*asked, "-k", 5).document["models"][0]["metrics"]
    for protocol in SPLITS:
        ran = run(*asked, "--protocol", protocol)
        assert (ran.code, ran.document["protocol"]) == (0, protocol), ran.err
    several = run(*asked, "--k", "5, 3").document
    assert (several["k"], several["ks"]) == (5, [5, 3])
    assert {"ndcg@5", "ndcg@3"} <= several["models"][0]["metrics"].keys()
    for bad in ("5,0", "5,", "ten", ""):
        refused = run(*asked, "--k", bad)
        assert (refused.code, "k must be 1..1000" in refused.document["error"]["message"]) == (2, True), bad
    wrong = run(*asked, "--protocol", "lats")
    assert wrong.code == 2
    assert "did you mean 'last'?" in wrong.document["error"]["message"]
    twice = run(*asked, "--model", "popularity")
    assert (twice.code, "name each model once" in twice.document["error"]["message"]) == (2, True)


def test_evaluate_over_seeds(run: Run, home: Path, tmp_path: Path) -> None:
    asked = ("evaluate", "--model", "ease", "--model", "sequence", "--home", home, "--json", *SMALL)
    page = tmp_path / "report.html"
    ran = run(*asked, "--seeds", 2, "--seed", 5, "--html", page)
    assert ran.code == 0, ran.err
    ease, sequence = ran.document["models"]
    assert (ease["seeds"], sequence["seeds"]["n"]) == (None, 2)
    values = sequence["seeds"]["metrics"]["ndcg@10"]["values"]
    singles = [run(*asked, "--seed", seed).document["models"][1] for seed in (5, 6)]
    assert [one["metrics"]["ndcg@10"]["mean"] for one in singles] == pytest.approx(values)
    assert sequence["metrics"]["ndcg@10"]["mean"] == pytest.approx(sum(values) / 2)
    assert "fitting sequence, seed 2 of 2, on" in ran.err
    assert "sequence: means over 2 seeds" in ran.err
    assert "by seed" in page.read_text("utf-8")


def test_evaluate_shows_a_table_without_json(run: Run, home: Path) -> None:
    ran = run("evaluate", "--model", "popularity", "--home", home)
    assert ran.code == 0
    assert "popularity" in ran.out
    assert "ndcg@10" in ran.out.lower()


def test_recommend_for_a_known_user(run: Run, home: Path) -> None:
    snapshot = train(run, home, "item-knn")
    ran = run("recommend", "--user", "u0", "-k", 3, "--explain", "--home", home, "--json")
    assert ran.code == 0, ran.err
    document = ran.document
    assert (document["user_id"], document["snapshot"], document["policy"]) == ("u0", snapshot, "greedy")
    assert document["fallback"] is None
    assert [item["rank"] for item in document["items"]] == [1, 2, 3]
    assert all(item.keys() >= {"item_id", "score", "propensity", "reasons"} for item in document["items"])
    assert all(item["title"].endswith(f" {item['item_id']}") for item in document["items"])
    assert document["items"][0]["reasons"][0]["kind"] == "because"
    profile = document["profile"]
    assert (profile["likes"], profile["since_last"]) == (6, None)  # times of 1970 are no dates
    assert dict(profile["tastes"]) == {"Drama": 0.5, "Film": 0.5}
    told = run("recommend", "--user", "u0", "-k", 3, "--explain", "--home", home).out
    assert "u0: 6 events with 6 items; likes Drama (50 %), Film (50 %); rates 4.0 on average" in told
    shown = run("recommend", "--user", "u0", "-k", 3, "--home", home)
    assert "u0: 6 events" not in shown.out
    assert document["items"][0]["item_id"] in shown.out
    assert "Kitchen story" in shown.out


def test_recommend_for_a_stranger_is_no_error(run: Run, home: Path) -> None:
    train(run, home, "item-knn")
    for user in ("nobody at all", "née/🎬", "007", "x" * 10_000):
        ran = run("recommend", "--user", user, "--home", home, "--json")
        assert ran.code == 0, ran.err
        assert ran.document["user_id"] == user
        assert "unknown user" in ran.document["fallback"]["reason"]
        assert len(ran.document["items"]) == 10


def test_recommend_before_training_says_so(run: Run, home: Path) -> None:
    ran = run("recommend", "--user", "u0", "--home", home, "--json")
    assert ran.code == 0
    assert ran.document["snapshot"] is None
    assert "acclimate train" in ran.document["fallback"]["reason"]
    assert run("recommend", "--user", "", "--home", home).code == 2


def test_recommend_is_repeatable_with_a_seed(run: Run, home: Path) -> None:
    train(run, home)
    asked = ("recommend", "--user", "u1", "--home", home, "--json", "--set", "policy.name=epsilon")
    risky = (*asked, "--set", "policy.epsilon=0.9")
    lists = [run(*risky, "--seed", seed).document["items"] for seed in (1, 1, 2)]
    assert lists[0] == lists[1]
    assert lists[0] != lists[2]
    assert "did you mean 'epsilon'" in run(*asked, "--set", "policy.name=epsilo").err


def test_a_snapshot_of_another_shop_is_no_way_back(run: Run, home: Path, tmp_path: Path) -> None:
    made, other = train(run, home), tmp_path / "other"
    rows = [f"u{u},sku{(u + t) % 7},{100 * t + u}" for u in range(8) for t in range(4)]
    (tmp_path / "other.csv").write_text("\n".join(["user_id,item_id,timestamp", *rows]) + "\n")
    assert run("data", "import", tmp_path / "other.csv", "--home", other).code == 0
    train(run, other)
    shutil.copytree(Home(home).snapshots / made, Home(other).snapshots / made)
    back = run("snapshots", "rollback", made, "--home", other, "--json")
    assert back.code == 2
    assert back.document["error"]["code"] == "other_catalogue"
    assert "knows none of the 7 items of this home" in back.document["error"]["message"]


def test_snapshots_list_and_roll_back(run: Run, home: Path) -> None:
    empty = run("snapshots", "--home", home)
    assert (empty.code, "no snapshots yet" in empty.out) == (0, True)
    first, second = train(run, home), train(run, home, "ease")
    listed = run("snapshots", "list", "--home", home, "--json").document["snapshots"]
    assert [(entry["id"], entry["current"]) for entry in listed] == [(second, True), (first, False)]
    assert all(
        entry.keys() >= {"id", "created", "offset", "metrics", "verdict", "current"} for entry in listed
    )
    back = run("snapshots", "--home", home, "rollback", first, "--json")
    assert back.code == 0
    assert {entry["id"]: entry["current"] for entry in back.document["snapshots"]} == {
        first: True,
        second: False,
    }
    assert run("recommend", "--user", "u0", "--home", home, "--json").document["snapshot"] == first
    shown = run("snapshots", "--home", home)
    assert first in shown.out
    wrong = run("snapshots", "rollback", first[:-1] + "x", "--home", home, "--json")
    assert (wrong.code, first in wrong.document["error"]["message"]) == (2, True)


def test_a_half_written_snapshot_is_named_not_read(run: Run, home: Path) -> None:
    first, second = train(run, home), train(run, home, "ease")
    broken = home / "snapshots" / second / "model.safetensors"
    broken.write_bytes(broken.read_bytes()[:-7])
    asked = run("recommend", "--user", "u0", "--home", home, "--json")
    assert (asked.code, asked.document["error"]["code"]) == (1, "corrupt")
    assert "model.safetensors" in asked.document["error"]["message"]
    checks = run("doctor", "--home", home, "--json")
    assert checks.code == 1
    found = {check["name"]: check for check in checks.document["checks"]}
    assert not found["snapshot"]["ok"]
    assert "acclimate snapshots rollback" in found["snapshot"]["fix"]
    listed = run("snapshots", "--home", home, "--json").document["snapshots"]
    assert {entry["id"]: bool(entry["broken"]) for entry in listed} == {first: False, second: True}
    broken.write_bytes(broken.read_bytes() + b"7 bytes")
    listed = run("snapshots", "--home", home, "--json").document["snapshots"]
    assert {entry["id"]: bool(entry["broken"]) for entry in listed} == {first: False, second: True}, "altered"
    (home / "snapshots" / second / "snapshot.json").unlink()
    assert "go back to another" in run("recommend", "--user", "u0", "--home", home).err
    assert run("snapshots", "rollback", first, "--home", home).code == 0
    assert run("recommend", "--user", "u0", "--home", home).code == 0


def test_doctor_on_a_good_and_on_an_empty_home(run: Run, home: Path, tmp_path: Path) -> None:
    train(run, home)
    for place in (home, tmp_path / "not there"):
        ran = run("doctor", "--home", place, "--json")
        assert ran.code == 0, ran.out
        checks = {check["name"]: check for check in ran.document["checks"]}
        assert {
            "python",
            "torch",
            "encoder",
            "home",
            "disk",
            "data",
            "log",
            "snapshot",
            "port",
        } <= checks.keys()
        assert all(check.keys() >= {"name", "ok", "detail", "fix"} for check in checks.values())
        assert all(check["fix"] for check in checks.values() if not check["ok"])
    assert not (tmp_path / "not there").exists()


def test_names_of_places_are_neither_markup_nor_patterns(run: Run, shop: Path, tmp_path: Path) -> None:
    odd = tmp_path / "[bold]a[/] b [/x]"
    for words in (
        ("data", "import", shop),
        ("train", "--model", "ease"),
        ("evaluate", "--model", "ease"),
        ("recommend", "--user", "[/x]", "--explain"),
        ("snapshots",),
        ("doctor",),
        ("data", "list"),
    ):
        ran = run(*words, "--home", odd)
        assert ran.code == 0, (words, ran.err)
    assert "[/x]" in run("doctor", "--home", odd).out
    (odd / "ratings[1]*.csv").write_text("user,item,time\nann,heat,1\n")
    assert run("data", "check", odd / "ratings[1]*.csv", "--json").document["interactions"] == 1
    assert run("data", "check", odd / "none[2].csv", "--home", odd).code == 2


def test_doctor_finds_what_is_wrong(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def found(*words: object) -> dict[str, bool]:
        document = run("doctor", "--home", tmp_path, "--json", *words).document
        return {check["name"]: check["ok"] for check in document["checks"]}

    assert all(found("--set", "train.encoder=tfidf").values())
    monkeypatch.setenv("ACCLIMATE_DATA", str(tmp_path / "nowhere"))
    assert not found()["known data"]
    assert not found("--set", "train.modle=x")["settings"]
    assert not found("--set", "train.encoder=minilmm")["encoder"]
    (tmp_path / "log.sqlite").write_bytes(b"no database at all" * 500)
    assert not found()["log"]
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        assert not found("--set", f"serve.port={busy.getsockname()[1]}")["port"]


def test_a_log_behind_its_snapshot_is_found(run: Run, home: Path) -> None:
    log = SqliteLog(home / "log.sqlite")
    log.append([event_entry(Event("u0", "like", 5000.0, "1"))]).result()
    log.close()
    train(run, home)
    for file in home.glob("log.sqlite*"):
        file.unlink()
    checks = {check["name"]: check for check in run("doctor", "--home", home, "--json").document["checks"]}
    assert not checks["log"]["ok"]
    assert "offset 1" in checks["log"]["detail"]


def test_another_log_that_has_grown_further_is_found(run: Run, home: Path) -> None:
    """Its first records would be taken for known, and would never count."""

    def like(user: str, n: int) -> None:
        log = SqliteLog(home / "log.sqlite")
        log.append([event_entry(Event(user, "like", 5000.0 + at, "1")) for at in range(n)]).result()
        log.close()

    like("u0", 1)
    old = train(run, home)
    for file in home.glob("log.sqlite*"):
        file.unlink()
    like("stranger", 3)
    asked = ("recommend", "--user", "stranger", "--home", home, "--json")
    for words in (asked, ("serve", "--port", 0, "--home", home, "--json")):
        refused = run(*words)
        assert (refused.code, refused.document["error"]["code"]) == (1, "log_replaced")
        assert "train anew from what is there: acclimate train" in refused.document["error"]["message"]
    checks = {check["name"]: check for check in run("doctor", "--home", home, "--json").document["checks"]}
    assert not checks["log"]["ok"]
    assert "this is not the event log that snapshot" in checks["log"]["detail"]

    new = train(run, home)
    listed = run(*asked).document
    assert (listed["snapshot"], listed["log_offset"], listed["fallback"]) == (new, 3, None)
    back = run("snapshots", "rollback", old, "--home", home, "--json")
    assert (back.code, back.document["error"]["code"]) == (1, "log_replaced")
    assert run(*asked).document["snapshot"] == new


@pytest.mark.parametrize("command", ["serve", "demo"])
def test_a_port_in_use_is_found_before_any_work(run: Run, tmp_path: Path, command: str) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        ran = run(command, "--port", port, "--home", tmp_path / "home", "--json")
    assert ran.code == 1
    assert ran.document["error"]["code"] == "port_in_use"
    assert "--port" in ran.document["error"]["message"]
    assert not (tmp_path / "home").exists()
    for wrong in ("-1", "65536", "http"):
        refused = run(command, "--port", wrong, "--home", tmp_path / "home", "--json")
        assert (refused.code, refused.document["error"]["code"]) == (2, "port_out_of_range")


def test_serve_names_no_address_where_it_cannot_start(run: Run, tmp_path: Path) -> None:
    log = SqliteLog(Home(tmp_path).log)
    ran = run("serve", "--port", "0", "--home", tmp_path, "--json")
    log.close()
    assert ran.code == 1
    assert list(ran.document) == ["error"]
    assert ran.document["error"]["code"] == "busy"
    assert "http://" not in ran.out + ran.err


def test_serve_answers_until_it_is_told_to_stop(home: Path) -> None:
    assert main(["train", "--model", "popularity", "--home", str(home)]) == 0
    code = "import sys; from acclimate.cli import main; sys.exit(main())"
    words = ["serve", "--port", "0", "--home", str(home), "--json"]
    server = subprocess.Popen(
        [sys.executable, "-c", code, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        lines = [server.stdout.readline()]
        while lines[-1] != "}\n" and lines[-1]:
            lines.append(server.stdout.readline())
        url = json.loads("".join(lines))["url"]
        client = httpx.Client(base_url=url, transport=httpx.HTTPTransport(retries=8), timeout=30)
        while client.get("readyz").status_code == 503:
            pass
        answer = client.get("v1/recommendations", params={"user_id": "u0", "k": 3}).json()
        assert len(answer["items"]) == 3
        client.close()
        server.send_signal(signal.SIGINT)
        out, err = server.communicate(timeout=30)
    finally:
        server.kill()
    assert server.returncode == 0, err
    assert "Traceback" not in err
    assert out == ""
    assert os.path.exists(home / "log.sqlite")
