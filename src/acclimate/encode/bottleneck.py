"""A narrow net after each layer (Houlsby et al., ICML 2019; placed as by Pfeiffer et al., EACL 2021)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from acclimate.encode.wrapped import Wrapped, layers_of


class Bottleneck(Wrapped):
    """``h + W2 gelu(W1 h)`` after each layer; W2 begins at zero, so that a new one changes nothing."""

    def put(self, network: Any) -> Any:
        """Hang a net of ``size`` units behind each layer."""
        width = network.config.hidden_size
        _, layers = layers_of(network)
        self.on, self.narrow = True, nn.ModuleList(_Narrow(width, self.size) for _ in layers)
        self._hooks = [
            layer.register_forward_hook(self._behind(net))
            for layer, net in zip(layers, self.narrow, strict=True)
        ]
        return network

    def _behind(self, net: nn.Module) -> Any:
        def hook(layer: nn.Module, given: Any, found: Any) -> Any:
            if not self.on:
                return None
            return (net(found[0]), *found[1:]) if isinstance(found, tuple) else net(found)

        return hook

    @contextmanager
    def off(self) -> Iterator[None]:
        """Let the layers' answers pass."""
        self.on = False
        try:
            yield
        finally:
            self.on = True

    def merge(self) -> Wrapped:
        """Return itself: what is not linear cannot become part of a matrix."""
        return self


class _Narrow(nn.Module):
    def __init__(self, width: int, units: int) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(width, units), nn.Linear(units, width)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return float[b, t, width] for the same."""
        more: Tensor = self.up(nn.functional.gelu(self.down(hidden)))
        return hidden + more
