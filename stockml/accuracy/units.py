"""The units of a logged price against those of today's table: the same, a split since, or a close corrected since."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from stockml.core.records import Prediction, round_price

if TYPE_CHECKING:
    from stockml.data.source_bars import SourceBars

SAME_WITHIN = 1e-4  # the log keeps six digits, and a source its own rounding
RATIO_WITHIN = 1e-3
LEAST_SPLIT = 1.2  # a smaller step may as well be a correction
HALF_A_CENT = 0.005  # what rounding to two decimals may do to a price that a split made small
# New shares per old, or units of one currency in another: 3:2 and its like, whole numbers, pence in a pound
SPLIT_RATIOS = tuple(
    sorted(
        {new / old for old in range(2, 11) for new in range(old + 1, 6 * old)}
        | {float(whole) for whole in range(2, 101)}
        | {float(10**power) for power in range(3, 10)}
    )
)


@dataclass(frozen=True, slots=True)
class Units:
    """The factor that brings today's table into a line's units, and a start that was corrected since."""

    factor: float | None = None
    corrected: float | None = None  # today's close of the day it was made from, in the line's units


def units_since(prediction: Prediction, start: float, bars: SourceBars) -> Units | None:
    """The units of a line beside today's close of the day it was made from; None where they cannot be told.

    A split that the source tells decides, however small; else a ratio that a split has, from a fifth on.

    Parameters
    ----------
    prediction : Prediction
    start : float
        Today's close of its `data_through`.
    bars : SourceBars
        Today's: their splits, and their currency; a line without one, or prices without, say nothing of it.
    """
    ratio = prediction.current_price / start
    if abs(ratio - 1) <= SAME_WITHIN:
        return Units()
    told = bars.split_since(date.fromisoformat(prediction.data_through))
    rounding = HALF_A_CENT / min(start, prediction.current_price)
    if told != 1 and abs(ratio / told - 1) <= max(RATIO_WITHIN, rounding):
        return Units(factor=ratio)
    if told != 1 and abs(ratio / told - 1) < abs(ratio - 1):  # a split, and a correction beside it
        return Units(factor=told, corrected=round_price(start * told))
    is_renamed = None not in (bars.currency, prediction.currency) and bars.currency != prediction.currency
    if is_renamed or _is_split(max(ratio, 1 / ratio), rounding):
        return Units(factor=ratio)
    if max(ratio, 1 / ratio) < LEAST_SPLIT:
        return Units(corrected=round_price(start))
    return None


def _is_split(size: float, rounding: float) -> bool:
    if size < LEAST_SPLIT - RATIO_WITHIN:
        return False
    within = max(RATIO_WITHIN, rounding)
    return any(abs(size / ratio - 1) <= within for ratio in SPLIT_RATIOS)
