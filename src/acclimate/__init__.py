"""Acclimate: a recommender that reads with language models and keeps learning."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from acclimate.data.dataset import Dataset as Dataset
    from acclimate.encode.text import TextEncoder as TextEncoder
    from acclimate.encode.tfidf import TfidfEncoder as TfidfEncoder
    from acclimate.evaluate.protocols import evaluate as evaluate
    from acclimate.models.als import ALS as ALS
    from acclimate.models.bpr import BPR as BPR
    from acclimate.models.content import Content as Content
    from acclimate.models.ease import EASE as EASE
    from acclimate.models.item_knn import ItemKNN as ItemKNN
    from acclimate.models.lightgcn import LightGCN as LightGCN
    from acclimate.models.mf import MatrixFactorisation as MatrixFactorisation
    from acclimate.models.popularity import Popularity as Popularity
    from acclimate.models.ranker import Ranker as Ranker
    from acclimate.models.recent_popularity import RecentPopularity as RecentPopularity
    from acclimate.models.sequence import SequenceModel as SequenceModel
    from acclimate.models.user_knn import UserKNN as UserKNN
    from acclimate.models.vae import VAE as VAE
    from acclimate.policies.epsilon import Epsilon as Epsilon
    from acclimate.policies.greedy import Greedy as Greedy
    from acclimate.recommend import Recommender as Recommender
    from acclimate.snapshot import Snapshot as Snapshot
    from acclimate.types import Event as Event
    from acclimate.types import Item as Item
    from acclimate.types import Query as Query

__version__ = "0.1.0"

_WHERE = {
    "ALS": "models.als",
    "BPR": "models.bpr",
    "Content": "models.content",
    "Dataset": "data.dataset",
    "EASE": "models.ease",
    "Epsilon": "policies.epsilon",
    "Event": "types",
    "Greedy": "policies.greedy",
    "Item": "types",
    "ItemKNN": "models.item_knn",
    "LightGCN": "models.lightgcn",
    "MatrixFactorisation": "models.mf",
    "Popularity": "models.popularity",
    "Query": "types",
    "Ranker": "models.ranker",
    "RecentPopularity": "models.recent_popularity",
    "Recommender": "recommend",
    "SequenceModel": "models.sequence",
    "Snapshot": "snapshot",
    "TextEncoder": "encode.text",
    "TfidfEncoder": "encode.tfidf",
    "UserKNN": "models.user_knn",
    "VAE": "models.vae",
    "evaluate": "evaluate",
}
__all__ = sorted([*_WHERE, "__version__"])


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: torch and polars are slow to load."""
    if name not in _WHERE:
        raise AttributeError(f"module 'acclimate' has no attribute {name!r}")
    module = import_module(f"acclimate.{_WHERE[name]}")
    value = (
        module if _WHERE[name] == name else getattr(module, name)
    )  # `evaluate` is a room that can be called
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
