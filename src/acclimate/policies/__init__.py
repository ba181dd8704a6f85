"""What a list may risk. One policy a file, one line here."""

from __future__ import annotations

import inspect
from importlib import import_module

from acclimate import config
from acclimate.errors import NotFoundError, nearest
from acclimate.types import Policy

POLICIES: dict[str, str] = {
    "greedy": "greedy:Greedy",
    "epsilon": "epsilon:Epsilon",
}
"""Registered name -> file and class. A constructor's arguments are keys of the ``[policy]`` settings."""


def make_policy(settings: config.Policy) -> Policy:
    """Build the policy that the settings name.

    Raises:
        NotFoundError: No such policy; names the nearest.
        InputError: A value that the policy does not allow.

    Example:
        >>> make_policy(config.Policy(name="epsilon", epsilon=0.1)).name
        'epsilon'
    """
    if settings.name not in POLICIES:
        raise NotFoundError(
            f"no policy {settings.name!r}: {nearest(settings.name, POLICIES)}",
            code="unknown_policy",
            field="policy.name",
        )
    file, name = POLICIES[settings.name].split(":")
    kind = getattr(import_module(f"acclimate.policies.{file}"), name)
    arguments = {key: getattr(settings, key) for key in inspect.signature(kind).parameters}
    policy: Policy = kind(**arguments)
    return policy
