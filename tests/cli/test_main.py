"""What every command promises: exit status, one line instead of a traceback, one document under --json."""

import sqlite3
import subprocess
import sys
from pathlib import Path
from statistics import median

import pytest

from acclimate import __version__
from acclimate.adapt.levels import MAIN
from acclimate.cli import recommend
from acclimate.cli.errors import describe
from acclimate.errors import BusyError
from tests.cli.conftest import Run

COMMANDS = ("demo", "data", "train", "evaluate", "recommend", "serve", "snapshots", "models", "doctor")
SLOW = ("torch", "transformers", "polars", "sklearn", "lightning", "litestar", "uvicorn", "numpy")


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def acclimate(*words: object, **options: object) -> subprocess.CompletedProcess[str]:
    call = [
        sys.executable,
        "-c",
        "import sys; from acclimate.cli import main; sys.exit(main())",
        *map(str, words),
    ]
    return subprocess.run(call, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload, no-any-return]


def test_version_and_help(run: Run) -> None:
    assert run("--version").out == f"acclimate {__version__}\n"
    helped = run("--help")
    assert helped.code == 0
    assert all(f" {name} " in helped.out for name in COMMANDS)
    assert run().out == helped.out


@pytest.mark.parametrize("command", [*COMMANDS, "data import", "data fetch", "snapshots rollback"])
def test_every_command_has_help_and_json(run: Run, command: str) -> None:
    ran = run(*command.split(), "--help")
    assert ran.code == 0
    assert ("--json" in ran.out) == (command != "data")


def test_help_names_the_defaults(run: Run) -> None:
    shown = " ".join(run("serve", "--help").out.replace("│", " ").split())
    for default in ("./acclimate-home", "serve.host", "serve.port", "HOME/acclimate.toml, if it is there"):
        assert f"[default: {default}]" in shown
    assert "[default: train.model]" in " ".join(run("train", "--help").out.replace("│", " ").split())


def test_help_of_replay_says_which_model_its_levels_are(run: Run) -> None:
    shown = " ".join(run("replay", "--help").out.replace("│", " ").split())
    assert f"each the model of train.model, or {MAIN} where that is auto" in shown


def test_help_shows_a_type_only_where_there_is_a_value(run: Run) -> None:
    for command in ("", *COMMANDS, "data import", "snapshots rollback"):
        shown = run(*command.split(), "--help").out
        assert "--help" in shown
        assert "-h" in shown
        assert "bool" not in shown, command


def test_help_imports_nothing_slow() -> None:
    code = f"""
import sys, contextlib, io
from acclimate.cli import main
with contextlib.redirect_stdout(io.StringIO()):
    assert main(["--help"]) == 0 and main(["train", "--help"]) == 0
print([name for name in {SLOW} if name in sys.modules])"""
    ran = python(code)
    assert ran.stdout == "[]\n", ran.stderr


@pytest.mark.parametrize(
    ("code", "bar"),
    [("import acclimate", 0.3), ("from acclimate.cli import main; main(['--help'])", 0.5)],
)
def test_it_starts_at_once(code: str, bar: float) -> None:
    timed = f"import time; start = time.process_time()\n{code}\nprint(time.process_time() - start)"
    seconds = [float(python(timed).stdout.splitlines()[-1]) for _ in range(3)]
    assert median(seconds) <= bar


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["trian"], "No such command 'trian'. Did you mean 'train'?"),
        (["train", "--modle", "ease"], "No such option: --modle"),
        (["recommend"], "Missing option '--user'"),
        (["data"], "name a command"),
    ],
)
def test_a_wrong_call_is_2_with_one_line(run: Run, words: list[str], message: str) -> None:
    ran = run(*words, "--json") if words != ["data"] else run(*words)
    assert ran.code == 2
    assert message in ran.err
    assert "Traceback" not in ran.err
    if words != ["data"]:
        assert ran.document["error"]["code"] == "usage"
        assert message in ran.document["error"]["message"]


@pytest.mark.parametrize("k", ["0", "-1", "1000000000", "ten", "", "1.5"])
@pytest.mark.parametrize("command", ["recommend --user ann", "evaluate"])
def test_k_out_of_range(run: Run, tmp_path: Path, command: str, k: str) -> None:
    ran = run(*command.split(), "-k", k, "--home", tmp_path, "--json")
    shown = k if k.lstrip("-").isdigit() else repr(k)
    assert ran.code == 2
    assert ran.document["error"]["code"] == "k_out_of_range"
    assert ran.document["error"]["field"] == "k"
    assert ran.document["error"]["message"] == f"k must be 1..1000, got {shown}"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--set", "train.modle=ease"], "unknown setting 'train.modle': did you mean 'model'?"),
        (["--set", "train"], "--set wants section.key=value, got 'train'"),
        (["--set", "serve.port=high"], "serve.port must be a whole number"),
        (["--config", "nowhere.toml"], "cannot read nowhere.toml: No such file or directory"),
    ],
)
@pytest.mark.parametrize("command", ["train", "evaluate", "recommend --user ann", "serve", "demo --no-serve"])
def test_a_wrong_setting(run: Run, tmp_path: Path, command: str, words: list[str], message: str) -> None:
    ran = run(*command.split(), "--home", tmp_path / "home", *words)
    assert ran.code == 2
    assert message in ran.err.replace("\n", " ")
    assert not (tmp_path / "home").exists()


def test_a_settings_file_in_the_home_is_read_and_options_win(run: Run, tmp_path: Path) -> None:
    (tmp_path / "acclimate.toml").write_text("[train]\nmodel = 'eese'\n")
    assert "no model 'eese': did you mean 'ease'?" in " ".join(run("train", "--home", tmp_path).err.split())
    asked = run("train", "--home", tmp_path, "--model", "popular", "--set", "train.model=ease")
    assert "no model 'popular'" in asked.err


@pytest.mark.parametrize(
    ("text", "words", "message"),
    [
        ("[serve]\nprt = 1", "serve", "unknown setting 'serve.prt': did you mean 'port'?"),
        ("[serve]\nport = 'high'", "serve", "serve.port must be a whole number, got text"),
        ("[train]\ntracking = 'wandbb'", "train", "no tracking 'wandbb': did you mean 'wandb'?"),
        ("[train.tuned]\nease = 3", "train", "train.tuned[...] must be a table, got a whole number"),
        ("[serve]\nport = 99999", "serve", "serve.port must be 0..65535, got 99999"),
        ("[serve]\nmax_body_mb = -1", "serve", "serve.max_body_mb must be 1..1024, got -1"),
        ("[policy]\nepsilon = 7", "train --model ease", "policy.epsilon must be above 0 and up to 1, got 7"),
        ("[policy]\nepsilon = 0", "serve", "above 0 and up to 1, got 0.0; for no exploration take"),
        ("[events]\nview = nan", "train --model ease", "events.view must be a finite number, got nan"),
        ("[train]\nseed = -1", "train --model ease", "train.seed must be 0..4294967295, got -1"),
        ("[events]\nrating = 'high'", "serve", "events.rating must be a number"),
        ("[repeat]\ndefault = 'often'", "serve", "repeat.default must be auto, never, always"),
        ("[train]\nmodel = 'eese'", "train", "no model 'eese': did you mean 'ease'?"),
        ("[train]\nmodel = 'ease'\nparams.l2 = -1", "train", "train.params of ease: l2 must be "),
        ("[train]\npositive = 'good'", "evaluate --model ease", "positive must be "),
        ("[policy]\nname = 'gredy'", "recommend --user u1", "no policy 'gredy': did you mean 'greedy'?"),
        ("not toml", "serve", "is not valid TOML"),
    ],
)
def test_what_is_wrong_in_a_settings_file_names_the_file(
    run: Run, home: Path, text: str, words: str, message: str
) -> None:
    file = home / "acclimate.toml"
    file.write_text(text)
    ran = run(*words.split(), "--home", home)
    said = " ".join(ran.err.split())
    assert ran.code == 2
    assert f"error: {file}" in said
    assert message in said
    assert said.count(str(file)) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[serve]\nport = 1", "serve --set serve.port=high"),
        ("[train]\nmodel = 'ease'", "train --model popular"),
        ("[train]\nparams.l2 = 1.0", "train --model ease --set train.params.l2=-1"),
        ("[policy]\nname = 'greedy'", "recommend --user u1 -k 0"),
    ],
)
def test_a_settings_file_is_not_blamed_for_what_an_option_said(
    run: Run, home: Path, text: str, words: str
) -> None:
    (home / "acclimate.toml").write_text(text)
    ran = run(*words.split(), "--home", home)
    assert ran.code == 2
    assert "acclimate.toml" not in ran.err


@pytest.mark.parametrize("command", ["train", "evaluate", "recommend --user ann"])
def test_an_empty_home_says_how_to_begin(run: Run, tmp_path: Path, command: str) -> None:
    ran = run(*command.split(), "--home", tmp_path / "home", "--json")
    assert ran.code == 2
    assert ran.document["error"] == {
        "code": "no_data",
        "message": "no data yet: acclimate data import ratings.csv, or acclimate demo",
        "field": None,
    }
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("command", ["train --model popularit", "evaluate --model ease --model popularit"])
def test_an_unknown_model_names_the_nearest(run: Run, home: Path, command: str) -> None:
    ran = run(*command.split(), "--home", home, "--json")
    assert ran.code == 2
    assert ran.document["error"]["code"] == "unknown_model"
    assert "did you mean 'popularity'?" in ran.document["error"]["message"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("evaluate", "--protocol", "lats"), "did you mean 'last'?"),
        (("evaluate", "--seeds", "0"), "seeds must be 1..100, got 0"),
        (("evaluate", "--html", "."), "--html wants a file, . is a folder: report.html"),
        (("evaluate", "--html", "no/such/page.html"), "there is no folder no/such; make it first"),
        (("evaluate", "--protocol", "foo"), "no protocol 'foo': allowed are cold-item, "),
        (("evaluate", "--model", "popularit"), "did you mean 'popularity'?"),
        (("train", "--model", "aut"), "did you mean 'auto'?"),
    ],
)
def test_a_wrong_argument_is_told_before_anything_heavy_is_loaded(
    home: Path, words: tuple[str, ...], message: str
) -> None:
    code = f"""
import sys
from acclimate.cli import main
code = main([*{words}, "--home", {str(home)!r}])
print(code, [name for name in ("torch", "polars") if name in sys.modules])"""
    ran = python(code)
    assert ran.stdout == "2 []\n", ran.stderr
    assert message in ran.stderr


def test_a_bug_is_one_line_and_a_traceback_on_demand(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object) -> None:
        raise KeyError("oops")

    monkeypatch.setattr(recommend, "open_recommender", broken)
    ran = run("recommend", "--user", "ann", "--json")
    assert ran.code == 1
    assert "Traceback" not in ran.err
    assert "set ACCLIMATE_DEBUG=1 for the traceback" in ran.err
    assert ran.document["error"]["code"] == "internal"
    monkeypatch.setenv("ACCLIMATE_DEBUG", "1")
    assert "Traceback" in run("recommend", "--user", "ann").err


def test_ctrl_c_is_130_with_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(recommend, "open_recommender", stopped)
    ran = run("recommend", "--user", "ann")
    assert (ran.code, ran.out, ran.err.strip()) == (130, "", "error: stopped by Ctrl-C")


def wrapped(text: str, cause: Exception | None = None) -> Exception:
    error = RuntimeError(text)
    error.__cause__ = cause
    return error


def sqlite(text: str, code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = code
    return error


FULL = "the disk is full: No space left on device"
SQLITE_FULL = "the disk is full: database or disk is full"


@pytest.mark.parametrize(
    ("error", "message", "code"),
    [
        (BusyError("port 8080 is in use"), "port 8080 is in use", 1),
        (PermissionError(13, "Permission denied", "/no"), "/no: Permission denied", 1),
        (OSError(28, "No space left on device"), "the disk is full: No space left on device", 1),
        (wrapped("parquet: underlying IO error: No space left on device (os error 28)"), FULL, 1),
        (wrapped("cannot commit", sqlite("database or disk is full", 13)), SQLITE_FULL, 1),
        (wrapped("could not save", PermissionError(13, "Permission denied")), "Permission denied", 1),
        (MemoryError(), "out of memory: close other programs, or use less data", 1),
    ],
)
def test_what_is_no_bug_is_told_plainly(error: Exception, message: str, code: int) -> None:
    failure = describe(error)
    assert (failure.message, failure.exit_code) == (message, code)


def test_an_error_on_the_way_from_another_is_still_a_bug() -> None:
    """A missing file that was dealt with does not explain the mistake that follows."""
    mistake = KeyError("oops")
    mistake.__context__ = FileNotFoundError(2, "No such file or directory", "x")
    assert "This is a bug in Acclimate" in describe(mistake).message


def test_threads_that_wait_do_not_spin_unless_asked_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a fit takes five times as long if they do."""
    code = (
        "import os; from acclimate.cli import main; main(['--version']); print(os.environ['OMP_WAIT_POLICY'])"
    )
    for given, found in ((None, "PASSIVE"), ("ACTIVE", "ACTIVE")):
        if given:
            monkeypatch.setenv("OMP_WAIT_POLICY", given)
        assert python(code).stdout.splitlines()[-1] == found


def test_a_reader_that_leaves_is_no_error(home: Path) -> None:
    command = f"{sys.executable} -c 'import sys; from acclimate.cli import main; sys.exit(main())'"
    piped = f"{command} data list --json --home {home} | head -c 1"
    ran = subprocess.run(["bash", "-c", piped], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "{", "")


def test_a_process_of_its_own_has_the_same_exit_codes(tmp_path: Path) -> None:
    missing = acclimate("recommend", "--user", "ann", "--home", tmp_path / "none")
    assert missing.returncode == 2
    assert missing.stdout == ""
    assert missing.stderr == "error: no data yet: acclimate data import ratings.csv, or acclimate demo\n"


def test_a_seed_that_is_no_number_is_told_in_our_words(run: Run, home: Path) -> None:
    ran = run("train", "--seed", "abc", "--home", home)
    assert ran.code == 2
    assert "Invalid value for '--seed': must be a whole number" in " ".join(ran.err.split())
    assert "parse" not in ran.err
