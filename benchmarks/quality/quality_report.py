"""The figures of the quality benchmark -> tables for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from quality_targets import COLD, FULL

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
        parts.append(f"### {name}, by condition\n")
        parts.append(_table(CONDITIONS, [_condition(row["name"], row) for row in market["conditions"]]))
        parts.append(f"### {name}, with what is known of results\n")
        parts.append(_table(CONDITIONS, _knowledge(market["announced"])))
    for name, market in found["cold"].items():
        parts.append(f"## {name}, cold start, {len(market['starts'])} start dates a quarter apart\n")
        parts.append(_table(("week", "accuracy", "naive", "error / naive", "confidence"), map(_week, market["curve"])))
    years = [*_years(found)]
    if years:
        parts += ["## Price, by market and year\n", _table(("", "year", "n", "ratio to naive"), years)]
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
    *("Brier skill", "calibration error", "80 % interval holds", "by third of volatility", "CRPS", "naive's CRPS"),
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
        *("-" if name not in row else f"{row[name]:.4f} %" for name in ("crps", "naive_crps")),
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


CONDITIONS = (
    *("", "n", "80 % interval holds", "50 %", "95 %", "mean probability", "came true", "calibration error (95 %)"),
    *("Brier skill", "CRPS", "naive's CRPS"),
)


def _condition(title: str, row: Mapping[str, Any]) -> Sequence[str]:
    low, high = row["calibration_interval"]
    return (
        title,
        f"{row['n']:,}",
        *(f"{row[name]:.1%}" for name in ("coverage", "coverage_50", "coverage_95", "mean_confidence", "accuracy")),
        f"{row['calibration_error']:.4f} ({low:.4f}..{high:.4f})",
        "-" if row["brier_skill"] is None else f"{row['brier_skill']:.2%}",
        f"{row['crps']:.4f} %",
        f"{row['naive_crps']:.4f} %",
    )


def _knowledge(announced: Mapping[str, Any]) -> Iterator[Sequence[str]]:
    titles = {"all": "all", "dated": "rows with dates", "before_results": "before results"}
    for known, figures in announced.items():
        for part, row in figures.items():
            yield _condition(f"{known}: {titles[part]}", row)


def _years(found: Mapping[str, Any]) -> Iterator[Sequence[str]]:
    """Each market's years, below all of them together."""
    for part in ("decades", "real"):
        for name, market in found.get(part, {}).items():
            whole = market if part == "decades" else market["rows"][FULL]
            low, high = whole["ratio_interval"]
            yield (name, "all", f"{whole['n']:,}", f"{whole['ratio']:.4f} ({low:.4f}..{high:.4f})")
            for row in market["years"]:
                yield (name, row["year"], f"{row['n']:,}", f"{row['ratio']:.4f}")


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
