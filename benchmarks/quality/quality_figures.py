"""Predictions beside what came true -> the figures of the quality table. No market, no model, no file.

A table here has a row a prediction: made_on, symbol, target, change and actual (in %), confidence, low and high (in %),
the distribution's scale and its scores beside naive's (in %), and whether a year of prices was known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd

from stockml.accuracy.conditions import A_YEAR_KNOWN
from stockml.accuracy.weekly import calibration_error
from stockml.core.line_arithmetic import ACCURATE_BELOW_PCT
from stockml.core.outcomes import VERIFIED
from stockml.core.records import Prediction
from stockml.core.student_t import StudentT

BLOCK_SESSIONS, DRAWS = 20, 1000


def table_of(lines: Iterable[Prediction]) -> pd.DataFrame:
    """The verified predictions as a table, in the order of (made_on, symbol)."""
    rows = [
        {
            "made_on": line.data_through,
            "symbol": line.symbol,
            "change": (line.predicted_price / line.current_price - 1) * 100,
            "actual": line.actual_change_pct,
            "confidence": line.confidence,
            "low": (line.low / line.current_price - 1) * 100,
            "high": (line.high / line.current_price - 1) * 100,
            "target": line.target_date,
            "a_year_known": A_YEAR_KNOWN in line.evidence.confidence_inputs,
            **scores_of(line.distribution, line.actual_change_pct),
        }
        for line in lines
        if line.status == VERIFIED
    ]
    return pd.DataFrame(rows).sort_values(["made_on", "symbol"], ignore_index=True)


def scores_of(law: StudentT | None, actual_pct: float) -> dict[str, float]:
    """CRPS and interval score of an outcome, those of the same scale about no change, and where the outcome lay."""
    if law is None:
        return {}
    naive = StudentT(0.0, law.scale_pct, law.degrees)
    return {
        "scale": law.scale_pct,
        "below": law.below(actual_pct),
        "crps": law.crps_pct(actual_pct),
        "naive_crps": naive.crps_pct(actual_pct),
        "interval_score": law.interval_score_pct(actual_pct, 0.8),
        "naive_interval_score": naive.interval_score_pct(actual_pct, 0.8),
    }


def distribution_figures(table: pd.DataFrame) -> dict[str, object]:
    """The means of the distribution's scores, and the shares that its 50 and 95 % ranges hold."""
    away = (table["below"] - 0.5).abs()
    names = ("crps", "naive_crps", "interval_score", "naive_interval_score")
    return {
        **{name: float(table[name].mean()) for name in names},
        "coverage_50": float((away <= 0.25).mean()),
        "coverage_95": float((away <= 0.475).mean()),
    }


def errors(table: pd.DataFrame, change: np.ndarray | float) -> np.ndarray:
    """|actual - predicted| / actual price in %, shape (n_rows,)."""
    return (np.abs(table["actual"] - change) / (1 + table["actual"] / 100)).to_numpy()


def ratio(table: pd.DataFrame, change: np.ndarray | float) -> float:
    """Mean error over that of naive."""
    return float(errors(table, change).sum() / errors(table, 0.0).sum())


def price_figures(table: pd.DataFrame, change: np.ndarray) -> dict[str, object]:
    """How near a forecast came: accuracy, error, ratio to naive, size, direction."""
    error, naive = errors(table, change), errors(table, 0.0)
    by_stock = pd.DataFrame({"error": error, "naive": naive}).groupby(table["symbol"].to_numpy()).sum()
    worst = by_stock["error"] / by_stock["naive"]
    told = (change != 0) & (table["actual"] != 0).to_numpy()
    hit = (np.sign(change) == np.sign(table["actual"])).to_numpy()
    days = table["made_on"].to_numpy()
    return {
        "n": len(table),
        "accuracy": float((error < ACCURATE_BELOW_PCT).mean()),
        "mean_error_pct": float(error.mean()),
        "ratio": float(error.sum() / naive.sum()),
        "ratio_interval": interval(days, lambda rows: error[rows].sum() / naive[rows].sum()),
        "worst_stock": [str(worst.idxmax()), float(worst.max())],
        "mean_size_pct": float(np.abs(change).mean()),
        "direction": float(hit[told].mean()) if told.any() else None,
        "direction_interval": interval(days[told], lambda rows: hit[told][rows].mean()) if told.any() else None,
        "up_share": float((table["actual"] > 0).mean()),
    }


def confidence_figures(confidence: np.ndarray, hit: np.ndarray) -> dict[str, object]:
    """How good a probability is: Brier skill against the share that came true, and calibration."""
    share = hit.mean()
    return {
        "brier_skill": float(1 - ((confidence - hit) ** 2).mean() / (share * (1 - share))) if 0 < share < 1 else None,
        "calibration_error": calibration_error(confidence, hit),
    }


def interval_figures(table: pd.DataFrame) -> dict[str, object]:
    """The share of outcomes inside the 80 % interval: of all, and by third of its width, the predicted volatility."""
    inside = ((table["actual"] >= table["low"]) & (table["actual"] <= table["high"])).to_numpy()
    order = np.argsort((table["high"] - table["low"]).to_numpy(), kind="stable")
    return {
        "coverage": float(inside.mean()),
        "coverage_by_third": [float(inside[part].mean()) for part in np.array_split(order, 3)],
    }


def interval(days: np.ndarray, figure: Callable[[np.ndarray], float]) -> list[float]:
    """The 95 % interval of a figure of some rows, from blocks of 20 sessions drawn again and again."""
    _, session = np.unique(days, return_inverse=True)
    block = session // BLOCK_SESSIONS
    rows = [np.flatnonzero(block == number) for number in range(block.max() + 1)]
    chance = np.random.default_rng(1)
    drawn = [
        figure(np.concatenate([rows[number] for number in chance.integers(0, len(rows), len(rows))]))
        for _ in range(DRAWS)
    ]
    return [float(value) for value in np.percentile(drawn, [2.5, 97.5])]


def weekly(table: pd.DataFrame) -> pd.DataFrame:
    """By week since the first session: accuracy, that of naive, ratio to naive, confidence."""
    _, session = np.unique(table["made_on"], return_inverse=True)
    error, naive = errors(table, table["change"].to_numpy()), errors(table, 0.0)
    sums = pd.DataFrame(
        {
            "accuracy": error < ACCURATE_BELOW_PCT,
            "no_change": naive < ACCURATE_BELOW_PCT,
            "error": error,
            "naive": naive,
            "confidence": table["confidence"].to_numpy(),
        }
    )
    weeks = sums.groupby(pd.Series(session // 5 + 1, name="week")).mean()
    weeks["ratio"] = weeks["error"] / weeks["naive"]
    return weeks


def between(table: pd.DataFrame, first: int, last: int) -> pd.DataFrame:
    """The predictions of sessions first..last, counted from 1."""
    _, session = np.unique(table["made_on"], return_inverse=True)
    return table[(session >= first - 1) & (session < last)].reset_index(drop=True)
