"""The text space, and the ids beside the texts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from acclimate.models.item_vectors import LENGTH, ItemVectors, TextSpace


def texts(n: int = 200, width: int = 6) -> np.ndarray:
    rng = np.random.default_rng(0)
    return (rng.normal(size=(n, width)) * [5, 3, 2, 1, 0.5, 0.1] + 2.0).astype(np.float32)


def test_placed_texts_are_white_and_strongest_first() -> None:
    x = texts()
    space = TextSpace.fit(x, width=4)
    placed = space.place(x)
    np.testing.assert_allclose(np.cov(placed, rowvar=False), np.eye(4), atol=2e-3)
    for axis, column in enumerate((0, 1, 2, 3)):
        assert abs(np.corrcoef(placed[:, axis], x[:, column])[0, 1]) > 0.95


def test_the_space_is_learned_from_training_items_only() -> None:
    x = texts()
    space = TextSpace.fit(x[:100], width=3)
    moved = x.copy()
    moved[100:] *= 50
    np.testing.assert_array_equal(
        space.place(x)[:100], TextSpace.fit(moved[:100], width=3).place(moved)[:100]
    )


def test_no_text_is_the_zero_vector_and_teaches_nothing() -> None:
    x = texts()
    x[::2] = 0
    placed = TextSpace.fit(x, width=3).place(x)
    assert not placed[::2].any()
    np.testing.assert_array_equal(placed[1::2], TextSpace.fit(x[1::2], width=3).place(x[1::2]))


def test_few_equal_or_no_texts_are_fine() -> None:
    for x in (texts(1), np.repeat(texts(1), 5, axis=0), np.zeros((4, 6), np.float32), texts(3)):
        for length in (None, LENGTH):
            placed = TextSpace.fit(x, width=5, length=length).place(x)
            assert placed.shape == (len(x), 5)
            assert np.isfinite(placed).all()


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("width", [2, 6, 9])
def test_texts_are_placed_as_long_as_asked(width: int, power: float) -> None:
    placed = TextSpace.fit(texts(), width, power, length=3.0).place(texts())
    assert np.sqrt((placed**2).sum(axis=1).mean()) == pytest.approx(3.0, rel=0.01)


def test_fused_text_and_id_begin_in_every_direction() -> None:
    params = {"item_vector": "fused", "width": 64, "id_share": 0.5, "id_dropout": 0.0}
    text = np.random.default_rng(0).normal(size=(500, 64)).astype(np.float32)
    ids = ItemVectors.of(text, params, reads=True)() - torch.from_numpy(text)
    assert float(ids.detach().norm(dim=1).mean()) == pytest.approx(1.0, abs=0.02)
    assert float(ids.std(dim=0).min().detach()) > 0.1, "no direction is left out"
    half = ItemVectors.of(text, params | {"item_vector": "alphafuse"}, reads=True)() - torch.from_numpy(text)
    assert not half[:, :32].any()


def test_ids_touch_the_weak_directions_only() -> None:
    text = torch.from_numpy(TextSpace.fit(texts(), width=4).place(texts()))
    vectors = ItemVectors(text, id_width=1, id_dropout=0.0)
    assert torch.equal(vectors()[:, :3], text[:, :3])
    assert not torch.equal(vectors()[:, 3], text[:, 3])


def test_a_dropped_id_leaves_the_text() -> None:
    text = torch.randn(4000, 4)
    vectors = ItemVectors(text, id_width=4, id_dropout=0.25)
    bare = (vectors() == text).all(dim=1).float().mean()
    assert abs(float(bare) - 0.25) < 0.03
    assert not (vectors.eval()() == text).all(dim=1).any()
