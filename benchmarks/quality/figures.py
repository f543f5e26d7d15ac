"""Predictions beside what came true -> figures: errors, intervals, calibration. No market, no model."""

from __future__ import annotations

import numpy as np
import pandas as pd


def errors(actual: np.ndarray, change: np.ndarray) -> np.ndarray:
    """|actual - predicted| / actual price, in %."""
    return np.abs(actual - change) / (1 + actual / 100)


def figures(table: pd.DataFrame, change: np.ndarray) -> dict[str, str]:
    """The row of a table: accuracy, error, ratio to naive with its 95 % interval, size, direction."""
    actual = table["actual"].to_numpy()
    error, naive = errors(actual, change), errors(actual, np.zeros(len(actual)))
    by_stock = pd.DataFrame({"e": error, "n": naive, "s": table["symbol"].to_numpy()}).groupby("s")[["e", "n"]].mean()
    low, high = block_interval(table["made_on"].to_numpy(), error, naive)
    told = change != 0
    hits = f"{(np.sign(change) == np.sign(actual))[told].mean():.1%}" if told.any() else "-"
    return {
        "n": str(len(actual)),
        "accurate": f"{(error < 5).mean():.2%}",
        "mean error": f"{error.mean():.3f}",
        "ratio to naive": f"{error.mean() / naive.mean():.4f}",
        "95 %": f"{low:.4f}..{high:.4f}",
        "worst stock": f"{(by_stock['e'] / by_stock['n']).max():.3f}",
        "mean size": f"{np.abs(change).mean():.3f}",
        "direction": hits,
        "up moves": f"{(actual > 0).mean():.1%}",
    }


def block_interval(days: np.ndarray, error: np.ndarray, naive: np.ndarray, draws: int = 1000) -> tuple[float, float]:
    """The ratio's 95 % interval, from blocks of 20 sessions drawn again and again."""
    _, session = np.unique(days, return_inverse=True)
    block = session // 20
    sums = np.stack([np.bincount(block, error), np.bincount(block, naive)])  # (2, blocks)
    chosen = np.random.default_rng(1).integers(0, sums.shape[1], (draws, sums.shape[1]))
    drawn = sums[:, chosen].sum(axis=2)
    return tuple(np.quantile(drawn[0] / drawn[1], [0.025, 0.975]))


def confidence_figures(table: pd.DataFrame, probability: np.ndarray, change: np.ndarray) -> dict[str, str]:
    """Brier skill against the share that came true, and the calibration error over ten bins of equal count."""
    hit = (errors(table["actual"].to_numpy(), change) < 5).astype(float)
    skill = 1 - ((probability - hit) ** 2).mean() / (hit.mean() * (1 - hit.mean()))
    bins = np.array_split(np.argsort(probability, kind="stable"), 10)
    error = np.mean([abs(probability[rows].mean() - hit[rows].mean()) for rows in bins])
    return {"Brier skill": f"{skill:.2%}", "calibration error": f"{error:.4f}"}


def interval_figures(table: pd.DataFrame) -> dict[str, str]:
    covered = table["actual"].between(table["low"], table["high"])
    third = pd.qcut(table["high"] - table["low"], 3, labels=["calm", "middle", "wild"])
    shares = covered.groupby(third, observed=True).mean()
    return {"in 80 %": f"{covered.mean():.2%}"} | {str(name): f"{share:.2%}" for name, share in shares.items()}


def ratio(table: pd.DataFrame, change: np.ndarray) -> float:
    actual = table["actual"].to_numpy()
    return float(errors(actual, change).mean() / errors(actual, np.zeros(len(actual))).mean())
