"""The figures of the quality benchmark -> tables for people, and each target as met or missed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

COLD, FULL, LOGIT, NAIVE = (
    "signals, learning from a cold start",
    "full system",
    "range-volatility logit",
    "naive",
)
SKILL = {"NSE": 0.04, "US": 0.08}
SUSPICIOUS_DIRECTION, SUSPICIOUS_R2 = 0.58, 0.05  # better than that smells of leakage


# ---- targets ---------------------------------------------------------------------------------------------------------


def targets(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each target with the figure it asks for, and whether it is met."""
    checks: list[tuple[str, object, bool]] = []
    for name, market in found["real"].items():
        checks += _full(name, market) + _confidence(name, market) + _validation(name, market) + _leaks(name, market)
    checks += [_fresh(name, market) for name, market in found.get("fresh", {}).items()]
    checks += [_cold(name, market) for name, market in found["cold"].items() if market["curve"]]
    known = found["planted"]
    checks += [*_planted(known)]
    checks += [*_flips(known)] if "flip" in known else []
    checks += [*_walks(known)] if "walk_weights" in known else []
    return [{"target": text, "found": figure, "met": bool(met)} for text, figure, met in checks]


def _full(name: str, market: Mapping[str, Any]) -> list[tuple[str, object, bool]]:
    full, naive = market["rows"][FULL], market["rows"][NAIVE]
    symbol, worst = full["worst_stock"]
    lead = full["accuracy"] - naive["accuracy"]
    return [
        (f"{name}: ratio to naive <= 1.000", round(full["ratio"], 4), full["ratio"] <= 1.0),
        (f"{name}: ratio to naive <= 0.997 (aim)", round(full["ratio"], 4), full["ratio"] <= 0.997),
        (f"{name}: mean size of change >= 0.05 %", round(full["mean_size_pct"], 3), full["mean_size_pct"] >= 0.05),
        (f"{name}: no stock over 1.02", f"{symbol} {worst:.4f}", worst <= 1.02),
        (f"{name}: accuracy >= naive's less 0.2 points", f"{lead:+.2%}", lead >= -0.002),
    ]


def _confidence(name: str, market: Mapping[str, Any]) -> list[tuple[str, object, bool]]:
    full, logit = market["rows"][FULL], market["rows"][LOGIT]
    skill, aim = full["brier_skill"] or 0.0, SKILL[name] + 0.01
    thirds = full["coverage_by_third"]
    return [
        (f"{name}: Brier skill >= {SKILL[name]:.0%}", f"{skill:.2%}", skill >= SKILL[name]),
        (f"{name}: Brier skill >= {aim:.0%} (aim)", f"{skill:.2%}", skill >= aim),
        (
            f"{name}: Brier skill above the logit's",
            f"{skill:.2%} / {logit['brier_skill'] or 0:.2%}",
            skill > (logit["brier_skill"] or 0),
        ),
        (
            f"{name}: calibration error <= 0.015",
            round(full["calibration_error"], 4),
            full["calibration_error"] <= 0.015,
        ),
        (f"{name}: 80 % intervals hold 78.5-81.5 %", f"{full['coverage']:.1%}", 0.785 <= full["coverage"] <= 0.815),
        (f"{name}: and 77-83 % in each third", _shares(thirds), all(0.77 <= share <= 0.83 for share in thirds)),
    ]


def _validation(name: str, market: Mapping[str, Any]) -> list[tuple[str, object, bool]]:
    return [
        (f"{name}: {model} on validation days <= 1.00 x naive", round(ratio, 4), ratio <= 1.0)
        for model, ratio in market["validation"].items()
        if model in ("lstm_mae", "xgb_mae")
    ]


def _leaks(name: str, market: Mapping[str, Any]) -> list[tuple[str, object, bool]]:
    full = market["rows"][FULL]
    direction, r2 = full["direction"] or 0.0, full["r2"]
    told = f"{direction:.1%} / {r2:.1%}"
    return [
        (
            f"{name}: no smell of leakage (direction 58 %, R2 5 %)",
            told,
            direction <= SUSPICIOUS_DIRECTION and r2 <= SUSPICIOUS_R2,
        )
    ]


def _fresh(name: str, market: Mapping[str, Any]) -> tuple[str, object, bool]:
    week, after = market["second_week"], market["after"]
    text = f"{name}: fresh logs beside models, sessions 6-11 <= 1.005 x naive, {market['starts']} starts"
    told = f"{week['ratio']:.4f}, worst start {week['worst']:.3f}; sessions 12-30 {after['ratio']:.4f}"
    return (text, told, week["ratio"] <= 1.005)


def _cold(name: str, market: Mapping[str, Any]) -> tuple[str, object, bool]:
    lead = market["lead_weeks_4_to_6"]
    text = f"{name}: cold start within 0.5 points of naive in weeks 4-6, {len(market['starts'])} starts"
    return (text, f"{lead:+.2%}", lead >= -0.005 and len(market["starts"]) >= 12)


def _planted(found: Mapping[str, Any]) -> Iterator[tuple[str, object, bool]]:
    for title in ("momentum", "reversal"):
        lives = found.get(title, [])
        for name in (COLD, FULL):
            ratios = [life[name]["ratio"] for life in lives if name in life]
            if not ratios:
                continue
            largest = all(life[name]["largest_is_planted"] for life in lives if name in life)
            yield (f"planted {title}, {name}: ratio <= 0.97", round(float(np.mean(ratios)), 4), np.mean(ratios) <= 0.97)
            yield (f"planted {title}, {name}: its weight is the largest among the rules", largest, largest)
        for model, ratio in lives[0]["alone"].items() if lives else ():
            yield (f"planted {title}: {model} alone <= 0.97", round(ratio, 4), ratio <= 0.97)


def _flips(found: Mapping[str, Any]) -> Iterator[tuple[str, object, bool]]:
    ratio = float(np.mean([life["ratio"] for life in found["flip"]]))
    marks = [name for name in found["flip"][0] if name.startswith("weight_")]
    means = [float(np.mean([life[name] for life in found["flip"]])) for name in marks]
    yield ("flipped truth: ratio <= 0.985 over sessions 61-120 after", round(ratio, 4), ratio <= 0.985)
    told = ", ".join(f"{mean:+.3f}" for mean in means)
    yield ("flipped truth: the weight's sign has turned", told, means[0] > 0 > means[-1])


def _walks(found: Mapping[str, Any]) -> Iterator[tuple[str, object, bool]]:
    ratios = [life["ratio"] for life in found["walks"]]
    told = f"{min(ratios):.4f}..{max(ratios):.4f}"
    yield ("random walks: every ratio in 0.998..1.004", told, min(ratios) >= 0.998 and max(ratios) <= 1.004)
    outside = [name for name, (low, _, high) in found["walk_weights"].items() if not low <= 0 <= high]
    yield ("random walks: no weight's 99 % interval leaves out 0", ", ".join(outside) or "none does", not outside)


# ---- tables ----------------------------------------------------------------------------------------------------------


def markdown(found: Mapping[str, Any]) -> str:
    """Everything that was found, as tables."""
    parts: list[str] = []
    for name, market in found["real"].items():
        parts.append(f"## {name}, {market['stocks']} stocks, {market['from']} to {market['to']}\n")
        parts.append(_table(HEAD, [_row(title, row) for title, row in market["rows"].items()]))
        parts.append(f"### {name}, with parts left out\n")
        parts.append(_table(HEAD, [_row(title, row) for title, row in market["ablation"].items()]))
        parts.append(_earned(market["ablation"]))
    for name, market in found["cold"].items():
        parts.append(f"## {name}, cold start, {len(market['starts'])} start dates a quarter apart\n")
        parts.append(_table(("week", "accuracy", "naive", "error / naive", "confidence"), map(_week, market["curve"])))
    if found["planted"]:
        parts += [
            "## Where the truth is known\n",
            _table(("market", "forecast", "ratio", "perfect knowledge", "weights"), _lives(found["planted"])),
        ]
    parts.append("## Targets\n")
    parts.append(
        _table(
            ("target", "found", ""),
            [(t["target"], str(t["found"]), "met" if t["met"] else "MISSED") for t in found["targets"]],
        )
    )
    return "\n".join(parts) + f"\n\n{found['seconds']} s in all."


HEAD = (
    *(
        "",
        "n",
        "accuracy",
        "mean error",
        "ratio to naive (95 %)",
        "worst stock",
        "mean size",
        "direction (95 %)",
        "up moves",
    ),
    *("Brier skill", "calibration error", "80 % interval holds", "by third of volatility"),
)


def _row(title: str, row: Mapping[str, Any]) -> Sequence[str]:
    low, high = row["ratio_interval"]
    symbol, worst = row["worst_stock"]
    direction = "-"
    if row["direction"] is not None:
        below, above = row["direction_interval"]
        direction = f"{row['direction']:.1%} ({below:.1%}..{above:.1%})"
    skill, calibration, coverage = (row.get(name) for name in ("brier_skill", "calibration_error", "coverage"))
    return (
        title,
        str(row["n"]),
        f"{row['accuracy']:.2%}",
        f"{row['mean_error_pct']:.3f} %",
        f"{row['ratio']:.4f} ({low:.4f}..{high:.4f})",
        f"{symbol} {worst:.3f}",
        f"{row['mean_size_pct']:.3f} %",
        direction,
        f"{row['up_share']:.1%}",
        "-" if skill is None else f"{skill:.2%}",
        "-" if calibration is None else f"{calibration:.4f}",
        "-" if coverage is None else f"{coverage:.1%}",
        "-" if coverage is None else _shares(row["coverage_by_third"]),
    )


def _shares(shares: Iterable[float]) -> str:
    return " / ".join(f"{share:.1%}" for share in shares)


def _earned(ablation: Mapping[str, Any]) -> str:
    """Which parts earn nothing: left out, the error is no greater and the confidence no worse."""
    full = ablation[FULL]
    idle = [
        title.removeprefix("without ")
        for title, row in ablation.items()
        if title != FULL
        and row["ratio"] <= full["ratio"]
        and (row["brier_skill"] or 0) >= (full["brier_skill"] or 0) - 1e-4
    ]
    return f"Earns nothing here: {', '.join(idle) or 'none of them'}.\n"


def _week(row: Mapping[str, Any]) -> Sequence[str]:
    return (
        str(row["week"]),
        f"{row['accuracy']:.1%}",
        f"{row['no_change']:.1%}",
        f"{row['ratio']:.4f}",
        f"{row['confidence']:.3f}",
    )


def _lives(found: Mapping[str, Any]) -> Iterator[Sequence[str]]:
    for title in ("momentum", "reversal"):
        for seed, life in enumerate(found[title], start=1):
            perfect = f"{life['perfect']['ratio']:.4f} ({life['perfect']['explained']:.1%} of variance)"
            for name in (COLD, FULL):
                if name in life:
                    yield (
                        f"{title} {seed}",
                        name,
                        f"{life[name]['ratio']:.4f}",
                        perfect,
                        _weights(life[name]["weights"]),
                    )
            for model, ratio in life["alone"].items():
                yield (f"{title} {seed}", f"{model} alone", f"{ratio:.4f}", perfect, "")
    for seed, life in enumerate(found["flip"], start=1):
        marks = {name: value for name, value in life.items() if name != "ratio"}
        yield (f"flip {seed}", COLD, f"{life['ratio']:.4f}", "", _weights(marks))
    for seed, life in enumerate(found["walks"], start=1):
        yield (f"random walk {seed}", COLD, f"{life['ratio']:.4f}", "1", _weights(life["weights"]))


def _weights(weights: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:+.3f}" for name, value in weights.items())


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"
