"""The tables of the clocks: what is published, beside what it takes the place of, and events a second."""

from __future__ import annotations

from typing import Any

CLOCKS = {
    "state_per_second": "histories and counts, folded from the log",
    "state_and_prior_per_second": "the same, and the prior (`adapt.prior`)",
    "slow_kl_per_second": "slow clock, `kl`: the default",
    "slow_none_per_second": "slow clock, `none`",
}


def tables(found: dict[str, Any]) -> str:
    """Return a table for each part that was measured."""
    parts = {name: part["runs"] for name, part in found["parts"].items() if part["runs"]}
    makers = {"learner": _learner, "speed": _speed}
    return "\n\n".join(makers[name](parts[name]) for name in makers if name in parts)


def _learner(runs: dict[str, Any]) -> str:
    rows = []
    for seed, run in runs.items():
        compared = [each for each in run["judged"] if "gain" in each]
        for number, each in enumerate(compared, 1):
            told = f"{each['gain']:+.4f} [{each['gain_low']:+.4f}, {each['gain_high']:+.4f}]"
            kept = f"{each['backward']:+.4f}" if "backward" in each else "-"
            figures = f"{each['ndcg@10 of current']:.4f} | {each['ndcg@10']:.4f} | {told} | {kept}"
            rows.append(f"| {seed} | {number} | {each['users']:.0f} | {figures} |")
    costs = [
        f"seed {seed}: {run['events']:,} events in {run['learn_seconds']:.0f} CPU seconds (the fit before it "
        f"{run['fit_seconds']:.0f}), {run['published']} published, {run['refused']} refused, "
        f"{run['rolled_back']} rolled back"
        for seed, run in runs.items()
    ]
    return "\n".join(
        [
            "**acclimate learn on ml-100k**: candidates before the gate, NDCG@10 over users held back.",
            "",
            "| seed | candidate | users | current | candidate | difference | on older questions |",
            "|---|---|---|---|---|---|---|",
            *rows,
            "",
            f"{'; '.join(costs)}.",
        ]
    )


def _speed(runs: dict[str, Any]) -> str:
    rows = [
        f"| {told} | {' / '.join(f'{run[name]:,.0f}' for run in runs.values())} |"
        for name, told in CLOCKS.items()
    ]
    return "\n".join(
        [
            f"**Events a second**, width 64, 50 events of context, one thread; seeds {', '.join(runs)}.",
            "",
            "| clock | events a second |",
            "|---|---|",
            *rows,
        ]
    )
