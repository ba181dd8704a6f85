"""A network of transformers with an adapter on it: on, off, merged, and its weights alone."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from acclimate.errors import InputError
from acclimate.types import Floats


def layers_of(network: nn.Module) -> tuple[str, nn.ModuleList]:
    """Return the name of the list of a network's layers, and the list.

    Raises:
        InputError: It has none.
    """
    lists = [(name, part) for name, part in network.named_modules() if isinstance(part, nn.ModuleList)]
    alike = [(name, part) for name, part in lists if len({type(layer) for layer in part}) == 1]
    if not alike:
        raise InputError(
            f"{type(network).__name__} has no list of equal layers, so no adapter fits: give a BERT or a GPT",
            field="adapter",
        )
    return max(alike, key=lambda found: len(found[1]))


def matrices_of(network: nn.Module) -> list[str]:
    """Return the names of the linear maps inside the layers."""
    from transformers.pytorch_utils import Conv1D

    where, layers = layers_of(network)
    inside = layers.named_modules(prefix=where)
    return [name for name, part in inside if isinstance(part, nn.Linear | Conv1D)]


class Wrapped(nn.Module):
    """A network and its adapter; what is not the adapter's does not train.

    Args:
        network: Of transformers; changed in place.
        size: How large the adapter is; what that counts is the kind's business.

    Attributes:
        tokens: Places before the text that it takes up.
    """

    tokens = 0

    def __init__(self, network: Any, size: int) -> None:
        super().__init__()
        network.requires_grad_(False)
        self.size = size
        self.network = self.put(network)
        self.names = [name for name, weight in self.named_parameters() if weight.requires_grad]

    def put(self, network: Any) -> Any:
        """Put the adapter on ``network``, let its weights alone train, and return what answers now."""
        raise NotImplementedError

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Return the last layer's vectors float[b, t, d] of tokens int64[b, t]; ``mask`` is 1 for real."""
        found: Tensor = self.network(input_ids=ids, attention_mask=mask).last_hidden_state
        return found

    @contextmanager
    def off(self) -> Iterator[None]:
        """Answer as the base does, bit for bit, for a while."""
        with self.network.disable_adapter():
            yield

    def merge(self) -> Wrapped:
        """Return what answers the same within 1e-5 and costs as little as it can; this one is used up."""
        return Frozen(self.network.merge_and_unload(), 0)

    def weights(self) -> dict[str, Tensor]:
        """Return the adapter's own weights by name."""
        own = dict(self.named_parameters())
        return {name: own[name] for name in self.names}

    @torch.no_grad()
    def take(self, weights: Mapping[str, Floats]) -> None:
        """Take on the adapter's weights.

        Raises:
            InputError: Their names or shapes are others.
        """
        own = self.weights()
        wrong = sorted(own.keys() ^ weights.keys())
        wrong += [name for name in own.keys() & weights.keys() if own[name].shape != weights[name].shape]
        if wrong:
            raise InputError(
                f"the adapter's weights do not fit this base, {len(wrong)} differ, as {wrong[0]}: tune again",
                field="adapter",
            )
        for name, value in own.items():
            value.copy_(torch.from_numpy(np.array(weights[name])))

    def plan(self, steps: int) -> None:
        """Hear how many steps it will be trained for."""

    def step(self) -> None:
        """Hear that a training step begins; gradients are those of the step before."""

    def penalty(self) -> Tensor | float:
        """Return what its weights add to the loss."""
        return 0.0


class Chosen(Wrapped):
    """Weights of the base itself train; what they were is kept, so that they can be put back."""

    def put(self, network: Any) -> Any:
        """Let the chosen weights train."""
        for name, weight in network.named_parameters():
            weight.requires_grad_(self.chooses(network, name))
        self._base = {n: w.detach().clone() for n, w in network.named_parameters() if w.requires_grad}
        return network

    def chooses(self, network: Any, name: str) -> bool:
        """Return whether the weight ``name`` trains."""
        raise NotImplementedError

    @contextmanager
    def off(self) -> Iterator[None]:
        """Put the base's weights back for a while."""
        own = {name: weight for name, weight in self.network.named_parameters() if name in self._base}
        now = {name: weight.detach().clone() for name, weight in own.items()}
        self._put(own, self._base)
        try:
            yield
        finally:
            self._put(own, now)

    @staticmethod
    @torch.no_grad()
    def _put(own: dict[str, nn.Parameter], values: dict[str, Tensor]) -> None:
        for name, weight in own.items():
            weight.copy_(values[name])

    def merge(self) -> Wrapped:
        """Keep the weights and forget what they were."""
        return Frozen(self.network, 0)


class Frozen(Chosen):
    """Nothing trains."""

    def chooses(self, network: Any, name: str) -> bool:
        """Choose none."""
        return False


class Top(Chosen):
    """The last ``size`` layers train."""

    def chooses(self, network: Any, name: str) -> bool:
        """Choose what lies in the last layers."""
        where, layers = layers_of(network)
        if self.size > len(layers):
            raise InputError(
                f"size must be 1..{len(layers)}, the layers of this model, got {self.size}", field="size"
            )
        first = len(layers) - self.size
        return any(name.startswith(f"{where}.{i}.") for i in range(first, len(layers)))


class Full(Chosen):
    """Every weight trains that has a say in the vectors of the tokens."""

    def chooses(self, network: Any, name: str) -> bool:
        """Choose all but BERT's pooler, which nobody reads."""
        return not name.startswith("pooler.")


class _Peft(Wrapped):
    """A kind that the library peft makes."""

    def put(self, network: Any) -> Any:
        """Let peft wrap the network."""
        from peft import get_peft_model

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Conv1D and of adapters never saved by peft
            return get_peft_model(network, self.config(network))

    def config(self, network: Any) -> Any:
        """Return peft's configuration of the kind."""
        raise NotImplementedError


class LoRA(_Peft):
    """Hu et al., "LoRA", ICLR 2022; on all matrices of the layers (Dettmers et al., QLoRA, 2023)."""

    def config(self, network: Any) -> Any:
        """Return LoRA of rank ``size``."""
        from peft import LoraConfig

        return LoraConfig(r=self.size, lora_alpha=2 * self.size, target_modules=matrices_of(network))


class IA3(_Peft):
    """Liu et al., NeurIPS 2022: factors, here for the outputs of all matrices of the layers."""

    def config(self, network: Any) -> Any:
        """Return IA3."""
        from peft import IA3Config

        return IA3Config(target_modules=matrices_of(network), feedforward_modules=[])


class AdaLoRA(_Peft):
    """Zhang et al., ICLR 2023: starts with half as many ranks again, and drops what matters least."""

    done = 0

    def config(self, network: Any) -> Any:
        """Return AdaLoRA that ends with ``size`` ranks a matrix on average."""
        from peft import AdaLoraConfig

        return AdaLoraConfig(
            init_r=self.size + (self.size + 1) // 2,
            target_r=self.size,
            lora_alpha=2 * self.size,
            target_modules=matrices_of(network),
            total_step=1,
        )

    def plan(self, steps: int) -> None:
        """Keep all ranks for a tenth of the steps, and those that are left for the last third."""
        config = self._config
        config.total_step, config.deltaT = steps, max(1, steps // 50)
        config.tinit, config.tfinal = steps // 10, steps // 3

    def step(self) -> None:
        """Let peft weigh the ranks by the gradients of the step before."""
        config = self._config
        final = config.total_step - config.tfinal
        learned = any(weight.grad is not None for weight in self.weights().values())
        learned &= self.done < final or bool(self.network.base_model.rankallocator.ipt)  # too few steps
        if (0 < self.done <= final and learned) or (self.done > final and config.rank_pattern):
            self.network.base_model.update_and_allocate(self.done)
        self.done += 1

    def penalty(self) -> Tensor:
        """Return how far the factors are from orthogonal, weighted."""
        rows = [w if "lora_A" in name else w.T for name, w in self.weights().items() if "lora_E" not in name]
        far = [(w @ w.T - torch.eye(len(w), device=w.device)).norm() for w in rows]
        weight: float = self._config.orth_reg_weight
        return weight * torch.stack(far).mean()

    @property
    def _config(self) -> Any:
        return self.network.peft_config["default"]

    def get_extra_state(self) -> dict[str, Any]:
        """Return what is known of the ranks, so that a killed fit goes on alike."""
        ranks = self.network.base_model.rankallocator
        known = {name: getattr(ranks, name) for name in ("ipt", "exp_avg_ipt", "exp_avg_unc")}
        return {"done": self.done, "pattern": self._config.rank_pattern, **known}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Go on from `get_extra_state`."""
        ranks, device = self.network.base_model.rankallocator, next(self.parameters()).device
        self.done, self._config.rank_pattern = state["done"], state["pattern"]
        for name in ("ipt", "exp_avg_ipt", "exp_avg_unc"):
            setattr(ranks, name, {key: value.to(device) for key, value in state[name].items()})


class _Virtual(_Peft):
    """Learned places before the text."""

    def put(self, network: Any) -> Any:
        """Begin near zero: peft begins far from what models are used to."""
        self.tokens = self.size
        made = super().put(network)
        nn.init.normal_(made.prompt_encoder["default"].embedding.weight, std=0.02)
        return made

    @contextmanager
    def off(self) -> Iterator[None]:
        """Ask the base, which peft leaves as it was."""
        tuned, self.network, self.tokens = self.network, self.network.base_model, 0
        try:
            yield
        finally:
            self.network, self.tokens = tuned, self.size

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Leave out the vectors of the learned places."""
        return super().forward(ids, mask)[:, -ids.shape[1] :]

    def merge(self) -> Wrapped:
        """Return itself: there is nothing in the base's weights that it could become."""
        return self


class Prompt(_Virtual):
    """Lester et al., EMNLP 2021: ``size`` learned tokens before the text."""

    def config(self, network: Any) -> Any:
        """Return prompt tuning."""
        from peft import PromptTuningConfig

        return PromptTuningConfig(task_type="FEATURE_EXTRACTION", num_virtual_tokens=self.size)


class Prefix(_Virtual):
    """Li and Liang, ACL 2021: ``size`` learned keys and values before the text, in each layer."""

    def config(self, network: Any) -> Any:
        """Return prefix tuning."""
        from peft import PrefixTuningConfig

        return PrefixTuningConfig(task_type="FEATURE_EXTRACTION", num_virtual_tokens=self.size)
