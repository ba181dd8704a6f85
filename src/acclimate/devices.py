"""Which processor computes, and how precisely."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from acclimate.errors import AcclimateError, InputError

if TYPE_CHECKING:
    import torch

KINDS = ("cpu", "cuda", "mps")
"""Devices that we know what to do with."""
GROUPS = (
    (Path("/sys/fs/cgroup"), "memory.max", "memory.current", "inactive_file"),
    (
        Path("/sys/fs/cgroup/memory"),
        "memory.limit_in_bytes",
        "memory.usage_in_bytes",
        "total_inactive_file",
    ),
)
"""Where a container tells its limit, what it uses, and what of that is free, in both versions."""


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
        if device.type not in KINDS:
            raise NotImplementedError
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise InputError(
            f"no device {name!r} here: use 'auto' or 'cpu', 'cuda' on a machine with a GPU, 'mps' on a Mac",
            field="device",
        ) from error
    return device


def fitting_device(name: str) -> torch.device:
    """Return where a model is fitted if ``name`` is asked for: on a GPU of CUDA's, or else on the CPU.

    Models hold times in seconds as float64, which ``mps`` does not have; there texts alone are read.

    Example:
        >>> fitting_device("cpu").type
        'cpu'
    """
    import torch

    device = choose_device(name)
    return device if device.type == "cuda" else torch.device("cpu")


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
    free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for line in info.read_text().splitlines() if info.is_file() else []:
        if line.startswith("MemAvailable:"):
            free = int(line.split()[1]) * 1024
    return min([free, *_contained()])


def _contained() -> list[int]:
    """Return how many bytes the container of this process leaves it, as control groups tell; none without.

    What it holds of files that nobody reads is free.
    """
    for folder, most, used, kept in GROUPS:
        with suppress(OSError, ValueError, KeyError):  # "max": there is no limit
            told = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
            limit, taken = (int((folder / name).read_text()) for name in (most, used))
            return [max(0, limit - taken + int(told[kept]))]
    return []


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
