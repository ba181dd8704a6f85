from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from acclimate.data.versions import Versions
from acclimate.errors import BusyError, CorruptError

DRIVER = """
import json, os, shutil, signal, sys
from pathlib import Path
from acclimate.data.versions import Versions

assert "polars" not in sys.modules
base = Path(sys.argv[1])

def put(folder, word):
    versions = Versions(folder)
    def fill(new):
        (new / "a").write_text(word)
        (new / "b").write_text(word)
    with versions.lock():
        versions.publish(fill)

def die_at(at):
    calls = 0
    def dying(function):
        def call(*args, **kwargs):
            nonlocal calls
            calls += 1
            if calls == at:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **kwargs)
        return call
    for owner, name in [(os, "fsync"), (os, "replace"), (os, "mkdir"), (os, "rmdir"), (Path, "rename"),
                        (Path, "write_text")]:
        setattr(owner, name, dying(getattr(owner, name)))

ends = []
for at in range(1, 100):
    folder = base / str(at)
    put(folder, "older")
    put(folder, "old")
    child = os.fork()
    if child == 0:
        die_at(at)
        put(folder, "new")
        os._exit(0)
    killed = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    current = Versions(folder).current
    seen = {file.read_text() for file in current.iterdir()}
    put(folder, "next")
    left = sorted(path.name for path in folder.iterdir())
    ends.append([killed, sorted(seen), left])
    if not killed:
        break
print(json.dumps(ends))
"""


def test_a_kill_at_any_point_leaves_the_old_or_the_new(tmp_path: Path) -> None:
    run = subprocess.run([sys.executable, "-c", DRIVER, tmp_path], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    ends = json.loads(run.stdout)
    killed, seen, left = zip(*ends, strict=True)
    assert killed == (True,) * (len(ends) - 1) + (False,)
    assert len(ends) > 10
    assert list(seen) == sorted(seen, key=lambda words: words == ["new"])
    assert {word for words in seen for word in words} == {"old", "new"}
    for names in left:
        assert len([name for name in names if name.startswith("v")]) == 2
        assert not [name for name in names if name.startswith((".new", ".CURRENT"))]


def test_a_writer_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fill(folder: Path) -> None:
        (folder / "a").write_text("half")
        raise ZeroDivisionError

    versions = Versions(tmp_path)
    with versions.lock(), pytest.raises(ZeroDivisionError):
        versions.publish(fill)
    assert versions.current is None
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    with (
        Versions(tmp_path).lock(),
        pytest.raises(BusyError, match="is importing into"),
        Versions(tmp_path).lock(),
    ):
        pass
    with Versions(tmp_path).lock():
        pass


def test_a_pointer_to_nothing_is_told(tmp_path: Path) -> None:
    (tmp_path / "CURRENT").write_text("")
    with pytest.raises(CorruptError, match="names '', which is not there"):
        _ = Versions(tmp_path).current
