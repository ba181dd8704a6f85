"""Settings that were given and change nothing: a fit of half an hour is no place to find out."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import asdict

from acclimate.config import Adapter, Settings, Train
from acclimate.data.dataset import Dataset
from acclimate.models import MODELS, arguments, defaults
from acclimate.models.idle import idle
from acclimate.parallel import processes
from acclimate.words import counted

READS = ("pooling", "max_tokens", "precision")
"""Settings of a language model that reads."""


def unused(settings: Settings, names: Sequence[str]) -> list[str]:
    """Return a line for each setting that changes nothing in fits of the models ``names``.

    Example:
        >>> unused(Settings(adapter=Adapter(epochs=4)), ["sequence"])
        ["adapter.epochs is set, and adapter.name is 'frozen': nothing is tuned. Name one, such as lora"]
    """
    adapter, found = settings.adapter, []
    set_to = [
        key for key, value in asdict(Adapter()).items() if key != "name" and getattr(adapter, key) != value
    ]
    if adapter.name == "frozen" and set_to:
        what = ", ".join(f"adapter.{key}" for key in set_to)
        verb = "is" if len(set_to) == 1 else "are"
        found.append(
            f"{what} {verb} set, and adapter.name is 'frozen': nothing is tuned. Name one, such as lora"
        )
    if adapter.name != "frozen" and not any("encoder" in arguments(name) for name in names):
        readers = ", ".join(name for name in MODELS if "encoder" in arguments(name))
        who = f"{' and '.join(names)} {'reads' if len(names) == 1 else 'read'}"
        found.append(f"adapter.name={adapter.name!r} changes nothing: {who} no texts. These do: {readers}")
    ids = "sequence" in names and settings.train.params.get("item_vector") == "id"
    if adapter.name != "frozen" and ids and settings.train.params.get("user_text", "off") == "off":
        found.append(
            f"adapter.name={adapter.name!r} changes nothing in sequence: item_vector='id' reads no texts"
        )
    read = [f"train.{key}" for key in READS if getattr(settings.train, key) != getattr(Train(), key)]
    if read and (
        settings.train.encoder == "tfidf" or not any("encoder" in arguments(name) for name in names)
    ):
        found.append(f"{' and '.join(read)} set nothing: no language model reads texts here")
    found += _idle(settings) if "sequence" in names else []
    rows = settings.train.item_rows
    if rows != "auto" and processes().count == 1:
        found.append(f"train.item_rows={rows!r} changes nothing in one process: it is for torchrun")
    return found


def _idle(settings: Settings) -> list[str]:
    """Return a line for each argument of the sequence model that does nothing beside the others."""
    known, given = defaults("sequence"), settings.train.params
    mine = {name: value for name, value in given.items() if name in known}
    params = known | settings.train.tuned.get("sequence", {}) | mine
    return [f"train.params.{name} changes nothing: {why}" for name, why in idle(params, mine).items()]


def unused_by(settings: Settings, names: Sequence[str], data: Dataset) -> list[str]:
    """Return a line for each of ``train.params`` that changes nothing with these data, and for long texts."""
    given, found = settings.train.params, []
    taken = {argument for name in names for argument in arguments(name)}
    if given.get("baskets") and "baskets" in taken and not data.timed:
        found.append("train.params.baskets changes nothing: the data have no times, so there are no baskets")
    reads = given.get("user_text", "off") != "off" and "user_text" in taken
    if reads and not any(data.texts) and not len(data.searches):
        found.append(
            f"train.params.user_text={given['user_text']!r} has nothing to read: neither items nor searches "
            "have a text"
        )
    most = settings.train.max_tokens
    long = sum(len(text.split()) > most for text in data.texts) if settings.train.encoder != "tfidf" else 0
    if long and any("encoder" in arguments(name) for name in names):
        found.append(
            f"{counted(long, 'item')} of {data.n_items:,} have a text of more than {most} words, and no more "
            f"than {most} tokens of a text are read (train.max_tokens)"
        )
    return found
