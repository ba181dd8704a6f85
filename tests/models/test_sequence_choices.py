"""What an item vector is made of, and what the arguments of the sequence model add to its loss."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from acclimate import devices
from acclimate.data.dataset import Dataset
from acclimate.errors import AcclimateError, InputError
from acclimate.models import sequence_params
from acclimate.models.item_vectors import ITEM_VECTORS, ItemVectors, TextSpace
from acclimate.models.losses import contrast_loss, perturbed, softmax_loss
from acclimate.models.sequence import SequenceModel
from acclimate.models.sequence_fit import Batches
from acclimate.models.sequence_net import Batch, SequenceNet
from acclimate.models.sequence_params import SETTLED, recipe
from acclimate.training import Recipe
from acclimate.types import Floats, Histories
from tests.models.test_sequence import SMALL, OneHot, kinds, ring

COLD = np.arange(84, 96)


def fitted(data: Dataset, **params: object) -> SequenceModel:
    model = SequenceModel(OneHot(), **SMALL | {"validation_users": 0} | params)  # type: ignore[arg-type]
    model.fit(data)
    return model


def restored(model: SequenceModel) -> SequenceModel:
    again = SequenceModel(OneHot())
    again.restore(model.state())
    return again


def share_right(scores: Floats) -> float:
    """Of the histories of one item each, how often the best cold item is of the kind that comes next."""
    return float(np.mean([COLD[row.argmax()] % 12 == (kind + 1) % 12 for kind, row in enumerate(scores)]))


@pytest.mark.parametrize("id_dropout", [0.0, 0.5])
@pytest.mark.parametrize("item_vector", ITEM_VECTORS)
def test_in_the_world_of_texts_all_but_ids_alone_know_cold_items(item_vector: str, id_dropout: float) -> None:
    more = {"item_vector": item_vector, "id_dropout": id_dropout, "epochs": 12}
    model = fitted(kinds(), nearness=0.01, **more)  # what reads alike does not follow here
    asked = Histories.of([[kind] for kind in range(12)])
    scores = model.score(asked)
    if item_vector == "id":
        assert np.isnan(scores[:, COLD]).all()
    else:
        assert share_right(scores[:, COLD]) == 1.0
    np.testing.assert_array_equal(restored(model).score(asked), scores)


@pytest.mark.parametrize("id_dropout", [0.0, 0.5])
@pytest.mark.parametrize("item_vector", ["fused", "alphafuse", "id", "sum"])
def test_in_the_world_of_ids_all_with_ids_learn_the_chain(item_vector: str, id_dropout: float) -> None:
    model = fitted(ring(), item_vector=item_vector, id_dropout=id_dropout, epochs=7)
    asked = Histories.of([[(i + n) % 12 for n in range(3)] for i in range(12)])
    assert (model.score(asked).argmax(axis=1) == (np.arange(12) + 3) % 12).mean() >= 0.98


def test_equal_texts_tell_nothing_apart() -> None:
    data = ring()
    same = [each.__class__(each.item_id, title="kind 3") for each in data.catalogue]
    alike = Dataset(data.users, data.items, data.user, data.item, data.time, catalogue=same)
    with pytest.raises(InputError, match="needs texts that differ"):
        fitted(alike, item_vector="text", epochs=2)
    ids = fitted(alike, item_vector="sum", epochs=7).score(Histories.of([[1, 2]]))
    assert ids.argmax() == 3


def test_text_alone_holds_no_ids_and_ids_alone_no_text() -> None:
    text = fitted(kinds(), item_vector="text", epochs=1)
    assert text.state()[0]["ids"].shape == (96, 0)
    assert not fitted(kinds(), item_vector="id", epochs=1).state()[0]["text"].any()


def test_a_new_item_goes_through_what_was_learned_of_texts() -> None:
    for item_vector in ("text", "sum"):
        model = restored(fitted(kinds(), item_vector=item_vector, epochs=2))
        before = model._items.vectors.clone()
        model.put_items(COLD, [kinds().catalogue[code] for code in COLD])
        torch.testing.assert_close(model._items.vectors, before)


def test_text_alone_wants_texts() -> None:
    with pytest.raises(InputError, match="item_vector='text' needs an encoder; 'fused' does without"):
        SequenceModel(item_vector="text").fit(ring())
    bare = ring()
    none = [each.__class__(each.item_id, title="") for each in bare.catalogue]
    untold = Dataset(bare.users, bare.items, bare.user, bare.item, bare.time, catalogue=none)
    with pytest.raises(InputError, match="item_vector='text' needs items with texts, the data has none"):
        fitted(untold, item_vector="text")


def test_an_item_without_text_keeps_its_id() -> None:
    text = torch.cat([torch.zeros(500, 4), torch.ones(500, 4)])
    table = ItemVectors(text, 4, 0.9)()
    assert table[:500].abs().sum(dim=1).min() > 0
    assert 0.85 < float((table[500:] == 1).all(dim=1).float().mean()) < 0.95


def test_a_projected_space_places_as_the_projection_of_the_place() -> None:
    rng = np.random.default_rng(0)
    x, turn = rng.normal(size=(50, 8)).astype(np.float32), rng.normal(size=(4, 4)).astype(np.float32)
    space = TextSpace.fit(x, 4)
    np.testing.assert_allclose(space.projected(turn).place(x), space.place(x) @ turn.T, atol=1e-5)


def test_the_perturbed_table_is_where_the_loss_rises_fastest() -> None:
    torch.manual_seed(0)
    table = torch.randn(20, 8, requires_grad=True)
    users, targets = F.normalize(torch.randn(30, 8), dim=1), torch.randint(20, (30,))

    def loss(at: torch.Tensor) -> torch.Tensor:
        return softmax_loss(users, F.normalize(at, dim=1), torch.tensor(5.0), targets)

    start = loss(table)
    moved = perturbed(table, start, 1e-2)
    length = 1e-2 * table.norm(dim=1).mean()
    torch.testing.assert_close((moved - table).norm(dim=1), length.expand(20), rtol=1e-4, atol=0.0)
    (slope,) = torch.autograd.grad(start, table, retain_graph=True)
    assert (loss(moved) - start).item() == pytest.approx((length * slope.norm(dim=1).sum()).item(), rel=0.05)
    (through,) = torch.autograd.grad(loss(moved), table)
    assert through.abs().sum() > 0, "what is learned reaches the weights"


def test_contrast_knows_its_twin_among_all() -> None:
    n, t = 5, 0.5
    eye = torch.eye(n)
    assert float(contrast_loss(eye, eye, t)) == pytest.approx(np.log(np.exp(1 / t) + 2 * n - 2) - 1 / t)
    assert float(contrast_loss(eye, eye.roll(1, 0), t)) > float(contrast_loss(eye, eye, t))
    assert float(contrast_loss(eye[:1], eye[:1], t)) == pytest.approx(0.0, abs=1e-6)


def net_and_batch(**params: object) -> tuple[SequenceNet, Batch]:
    model = SequenceModel(**SMALL, validation_users=0, **params)  # type: ignore[arg-type]
    torch.manual_seed(0)
    net = SequenceNet(ItemVectors(torch.zeros(12, 32), 32, 0.0), model.params).eval()
    return net, next(Batches(ring().histories(), model.params, 12)(0))


def test_contrast_is_added_by_its_weight() -> None:
    net, batch = net_and_batch(contrast=0.3)
    states = [net._whole(net.items(), each) for each in batch.views]
    plain = net.loss(batch._replace(views=()))
    torch.testing.assert_close(net.loss(batch), plain + 0.3 * contrast_loss(*states))
    assert len(states[0]) == len(batch.steps.lengths)
    assert not net_and_batch()[1].views


def test_a_blank_item_is_not_read() -> None:
    net, batch = net_and_batch(contrast=0.3, augment=["mask"])
    one = batch.views[0]
    assert (one.items == -1).any()
    told = one._replace(items=one.items.clamp(min=0))
    assert not torch.allclose(net._whole(net.items(), one), net._whole(net.items(), told))


def test_perturbation_is_the_mean_of_two_losses() -> None:
    net, batch = net_and_batch(perturbation=0.2)
    there = net.loss(batch)
    net.params["perturbation"] = 0.0
    assert there > net.loss(batch), "the second is a worse place"
    table = net.items()
    at = net._foresee(table, batch, None, None)
    torch.testing.assert_close(there, (at + net._foresee(perturbed(table, at, 0.2), batch, None, None)) / 2)


@pytest.mark.parametrize(
    "params",
    [{"perturbation": 0.1}, {"contrast": 0.1}, {"optimiser": "rowwise-adagrad", "schedule": "cosine"}],
)
def test_the_chain_is_learned_with_each(params: dict[str, object]) -> None:
    model = fitted(ring(), epochs=8, **params)
    asked = Histories.of([[(i + n) % 12 for n in range(3)] for i in range(12)])
    assert (model.score(asked).argmax(axis=1) == (np.arange(12) + 3) % 12).mean() >= 0.98


def test_the_recipe_is_that_of_the_arguments() -> None:
    asked = {
        "optimiser": "nadam",
        "schedule": "cosine",
        "weight_decay": 0.2,
        "averaging": 0.9,
        "l1": 0.1,
        "learning_rate": 0.5,
        "epochs": 3,
        "patience": 2,
        "seed": 7,
    }
    assert recipe(SequenceModel(**asked).params) == Recipe(**asked, settled=SETTLED)  # type: ignore[arg-type]
    assert recipe(SequenceModel().params) == Recipe(100, 4e-3, patience=10, settled=SETTLED, averaging=0.998)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"item_vector": "txt"}, "no item vector 'txt': did you mean 'text'[?] Allowed: alphafuse, fused"),
        (
            {"augment": ["corp"]},
            "no augmentation 'corp': did you mean 'crop'[?] Allowed: crop, mask, reorder",
        ),
        ({"augment": []}, r"augment must be a list of one or more of crop, .*, got \[\]"),
        ({"augment": "crop"}, "augment must be a list of one or more of crop, .*, got 'crop'"),
        ({"perturbation": -1}, "perturbation must be 0 or a positive number, got -1"),
        ({"contrast": float("nan")}, "contrast must be 0 or a positive number, got nan"),
        ({"averaging": 1.0}, "averaging must be at least 0 and below 1, got 1.0"),
        ({"schedule": "cosin"}, "no schedule 'cosin': did you mean 'cosine'[?]"),
        ({"optimiser": "adamm"}, "no optimiser 'adamm': did you mean 'adam'[?]"),
        ({"weight_decay": "much"}, "weight_decay must be 0 or a positive number, got 'much'"),
    ],
)
def test_arguments_out_of_range_are_refused(params: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        SequenceModel(**params)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("params", "setting"),
    [
        ({"loss": "sampled", "negatives": 10**6}, "lower train.params.negatives or batch_tokens"),
        ({"batch_tokens": 10**8}, "lower train.params.batch_tokens, or take loss='sampled'"),
        ({"width": 65_536}, "lower train.params.width, layers or max_length"),
    ],
)
def test_what_would_not_fit_into_memory_names_the_setting_that_makes_it_large(
    params: dict[str, Any], setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sequence_params, "memory_left", lambda device: 10**9)
    given = SequenceModel(**params).params
    with pytest.raises(AcclimateError, match="out of memory") as caught:
        sequence_params.check_size(given, "cpu", 500)
    assert setting in caught.value.message
    sequence_params.check_size(SequenceModel().params, "cpu", 500)


def test_a_container_tells_what_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "GROUPS", ((tmp_path, "most", "used", "inactive_file"),))
    cpu = torch.device("cpu")
    whole = devices.memory_left(cpu)
    told = {"most": "max", "used": "800", "memory.stat": "anon 600\ninactive_file 150\n"}
    for name, text in told.items():
        (tmp_path / name).write_text(text)
    assert devices.memory_left(cpu) > 0.5 * whole, "there is no limit"
    (tmp_path / "most").write_text("1000")
    assert devices.memory_left(cpu) == 1000 - 800 + 150
