"""The promises of an adapter; each check is given a registered kind and what makes a fresh base."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from acclimate.encode import adapters
from acclimate.encode.adapters import ADAPTERS, Adapter
from acclimate.encode.wrapped import Wrapped
from acclimate.errors import InputError

Make = Callable[[], Any]
BASE = "a" * 64
IDS = torch.randint(5, 60, (3, 9), generator=torch.Generator().manual_seed(0))
MASK = torch.tensor([[1] * 9, [1] * 9, [1] * 4 + [0] * 5])
REAL = MASK.bool()


def hidden(wrapped: Wrapped) -> Tensor:
    """Return the vectors of the real tokens."""
    with torch.no_grad():
        return wrapped.eval()(IDS, MASK)[REAL]


def plain(network: Any) -> Tensor:
    """Return what the base says."""
    with torch.no_grad():
        return network.eval()(input_ids=IDS, attention_mask=MASK).last_hidden_state[REAL]


def tuned(kind: str, make: Make) -> Wrapped:
    """Return a wrapped base whose adapter has learned something: its weights moved at random."""
    wrapped, rng = adapters.wrap(make(), kind), torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in wrapped.weights().values():
            weight += 0.1 * torch.randn(weight.shape, generator=rng)
    return wrapped


def check_it_answers_otherwise_than_the_base(kind: str, make: Make) -> None:
    far = (hidden(tuned(kind, make)) - plain(make())).abs().max()
    assert (far > 1e-3) == (kind != "frozen")


def check_off_is_the_base_bit_for_bit(kind: str, make: Make) -> None:
    wrapped = tuned(kind, make)
    before = hidden(wrapped)
    with wrapped.off():
        assert torch.equal(hidden(wrapped), plain(make()))
    assert torch.equal(hidden(wrapped), before)


def check_merged_equals_unmerged(kind: str, make: Make) -> None:
    wrapped = tuned(kind, make).double()  # so that nothing is left but rounding
    before = hidden(wrapped)
    merged = wrapped.merge()
    torch.testing.assert_close(hidden(merged), before, atol=1e-9, rtol=1e-9)
    assert merged.weights() == {} or not ADAPTERS[kind].merges


def check_save_and_load_change_nothing(kind: str, make: Make) -> None:
    wrapped = tuned(kind, make)
    adapter = Adapter.of(wrapped, kind, BASE, {"loss": 1.5})
    with tempfile.TemporaryDirectory() as folder:
        adapter.save(Path(folder))
        loaded = Adapter.load(Path(folder))
        assert sorted(path.suffix for path in Path(folder).iterdir()) == [".json", ".safetensors"]
    assert (loaded.fingerprint, loaded.made) == (adapter.fingerprint, {"loss": 1.5})
    assert torch.equal(hidden(loaded.on(make(), BASE)), hidden(wrapped))


def check_another_base_is_refused(kind: str, make: Make) -> None:
    adapter = Adapter.of(tuned(kind, make), kind, BASE)
    with pytest.raises(InputError, match="was tuned on a base with sha256 aaaa"):
        adapter.on(make(), "b" * 64)


def check_only_its_weights_train(kind: str, make: Make) -> None:
    wrapped = tuned(kind, make)
    before = copy.deepcopy(dict(wrapped.named_parameters()))
    trains = [weight for weight in wrapped.parameters() if weight.requires_grad]
    if kind == "frozen":
        assert not trains
        return
    aim = torch.randn(hidden(wrapped).shape, generator=torch.Generator().manual_seed(2))
    (wrapped.train()(IDS, MASK)[REAL] * aim).sum().backward()
    torch.optim.SGD(trains, lr=0.1).step()
    changed = {name for name, weight in wrapped.named_parameters() if not torch.equal(weight, before[name])}
    assert changed
    assert changed <= set(wrapped.weights())
    base = set(dict(make().named_parameters()))
    assert kind in {"top", "full"} or not changed & base


def check_a_gradient_reaches_each_weight(kind: str, make: Make) -> None:
    wrapped = tuned(kind, make)
    weights = wrapped.weights()
    assert (len(weights) > 0) == (kind != "frozen")
    if weights:
        aim = torch.randn(hidden(wrapped).shape, generator=torch.Generator().manual_seed(2))
        (wrapped(IDS, MASK)[REAL] * aim).sum().backward()
    for name, weight in weights.items():
        assert weight.grad is not None, name
        assert weight.grad.isfinite().all(), name
        # a bias of the keys moves all scores of a query alike, so that softmax does not see it
        assert weight.grad.any() or "key.bias" in name, name


def check_the_seed_decides(kind: str, make: Make) -> None:
    one, same, other = (adapters.wrap(make(), kind, seed=seed).weights() for seed in (0, 0, 1))
    assert all(torch.equal(one[name], same[name]) for name in one)
    alike = {"frozen", "ia3", "top", "full"}
    assert kind in alike or any(not torch.equal(one[name], other[name]) for name in one)


def check_company_changes_nothing(kind: str, make: Make) -> None:
    wrapped = tuned(kind, make)
    with torch.no_grad():
        alone = wrapped.eval()(IDS[2:, :4], MASK[2:, :4])[0]
    torch.testing.assert_close(hidden(wrapped)[18:], alone, atol=1e-5, rtol=1e-4)


def check_it_is_smaller_than_its_base(kind: str, make: Make) -> None:
    adapter = Adapter.of(tuned(kind, make), kind, BASE)
    base = sum(weight.numel() for weight in make().parameters())
    own = sum(array.size for array in adapter.weights.values())
    assert all(array.dtype == np.float32 for array in adapter.weights.values())
    assert own <= base


CHECKS: list[Callable[[str, Make], None]] = [
    check_it_answers_otherwise_than_the_base,
    check_off_is_the_base_bit_for_bit,
    check_merged_equals_unmerged,
    check_save_and_load_change_nothing,
    check_another_base_is_refused,
    check_only_its_weights_train,
    check_a_gradient_reaches_each_weight,
    check_the_seed_decides,
    check_company_changes_nothing,
    check_it_is_smaller_than_its_base,
]
