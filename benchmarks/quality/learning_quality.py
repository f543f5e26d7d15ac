"""Does learning learn? The learner alone, without trained models, over real and planted markets, day by day.

Real: from a cold start, against naive, SPEC's fixed rule, a pooled drift and a logit of volatility. Cold: the first
weeks, averaged over start dates a quarter apart. Planted: a truth put into simulated markets, one that flips, and none.

Run: python benchmarks/quality/learning_quality.py [real|cold|planted]... [--first DAY] [--last DAY] [--seeds N]
Needs the price files in $STOCKML_SHARED/market-data (default: ../shared beside the project) for real and cold.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable

import numpy as np
import pandas as pd
from figures import confidence_figures, errors, figures, interval_figures, ratio
from panels import DATA, HORIZON, MARKETS, WARM_UP, Panel, real_panel, simulated, walk
from truths import TRUTHS, Truth, momentum

from stockml.signals.rules import RULE_WEIGHTS


def show(title: str, rows: dict[str, dict[str, str]]) -> None:
    print(f"\n{title}")
    print(pd.DataFrame(rows).T.fillna("").to_string(), flush=True)


# --- the three parts -------------------------------------------------------------------------------------------------


YEARS_BEFORE = 2


def real(first: str, last: str) -> None:
    for name in MARKETS:
        panel = real_panel(name)
        cold_start = walk(panel.part(first, last)).table
        earlier = f"{int(first[:4]) - YEARS_BEFORE}{first[4:]}"
        in_use = walk(panel.part(earlier, last)).table
        in_use = in_use[in_use["made_on"] >= first].reset_index(drop=True)
        before = panel.part("", first)
        past = np.array([stock.actual_pct for day in before.stocks[:-HORIZON] for stock in day])
        learned = {"learning from a cold start": cold_start, f"learning for {YEARS_BEFORE} years before": in_use}
        zero = np.zeros(len(cold_start))
        rows = {
            "naive": figures(cold_start, zero),
            "SPEC's fixed rule": figures(cold_start, cold_start["spec"].to_numpy()),
            "pooled drift": figures(cold_start, np.full(len(zero), np.median(past))) if len(past) else {},
        }
        rows |= {title: figures(table, table["change"].to_numpy()) for title, table in learned.items()}
        show(f"{name}, {first} to {last}: predictions", rows)
        logit = logit_chances(name, panel, first, cold_start)
        rows = {"volatility logit": confidence_figures(cold_start, logit, zero)} if len(past) else {}
        for title, table in learned.items():
            change, chances = table["change"].to_numpy(), table["probability"].to_numpy()
            rows[title] = confidence_figures(table, chances, change) | interval_figures(table)
        show(f"{name}: confidence", rows)


def logit_chances(name: str, panel: Panel, first: str, table: pd.DataFrame) -> np.ndarray:
    """A logistic regression on Garman-Klass volatilities, fitted on all days before."""
    from sklearn.linear_model import LogisticRegression

    inputs = garman_klass(name)
    before = panel.part("", first)
    pairs = list(zip(before.days[:-HORIZON], before.stocks[:-HORIZON], strict=True))
    rows = [(made_on, stock.symbol, stock.actual_pct) for made_on, stocks in pairs for stock in stocks]
    if not rows:
        return np.full(len(table), np.nan)
    past = pd.DataFrame(rows, columns=["made_on", "symbol", "actual"]).merge(inputs, on=["made_on", "symbol"]).dropna()
    names = list(inputs.columns[2:])
    hit = errors(past["actual"].to_numpy(), np.zeros(len(past))) < 5
    model = LogisticRegression(C=1e6, max_iter=500).fit(past[names], hit)
    now = table[["made_on", "symbol"]].merge(inputs, on=["made_on", "symbol"], how="left")
    return model.predict_proba(now[names].ffill(axis=1))[:, 1]


def garman_klass(name: str) -> pd.DataFrame:
    """Log volatilities over 1, 5, 20, 60 and 250 sessions, and the market's average of 5 and 20, by day and stock."""
    folder, first = MARKETS[name]
    parts = []
    for path in sorted((DATA / folder).glob("*.csv")):
        raw = pd.read_csv(path)
        raw = raw[(raw["Date"] >= first) & (raw["Volume"] > 0)].reset_index(drop=True)
        low, high, opened, close = (np.log(raw[part]) for part in ("Low", "High", "Open", "Close"))
        daily = (0.5 * (high - low) ** 2 - (2 * np.log(2) - 1) * (close - opened) ** 2).clip(lower=0)
        part = pd.DataFrame({"made_on": raw["Date"], "symbol": path.stem})
        for window in (1, 5, 20, 60, 250):
            part[f"v{window}"] = np.log(np.sqrt(daily.rolling(window).mean()).clip(lower=5e-4))
        parts.append(part)
    table = pd.concat(parts)
    for window in (5, 20):
        table[f"market{window}"] = table.groupby("made_on")[f"v{window}"].transform(lambda v: np.log(np.exp(v).mean()))
    return table


def cold(first: str, last: str, weeks: int = 12) -> None:
    for name in MARKETS:
        panel = real_panel(name).part(first, last)
        curves = []
        for start in range(0, len(panel.days) - 5 * weeks, 63):
            part = Panel(panel.days[start : start + 5 * weeks], panel.stocks[start : start + 5 * weeks])
            curves.append(curve(walk(part).table))
        together = pd.concat(curves).groupby(level=0).mean()
        print(f"\n{name}, cold start, {len(curves)} start dates from {panel.days[0]} a quarter apart")
        print(together.round(4).to_string())
        lead = together.loc[4:6, "accuracy"].mean() - together.loc[4:6, "naive_accuracy"].mean()
        print(f"weeks 4-6: accuracy {lead:+.2%} against naive", flush=True)


def curve(table: pd.DataFrame) -> pd.DataFrame:
    """The learning curve by week."""
    actual, change = table["actual"].to_numpy(), table["change"].to_numpy()
    _, session = np.unique(table["made_on"], return_inverse=True)
    error, naive = errors(actual, change), errors(actual, np.zeros(len(actual)))
    sums = pd.DataFrame({"accuracy": error < 5, "naive_accuracy": naive < 5, "error": error, "naive": naive})
    sums["confidence"] = table["probability"].to_numpy()
    week = sums.groupby(pd.Series(session // 5 + 1, name="week")).mean()
    week["ratio"] = week["error"] / week["naive"]
    return week


# --- planted truths --------------------------------------------------------------------------------------------------


def between(table: pd.DataFrame, first: int, last: int) -> pd.DataFrame:
    """The predictions of sessions first..last, counted from 1."""
    _, session = np.unique(table["made_on"], return_inverse=True)
    return table[(session >= first - 1) & (session < last)]


def known_truth(table: pd.DataFrame, name: str) -> tuple[float, float]:
    """The ratio of who knows each state's median, and the share of variance that the states explain."""
    column = f"trust_{name}"
    other = "trust_overbought" if name == "oversold" else None
    state = table[column].notna().astype(int) - (table[other].notna().astype(int) if other in table else 0)
    grouped = table["actual"].groupby(state)
    explained = grouped.transform("mean").var() / table["actual"].var()
    return ratio(table, grouped.transform("median").to_numpy()), float(explained)


def planted(seeds: int) -> None:
    rows: dict[str, dict[str, str]] = {}
    for title, (signal, size, rule) in TRUTHS.items():
        rows[title] = averaged(
            planted_figures(simulated(seed, Truth(signal, size), 500), rule) for seed in range(seeds)
        )
    show("Planted truth, 20 stocks, sessions 251-500", rows)
    flips = (
        flip_figures(simulated(seed, Truth(momentum, TRUTHS["momentum"][1], WARM_UP + 500), 625))
        for seed in range(seeds)
    )
    show("A truth that flips after 500 sessions, sessions 61-120 after", {"momentum": averaged(flips)})
    walks = pd.DataFrame([walk_figures(simulated(100 + seed, None, 500)) for seed in range(3 * seeds)])
    error = 2.576 * walks.std() / np.sqrt(len(walks))
    inside = {name: f"{walks[name].mean():+.4f} +- {error[name]:.4f}" for name in walks}
    show(f"Random walks, {len(walks)} seeds, mean and 99 % interval", {"trust x magnitude": inside})


def averaged(found: Iterable[dict[str, float]]) -> dict[str, str]:
    return {name: f"{value:.4f}" for name, value in pd.DataFrame(list(found)).mean().items()}


def planted_figures(panel: Panel, rule: str) -> dict[str, float]:
    scored = between(walk(panel).table, 251, 500)
    perfect, explained = known_truth(scored, rule)
    trusts = last_trusts(scored)
    return {
        "ratio": ratio(scored, scored["change"].to_numpy()),
        "perfect": perfect,
        "explained": explained,
        "its weight": trusts[rule],
        "next largest": trusts.drop(["drift", rule]).abs().max(),
    }


def last_trusts(table: pd.DataFrame) -> pd.Series:
    """Weight x magnitude of each rule on its last days, in SPEC's units of 5 %."""
    names = [name for name in ("drift", *RULE_WEIGHTS) if f"trust_{name}" in table]
    size = {"drift": 0.2, **{name: abs(weight) for name, weight in RULE_WEIGHTS.items()}}
    return pd.Series({name: table[f"trust_{name}"].dropna().iloc[-20:].mean() * size[name] for name in names})


def flip_figures(panel: Panel) -> dict[str, float]:
    table = walk(panel).table
    scored = between(table, 561, 620)
    perfect, explained = known_truth(scored, "macd_positive")
    mean = {day: last_trusts(between(table, 1, day))["macd_positive"] for day in (500, 560, 590, 620)}
    found = {"ratio": ratio(scored, scored["change"].to_numpy()), "perfect": perfect, "explained": explained}
    return found | {f"weight at {day}": value for day, value in mean.items()}


def walk_figures(panel: Panel) -> dict[str, float]:
    table = walk(panel).table
    later = table.iloc[len(table) // 2 :]
    return {"ratio": ratio(later, later["change"].to_numpy()), **last_trusts(table)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[[], "real", "cold", "planted"], help="which parts (default: all)")
    parser.add_argument("--first", default="2023-01-01", help="first session of real and cold (default: %(default)s)")
    parser.add_argument("--last", default="2026-12-31", help="last session (default: %(default)s)")
    parser.add_argument("--seeds", type=int, default=5, help="simulated markets a truth (default: %(default)s)")
    args = parser.parse_args()
    for part in args.parts or ["real", "cold", "planted"]:
        if part == "planted":
            planted(args.seeds)
        else:
            {"real": real, "cold": cold}[part](args.first, args.last)


if __name__ == "__main__":
    main()
