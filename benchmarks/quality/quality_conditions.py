"""A table of predictions -> its figures by condition, each beside what chance leaves of a calibration error.

A table has a row a prediction, as `quality_figures.table_of` makes it, with the column `results` of `results_days`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from quality_figures import confidence_figures, distribution_figures, errors, ratio

from stockml.accuracy.conditions import AGE, FAMILIES, NAMES, OLD, RESULTS, THIRDS, VOLATILITY, YEAR, YOUNG
from stockml.accuracy.conditions import EXPECTED as CAME
from stockml.accuracy.conditions import NONE_EXPECTED as NONE_CAME
from stockml.accuracy.weekly import BINS
from stockml.core.line_arithmetic import ACCURATE_BELOW_PCT

DRAWS = 1000
LEAST = 200  # rows below which a condition says too little to be shown


def by_condition(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The figures of all predictions, then of each condition with rows enough."""
    rows = [{"family": "all", "value": "all", "name": "all"} | condition_figures(table)]
    for family, value, part in conditions(table):
        if LEAST <= len(part) < len(table):
            name = f"{FAMILIES[family]}: {NAMES.get((family, value), value)}"
            rows.append({"family": family, "value": value, "name": name} | condition_figures(part))
    return rows


def conditions(table: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Each condition's family, value and rows; a stock whose days of results are not known has no part in those."""
    yield RESULTS, CAME, table[table["results"] == 1]
    yield RESULTS, NONE_CAME, table[table["results"] == 0]
    order = np.argsort(table["scale"].to_numpy(), kind="stable")
    for third, rows in zip(THIRDS, np.array_split(order, len(THIRDS)), strict=True):
        yield VOLATILITY, third, table.iloc[rows]
    for year, part in table.groupby(table["made_on"].str[:4]):
        yield YEAR, str(year), part
    yield AGE, YOUNG, table[~table["a_year_known"]]
    yield AGE, OLD, table[table["a_year_known"]]


def condition_figures(table: pd.DataFrame) -> dict[str, Any]:
    """Coverage, calibration with its interval, skill and CRPS of the predictions of one condition."""
    confidence = table["confidence"].to_numpy()
    hit = errors(table, table["change"].to_numpy()) < ACCURATE_BELOW_PCT
    inside = (table["actual"] >= table["low"]) & (table["actual"] <= table["high"])
    return {
        "n": len(table),
        "coverage": float(inside.mean()),
        "mean_confidence": float(confidence.mean()),
        "accuracy": float(hit.mean()),
        **confidence_figures(confidence, hit),
        "calibration_interval": calibration_interval(confidence, hit, table["target"].to_numpy()),
        **distribution_figures(table),
    }


def calibration_interval(confidence: np.ndarray, hit: np.ndarray, targets: np.ndarray) -> list[float]:
    """The 95 % bootstrap interval of the calibration error, target weeks drawn again and again.

    Its bins are those of all rows. What chance alone leaves makes every draw's error larger than 0, so the interval may
    lie above the figure itself.
    """
    weeks = pd.to_datetime(targets).to_period("W-SUN")
    block = pd.factorize(weeks)[0]
    bins = np.empty(len(confidence), dtype=int)
    for number, rows in enumerate(np.array_split(np.argsort(confidence, kind="stable"), BINS)):
        bins[rows] = number
    cell = block * BINS + bins
    size = (block.max() + 1) * BINS
    gaps = np.bincount(cell, confidence - hit, size).reshape(-1, BINS)  # (weeks, bins)
    counts = np.bincount(block).astype(float)  # (weeks,)
    chosen = np.random.default_rng(1).multinomial(len(counts), np.full(len(counts), 1 / len(counts)), DRAWS)
    drawn = np.abs(chosen @ gaps).sum(axis=1) / (chosen @ counts)
    return [float(value) for value in np.percentile(drawn, [2.5, 97.5])]


def by_year(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The ratio to naive in each calendar year, with the number of its predictions."""
    found = []
    for year, part in table.groupby(table["made_on"].str[:4]):
        rows = part.reset_index(drop=True)
        found.append({"year": str(year), "n": len(rows), "ratio": ratio(rows, rows["change"].to_numpy())})
    return found
