"""What holds weights that go on learning: all keep the promises, and at infinity nothing moves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from acclimate.adapt import safeguards
from acclimate.adapt.safeguards import SAFEGUARDS, Distilled, Elastic, Gated, Safeguard
from acclimate.adapt.slow import Slow
from acclimate.errors import InputError
from acclimate.models.going_on import answers, foreseeing, had_before, mixed, opened
from acclimate.models.sequence import SequenceModel
from acclimate.models.sequence_net import Batch, SequenceNet
from acclimate.types import Histories, Item
from tests.adapt.test_slow import Quick
from tests.contract.learners import N_NEW, PART, STREAM, begun, learns, same
from tests.contract.models import N_ITEMS, NEW, equal, questions, travelled

Make = Callable[[], Slow]
STRENGTH = {"kl": 5.0, "l2": 100.0, "ewc": 100.0, "gated": 0.0}
"""So strong that a promise that is broken shows."""
INFINITE = ("l2", "ewc", "gated")
"""Those that know what it is."""
FEW = STREAM.part(slice(0, 150))


@pytest.fixture(autouse=True)
def _little_is_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("acclimate.adapt.slow.STRETCHES", 8)
    monkeypatch.setattr("acclimate.state.contest.LEAST", 5)


def make(name: str, strength: float | None = None) -> Make:
    return lambda: Slow(Quick(), every=16, learning_rate=0.01, safeguard=name, strength=strength)


def begin(make: Make) -> Slow:
    model = begun(make)
    assert isinstance(model, Slow)
    return model


def learned(make: Make) -> Slow:
    model = begin(make)
    learns(model, FEW)
    return model


def weights(model: Slow) -> dict[str, NDArray[Any]]:
    """What of the served model belongs to items that were published."""
    arrays = travelled(model.base.state())[0]
    warm = np.flatnonzero(model.guard.known)
    return {k: v[warm] if k == "ids" else v for k, v in arrays.items() if k == "ids" or k[:4] == "net."}


def moved(model: Slow) -> float:
    """How far weights moved from where they were published; of ``ewc`` those that old events depend on."""
    before, now = weights(begin(make("none"))), weights(model)
    far = {name: np.abs(now[name] - before[name]) for name in before}
    for name, matters in model.guard.kept.get("fisher", {}).items():
        if name == "items.ids":
            far["ids"] *= matters[model.guard.known].numpy()
        else:
            far[f"net.{name}"] *= matters.numpy()
    return max(float(part.max()) for part in far.values())


def check_chunks_are_invisible(make: Make) -> None:
    whole, model = learned(make), begin(make)
    for part in np.array_split(np.arange(len(FEW.time)), 40):
        model.score(questions())
        learns(model, FEW.part(part))
    assert model.steps == whole.steps > 3
    for name, array in model.state()[0].items():
        equal(array, whole.state()[0][name], 1e-5)


def check_state_travels(make: Make) -> None:
    first, rest = FEW.part(slice(0, 90)), FEW.part(slice(90, None))
    model, again = begin(make), make()
    learns(model, first)
    again.restore(travelled(model.state()))
    same(again, model)
    same(learns(again, rest), learns(model, rest))


def check_at_infinity_nothing_moves(make: Make) -> None:
    model = learned(make)
    assert model.steps - model.failed > 3
    assert moved(model) == 0


def check_a_step_that_fails_changes_nothing(make: Make) -> None:
    model, real = begin(make), SequenceNet.loss
    part = STREAM.part(slice(0, 60))
    before = travelled(model.base.state())[0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SequenceNet, "loss", lambda net, batch: real(net, batch) * float("nan"))
        learns(model, part)
    assert model.failed == model.steps > 0
    for name, array in travelled(model.base.state())[0].items():
        np.testing.assert_array_equal(before[name], array, err_msg=name)
    learns(model, FEW)
    assert model.steps - model.failed > 3
    for name, array in model.state()[0].items():
        assert name.startswith("users.") or np.isfinite(array).all(), name


CHECKS = check_chunks_are_invisible, check_state_travels, check_a_step_that_fails_changes_nothing


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", STRENGTH)
def test_each_keeps_the_promises(name: str, check: Callable[[Make], None]) -> None:
    check(make(name, STRENGTH[name]))


@pytest.mark.parametrize("name", INFINITE)
def test_at_infinity_nothing_moves(name: str) -> None:
    check_at_infinity_nothing_moves(make(name, np.inf))


def test_the_more_it_is_distilled_the_less_is_said_otherwise() -> None:
    """By one step of Adam each weight moves as far as ever; what the model says does not."""
    then, known = begin(make("none")), np.flatnonzero(begin(make("none")).guard.known)
    said = then.score(questions())[:, known]
    apart = []
    for strength in (0.0, 3.0, 1000.0):
        now = learned(make("kl", strength)).score(questions())[:, known]
        apart.append(float(np.nanmean(np.abs(now - said))))
    assert apart[0] > apart[1] > 2 * apart[2] > 0, apart


class Careless(Distilled):
    """Breaks every promise: what was published is lost on the way, it draws what no seed decides, and NaN
    stays."""

    count = 0

    def publish(self, net: SequenceNet, old: Batch | None) -> None:
        super().publish(net, old)
        assert old is not None
        if not torch.isfinite(net.loss(old)):
            net.log_scale.data *= np.nan

    def term(self, net: SequenceNet, batches: Any, rng: np.random.Generator) -> torch.Tensor:
        Careless.count += 1
        return 1e3 * float(np.cos(2 * Careless.count)) * (net.items.ids**2).sum()

    def restore(self, state: Any) -> None:
        super().restore(state)
        self.kept["then"] = {name: 0 * part for name, part in self.then.items()}


@pytest.mark.parametrize(
    "check", [*CHECKS, check_at_infinity_nothing_moves], ids=lambda check: check.__name__
)
def test_every_check_can_fail(check: Callable[[Make], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SAFEGUARDS, "kl", Careless)
    monkeypatch.setattr(Careless, "count", 0)
    with pytest.raises(AssertionError):
        check(make("kl", 1.0))


def batch_of(*histories: list[int]) -> Batch:
    steps, then = foreseeing(Histories.of(list(histories)))
    return Batch(steps, then, torch.ones(len(then)))


def net_of(model: Slow) -> SequenceNet:
    return opened(model.base, model.counts)


def test_the_divergence_is_that_of_two_softmaxes(monkeypatch: pytest.MonkeyPatch) -> None:
    model = begin(make("kl", 1.0))
    net, batch = net_of(model), batch_of([0, 1, 2, 3], [4, 5])

    def term(seed: int = 0) -> float:
        found = model.guard.term(net, [batch], np.random.default_rng(seed))
        assert isinstance(found, torch.Tensor)
        return float(found.detach())

    model.guard.publish(net, None)
    assert abs(term()) < 1e-6
    with torch.no_grad():
        states, items, _ = answers(net.eval(), batch.steps)
        logits = net.scale.double() * states.double() @ items[np.flatnonzero(model.guard.known)].double().T
        net.log_scale += 0.5
    p, q = torch.softmax(logits, dim=1), torch.softmax(np.exp(0.5) * logits, dim=1)
    expected = float((p * (p / q).log()).sum(dim=1).mean())
    assert term() == pytest.approx(expected, rel=1e-3)
    with monkeypatch.context() as few:
        few.setattr(safeguards, "STATES", 3)
        drawn = [term(seed) for seed in range(200)]
    assert len(set(drawn)) > 1
    assert np.mean(drawn) == pytest.approx(expected, rel=0.3)
    monkeypatch.setattr(safeguards, "ITEMS", 5)
    assert term(1) == term(1) != term(2)
    assert net.training


def test_new_items_are_free() -> None:
    """What was published says nothing of items that nobody had had."""
    for name in ("l2", "ewc"):
        model = learned(make(name, np.inf))
        ids = model.base.state()[0]["ids"]
        assert np.abs(ids[N_ITEMS:N_NEW]).max() > 1e-3, name
    model = learned(make("kl", 1.0))
    assert not model.guard.known[N_ITEMS:].any()
    assert model.guard.known[:N_ITEMS].any()


@pytest.mark.parametrize("name", SAFEGUARDS)
def test_items_come_while_it_learns(name: str) -> None:
    model = begin(make(name, STRENGTH.get(name)))
    learns(model, STREAM.part(slice(0, 70)))
    more = [Item("latest", "film 103 of the sea"), Item("last", "film 104 of the sea")]
    model.put_items(np.array([N_NEW, N_NEW + 1], np.int32), more)
    learns(model, FEW)
    assert model.failed == 0
    assert model.score(questions()).shape[1] == N_NEW + 2


def test_items_with_a_bias_come_while_it_learns() -> None:
    """A number of each item has moments, and a published one, too."""
    shape: dict[str, Any] = {"width": 8, "heads": 1, "epochs": 1, "validation_users": 0, "max_length": 12}
    for name in ("kl", "l2", "gated"):
        model = Slow(SequenceModel(item_bias=True, **shape), every=16, safeguard=name)
        model.fit(PART)
        learns(model, FEW.part(slice(0, 40)))
        model.put_items(np.arange(N_ITEMS, N_NEW, dtype=np.int32), NEW)
        learns(model, FEW)
        assert model.failed == 0 < model.steps
        assert model.score(questions()).shape[1] == N_NEW


def test_old_events_say_which_weights_matter() -> None:
    model = begin(make("ewc"))
    net = net_of(model)
    guard = model.guard
    assert isinstance(guard, Elastic)
    guard.publish(net, batch_of([0, 1, 2, 3], [4, 5]))
    every = torch.cat([part.flatten() for part in guard.kept["fisher"].values()])
    assert float(every.mean()) == pytest.approx(1.0, rel=1e-4)
    slopes = []
    for one in (batch_of([0, 1, 2, 3]), batch_of([4, 5])):
        net.eval().zero_grad()
        net.loss(one).backward()  # type: ignore[no-untyped-call]
        assert net.log_scale.grad is not None
        slopes.append(float(net.log_scale.grad) ** 2)
    ids, scale = guard.kept["fisher"]["items.ids"], float(guard.kept["fisher"]["log_scale"])
    net.zero_grad()
    squares = [float(part) for part in (ids[0].sum(), ids[6].sum())]
    assert scale > 0
    assert squares[0] > squares[1], "what is read and foreseen matters more than what is not"
    assert sum(slopes) > 0


def test_what_a_user_had_before_each_question() -> None:
    batch = batch_of([4, 5, 6], [7, 8])._replace(weights=torch.tensor([0.0, 1.0, 1.0]))
    rows, had = had_before(batch)
    assert rows.tolist() == [0, 0, 1]
    assert had.tolist() == [4, 5, 7]


def test_a_mix_is_between_the_two_and_leaves_no_trace() -> None:
    net = net_of(begin(make("none")))
    then = {name: torch.zeros_like(weight) for name, weight in net.named_parameters()}
    own = {name: weight.detach().clone() for name, weight in net.named_parameters()}
    for share in (0.0, 0.25, 1.0):
        with mixed(net, then, share):
            for name, weight in net.named_parameters():
                torch.testing.assert_close(weight, share * own[name], rtol=0, atol=1e-7)
    del then["log_scale"]
    with mixed(net, then, 0.0):
        assert net.log_scale == own["log_scale"], "what is not in the other stays"
    for name, weight in net.named_parameters():
        torch.testing.assert_close(weight, own[name], rtol=0, atol=0)


def test_the_gate_opens_where_learned_weights_foresee_better() -> None:
    """Users go from 0 to 1 from now on: only learned weights know that."""
    for strength, opens in ((3.0, True), (np.inf, False)):
        model = begin(make("gated", strength))
        assert isinstance(model.guard, Gated)
        assert model.guard.share == 0
        model.guard.contest._sum += 100.0 * np.arange(len(safeguards.SHARES))
        model.guard.contest._count = model.guard.contest.asked = 1000
        assert (model.guard.share == 1) == opens
        before = travelled(model.base.state())[0]["ids"]
        learns(model, STREAM.part(slice(0, 60)))
        assert (np.abs(model.base.state()[0]["ids"] - before).max() > 1e-3) == opens


def test_what_was_given_wrong_is_said() -> None:
    with pytest.raises(InputError, match="no safeguard 'gate': did you mean 'gated'\\? Allowed: ewc"):
        Slow(Quick(), safeguard="gate")
    for given in (-1, "much", float("nan"), True):
        with pytest.raises(InputError, match="strength must be 0 or more, got "):
            Slow(Quick(), strength=given)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="with kl strength must be finite, got inf"):
        Slow(Quick(), safeguard="kl", strength=np.inf)
    assert type(Slow(Quick(), safeguard="none").guard) is Safeguard
    assert type(Slow(Quick()).guard) is Distilled
