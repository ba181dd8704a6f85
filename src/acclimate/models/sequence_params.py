"""What the arguments of the sequence model may be, and what they ask of the loop that fits it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import wraps
from typing import Any

from acclimate.data.dataset import Dataset
from acclimate.devices import fitting_device, memory_left, memory_told
from acclimate.errors import SEEDS, AcclimateError, InputError, is_number, shown
from acclimate.models import heads
from acclimate.models.augment import AUGMENTATIONS
from acclimate.models.common import check_choice, check_flag, check_positive, check_whole
from acclimate.models.item_vectors import ITEM_VECTORS
from acclimate.models.losses import LOSSES
from acclimate.models.mixers import BIASED, kinds_of
from acclimate.models.neural import check_share
from acclimate.models.parts import check_parted
from acclimate.models.user_text import USER_TEXT
from acclimate.optimisers import SCHEDULES, check_optimiser
from acclimate.parallel import processes
from acclimate.training import Recipe
from acclimate.types import Floats

_NAMED: dict[str, tuple[str, Collection[str]]] = {
    "loss": ("loss", LOSSES),
    "item_vector": ("item vector", ITEM_VECTORS),
    "schedule": ("schedule", SCHEDULES),
    "user_text": ("user text", USER_TEXT),
}
SETTLED = 300
"""Steps before patience counts: where texts alone foresee something, ids at first make it worse (Beauty: for
200 steps)."""
FLAGS = ("places", "time", "feedback", "item_bias", "repeats", "baskets", "click")
"""Arguments that are true or false."""


def check(params: dict[str, Any]) -> None:
    """Raise InputError for an argument of `SequenceModel` that is of another kind, or out of range."""
    for name in FLAGS:
        check_flag(name, params[name])
    for name in ("width", "heads", "max_length", "patience", "batch_tokens", "ahead"):
        check_whole(name, params[name], 1, 10**9)
    check_whole("layers", params["layers"], 1, 1000)
    check_whole("epochs", params["epochs"], 0, 10**9)
    if params["validation_users"] is not None:
        check_whole("validation_users", params["validation_users"], 0, 10**9)
    check_whole("seed", params["seed"], 0, SEEDS)
    check_whole("negatives", params["negatives"], 1, 10**6)
    for name, (what, allowed) in _NAMED.items():
        check_choice(name, params[name], allowed, what)
    check_optimiser(params["optimiser"])
    heads.check(params)
    kinds = kinds_of(params["block"], params["layers"])
    if params["places"] and BIASED.keys().isdisjoint(kinds):
        raise InputError(
            f"places wants a block of {' or '.join(BIASED)}, got {params['block']}", field="places"
        )
    if params["ahead"] > 1 and params["baskets"]:
        raise InputError(
            f"ahead={params['ahead']} cannot be had with baskets, which foresee all that comes next: take 1",
            field="ahead",
        )
    if params["repeats"] and params["loss"] != "full":
        raise InputError(f"repeats wants loss='full', got {params['loss']!r}", field="repeats")
    if params["width"] % params["heads"]:
        raise InputError(
            f"width must be a multiple of heads, got {params['width']} and {params['heads']}", field="width"
        )
    share, power = params["id_share"], params["drawn_by"]
    if not is_number(share) or not 0 < share <= 1:
        raise InputError(f"id_share must be above 0 and at most 1, got {shown(share)}", field="id_share")
    if power is not None and (not is_number(power) or not 0 <= power <= 1):
        raise InputError(f"drawn_by must be 0..1, got {shown(power)}", field="drawn_by")
    for name in ("dropout", "id_dropout", "label_smoothing", "averaging"):
        check_share(name, params[name])
    check_share("learning_rate", params["learning_rate"], zero=False)
    for name in ("weight_decay", "l1", "perturbation", "contrast"):
        check_positive(name, params[name], zero=True)
    if params["nearness"] is not None:
        check_positive("nearness", params["nearness"], zero=True)
    ways = params["augment"]
    if not isinstance(ways, list | tuple) or not ways:
        raise InputError(
            f"augment must be a list of one or more of {', '.join(AUGMENTATIONS)}, such as "
            f'["{AUGMENTATIONS[0]}"], got {ways!r}',
            field="augment",
        )
    for way in ways:
        check_choice("augment", way, AUGMENTATIONS, "augmentation")


def drawn_by(params: Mapping[str, Any]) -> float:
    """Return the power of an item's count by which it is drawn; gBCE's calibration wants all alike."""
    given: float | None = params["drawn_by"]
    return (0.0 if params["loss"] == "gbce" else 0.75) if given is None else given


def check_size(params: dict[str, Any], device: str, n_items: int = 0) -> None:
    """Raise AcclimateError if what these arguments ask for would not fit into the memory that is free.

    Counted are the weights of the net, their gradient, two moments and what steps and checkpoints take beside
    them, without those of single items; and what is said of each item, or of those that are drawn, at each
    event of a batch, and its gradient. An operating system hands out more memory than there is, and kills
    who uses it.
    """
    width, layers, reach = params["width"], params["layers"], params["max_length"]
    needed = 4 * 6 * (width * reach + layers * 16 * width**2)
    free = memory_left(fitting_device(device))
    said = n_items if params["loss"] == "full" else params["negatives"]
    batch = 4 * 2 * said * params["batch_tokens"]
    if batch > free and batch > needed:
        full = params["loss"] == "full"
        lower = "batch_tokens, or take loss='sampled'" if full else "negatives or batch_tokens"
        raise AcclimateError(
            f"out of memory: {said:,} scores for each of the {params['batch_tokens']:,} events of a batch "
            f"(batch_tokens) take about {batch / 1e9:,.1f} GB to fit, and {free / 1e9:,.1f} GB are free: "
            f"lower train.params.{lower}",
            code="out_of_memory",
        )
    if needed > free:
        raise AcclimateError(
            f"out of memory: a net with width {width}, layers {layers} and max_length {reach} takes about "
            f"{needed / 1e9:,.1f} GB to fit, and {free / 1e9:,.1f} GB are free: lower train.params.width, "
            "layers or max_length",
            code="out_of_memory",
        )


def told_of_memory(fit: Callable[[Any, Dataset], None]) -> Callable[[Any, Dataset], None]:
    """Let ``fit`` of a sequence model say which settings to lower where memory runs out."""

    @wraps(fit)
    def told(self: Any, data: Dataset) -> None:
        drawn = [] if self.params["loss"] == "full" else ["negatives"]
        names = (*drawn, "batch_tokens", "width", "max_length")
        with memory_told("lower train.params." + ", or ".join(f"{n}, now {self.params[n]}" for n in names)):
            fit(self, data)

    return told


def check_learns(params: dict[str, Any], device: str, data: Dataset, *, started: bool) -> None:
    """Raise InputError if a model shall learn nothing that does not start from another, or hear of times that
    ``data`` do not have; see `check_size`.
    """
    check_size(params, device, data.n_items)
    if processes().count > 1:
        check_parted(params)
    if params["time"]:
        data.check_timed("The sequence model with time=true")
    if not (params["epochs"] or started):
        raise InputError(
            "epochs must be 1..1000000000, got 0; 0 is for a model that starts from another",
            code="epochs_out_of_range",
            field="epochs",
        )


def check_reads(params: dict[str, Any], told: bool | None) -> None:
    """Raise InputError if a model shall read texts and cannot.

    Args:
        params: Arguments of the model.
        told: Whether any item has a text; None if there is no encoder to read it.
    """
    if params["item_vector"] == "text" and not told:
        missing = "an encoder" if told is None else "items with texts, the data has none"
        raise InputError(f"item_vector='text' needs {missing}; 'fused' does without", field="item_vector")
    if params["user_text"] != "off" and told is None:
        given = params["user_text"]
        raise InputError(f"user_text={given!r} needs an encoder; 'off' does without", field="user_text")


def check_placed(params: dict[str, Any], axes: Floats) -> None:
    """Raise InputError if items shall stand by their texts alone, and ``axes`` tell no two texts apart."""
    if params["item_vector"] == "text" and not axes.any():
        raise InputError(
            "item_vector='text' needs texts that differ, those of the items with events are all blank or all "
            "alike; 'fused' does without",
            field="item_vector",
        )


def recipe(params: dict[str, Any]) -> Recipe:
    """Return how long and how fast the model with these arguments learns."""
    return Recipe(
        params["epochs"],
        params["learning_rate"],
        weight_decay=params["weight_decay"],
        patience=params["patience"],
        settled=SETTLED,
        seed=params["seed"],
        optimiser=params["optimiser"],
        schedule=params["schedule"],
        averaging=params["averaging"],
        l1=params["l1"],
    )
