"""Where a fit of the sequence model may start: at what another one has learned, on this catalogue or another.

What knows no item carries over: the blocks, norms, places and scale, the space of texts, and the encoder
with its adapter. So the net finds each text where it learned to read it. The id of an item carries over where
it is the same item: the same outside id with the same text. All others begin anew: at zero, where their text
puts them, and at random where there is no text to stand by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from acclimate.errors import InputError
from acclimate.models.item_vectors import TextSpace
from acclimate.models.repeats import OWN
from acclimate.models.sequence_net import ITS_OWN, SequenceNet
from acclimate.types import Encoder, Floats, Item, Model

SHAPE = (
    "width",
    "item_vector",
    "id_share",
    "user_text",
    "block",
    "layers",
    "heads",
    "places",
    "time",
    "feedback",
    "repeats",
    "item_bias",
    "max_length",
)
"""Arguments that decide which weights there are and what they mean; they have to be the same."""


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """What a fitted sequence model hands on.

    Args:
        params: Its arguments.
        weights: Those of its net, without the items'.
        ids: Learned parts of its items, float32[n, id_d].
        own: What else was learned of each, as `acclimate.models.repeats.ItemTerms.own` has it.
        catalogue: Its n items, by code.
        encoder: What read their texts; None if nothing did.
        space: Where the texts stand; None if nothing read them, or there were none: then they are read and
            placed as in a fit from scratch.
    """

    params: dict[str, Any]
    weights: dict[str, NDArray[Any]]
    ids: Floats
    own: Floats
    catalogue: tuple[Item, ...]
    encoder: Encoder | None
    space: TextSpace | None

    @classmethod
    def of(cls, other: Model, catalogue: Sequence[Item]) -> Start:
        """Take off ``other``, a fitted sequence model, what carries over; ``catalogue`` are its items.

        Raises:
            InputError: It is another model, it is not fitted, or the catalogue is not its own.
        """
        if other.name != "sequence":
            raise InputError(
                f"sequence starts from what another sequence model has learned, this is {other.name}",
                code="other_model",
                field="from",
            )
        arrays, document = other.state()
        if len(catalogue) != other.n_items:
            raise InputError(
                f"catalogue must be the {other.n_items} items of the model that is started from, "
                f"got {len(catalogue)}",
                field="catalogue",
            )
        weights = {name[4:]: array for name, array in arrays.items() if name.startswith("net.")}
        space = None
        if "space.axes" in arrays and arrays["space.axes"].any():
            space = TextSpace(arrays["space.mean"], arrays["space.axes"])
        params = dict(document["params"])
        own = arrays.get("own", np.zeros((len(catalogue), OWN), np.float32))
        return cls(params, weights, arrays["ids"], own, tuple(catalogue), other.encoder, space)

    def checked(self, params: dict[str, Any], encoder: Encoder | None) -> Start:
        """Return this if a model of these arguments and with this encoder can start here.

        The encoder reads as that of the other model from then on.

        Raises:
            InputError: It has another shape, no encoder or another one; says what to set.
        """
        for name in SHAPE:
            if params[name] != self.params[name]:
                had = self.params[name]
                wanted = str(had).lower() if isinstance(had, bool) else had
                raise InputError(
                    f"what is started from has {name} {had!r}, this model {params[name]!r}: "
                    f"set train.params.{name}={wanted}, or train from scratch",
                    code="other_shape",
                    field=f"train.params.{name}",
                )
        if self.space is None:
            return self
        if self.encoder is None:
            raise InputError(
                "the encoder of what is started from is not on this machine, so no text can be found again: "
                "install it, or train from scratch",
                code="encoder_missing",
                field="encoder",
            )
        if encoder is None or encoder.name != self.encoder.name:
            raise InputError(
                f"what is started from reads texts with {self.encoder.name!r}, this model with "
                f"{None if encoder is None else encoder.name!r}: set train.encoder={self.encoder.name}, or "
                "train from scratch",
                code="other_encoder",
                field="train.encoder",
            )
        encoder.restore(self.encoder.state())
        return self

    def begin(self, net: SequenceNet, items: Sequence[Item]) -> None:
        """Give ``net`` what carries over; ``items`` are those of its table, in its order.

        Raises:
            InputError: The weights are of another version.
        """
        own = net.state_dict()
        fit = all(name in own and own[name].shape == part.shape for name, part in self.weights.items())
        left = {name for name in own.keys() - self.weights.keys() if not name.startswith(ITS_OWN)}
        if not fit or left:
            raise InputError(
                "what is started from is of another version of sequence: train from scratch",
                code="other_shape",
                field="from",
            )
        net.load_state_dict(
            {name: torch.from_numpy(np.array(part)) for name, part in self.weights.items()}, strict=False
        )
        same = same_items(self.catalogue, items)
        if net.items.id_width == self.ids.shape[1]:
            self._place_ids(net, same)
        if net.terms:
            net.terms.take(list(same), self.own[list(same.values())])

    def _place_ids(self, net: SequenceNet, same: dict[int, int]) -> None:
        with torch.no_grad():
            net.items.ids[net.items.told[:, 0]] = 0
            for place, code in same.items():
                if self.ids[code].any():
                    net.items.ids[place] = torch.from_numpy(self.ids[code])


def same_items(known: Sequence[Item], items: Sequence[Item]) -> dict[int, int]:
    """Return which of ``items`` are among ``known``: place -> place there.

    An item is the same if its outside id and its text are. Where any shared id has another text, the two are
    other catalogues that number alike, and items without a text count as others.

    Example:
        >>> old = [Item("1", title="Heat"), Item("2", title="Alien"), Item("3")]
        >>> same_items(old, [Item("2", title="Alien"), Item("3")])
        {0: 1, 1: 2}
        >>> same_items(old, [Item("1", title="Heat"), Item("2", title="Jaws"), Item("3")])
        {0: 0}
    """
    places = {item.item_id: place for place, item in enumerate(known)}
    shared = {at: places[item.item_id] for at, item in enumerate(items) if item.item_id in places}
    alike = {at: place for at, place in shared.items() if items[at].reading == known[place].reading}
    if len(alike) == len(shared):
        return alike
    return {at: place for at, place in alike.items() if items[at].reading}
