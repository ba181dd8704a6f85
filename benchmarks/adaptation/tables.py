"""The tables of the clocks: what is published, beside what it takes the place of, and events a second."""

from __future__ import annotations

from typing import Any

import numpy as np

CLOCKS = {
    "state_per_second": "histories and counts, folded from the log",
    "state_and_prior_per_second": "the same, and the prior (`adapt.prior`)",
    "state_and_prior_at_first_per_second": "the same, its first 10,000 questions",
    "slow_kl_per_second": "slow clock, `kl`: the default",
    "slow_none_per_second": "slow clock, `none`",
}


def tables(found: dict[str, Any]) -> str:
    """Return a table for each part that was measured."""
    parts = {name: part["runs"] for name, part in found["parts"].items() if part["runs"]}
    makers = {
        "learner": _learner,
        "speed": _speed,
        "sudden": _sudden,
        "recurring": _recurring,
        "memory": _memory,
        "new users": _new_users,
        "retraining": _retraining,
    }
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
        if all(name in run for run in runs.values())
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


def _mean(runs: dict[str, Any], level: str, name: str) -> list[float]:
    """Return the mean over seeds of a figure of a level, or of each of several."""
    found = np.array([run["levels"][level][name] for run in runs.values()], np.float64)
    return np.atleast_1d(found.mean(axis=0)).tolist()  # type: ignore[no-any-return]


def _sudden(runs: dict[str, Any]) -> str:
    rows = []
    for level in next(iter(runs.values()))["levels"]:
        (before,), turned = _mean(runs, level, "before"), _mean(runs, level, "turned")
        figures = [before, *turned[:4], turned[9], *_mean(runs, level, "windows")]
        rows.append(f"| {level} | {' | '.join(f'{each:.2f}' for each in figures)} |")
    return "\n".join(
        [
            "**A sudden change**: NDCG@10 as a share of what one who knows the chances would reach, for "
            "users whose taste turned at event 5,000: at their 1st, 2nd, 3rd, 4th and 10th event since; by "
            f"fifths of the 5,000 events since; seeds {', '.join(runs)}.",
            "",
            "| clocks | before | 1st | 2nd | 3rd | 4th | 10th | 1 | 2 | 3 | 4 | 5 |",
            "|---|---|---|---|---|---|---|---|---|---|---|---|",
            *rows,
        ]
    )


def _recurring(runs: dict[str, Any]) -> str:
    rows = []
    for level in next(iter(runs.values()))["levels"]:
        names = ("quarters", "first_visit_starts", "second_visit_starts")
        figures = [f"{each:.2f}" for name in names for each in _mean(runs, level, name)]
        figures.append(f"{_mean(runs, level, 'backward_transfer')[0]:+.4f}")
        rows.append(f"| {level} | {' | '.join(figures)} |")
    return "\n".join(
        [
            "**There, back, and there again**: NDCG@10 as a share of what one who knows the chances would "
            "reach, by quarters; at the start of the first and of the second visit (a fifth of it); and "
            f"what learning did to questions of earlier times (NDCG@10); seeds {', '.join(runs)}.",
            "",
            "| clocks | 1 | 2 | 3 | 4 | first visit | second visit | backward |",
            "|---|---|---|---|---|---|---|---|",
            *rows,
        ]
    )


def _memory(runs: dict[str, Any]) -> str:
    run = next(iter(runs.values()))
    told = ", ".join(f"{mb:,.0f}" for mb in run["rss_mb"])
    return (
        f"**Memory of the fast clock** in MB after each million of {len(run['rss_mb'])} million made events, "
        f"with the prior on: {told}; {run['events_per_second']:,.0f} events a second."
    )


def _new_users(runs: dict[str, Any]) -> str:
    rows = []
    for k, first in next(iter(runs.values()))["after"].items():
        cells = [k, f"{first['users']}"]
        for what in ("next", "ten"):
            plain = np.mean([run["after"][k][what]["plain"] for run in runs.values()])
            cells.append(f"{plain:.4f}")
            for way in ("start", "step"):
                gains = np.mean([run["after"][k][what][way] for run in runs.values()], axis=0)
                cells.append(f"{gains[0]:+.4f} [{gains[1]:+.4f}, {gains[2]:+.4f}]")
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(
        [
            "**New users of ml-100k** after so many events: NDCG@10 of what comes next, of the next ten, and "
            f"what a learned start, and a step from there, add; means of seeds {', '.join(runs)}.",
            "",
            "| after | users | next | start | step | next ten | start | step |",
            "|---|---|---|---|---|---|---|---|",
            *rows,
        ]
    )


def _retraining(runs: dict[str, Any]) -> str:
    first, rows = next(iter(runs.values())), []
    for level in first["levels"]:
        ndcg, beside, cost = (
            _mean(runs, level, name)[0] for name in ("ndcg@10", "beside_weekly", "learn_seconds")
        )
        (weekly,) = _mean(runs, "weekly", "learn_seconds")
        gain = _mean(runs, level, "beyond_weekly")
        told = f"{ndcg:.4f} | {gain[0]:+.4f} [{gain[1]:+.4f}, {gain[2]:+.4f}] | {100 * beside:.0f} %"
        rows.append(f"| {level} | {told} | {cost:,.0f} | {100 * cost / weekly:.0f} % |")
    return "\n".join(
        [
            f"**Beside a fit on everything each week**, ml-100k, the newest three tenths: {first['weeks']} "
            f"weeks, {first['questions']:,} questions; all with live histories; seeds {', '.join(runs)}.",
            "",
            "| clocks | NDCG@10 | beyond weekly fits | of theirs | CPU seconds to learn | of theirs |",
            "|---|---|---|---|---|---|",
            *rows,
        ]
    )
