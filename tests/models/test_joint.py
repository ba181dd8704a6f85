"""The language model learns through the sequence model, and travels with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from acclimate.data.dataset import Dataset
from acclimate.encode import signals
from acclimate.encode.cache import CachedEncoder
from acclimate.encode.signals import TextNet
from acclimate.encode.text import TextEncoder
from acclimate.encode.tuning import Tuning
from acclimate.errors import AcclimateError, InputError
from acclimate.models import sequence_net
from acclimate.models.joint import JointNet
from acclimate.models.sequence import SequenceModel
from acclimate.models.sequence_net import Batch, Steps
from acclimate.snapshot import Registry
from acclimate.state.fold import LiveState
from acclimate.types import Histories, Item
from tests.encode.tiny_bert import save_tiny_bert
from tests.processes import Processes

WORDS = ["space film", "cook book", "star book", "film", "a b c", "1 2 3"]


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="module")
def data() -> Dataset:
    """Who had one thing wants the next in turn."""
    rows = [(f"u{u}", f"i{(u + t) % 18:02}", float(t)) for u in range(60) for t in range(6)]
    items = [Item(f"i{i:02}", title=f"{WORDS[i % 6]} {'abc'[i // 6]}") for i in range(18)]
    return Dataset.of(rows, catalogue=items)


def model(encoder: TextEncoder | CachedEncoder, **params: object) -> SequenceModel:
    small: dict[str, object] = {"width": 16, "heads": 1, "layers": 1, "epochs": 3, "batch_tokens": 64}
    return SequenceModel(encoder, **{**small, "item_vector": "text", **params})  # type: ignore[arg-type]


def tuning(kind: str = "lora", **options: object) -> Tuning:
    told: dict[str, object] = {"epochs": 2, "batch": 8, "learning_rate": 0.01}
    return Tuning(kind, "sequence", **{**told, **options})  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["lora", "adalora", "bottleneck", "top"])
def test_the_adapter_learns_and_the_texts_are_read_by_it(bert: Path, data: Dataset, kind: str) -> None:
    encoder = TextEncoder(bert, precision="fp32", tuning=tuning(kind))
    fitted = model(encoder)
    fitted.fit(data)
    assert encoder.adapter is not None
    assert encoder.adapter.kind == kind
    assert fitted._space is not None
    np.testing.assert_allclose(
        fitted._items.text, fitted._space.place(encoder.encode(data.texts)), rtol=1e-4, atol=1e-4
    )
    assert (
        np.abs(encoder.encode(data.texts) - TextEncoder(bert, precision="fp32").encode(data.texts)).max()
        > 1e-3
    )


def test_the_gradient_is_that_of_the_loss(bert: Path, data: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small move of a weight of the adapter moves the loss as its gradient says."""
    monkeypatch.setattr(signals, "bf16_helps", lambda device: False)
    monkeypatch.setattr(sequence_net, "bf16_helps", lambda device: False)
    encoder = TextEncoder(bert, precision="fp32", tuning=tuning("lora"))
    fitted = model(encoder, dropout=0.0, id_dropout=0.0)
    fitted.fit(data)
    reader = encoder.joint(data.texts)
    assert isinstance(reader, TextNet)
    net = fitted._new_net(fitted._items.text, np.ones(data.n_items, np.int64))
    assert fitted._space is not None
    joint = JointNet(net, reader, fitted._space, texts=100).eval()
    batch = _batch(data)
    torch.manual_seed(0)
    joint.loss(batch).backward()
    name, weight = next((n, w) for n, w in reader.wrapped.weights().items() if "lora_B" in n)
    assert weight.grad is not None, name
    assert weight.grad.abs().max() > 1e-4
    at, step = int(weight.grad.abs().argmax()), 1e-4
    losses = []
    for sign in (1, -1):
        with torch.no_grad():
            weight.view(-1)[at] += sign * step
            losses.append(float(joint.loss(batch)))
            weight.view(-1)[at] -= sign * step
    slope = (losses[0] - losses[1]) / (2 * step)
    assert slope == pytest.approx(float(weight.grad.view(-1)[at]), rel=0.05)


def _batch(data: Dataset) -> Batch:
    histories = data.histories()
    steps = Steps.of(histories.where(np.arange(len(histories.items)) % 6 < 5))
    targets = torch.from_numpy(histories.items.reshape(-1, 6)[:, 1:].astype(np.int64).ravel())
    return Batch(steps, targets, torch.ones(len(targets)))


@pytest.mark.parametrize("signal", ["sequence", "pairs", "text"])
def test_a_snapshot_carries_the_adapter(
    processes: Processes, bert: Path, data: Dataset, tmp_path: Path, signal: str
) -> None:
    tuned = Tuning("lora", signal, epochs=1, steps=4, batch=8, learning_rate=0.01)
    encoder = CachedEncoder(TextEncoder(bert, tuning=tuned), tmp_path / "cache")
    fitted = model(encoder)
    fitted.fit(data)
    snapshot = Registry(tmp_path / "snapshots").write(fitted, LiveState.of(data), metrics={})
    assert {path.suffix for path in snapshot.path.iterdir()} == {".json", ".safetensors"}
    code = (
        "import sys, numpy as np; from pathlib import Path; from acclimate.snapshot import Registry;"
        "from acclimate.types import Histories, Item;"
        "m = Registry(Path(sys.argv[1])).get(sys.argv[2]).load().model;"
        "m.put_items(np.array([18]), [Item('new', title='space book')]);"
        "np.save(sys.argv[3], m.score(Histories.of([[1, 2], [5]])))"
    )
    out = tmp_path / "scores.npy"
    done = processes.run(code, tmp_path / "snapshots", snapshot.id, out)
    assert done.returncode == 0, done.stderr
    fitted.put_items(np.array([18], np.int32), [Item("new", title="space book")])
    np.testing.assert_array_equal(np.load(out), fitted.score(Histories.of([[1, 2], [5]])))


def test_what_is_held_out_is_not_shown_to_the_encoder(bert: Path, data: Dataset) -> None:
    shown: list[Histories] = []

    class Watching(TextEncoder):
        def fit(self, texts: object, histories: Histories | None = None) -> None:
            assert histories is not None
            shown.append(histories)

    model(Watching(bert), validation_users=20).fit(data)
    model(Watching(bert), validation_users=0).fit(data)
    assert len(shown[1].items) - len(shown[0].items) == 20


def test_users_cannot_be_read_by_what_changes(bert: Path, data: Dataset) -> None:
    encoder = TextEncoder(bert, tuning=tuning())
    with pytest.raises(InputError, match=r"take adapter\.signal = pairs, or user_text = off"):
        model(encoder, user_text="on").fit(data)


def test_a_loss_that_is_not_finite_stops_and_leaves_the_encoder(bert: Path, data: Dataset) -> None:
    encoder = TextEncoder(bert, tuning=tuning())
    real = JointNet.loss
    try:
        JointNet.loss = lambda self, batch: real(self, batch) * float("inf")  # type: ignore[method-assign]
        with pytest.raises(AcclimateError, match=r"the loss is inf in epoch 1, step 1"):
            model(encoder).fit(data)
        JointNet.loss = lambda self, batch: torch.empty(2**60)  # type: ignore[method-assign]
        with pytest.raises(AcclimateError, match=r"out of memory: lower adapter\.batch, now 8"):
            model(encoder).fit(data)
    finally:
        JointNet.loss = real  # type: ignore[method-assign]
    assert encoder.adapter is None
