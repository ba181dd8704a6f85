"""Every registered adapter keeps its promises on a BERT and on GPTs, and every check of them can fail."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor

from acclimate.encode import adapters
from acclimate.encode.adapters import ADAPTERS, Adapter, Kind
from acclimate.encode.bottleneck import Bottleneck
from acclimate.encode.transformer import read_model
from acclimate.encode.wrapped import Frozen, Wrapped
from tests.contract import adapters as contract
from tests.contract.adapters import CHECKS, Make
from tests.encode.tiny_bert import save_tiny_bert
from tests.encode.tiny_gpt import save_tiny_gpt

BASES = ("bert", "llama", "gpt2")


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Make]:
    folders = {
        "bert": save_tiny_bert(tmp_path_factory.mktemp("bert")),
        "llama": save_tiny_gpt(tmp_path_factory.mktemp("llama")),
        "gpt2": save_tiny_gpt(tmp_path_factory.mktemp("gpt2"), family="gpt2"),
    }
    networks = {name: read_model(folder, 48)[0] for name, folder in folders.items()}
    return {name: lambda network=network: copy.deepcopy(network) for name, network in networks.items()}


def test_the_contract_is_complete() -> None:
    assert len(CHECKS) == len(set(CHECKS)) == 10
    assert len(ADAPTERS) * len(BASES) * len(CHECKS) == 270
    assert {name for name in vars(contract) if name.startswith("check_")} == {c.__name__ for c in CHECKS}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("kind", ADAPTERS)
def test_adapter_keeps_the_contract(
    bases: dict[str, Make], kind: str, base: str, check: Callable[[str, Make], None]
) -> None:
    check(kind, bases[base])


class Idle(Bottleneck):
    """Never does anything."""

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        with self.off():
            return super().forward(ids, mask)


class Leaking(Bottleneck):
    """Is never off."""

    @contextmanager
    def off(self) -> Iterator[None]:
        yield


class Losing(Bottleneck):
    """Merges to the base alone."""

    def merge(self) -> Wrapped:
        self.on = False
        return Frozen(self.network, 0)


class Forgetful(Bottleneck):
    """Takes on what it is given, but for the last net."""

    def take(self, weights: Any) -> None:
        super().take(weights)
        torch.nn.init.zeros_(self.narrow[-1].up.weight)  # type: ignore[arg-type, union-attr]


class Anywhere(Bottleneck):
    """Belongs to every base."""


class Greedy(Bottleneck):
    """Trains the base too, and does not say so."""

    def put(self, network: Any) -> Any:
        super().put(network)
        next(iter(network.parameters())).requires_grad_(True)
        return network

    def weights(self) -> dict[str, Tensor]:
        return {name: value for name, value in super().weights().items() if name.startswith("narrow")}


class Dead(Bottleneck):
    """Its first net learns nothing."""

    def put(self, network: Any) -> Any:
        network = super().put(network)
        self.narrow[0].register_forward_hook(lambda net, given, found: found.detach() + 0 * given[0])
        return network


class Drifting(Bottleneck):
    """Begins somewhere else each time."""

    calls = 0

    def put(self, network: Any) -> Any:
        type(self).calls += 1
        torch.manual_seed(self.calls)
        return super().put(network)


class Company(Bottleneck):
    """What it says depends on the padding."""

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        return super().forward(ids, torch.ones_like(mask)) * ids.shape[1]


class Fat(Bottleneck):
    """Larger than its base."""

    def __init__(self, network: Any, size: int) -> None:
        super().__init__(network, 4_096)


BROKEN: dict[Callable[[str, Make], None], type[Wrapped]] = {
    contract.check_it_answers_otherwise_than_the_base: Idle,
    contract.check_off_is_the_base_bit_for_bit: Leaking,
    contract.check_merged_equals_unmerged: Losing,
    contract.check_save_and_load_change_nothing: Forgetful,
    contract.check_another_base_is_refused: Anywhere,
    contract.check_only_its_weights_train: Greedy,
    contract.check_a_gradient_reaches_each_weight: Dead,
    contract.check_the_seed_decides: Drifting,
    contract.check_company_changes_nothing: Company,
    contract.check_it_is_smaller_than_its_base: Fat,
}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_every_check_can_fail(
    bases: dict[str, Make], check: Callable[[str, Make], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = BROKEN[check]
    monkeypatch.setitem(ADAPTERS, "broken", Kind("is broken", "x:y", 1e-3, 16, merges=False))
    made = [broken]
    monkeypatch.setattr(adapters, "wrap", lambda network, kind, size=0, seed=0: _made(made[0], network, seed))
    with monkeypatch.context() as patch:
        if broken is Anywhere:
            patch.setattr(Adapter, "check_base", lambda self, base: None)
        with pytest.raises((AssertionError, pytest.fail.Exception)):
            check("broken", bases["bert"])
    made[0] = Bottleneck
    check("broken", bases["bert"])


def _made(kind: type[Wrapped], network: Any, seed: int) -> Wrapped:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return kind(network, 4)
