"""Fit one model of another library and write down its lists; runs in the environment of the peers.

Knows nothing of Acclimate: it gets arrays and gives arrays (see `run.py`).
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from pytorch_lightning import Trainer, seed_everything
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import HSTUModel, SASRecModel

K = 10
KINDS = {"sasrec": SASRecModel, "hstu": HSTUModel}


def frame(arrays: Any) -> pd.DataFrame:
    """Return the training events as RecTools wants them: in the order of their times."""
    return pd.DataFrame(
        {
            Columns.User: arrays["user"],
            Columns.Item: arrays["item"],
            Columns.Weight: 1.0,
            Columns.Datetime: pd.to_datetime(arrays["time"], unit="s"),
        }
    )


def fitted(
    kind: str, events: pd.DataFrame, seed: int, epochs: int, patience: int, params: dict[str, Any]
) -> Any:
    """Return the model with its best weights, by the loss on the last events of 512 users."""
    seed_everything(seed, workers=True)
    users = np.random.default_rng(seed).permutation(events[Columns.User].unique())[:512]
    folder = Path(params.pop("folder"))

    def held_out(interactions: pd.DataFrame, **_: Any) -> np.ndarray:
        last = interactions.groupby(Columns.User)[Columns.Datetime].rank(method="first", ascending=False) == 1
        return (last & interactions[Columns.User].isin(users)).to_numpy()

    def trainer(**_: Any) -> Trainer:
        stop = EarlyStopping("val_loss", patience=patience)
        keep = ModelCheckpoint(folder, monitor="val_loss", filename="best", enable_version_counter=False)
        return Trainer(
            max_epochs=epochs,
            accelerator="cpu",
            callbacks=[stop, keep],
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )

    model = KINDS[kind](
        get_val_mask_func=held_out, get_trainer_func=trainer, recommend_torch_device="cpu", **params
    )
    model.fit(Dataset.construct(events))
    best = torch.load(folder / "best.ckpt", weights_only=False)
    model.lightning_model.load_state_dict(best["state_dict"])
    return model, int(best["epoch"]) + 1, int(model.fit_trainer.current_epoch)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("arrays", type=Path, help="user item time of the training events, users to ask for")
    parser.add_argument("out", type=Path, help="where the lists and what they cost go")
    parser.add_argument("--model", choices=KINDS, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--patience", type=int, default=10)
    parser.add_argument("--params", type=json.loads, default={})
    args = parser.parse_args()
    torch.set_num_threads(int(args.params.pop("threads", torch.get_num_threads())))
    arrays = np.load(args.arrays)
    events = frame(arrays)
    params = args.params | {"folder": str(args.out.with_suffix(""))}
    wall, cpu = time.perf_counter(), time.process_time()
    model, best, ran = fitted(args.model, events, args.seed, args.epochs, args.patience, params)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    context = None
    if args.model == "hstu":  # it is told the time of the question
        context = pd.DataFrame(
            {
                Columns.User: arrays["asked"],
                Columns.Datetime: pd.to_datetime(arrays["asked_time"], unit="s"),
                Columns.Item: -1,
                Columns.Weight: 1.0,
            }
        )
    lists = model.recommend(
        arrays["asked"],
        Dataset.construct(events),
        k=K,
        filter_viewed=True,
        **({"context": context} if context is not None else {}),
    )
    found = np.full((len(arrays["asked"]), K), -1)
    row = pd.Series(np.arange(len(arrays["asked"])), index=arrays["asked"])
    found[row[lists[Columns.User]].to_numpy(), lists[Columns.Rank].to_numpy() - 1] = lists[
        Columns.Item
    ].to_numpy()
    told = {
        "fit_seconds": round(wall, 1),
        "fit_cpu_seconds": round(cpu, 1),
        "epochs": best,
        "epochs_run": ran,
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "threads": torch.get_num_threads(),
    }
    np.savez(args.out, lists=found, told=json.dumps(told))


if __name__ == "__main__":
    main()
