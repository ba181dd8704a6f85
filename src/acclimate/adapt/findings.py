"""What the checks of a gate found, gathered into a verdict."""

from __future__ import annotations

from acclimate.types import Verdict


class Findings:
    """Collects what each check found.

    Example:
        >>> found = Findings()
        >>> found.add("loads", True, "loads, every file is whole")
        >>> found.verdict().passed
        True
    """

    def __init__(self) -> None:
        self.checks: dict[str, bool] = {}
        self.reasons: list[str] = []
        self.figures: dict[str, float] = {}
        self._fine: set[str] = set()

    def add(self, name: str, held: bool, reason: str) -> None:
        """Take in whether the check ``name`` held, and why in words."""
        self.checks[name] = held
        self.reasons.append(reason)
        if held:
            self._fine.add(reason)

    @property
    def held(self) -> bool:
        """Whether all held so far."""
        return all(self.checks.values())

    def verdict(self) -> Verdict:
        """Return what all say together."""
        failed = () if self.held else tuple(line for line in self.reasons if line not in self._fine)
        return Verdict(self.held, tuple(self.reasons), self.checks, self.figures, failed)
