"""A fit that is watched, stopped, killed, resumed, and told when it went wrong."""

from __future__ import annotations

import errno
import math
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from acclimate.errors import AcclimateError, InputError, MissingExtraError
from acclimate.tracking import TRACKING
from acclimate.training import Fitted, GivenUp, Recipe, Training, checkpoints, fit, loop
from acclimate.training.spent import spent
from tests.processes import Processes


class Pair(NamedTuple):
    x: Tensor
    y: Tensor


class Line(nn.Module):
    """y = w x + b with dropout, so that random state matters."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer, self.dropout = nn.Linear(3, 1), nn.Dropout(0.3)

    def loss(self, batch: Pair) -> Tensor:
        return (self.layer(self.dropout(batch.x)) - batch.y).square().mean()


def batches(epoch: int) -> list[Pair]:
    rng = np.random.default_rng(epoch)
    x = torch.from_numpy(rng.normal(size=(4, 16, 3)).astype(np.float32))
    return [Pair(part, part.sum(dim=1, keepdim=True)) for part in x]


def error_of(module: Line) -> float:
    x = batches(999)[0]
    with torch.inference_mode():
        return -float((module.layer(x.x) - x.y).square().mean())


RECIPE = Recipe(epochs=6, learning_rate=0.05, warmup=2, patience=6)


def test_a_fit_learns_and_ends_with_its_best_weights() -> None:
    module = Line()
    before = error_of(module)
    done = fit(module, batches, RECIPE, Training(), figure=lambda: error_of(module))
    assert error_of(module) > before
    assert error_of(module) == pytest.approx(done.figure)
    assert done.figure == max(row["figure"] for row in done.curve)
    assert not module.training
    assert not any(p.requires_grad for p in module.parameters())


def test_it_stops_when_the_figure_no_longer_rises() -> None:
    figures = iter([0.1, 0.5, 0.4, 0.3, 0.2, 0.1])
    done = fit(Line(), batches, Recipe(6, 0.01, patience=2), Training(), figure=lambda: next(figures))
    assert (done.epochs, done.figure, len(done.curve)) == (2, 0.5, 4)


def test_patience_counts_from_where_it_has_settled() -> None:
    steps = len(list(batches(0)))
    figures = iter([0.5, 0.4, 0.3, 0.1, 0.2, 0.1, 0.1, 0.6])
    recipe = Recipe(8, 0.01, patience=2, settled=3 * steps)
    done = fit(Line(), batches, recipe, Training(), figure=lambda: next(figures))
    assert (done.epochs, done.figure, len(done.curve)) == (1, 0.5, 5), "what was best before counts"


def test_without_a_figure_all_epochs_run_and_the_last_weights_stay() -> None:
    done = fit(Line(), batches, RECIPE, Training())
    assert (done.epochs, len(done.curve)) == (6, 6)
    assert math.isnan(done.figure)


def test_the_same_seed_gives_the_same_weights_and_leaves_torch_alone() -> None:
    torch.manual_seed(7)
    expected = torch.rand(1)
    first, second = Line(), Line()
    torch.manual_seed(7)
    fit(first, batches, RECIPE, Training())
    assert torch.equal(torch.rand(1), expected)
    fit(second, batches, RECIPE, Training())
    assert torch.equal(first.layer.weight, second.layer.weight)


KILLED = """
import os, signal, sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from tests.test_training import *
module, measured = Line(), []
def figure():
    measured.append(1)
    if len(measured) == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    return error_of(module)
fit(module, batches, {recipe}, Training(Path({folder!r})), figure=figure, key="a")
"""


@pytest.fixture
def kill(processes: Processes, tmp_path: Path) -> Callable[..., None]:
    """Let a fit of ``recipe`` in ``tmp_path`` be killed in its fourth epoch."""

    def go(recipe: str = "RECIPE") -> None:
        script = KILLED.format(tests=str(Path(__file__).parents[1]), folder=str(tmp_path), recipe=recipe)
        killed = processes.run(script)
        assert killed.returncode == -9, killed.stderr

    return go


def told_of(done: Fitted) -> list[dict[str, float]]:
    return [{key: row[key] for key in ("epoch", "loss", "figure")} for row in done.curve]


def test_what_was_spent_before_a_kill_counts(kill: Callable[..., None], tmp_path: Path) -> None:
    kill()
    module = Line()
    with spent() as outer:
        with spent() as took:
            done = fit(module, batches, RECIPE, Training(tmp_path), figure=lambda: error_of(module), key="a")
        assert outer.seconds < took.seconds, "this process has not been added yet"
    for kind in ("seconds", "cpu_seconds"):
        each = [row[kind] for row in done.curve]
        assert min(each) >= 0
        assert sum(each) <= getattr(took, kind) <= getattr(outer, kind)
    kept = Training(tmp_path, keep=True)
    first = fit(Line(), batches, RECIPE, kept, key="b")
    with spent() as took:
        fit(Line(), batches, RECIPE, kept, key="b")
    assert took.seconds >= sum(row["seconds"] for row in first.curve)
    with spent() as took:
        pass
    assert took.seconds < 1, "what is measured next knows nothing of it"


def test_a_killed_fit_goes_on_and_ends_as_if_nothing_had_happened(
    kill: Callable[..., None], tmp_path: Path
) -> None:
    kill()
    resumed, whole = Line(), Line()
    training = Training(tmp_path)
    done = fit(resumed, batches, RECIPE, training, figure=lambda: error_of(resumed), key="a")
    clean = fit(whole, batches, RECIPE, Training(), figure=lambda: error_of(whole), key="a")
    assert done.resumed
    assert not clean.resumed
    assert torch.equal(resumed.layer.weight, whole.layer.weight)
    assert told_of(done) == told_of(clean)
    assert not list(tmp_path.rglob("*.ckpt")), "a fit that ended leaves no checkpoint"
    assert list(tmp_path.rglob("events.out.tfevents*"))


def test_a_fit_that_ended_and_was_kept_costs_nothing_until_it_is_forgotten(tmp_path: Path) -> None:
    training = Training(tmp_path, keep=True)
    first, again = Line(), Line()
    done = fit(first, batches, RECIPE, training, figure=lambda: error_of(first), key="a")
    assert not done.resumed
    heard: list[int] = []
    watched = replace(training, watch=lambda epoch, figure: heard.append(epoch))
    kept = fit(again, lambda epoch: [], RECIPE, watched, figure=lambda: math.nan, key="a")
    assert kept == replace(done, resumed=True)
    assert heard == [row["epoch"] for row in done.curve]
    assert torch.equal(first.layer.weight, again.layer.weight)
    assert not fit(Line(), batches, RECIPE, training, key="b").resumed
    assert not fit(Line(), batches, RECIPE, replace(training, resume=False), key="a").resumed
    training.forget_finished()
    assert not list(tmp_path.rglob("*.ckpt")) + list(tmp_path.rglob("done.json"))


def spoil(file: Path, how: str) -> None:
    """Damage a file."""
    data = bytearray(file.read_bytes())
    if how == "zeros":
        data[len(data) // 2 : len(data) // 2 + 400] = bytes(400)
    file.write_bytes({"cut": data[: len(data) // 2], "empty": b"", "zeros": data}[how])


@pytest.mark.parametrize("how", ["cut", "empty", "zeros", "gone", *("[{", "[]", "{}", '[{"epoch": 0}]', "3")])
def test_a_kept_fit_that_is_damaged_is_done_again(how: str, tmp_path: Path) -> None:
    training = Training(tmp_path, keep=True)
    first, again = Line(), Line()
    done = fit(first, batches, RECIPE, training, figure=lambda: error_of(first), key="a")
    (told,), (best,) = tmp_path.rglob("done.json"), tmp_path.rglob("best.ckpt")
    if how in {"cut", "empty", "zeros"}:
        spoil(best, how)
    elif how == "gone":
        best.unlink()
    else:
        told.write_text(how)
    anew = fit(again, batches, RECIPE, training, figure=lambda: error_of(again), key="a")
    assert not anew.resumed
    assert told_of(anew) == told_of(done)
    assert torch.equal(first.layer.weight, again.layer.weight)


@pytest.mark.parametrize("file", ["last.ckpt", "best.ckpt"])
@pytest.mark.parametrize("how", ["cut", "empty"])
def test_a_damaged_checkpoint_is_as_if_it_were_not_there(
    kill: Callable[..., None], tmp_path: Path, file: str, how: str
) -> None:
    kill()
    (found,) = tmp_path.rglob(file)
    spoil(found, how)
    module = Line()
    done = fit(module, batches, RECIPE, Training(tmp_path), figure=lambda: error_of(module), key="a")
    assert not done.resumed
    assert len(done.curve) == RECIPE.epochs


def test_a_killed_fit_goes_on_from_its_last_epoch_and_not_from_its_best(tmp_path: Path) -> None:
    told = [0.9, 0.5, 0.4, 0.3]
    with pytest.raises(IndexError):
        fit(Line(), batches, RECIPE, Training(tmp_path), figure=lambda: told.pop(0), key="a")
    rest = Line()
    done = fit(rest, batches, RECIPE, Training(tmp_path), figure=lambda: 0.2, key="a")
    assert [row["figure"] for row in done.curve] == [0.9, 0.5, 0.4, 0.3, 0.2, 0.2]
    assert (done.resumed, done.epochs) == (True, 1)


def test_what_was_stopped_long_ago_is_thrown_away_with_what_ended(
    kill: Callable[..., None], tmp_path: Path
) -> None:
    kill()
    training = Training(tmp_path)
    training.forget_finished()
    (best,) = tmp_path.rglob("best.ckpt")
    long_ago = time.time() - 40 * 86_400
    os.utime(best, (long_ago, long_ago))
    training.forget_finished()
    assert not list(tmp_path.rglob("*.ckpt"))


def test_a_fit_of_something_else_is_not_resumed(kill: Callable[..., None], tmp_path: Path) -> None:
    kill()
    assert list(tmp_path.rglob("last.ckpt"))
    assert not fit(Line(), batches, RECIPE, Training(tmp_path), key="b").resumed
    assert not fit(Line(), batches, RECIPE, Training(tmp_path, resume=False), key="a").resumed


def test_a_loss_that_is_not_finite_says_where() -> None:
    def broken(epoch: int) -> list[Pair]:
        good = batches(epoch)
        return good if epoch == 0 else [good[0], Pair(good[1].x * math.nan, good[1].y)]

    with pytest.raises(
        AcclimateError, match=r"the loss is nan in epoch 2, step 2: try a learning_rate below"
    ):
        fit(Line(), broken, RECIPE, Training())


def test_what_was_best_before_a_loss_went_wrong_is_kept_and_named(tmp_path: Path) -> None:
    def broken(epoch: int) -> list[Pair]:
        return batches(epoch) if epoch < 2 else [Pair(batches(0)[0].x * math.nan, batches(0)[0].y)]

    with pytest.raises(AcclimateError, match="the loss is nan in epoch 3, step 1") as caught:
        fit(Line(), broken, RECIPE, Training(tmp_path), figure=lambda: 0.5, key="a")
    (best,) = tmp_path.rglob("best.ckpt")
    assert caught.value.message.endswith(f"What was best until then is kept: {best}")
    assert torch.load(best, weights_only=True)["epoch"] == 0


def test_progress_says_the_loss_on_stderr_only(capsys: pytest.CaptureFixture[str]) -> None:
    fit(Line(), batches, RECIPE, Training(progress=True), name="line")
    out, err = capsys.readouterr()
    assert out == ""
    assert "training line, epoch: 6 of 6  loss " in err


def test_a_fit_that_may_stop_early_says_at_most(capsys: pytest.CaptureFixture[str]) -> None:
    figures = iter([0.1, 0.3, 0.2, 0.2, 0.2, 0.2])
    patient = replace(RECIPE, patience=2)
    done = fit(Line(), batches, patient, Training(progress=True), figure=lambda: next(figures), name="line")
    assert (done.epochs, len(done.curve)) == (2, 4)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("training line until it no longer improves, epoch: 1 of at most 6  loss ")
    assert lines[-1].endswith("epoch: 4 of at most 6  epoch 2 was the best")


def test_sigterm_ends_a_fit_as_it_ends_any_program() -> None:
    """Without a handler of the caller's own it is an exit, not a Ctrl-C."""

    def told(epoch: int) -> list[Pair]:
        signal.raise_signal(signal.SIGTERM)
        return batches(epoch)

    with pytest.raises(SystemExit):
        fit(Line(), told, RECIPE, Training())


def test_the_mean_of_the_weights_is_measured_and_kept() -> None:
    recipe, seen = replace(RECIPE, averaging=0.9), []
    module = Line()

    def figure() -> float:
        seen.append(error_of(module))
        return seen[-1]

    done = fit(module, batches, recipe, Training(), figure=figure)
    assert error_of(module) == pytest.approx(done.figure) == pytest.approx(max(seen))
    mean, plain, forgetful = (Line() for _ in range(3))
    fit(mean, batches, recipe, Training())
    fit(plain, batches, RECIPE, Training())
    fit(forgetful, batches, replace(RECIPE, averaging=1e-9), Training())
    assert not torch.allclose(mean.layer.weight, plain.layer.weight, atol=1e-3)
    torch.testing.assert_close(forgetful.layer.weight, plain.layer.weight)


def test_a_running_mean_soon_forgets_the_start_and_then_holds_on() -> None:
    take = loop.running_mean(0.999)
    mean = [torch.tensor([100.0])]
    for step in range(1, 21):
        take(mean, [torch.zeros(1)], step)
    assert mean[0] < 1e-3
    mean = [torch.zeros(1)]
    take(mean, [torch.ones(1)], torch.tensor(10**6))
    torch.testing.assert_close(mean[0], torch.tensor([0.001]), rtol=0.01, atol=0)


def test_a_killed_fit_with_a_mean_goes_on_too(kill: Callable[..., None], tmp_path: Path) -> None:
    kill("replace(RECIPE, averaging=0.9, schedule='cosine')")
    recipe = replace(RECIPE, averaging=0.9, schedule="cosine")
    resumed, whole = Line(), Line()
    done = fit(resumed, batches, recipe, Training(tmp_path), figure=lambda: error_of(resumed), key="a")
    fit(whole, batches, recipe, Training(), figure=lambda: error_of(whole), key="a")
    assert done.resumed
    assert torch.equal(resumed.layer.weight, whole.layer.weight)


def test_the_sum_of_magnitudes_draws_weights_to_zero() -> None:
    found = []
    for l1 in (0.0, 1.0):
        module = Line()
        fit(module, batches, replace(RECIPE, epochs=20, l1=l1), Training())
        found.append(float(module.layer.weight.abs().sum()))
    assert found[1] < 0.8 * found[0]


def test_who_watches_hears_of_each_epoch_also_of_those_before_a_kill(
    kill: Callable[..., None], tmp_path: Path
) -> None:
    kill()
    heard: list[tuple[int, float]] = []
    module = Line()
    training = Training(tmp_path, watch=lambda epoch, figure: heard.append((epoch, figure)))
    done = fit(module, batches, RECIPE, training, figure=lambda: error_of(module), key="a")
    assert done.resumed
    assert heard == [(row["epoch"], row["figure"]) for row in done.curve]
    assert [epoch for epoch, _ in heard] == list(range(6))


def test_who_watches_may_give_up_and_nothing_is_left(tmp_path: Path) -> None:
    def watch(epoch: int, figure: float) -> None:
        assert math.isnan(figure), "nothing is measured here"
        if epoch == 2:
            raise GivenUp

    with pytest.raises(GivenUp):
        fit(Line(), batches, RECIPE, Training(tmp_path, watch=watch), key="a")
    assert not list(tmp_path.rglob("*.ckpt"))
    assert not fit(Line(), batches, RECIPE, Training(tmp_path), key="a").resumed


def test_who_gives_up_after_the_last_epoch_has_a_fit(tmp_path: Path) -> None:
    def watch(epoch: int, figure: float) -> None:
        if epoch + 1 == RECIPE.epochs:
            raise GivenUp

    assert len(fit(Line(), batches, RECIPE, Training(tmp_path, watch=watch), key="a").curve) == RECIPE.epochs


KEPT = {"tensorboard": "events.out.tfevents*", "csv": "metrics.csv"}


@pytest.mark.parametrize("tracking", ["tensorboard", "csv", "none"])
def test_a_fit_is_tracked_where_one_setting_says(tmp_path: Path, tracking: str) -> None:
    fit(Line(), batches, RECIPE, Training(tmp_path, tracking=tracking), name="line")
    found = {name for name, pattern in KEPT.items() if list(tmp_path.rglob(pattern))}
    assert found == {tracking} & set(KEPT)
    if tracking == "none":
        assert not list(tmp_path.iterdir())


def test_a_wrong_tracking_names_the_nearest() -> None:
    with pytest.raises(InputError, match=r"no tracking 'tensorbord': did you mean 'tensorboard'\?"):
        fit(Line(), batches, RECIPE, Training(tracking="tensorbord"))
    assert set(KEPT) < set(TRACKING)


def test_wandb_that_is_not_installed_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("acclimate.tracking.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r'wandb: pip install "acclimate\[wandb\]"'):
        fit(Line(), batches, RECIPE, Training(tracking="wandb"))


@pytest.mark.filterwarnings("ignore")
def test_wandb_writes_offline_runs_one_for_each_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    for name in ("first", "second"):
        fit(Line(), batches, RECIPE, Training(tmp_path, tracking="wandb"), name=name)
    runs = [path for path in tmp_path.rglob("*.wandb") if path.is_file()]
    assert len({path.parent for path in runs}) == 2


@pytest.mark.filterwarnings("ignore")
def test_wandb_that_refuses_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wandb = pytest.importorskip("wandb")

    def refuse(*_: object, **__: object) -> None:
        raise wandb.errors.UsageError("api_key not configured (no-tty)")

    monkeypatch.setattr(wandb, "init", refuse)
    with pytest.raises(AcclimateError, match=r"api_key not configured.*WANDB_MODE=offline"):
        fit(Line(), batches, RECIPE, Training(tmp_path, tracking="wandb"))


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 128 vs 64"),
    ],
)
def test_a_full_disk_is_told_with_the_folder_and_the_fit_goes_on_later(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(checkpoints.ModelCheckpoint, "on_train_epoch_end", fail)
        with pytest.raises(AcclimateError, match=r"model-\w+: a checkpoint cannot be written, .*: free some"):
            fit(Line(), batches, RECIPE, Training(tmp_path))
    assert fit(Line(), batches, RECIPE, Training(tmp_path)).epochs == RECIPE.epochs


@pytest.mark.parametrize("error", [OSError(errno.ENOENT, "gone"), RuntimeError("other")])
def test_other_faults_of_a_fit_stay_what_they_are(error: Exception, tmp_path: Path) -> None:
    with pytest.raises(type(error)), checkpoints.written(tmp_path):
        raise error
