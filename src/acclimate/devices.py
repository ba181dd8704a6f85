"""Which processor computes, and how precisely."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from acclimate.errors import AcclimateError, InputError

if TYPE_CHECKING:
    import torch


def choose_device(name: str) -> torch.device:
    """Return the device of that name; ``"auto"`` is the first of cuda, mps and cpu that there is.

    Raises:
        InputError: There is no such device here.
    """
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise InputError(
            f"no device {name!r} here: use 'auto' or 'cpu', 'cuda' on a machine with a GPU, 'mps' on a Mac",
            field="device",
        ) from error
    return device


def bf16_helps(device: torch.device) -> bool:
    """Whether ``device`` multiplies bf16 natively, so that it is faster than fp32."""
    import torch

    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    found = torch.cpu.get_capabilities()
    return device.type == "cpu" and bool(found.get("avx512_bf16") or found.get("amx_bf16"))


def memory_left(device: torch.device) -> int:
    """Return the bytes of memory that are free on ``device``; for a CPU, those of the machine."""
    import torch

    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    info = Path("/proc/meminfo")
    for line in info.read_text().splitlines() if info.is_file() else []:
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@contextmanager
def memory_told(advice: str) -> Iterator[None]:
    """Say in our words that memory ran out, and which setting to lower.

    Args:
        advice: As in "lower batch_tokens, now 4096".

    Raises:
        AcclimateError: It ran out.

    Example:
        >>> with memory_told("lower batch, now 64"):
        ...     raise MemoryError
        Traceback (most recent call last):
        acclimate.errors.AcclimateError: out of memory: lower batch, now 64
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:  # torch has an error of its own for GPUs, none for others
        told = str(error).lower()
        if isinstance(error, MemoryError) or "out of memory" in told or "can't allocate memory" in told:
            raise AcclimateError(f"out of memory: {advice}", code="out_of_memory") from error
        raise
