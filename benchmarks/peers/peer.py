"""Fit one model of another library and write down its lists; runs in the environment of the peers.

Knows nothing of Acclimate: it gets arrays and gives arrays (see `run.py`).
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import time
import zlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from implicit.als import AlternatingLeastSquares
from implicit.nearest_neighbours import BM25Recommender, CosineRecommender, TFIDFRecommender
from pytorch_lightning import Trainer, seed_everything
from pytorch_lightning.callbacks import Callback, EarlyStopping, ModelCheckpoint
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import (
    EASEModel,
    HSTUModel,
    ImplicitALSWrapperModel,
    ImplicitItemKNNWrapperModel,
    PopularModel,
    SASRecModel,
)

K, HELD_OUT = 10, 512
NETS = {"sasrec": SASRecModel, "hstu": HSTUModel}
NEIGHBOURS = {"cosine": CosineRecommender, "tfidf": TFIDFRecommender, "bm25": BM25Recommender}


def frame(users: Any, items: Any, seconds: Any) -> pd.DataFrame:
    """Return events as RecTools wants them."""
    return pd.DataFrame(
        {
            Columns.User: users,
            Columns.Item: items,
            Columns.Weight: 1.0,
            Columns.Datetime: pd.to_datetime(seconds, unit="s"),
        }
    )


def last_of_some(events: pd.DataFrame, seed: int) -> np.ndarray:
    """Return which events are the last of the users who are held out, bool[n]."""
    users = np.random.default_rng(seed).permutation(events[Columns.User].unique())[:HELD_OUT]
    last = events.groupby(Columns.User)[Columns.Datetime].rank(method="first", ascending=False) == 1
    return (last & events[Columns.User].isin(users)).to_numpy()


class Resumed(Trainer):
    """Goes on from the last epoch that was written down; a fit takes hours."""

    def fit(self, model: Any, *args: Any, **more: Any) -> None:
        last = Path(self.checkpoint_callback.dirpath) / "last.ckpt"
        model.is_fitted = last.is_file()  # else RecTools draws the weights anew
        super().fit(model, *args, ckpt_path=last if model.is_fitted else None, **more)


class Clock(Callback):
    """CPU and wall seconds since the start, of all the processes that the fit took.

    They are written down with the weights.
    """

    def __init__(self) -> None:
        self.before = {"cpu": 0.0, "wall": 0.0}
        self.start = {"cpu": time.process_time(), "wall": time.perf_counter()}

    def now(self) -> dict[str, float]:
        """Return seconds by kind."""
        ticks = {"cpu": time.process_time(), "wall": time.perf_counter()}
        return {kind: self.before[kind] + ticks[kind] - self.start[kind] for kind in ticks}

    def on_validation_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Tell that an epoch is done."""
        told = {key: round(float(value), 4) for key, value in trainer.callback_metrics.items()}
        print(f"epoch {trainer.current_epoch + 1}: {told}, {self.now()['cpu']:.0f} CPU s", flush=True)

    def state_dict(self) -> dict[str, float]:
        """Return what is kept."""
        return self.now()

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        """Go on from there."""
        self.before = state_dict


def fitted_net(
    kind: str, events: pd.DataFrame, seed: int, params: dict[str, Any], how: argparse.Namespace
) -> tuple[Any, dict[str, Any]]:
    """Return the net with its best weights, by the loss on what is held out, and how the fit went."""
    seed_everything(seed, workers=True)
    folder, clock = Path(params.pop("folder")), Clock()

    def trainer(**_: Any) -> Trainer:
        stop = EarlyStopping("val_loss", patience=how.patience)
        keep = ModelCheckpoint(
            folder, monitor="val_loss", filename="best", enable_version_counter=False, save_last=True
        )
        return Resumed(
            max_epochs=how.epochs,
            precision=how.precision,
            accelerator="cpu",
            callbacks=[clock, stop, keep],
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )

    model = NETS[kind](
        get_val_mask_func=lambda interactions, **_: last_of_some(interactions, seed),
        get_trainer_func=trainer,
        recommend_torch_device="cpu",
        **params,
    )
    model.fit(Dataset.construct(events))
    best = torch.load(folder / "best.ckpt", weights_only=False)
    model.lightning_model.load_state_dict(best["state_dict"])
    (folder / "last.ckpt").unlink()
    took = next(each for each in model.fit_trainer.callbacks if isinstance(each, Clock)).now()
    return model, {
        "fit_seconds": round(took["wall"], 1),
        "fit_cpu_seconds": round(took["cpu"], 1),
        "epochs": int(best["epoch"]) + 1,
        "epochs_run": int(model.fit_trainer.current_epoch),
    }


def classic(kind: str, params: dict[str, Any], seed: int) -> Any:
    """Return a classic model with these arguments."""
    one = {"num_threads": torch.get_num_threads()}
    if kind == "als":
        return ImplicitALSWrapperModel(AlternatingLeastSquares(**params, **one, random_state=seed))
    if kind == "ease":
        return EASEModel(**params, recommend_use_gpu_ranking=False)
    if kind == "item-knn":
        return ImplicitItemKNNWrapperModel(NEIGHBOURS[params["weighting"]](K=params["K"], **one))
    return PopularModel("n_interactions", period=timedelta(days=params["days"]))


def fitted_classic(
    kind: str, events: pd.DataFrame, seed: int, grid: dict[str, list[Any]]
) -> tuple[Any, dict[str, Any]]:
    """Return the model with the best arguments of ``grid``, by NDCG@10 of what is held out, fitted on all."""
    out = last_of_some(events, seed)
    rest, asked = events[~out], events[out]
    asked = asked[asked[Columns.User].isin(rest[Columns.User].unique())]
    known, every = Dataset.construct(rest), Dataset.construct(events)
    found = []
    for values in itertools.product(*grid.values()):
        params = dict(zip(grid, values, strict=True))
        model = classic(kind, params, seed).fit(known)
        lists = model.recommend(asked[Columns.User].to_numpy(), known, k=K, filter_viewed=True)
        both = lists.merge(asked, on=[Columns.User, Columns.Item])
        found.append((float((1 / np.log2(1 + both[Columns.Rank])).sum() / len(asked)), params))
    figure, params = max(found, key=lambda each: each[0])
    return classic(kind, params, seed).fit(every), {"params": params, "validation_ndcg@10": round(figure, 5)}


def lists_of(model: Any, kind: str, events: pd.DataFrame, arrays: Any) -> np.ndarray:
    """Return the items of the lists of all who are asked, int64[n, 10]; -1 where a list is shorter."""
    asked, more = arrays["asked"], {}
    if kind == "hstu":  # it is told the time of the question
        more["context"] = frame(asked, -1, arrays["asked_time"])
    lists = model.recommend(asked, Dataset.construct(events), k=K, filter_viewed=True, **more)
    found = np.full((len(asked), K), -1)
    row = pd.Series(np.arange(len(asked)), index=asked)
    places = row[lists[Columns.User]].to_numpy(), lists[Columns.Rank].to_numpy() - 1
    found[places] = lists[Columns.Item].to_numpy()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("arrays", type=Path, help="user item time of the training events, users to ask for")
    parser.add_argument("out", type=Path, help="where the lists and what they cost go")
    parser.add_argument(
        "--model", choices=[*NETS, "als", "ease", "item-knn", "recent-popularity"], required=True
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--patience", type=int, default=25)
    parser.add_argument("--precision", default="32-true", help="of a net, as Lightning calls it")
    parser.add_argument("--params", type=json.loads, default={})
    args = parser.parse_args()
    params = args.params
    torch.set_num_threads(int(params.pop("threads", torch.get_num_threads())))
    arrays = np.load(args.arrays)
    events = frame(*(arrays[name] for name in ("user", "item", "time")))
    wall, cpu = time.perf_counter(), time.process_time()
    if args.model in NETS:
        same = json.dumps([params, args.epochs, args.patience, args.precision], sort_keys=True)
        folder = args.out.with_suffix("").with_name(f"{args.out.stem}-{zlib.crc32(same.encode()):08x}")
        model, how = fitted_net(args.model, events, args.seed, params | {"folder": str(folder)}, args)
        how |= {"params": params, "precision": args.precision}
    else:
        model, how = fitted_classic(args.model, events, args.seed, params["grid"])
    told = {
        "fit_seconds": round(time.perf_counter() - wall, 1),
        "fit_cpu_seconds": round(time.process_time() - cpu, 1),
        **how,
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "threads": torch.get_num_threads(),
    }
    np.savez(args.out, lists=lists_of(model, args.model, events, arrays), told=json.dumps(told))


if __name__ == "__main__":
    main()
