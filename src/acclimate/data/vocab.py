"""Outside ids <-> inside codes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from acclimate.types import Codes


class Vocabulary:
    """Numbers ids 0, 1, 2, ... in the order in which they come; it grows and never renumbers.

    Args:
        ids: Distinct strings; an empty one keeps the place of an id that was forgotten.

    Example:
        >>> v = Vocabulary(["b", "a"])
        >>> v.add("c"), v.add("a"), v.codes(["a", "?"]).tolist(), v.ids
        (2, 1, [1, -1], ['b', 'a', 'c'])
    """

    __slots__ = ("_codes", "ids")

    def __init__(self, ids: Iterable[str] = ()) -> None:
        self.ids: list[str] = list(ids)
        self._codes = {name: code for code, name in enumerate(self.ids) if name}
        if len(self._codes) + self.ids.count("") != len(self.ids):
            raise ValueError(f"ids must be distinct: {len(self.ids)} given, {len(self._codes)} distinct")

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, name: object) -> bool:
        return name in self._codes

    @property
    def n_known(self) -> int:
        """How many ids there are, without those that were forgotten."""
        return len(self._codes)

    def add(self, name: str) -> int:
        """Return the code of ``name``, which is the next free one if it is new."""
        code = self._codes.setdefault(name, len(self.ids))
        if code == len(self.ids):
            self.ids.append(name)
        return code

    def forget(self, name: str) -> int:
        """Erase an id and return the code it had, which no other id will get; KeyError if unknown."""
        code = self._codes.pop(name)
        self.ids[code] = ""
        return code

    def code(self, name: str) -> int:
        """Return the code of ``name``, or -1 if it is unknown."""
        return self._codes.get(name, -1)

    def codes(self, names: Sequence[str]) -> Codes:
        """Return int32[len(names)], -1 where unknown."""
        return np.fromiter((self._codes.get(name, -1) for name in names), np.int32, len(names))

    def copy(self) -> Vocabulary:
        """Return a vocabulary that grows apart from this one."""
        return Vocabulary(self.ids)
