"""The figures of the quality benchmark -> each target, met or missed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from results_days import ASSUMED, FORETOLD, NONE

COLD, FULL, LOGIT, NAIVE = (
    "signals, learning from a cold start",
    "full system",
    "range-volatility logit",
    "naive",
)
SUSPICIOUS_DIRECTION, SUSPICIOUS_R2 = 0.58, 0.05  # better than that smells of leakage
SKILL_BY_KNOWLEDGE = {  # Brier skill, by what is known of results; with days on the rows that have them
    "NSE": {NONE: 0.046, FORETOLD: 0.051, ASSUMED: 0.054},
    "US": {NONE: 0.110, FORETOLD: 0.111, ASSUMED: 0.125},
}
CALIBRATION, LARGEST_YEAR, POOLED, LATEST = 0.010, 1.004, 0.9990, 0.9985

CRPS_BEFORE = {"NSE": 0.9979, "US": 0.9992}  # 2023 on, before the scale was fitted: measured on every fourth stock
CRPS_GAIN = {"NSE": 0.004, "US": 0.008}

Check = tuple[str, object, bool]


def targets(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each target with the figure it asks for, and whether it is met."""
    checks: list[Check] = []
    for name, market in found["real"].items():
        checks += _full(name, market) + _confidence(name, market) + _validation(name, market) + _leaks(name, market)
        checks += [*_knowing(name, market), *_conditions(name, market), *_crps(name, market)]
    checks += [_fresh(name, market) for name, market in found.get("fresh", {}).items()]
    checks += [_cold(name, market) for name, market in found["cold"].items() if market["curve"]]
    checks += [*_years(found)]
    known = found["planted"]
    checks += [*_planted(known)]
    checks += [*_flips(known)] if "flip" in known else []
    checks += [*_walks(known)] if "walk_weights" in known else []
    return [{"target": text, "found": figure, "met": bool(met)} for text, figure, met in checks]


def _full(name: str, market: Mapping[str, Any]) -> list[Check]:
    full, naive = market["rows"][FULL], market["rows"][NAIVE]
    symbol, worst = full["worst_stock"]
    lead = full["accuracy"] - naive["accuracy"]
    return [
        (f"{name}: ratio to naive <= 1.000", round(full["ratio"], 4), full["ratio"] <= 1.0),
        (f"{name}: ratio to naive <= {LATEST:.4f}", round(full["ratio"], 4), full["ratio"] <= LATEST),
        (f"{name}: ratio to naive <= 0.997 (aim)", round(full["ratio"], 4), full["ratio"] <= 0.997),
        (f"{name}: mean size of change >= 0.05 %", round(full["mean_size_pct"], 3), full["mean_size_pct"] >= 0.05),
        (f"{name}: no stock over 1.02", f"{symbol} {worst:.4f}", worst <= 1.02),
        (f"{name}: accuracy >= naive's less 0.2 points", f"{lead:+.2%}", lead >= -0.002),
    ]


def _confidence(name: str, market: Mapping[str, Any]) -> list[Check]:
    skill, logit = (market["rows"][row]["brier_skill"] or 0.0 for row in (FULL, LOGIT))
    thirds = market["rows"][FULL]["coverage_by_third"]
    return [
        (f"{name}: Brier skill above the logit's", f"{skill:.2%} / {logit:.2%}", skill > logit),
        (f"{name}: 80 % intervals hold 77-83 % in each third", _shares(thirds), all(0.77 <= x <= 0.83 for x in thirds)),
    ]


def _knowing(name: str, market: Mapping[str, Any]) -> Iterator[Check]:
    """Skill and calibration, with and without days of results; before results, how the intervals hold."""
    for known, figures in market["announced"].items():
        aim, part = SKILL_BY_KNOWLEDGE[name][known], "all" if known == NONE else "dated"
        if part not in figures:
            continue
        rows = "" if known == NONE else ", rows with dates"
        skill = figures[part]["brier_skill"] or 0.0
        yield (f"{name}, {known}{rows}: Brier skill >= {aim:.1%}", f"{skill:.2%}", skill >= aim)
        error, (low, high) = figures["all"]["calibration_error"], figures["all"]["calibration_interval"]
        told = f"{error:.4f} ({low:.4f}..{high:.4f})"
        yield (f"{name}, {known}: calibration error <= {CALIBRATION:.3f}", told, error <= CALIBRATION)
        if "before_results" in figures:
            share, n = figures["before_results"]["coverage"], figures["before_results"]["n"]
            told = f"{share:.1%} of {n:,}"
            yield (f"{name}, {known}: 80 % intervals hold 77-83 % before results", told, 0.77 <= share <= 0.83)


def _conditions(name: str, market: Mapping[str, Any]) -> Iterator[Check]:
    """How the intervals hold overall, by third and by year."""
    rows = market["conditions"]
    overall = rows[0]["coverage"]
    yield (f"{name}: 80 % intervals hold 79-81 %", f"{overall:.1%}", 0.79 <= overall <= 0.81)
    years = {row["value"]: row["coverage"] for row in rows if row["family"] == "year"}
    if years:
        told = ", ".join(f"{year}: {share:.1%}" for year, share in years.items())
        yield (f"{name}: and 77-83 % in each year", told, all(0.77 <= share <= 0.83 for share in years.values()))


def _crps(name: str, market: Mapping[str, Any]) -> Iterator[Check]:
    """CRPS as a share of that of no change with the fixed scale, beside what it was before the scale was fitted."""
    share = market["rows"][FULL]["crps"] / market["fixed_scale_crps"]
    aim = CRPS_BEFORE[name] - CRPS_GAIN[name]
    told = f"{share:.4f} (before: {CRPS_BEFORE[name]:.4f}); naive's {market['rows'][FULL]['naive_crps']:.4f} %"
    yield (f"{name}: CRPS <= {aim:.4f} x naive's with the fixed scale", told, share <= aim)


def _years(found: Mapping[str, Any]) -> Iterator[Check]:
    """The price over all decades, and in each market's each year."""
    panels = found.get("decades", {})
    if panels:
        error, naive = (
            sum(panel[name] for panel in panels.values()) for name in ("error_pct_sum", "naive_error_pct_sum")
        )
        size = sum(panel["mean_size_pct"] * panel["n"] for panel in panels.values())
        size /= sum(panel["n"] for panel in panels.values())
        yield (f"decades: ratio to naive, pooled <= {POOLED:.4f}", f"{error / naive:.4f}", error / naive <= POOLED)
        yield ("decades: mean size of change >= 0.05 %", f"{size:.3f} %", size >= 0.05)
    years = [
        (row["ratio"], f"{name} {row['year']}: {row['ratio']:.4f} of {row['n']:,}")
        for part in ("decades", "real")
        for name, market in found.get(part, {}).items()
        for row in market["years"]
    ]
    if years:
        worst, told = max(years)
        yield (f"no market-year over {LARGEST_YEAR:.3f} x naive, of {len(years)}", told, worst <= LARGEST_YEAR)


def _validation(name: str, market: Mapping[str, Any]) -> list[Check]:
    return [
        (f"{name}: {model} on validation days <= 1.00 x naive", round(ratio, 4), ratio <= 1.0)
        for model, ratio in market["validation"].items()
        if model in ("lstm_mae", "xgb_mae")
    ]


def _leaks(name: str, market: Mapping[str, Any]) -> list[Check]:
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


def _fresh(name: str, market: Mapping[str, Any]) -> Check:
    week, after = market["second_week"], market["after"]
    text = f"{name}: fresh logs beside models, sessions 6-11 <= 1.005 x naive, {market['starts']} starts"
    told = f"{week['ratio']:.4f}, worst start {week['worst']:.3f}; sessions 12-30 {after['ratio']:.4f}"
    return (text, told, week["ratio"] <= 1.005)


def _cold(name: str, market: Mapping[str, Any]) -> Check:
    lead = market["lead_weeks_4_to_6"]
    text = f"{name}: cold start within 0.5 points of naive in weeks 4-6, {len(market['starts'])} starts"
    return (text, f"{lead:+.2%}", lead >= -0.005 and len(market["starts"]) >= 12)


def _planted(found: Mapping[str, Any]) -> Iterator[Check]:
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


def _flips(found: Mapping[str, Any]) -> Iterator[Check]:
    ratio = float(np.mean([life["ratio"] for life in found["flip"]]))
    marks = [name for name in found["flip"][0] if name.startswith("weight_")]
    means = [float(np.mean([life[name] for life in found["flip"]])) for name in marks]
    yield ("flipped truth: ratio <= 0.985 over sessions 61-120 after", round(ratio, 4), ratio <= 0.985)
    told = ", ".join(f"{mean:+.3f}" for mean in means)
    yield ("flipped truth: the weight's sign has turned", told, means[0] > 0 > means[-1])


def _walks(found: Mapping[str, Any]) -> Iterator[Check]:
    ratios = [life["ratio"] for life in found["walks"]]
    told = f"{min(ratios):.4f}..{max(ratios):.4f}"
    yield ("random walks: every ratio in 0.998..1.004", told, min(ratios) >= 0.998 and max(ratios) <= 1.004)
    outside = [name for name, (low, _, high) in found["walk_weights"].items() if not low <= 0 <= high]
    yield ("random walks: no weight's 99 % interval leaves out 0", ", ".join(outside) or "none does", not outside)


def _shares(shares: Iterable[float]) -> str:
    return " / ".join(f"{share:.1%}" for share in shares)
