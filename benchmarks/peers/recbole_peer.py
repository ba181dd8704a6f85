"""Fit RecBole's SASRec and write down its lists; runs in an environment of its own.

RecBole splits by itself: of each user the last event is asked for, and the one before is held out of the fit
to watch it. So it gets the targets too, as what comes last; time is the order in which it gets the events.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"  # its checkpoints hold more than weights

import numpy as np
import torch
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.model.sequential_recommender import SASRec
from recbole.trainer import Trainer
from recbole.utils import init_seed
from recbole.utils.case_study import full_sort_topk

K = 10


def write(arrays: Any, folder: Path) -> None:
    """Write the events, and the target of each user last, as RecBole reads them."""
    users = np.concatenate([arrays["user"], arrays["asked"]])
    items = np.concatenate([arrays["item"], arrays["target"]])
    place = np.arange(len(users))
    (folder / "set").mkdir()
    with (folder / "set" / "set.inter").open("w") as file:
        file.write("user_id:token\titem_id:token\ttimestamp:float\n")
        file.writelines(f"{u}\t{i}\t{t}\n" for u, i, t in zip(users, items, place, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("arrays", type=Path, help="user item of the training events, users and their targets")
    parser.add_argument("out", type=Path, help="where the lists and what they cost go")
    parser.add_argument("--model", choices=["recbole-sasrec"], required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--patience", type=int, default=10)
    parser.add_argument("--params", type=json.loads, default={})
    args = parser.parse_args()
    arrays = np.load(args.arrays)
    with tempfile.TemporaryDirectory() as scratch:
        write(arrays, Path(scratch))
        told = {
            "data_path": scratch,
            "checkpoint_dir": f"{scratch}/saved",
            "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
            "eval_args": {"split": {"LS": "valid_and_test"}, "order": "TO", "mode": "full"},
            "train_neg_sample_args": None,
            "valid_metric": "NDCG@10",
            "epochs": args.epochs,
            "stopping_step": args.patience,
            "seed": args.seed,
            "use_gpu": False,
            "show_progress": False,
            **args.params,
        }
        config = Config(model="SASRec", dataset="set", config_dict=told)
        init_seed(args.seed, True)
        data = create_dataset(config)
        train, valid, test = data_preparation(config, data)
        model = SASRec(config, train.dataset)
        trainer = Trainer(config, model)
        wall, cpu = time.perf_counter(), time.process_time()
        trainer.fit(train, valid, saved=True, show_progress=False)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        best = torch.load(trainer.saved_model_file, map_location="cpu", weights_only=False)
        model.load_state_dict(best["state_dict"])
        model.eval()
        users = data.token2id("user_id", arrays["asked"].astype(str))
        _, found = full_sort_topk(users, model, test, K, device="cpu")
        lists = data.id2token("item_id", found.numpy()).astype(np.int64)
    how = {
        "fit_seconds": round(wall, 1),
        "fit_cpu_seconds": round(cpu, 1),
        "epochs": int(best["epoch"]) + 1,
        "epochs_run": len(trainer.train_loss_dict),
        "params": args.params,
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "threads": torch.get_num_threads(),
    }
    np.savez(args.out, lists=lists, told=json.dumps(how))


if __name__ == "__main__":
    main()
