"""Tuning a language model: what it learns, what it costs, what it says when it cannot."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from acclimate.encode import signals
from acclimate.encode.adapters import ADAPTERS, Adapter
from acclimate.encode.cache import CachedEncoder
from acclimate.encode.signals import Pairs, PairsNet, Words
from acclimate.encode.text import TextEncoder
from acclimate.encode.transformer import read_model
from acclimate.encode.tuning import SIGNALS, Tuning, forget_older
from acclimate.encode.weights import PACKAGED
from acclimate.errors import AcclimateError, CorruptError, InputError, NotFoundError
from acclimate.training import Training
from acclimate.types import Floats, Histories
from tests.encode.tiny_bert import save_tiny_bert
from tests.encode.tiny_gpt import save_tiny_gpt
from tests.processes import Processes

THINGS = ["space film", "cook book", "star book", "电影", "😀 film", "1 2 3", "a b c", "z"]
TEXTS = [f"{thing} {kind}" for thing in THINGS for kind in ("one", "two", "three", "four")]
needs_minilm = pytest.mark.skipif(
    not PACKAGED["minilm"].installed, reason="needs pip install 'acclimate[demo]'"
)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="module")
def gpt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_gpt(tmp_path_factory.mktemp("gpt"))


def world(n_items: int, groups: int, users: int = 120, seed: int = 0) -> Histories:
    """Each user likes six items of one group; item i is of group ``i % groups``, which no text tells."""
    rng = np.random.default_rng(seed)
    return Histories.of(
        [
            rng.permutation(np.arange(group, n_items, groups))[:6].tolist()
            for group in rng.integers(0, groups, users)
        ]
    )


def recall(vectors: Floats, groups: int, k: int = 5) -> float:
    """Share of an item's ``k`` nearest that users like together with it."""
    near = vectors @ vectors.T
    np.fill_diagonal(near, -np.inf)
    nearest = np.argsort(-near, axis=1)[:, :k]
    return float((nearest % groups == np.arange(len(vectors))[:, None] % groups).mean())


RATES = {"lora": 0.005, "adalora": 0.05, "bottleneck": 0.005, "top": 0.01, "full": 0.01, "ia3": 0.02}


def test_each_kind_is_seen_to_learn() -> None:
    assert {*RATES, "prefix", "prompt", "frozen"} == set(ADAPTERS)


@pytest.mark.parametrize("kind", RATES)
def test_each_kind_learns_what_is_liked_together(bert: Path, kind: str) -> None:
    histories, rate = world(len(TEXTS), 4), RATES[kind]
    before = TextEncoder(bert, precision="fp32")
    tuning = Tuning(kind, epochs=6, steps=12, batch=16, learning_rate=rate)
    after = TextEncoder(bert, precision="fp32", tuning=tuning)
    after.fit(TEXTS, histories)
    assert recall(after.encode(TEXTS), 4) > recall(before.encode(TEXTS), 4) + 0.1
    assert after.adapter is not None
    assert after.adapter.made["signal"] == "pairs"
    assert after.fingerprint != before.fingerprint


@pytest.mark.parametrize("kind", ["prefix", "prompt"])
def test_what_stands_before_the_text_learns_too(bert: Path, kind: str) -> None:
    """A few vectors before so small a network do not bring together what is liked together on any machine."""
    losses = []
    for epochs in (1, 6):
        tuning = Tuning(kind, epochs=epochs, steps=12, batch=16, learning_rate=0.1)
        encoder = TextEncoder(bert, precision="fp32", tuning=tuning)
        encoder.fit(TEXTS, world(len(TEXTS), 4))
        assert encoder.adapter is not None
        losses.append(encoder.adapter.made["loss"])
    assert losses[1] < losses[0] - 0.3


@pytest.mark.parametrize("base", ["bert", "gpt"])
def test_words_of_the_catalogue_are_learned(
    base: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    folder = request.getfixturevalue(base)
    tuning = Tuning("lora", "text", epochs=8, steps=20, batch=8, learning_rate=0.01)
    losses = []
    for epochs in (1, 8):
        encoder = TextEncoder(folder, tuning=Tuning(**{**_told(tuning), "epochs": epochs}))
        encoder.fit(TEXTS)
        assert encoder.adapter is not None
        losses.append(encoder.adapter.made["loss"])
    assert losses[1] < 0.9 * losses[0]


def _told(tuning: Tuning) -> dict[str, object]:
    return {name: getattr(tuning, name) for name in Tuning.__dataclass_fields__}


def test_tuning_twice_gives_the_same(bert: Path, tmp_path: Path) -> None:
    histories, tuning = world(len(TEXTS), 4), Tuning("adalora", epochs=2, steps=6, batch=8)
    found = set()
    for folder in (None, tmp_path, tmp_path):
        encoder = TextEncoder(bert, tuning=tuning, training=Training(folder, "cpu"))
        encoder.fit(TEXTS, histories)
        found.add(encoder.fingerprint)
    assert len(found) == 1
    assert len(list((tmp_path / "adapters").iterdir())) == 1


def test_adalora_drops_ranks(bert: Path) -> None:
    encoder = TextEncoder(bert, tuning=Tuning("adalora", size=2, epochs=2, steps=20, batch=8))
    encoder.fit(TEXTS, world(len(TEXTS), 4))
    assert encoder.adapter is not None
    values = np.concatenate(
        [array.ravel() for name, array in encoder.adapter.weights.items() if "lora_E" in name]
    )
    assert (values != 0).mean() == pytest.approx(2 / 3, abs=0.05)  # three ranks to begin with, two at the end


def test_the_newest_adapters_are_kept(tmp_path: Path) -> None:
    forget_older(tmp_path)
    for number in range(6):
        folder = tmp_path / "adapters" / f"{5 - number}"
        folder.mkdir(parents=True)
        os.utime(folder, (number, number))
    forget_older(tmp_path)
    assert sorted(each.name for each in (tmp_path / "adapters").iterdir()) == ["0", "1", "2", "3"]


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_adalora_may_be_short(bert: Path, steps: int) -> None:
    encoder = TextEncoder(bert, tuning=Tuning("adalora", size=2, epochs=1, steps=steps, batch=8))
    before = encoder.encode(TEXTS)
    encoder.fit(TEXTS, world(len(TEXTS), 4))
    assert encoder.adapter is not None
    assert not np.array_equal(before, encoder.encode(TEXTS))


def test_a_tuned_encoder_travels_as_arrays_and_json(bert: Path, tmp_path: Path, processes: Processes) -> None:
    encoder = TextEncoder(bert, tuning=Tuning("bottleneck", epochs=1, steps=3, batch=8))
    encoder.fit(TEXTS, world(len(TEXTS), 4))
    arrays, document = encoder.state()
    other = TextEncoder(bert)
    other.restore((arrays, document))
    assert other.fingerprint == encoder.fingerprint
    np.testing.assert_array_equal(other.encode(TEXTS), encoder.encode(TEXTS))
    assert encoder.adapter is not None
    encoder.adapter.save(tmp_path)
    code = (
        "import sys, numpy as np; from acclimate.encode.text import TextEncoder;"
        "e = TextEncoder(sys.argv[1], adapter=sys.argv[2]);"
        "print(e.fingerprint, e.encode(['space film']).sum())"
    )
    told = processes.run(code, bert, tmp_path).stdout.split()
    assert told[0] == encoder.fingerprint
    assert float(told[1]) == pytest.approx(float(encoder.encode(["space film"]).sum()), abs=1e-6)


def test_another_base_and_damage_are_refused(bert: Path, tmp_path: Path) -> None:
    encoder = TextEncoder(bert, tuning=Tuning(epochs=1, steps=2, batch=8))
    encoder.fit(TEXTS, world(len(TEXTS), 4))
    assert encoder.adapter is not None
    other = save_tiny_bert(tmp_path / "other", seed=1)
    with pytest.raises(InputError, match="give the base it was tuned on, or tune again"):
        TextEncoder(other, adapter=encoder.adapter).encode(["space"])
    with pytest.raises(InputError, match="not those that the vectors were made with"):
        TextEncoder(other).restore(encoder.state())
    encoder.adapter.save(tmp_path / "kept")
    weights = tmp_path / "kept" / "adapter.safetensors"
    save_file({"other": np.ones(2, np.float32)}, weights)
    with pytest.raises(CorruptError, match="is not what was written"):
        TextEncoder(bert, adapter=tmp_path / "kept")
    with pytest.raises(NotFoundError, match=r"no adapter in .*adapter.json"):
        TextEncoder(bert, adapter=tmp_path)
    wrong = Adapter("lora", 4, TextEncoder(bert).base_sha256, {"other": np.ones(2, np.float32)})
    with pytest.raises(InputError, match="weights do not fit this base"):
        TextEncoder(bert, adapter=wrong).encode(["space"])


def test_the_cache_reads_again_only_what_changed(bert: Path, tmp_path: Path) -> None:
    read: list[str] = []

    class Counting(TextEncoder):
        def encode(self, texts: object) -> Floats:
            read.extend(texts)  # type: ignore[arg-type]
            return super().encode(texts)  # type: ignore[arg-type]

    tuned = TextEncoder(bert, tuning=Tuning(epochs=1, steps=2, batch=8))
    tuned.fit(TEXTS, world(len(TEXTS), 4))
    CachedEncoder(Counting(bert), tmp_path).encode(TEXTS)
    assert read == TEXTS
    CachedEncoder(Counting(bert, adapter=tuned.adapter), tmp_path).encode(TEXTS)
    assert read == TEXTS * 2
    CachedEncoder(Counting(bert, adapter=tuned.adapter), tmp_path).encode([*TEXTS, "new"])
    CachedEncoder(Counting(bert), tmp_path).encode(TEXTS)
    assert read == [*TEXTS * 2, "new"]


def test_pairs_are_near_in_time_and_differ(bert: Path) -> None:
    texts = ["a", "b", "a", "", "e", "f", "g"]
    pairs = Pairs(Histories.of([[0, 1, 2, 3, 4], [5, 6]]), texts, batch=4, steps=9, seed=0)
    found = {tuple(pair) for pair in pairs.pairs.T.tolist()}
    assert found == {(0, 1), (1, 2), (1, 4), (2, 4), (5, 6)}
    batch = next(iter(pairs(0)))
    assert np.exp(pairs.log_chances).sum() == pytest.approx(1)
    assert len(batch.texts) == len(batch.log_chances) <= 2 * len(batch.left)


def test_popular_negatives_count_less_and_the_right_one_is_left_alone() -> None:
    vectors = torch.nn.functional.normalize(
        torch.randn(4, 8, generator=torch.Generator().manual_seed(0)), dim=1
    )
    left, right = torch.tensor([0, 1]), torch.tensor([2, 3])
    log_q = torch.tensor([0.1, 0.2, 0.3, 0.4]).log()
    found = PairsNet._one_way(vectors, left, right, log_q)
    s = (vectors[left] @ vectors[right].T / signals.TEMPERATURE).double()
    rows = [
        -(s[i, i] - torch.logsumexp(torch.stack([s[i, i], s[i, 1 - i] - log_q[right[1 - i]]]), 0))
        for i in (0, 1)
    ]
    assert float(found) == pytest.approx(float(torch.stack(rows).mean()), rel=1e-5)


def test_masks_hit_words_alone(bert: Path) -> None:
    _, reader = read_model(bert, 48)
    words = Words(reader, TEXTS, causal=False, batch=16, steps=9, seed=0)
    ids, mask, labels = next(iter(words(0)))
    asked = labels >= 0
    assert asked.any(dim=1).all()
    assert not np.isin(labels[asked].numpy(), words.special).any()
    assert (mask[asked] == 1).all()
    assert float((ids[asked] != labels[asked]).float().mean()) > 0.1


STRANGE = ["word " * 10_000, "😀🚀", "我喜欢太空电影", "half a pair \ud83d", "nul \0", "", "   "]


@pytest.mark.parametrize("signal", ["pairs", "text"])
@pytest.mark.parametrize("base", ["bert", "gpt"])
def test_any_text_can_be_tuned_on(base: str, signal: str, request: pytest.FixtureRequest) -> None:
    encoder = TextEncoder(
        request.getfixturevalue(base), tuning=Tuning("prompt", signal, epochs=1, steps=2, batch=4)
    )
    encoder.fit(STRANGE, world(len(STRANGE), 1))
    vectors = encoder.encode(STRANGE)
    assert np.isfinite(vectors).all()
    assert not vectors[5:].any()


@pytest.mark.parametrize("texts", [["", " ", "", ""], ["same"] * 4, []], ids=["none", "same", "no items"])
def test_nothing_to_tell_apart_is_said(bert: Path, texts: list[str]) -> None:
    encoder = TextEncoder(bert, tuning=Tuning("lora", "pairs"))
    with pytest.raises(InputError, match="two items with texts that differ, found 0"):
        encoder.fit(texts, world(len(texts), 1) if texts else Histories.of([[]]))


def test_no_words_are_said(bert: Path) -> None:
    with pytest.raises(InputError, match="needs items with texts, found none"):
        TextEncoder(bert, tuning=Tuning("lora", "text")).fit(["", " "])
    TextEncoder(bert, tuning=Tuning("lora", "text", epochs=1)).fit(["same"] * 9)
    with pytest.raises(InputError, match=r"give fit\(texts, histories\)"):
        TextEncoder(bert, tuning=Tuning("lora", "pairs")).fit(TEXTS)


def test_a_loss_that_is_not_finite_stops_and_says_so(bert: Path) -> None:
    encoder = TextEncoder(bert, tuning=Tuning("full", epochs=3, learning_rate=0.999))
    encoder.fit(TEXTS, world(len(TEXTS), 4))  # bad, but finite: layers are normed
    real = PairsNet.loss
    try:
        PairsNet.loss = lambda self, batch: real(self, batch) * float("nan")  # type: ignore[method-assign]
        with pytest.raises(AcclimateError, match=r"the loss is nan in epoch 1, step 1.*learning_rate"):
            encoder.fit(TEXTS, world(len(TEXTS), 4))
    finally:
        PairsNet.loss = real  # type: ignore[method-assign]
    assert encoder.adapter is None
    assert np.isfinite(encoder.encode(TEXTS)).all()


def test_memory_that_runs_out_names_the_setting(bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: object, batch: object) -> None:
        torch.empty(2**60)  # more than there is

    monkeypatch.setattr(PairsNet, "loss", full)
    with pytest.raises(AcclimateError, match=r"out of memory: lower adapter\.batch, now 64, or") as caught:
        TextEncoder(bert, tuning=Tuning()).fit(TEXTS, world(len(TEXTS), 4))
    assert caught.value.code == "out_of_memory"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"adapter": "loar"}, "no adapter 'loar': did you mean 'lora'"),
        ({"signal": "pair"}, "no signal 'pair': did you mean 'pairs'"),
        ({"size": 5_000}, "size must be 1..1024, got 5000"),
        ({"adapter": "ia3", "size": 4}, "adapter ia3 has no size, got 4"),
        ({"epochs": 0}, "epochs must be 1..1000000, got 0"),
        ({"batch": 1}, "batch must be 2..1000000, got 1"),
        ({"learning_rate": -1.0}, "learning_rate must be at least 0 and below 1, got -1"),
    ],
)
def test_wrong_arguments_say_what_is_allowed(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Tuning(**options)  # type: ignore[arg-type]


def test_sizes_that_do_not_fit_the_base_are_named(bert: Path) -> None:
    histories = world(len(TEXTS), 4)
    with pytest.raises(InputError, match=r"size must be 1..2, the layers of this model, got 3"):
        TextEncoder(bert, tuning=Tuning("top", size=3)).fit(TEXTS, histories)
    with pytest.raises(InputError, match="leaves none of the model's 48 places to the text"):
        TextEncoder(bert, tuning=Tuning("prompt", size=47)).fit(TEXTS, histories)
    with pytest.raises(InputError, match="give adapter, one that was made, or tuning"):
        TextEncoder(bert, adapter=Adapter("lora", 1, "", {}), tuning=Tuning())


def test_the_frozen_adapter_is_no_adapter(bert: Path) -> None:
    encoder = TextEncoder(bert, tuning=Tuning("frozen"))
    encoder.fit(TEXTS, world(len(TEXTS), 4))
    assert encoder.fingerprint == TextEncoder(bert).fingerprint
    assert set(SIGNALS) == {"pairs", "text", "sequence"}


@needs_minilm
def test_minilm_learns_what_is_liked_together() -> None:
    kinds, subjects = ("drama", "comedy", "horror", "western"), ("love", "war", "food", "space")
    texts = [f"{kinds[i % 4]} number {i} about {subjects[i // 4 % 4]}" for i in range(48)]
    histories = world(48, 3)  # the groups cut across the kinds
    before = recall(TextEncoder("minilm").encode(texts), 3)
    encoder = TextEncoder("minilm", tuning=Tuning("lora", epochs=3, steps=12, batch=24, learning_rate=2e-3))
    encoder.fit(texts, histories)
    assert encoder.adapter is not None
    assert encoder.adapter.megabytes < 5
    assert recall(encoder.encode(texts), 3) > before + 0.1
