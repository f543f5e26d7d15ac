"""Jumps in a table of daily bars that no dropped bar could mend: another unit, a split, a long gap, a demerger.

`jump_outcomes` decides what follows from one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stockml.data.adjustment_steps import BONUS_ISSUES, SPLITS, covered_falls
from stockml.data.bar_checks import LEVEL, WILD_RANGE, Array, Columns, columns, log_changes
from stockml.data.findings import NOTED, Finding, Mask, days
from stockml.data.neighbour_checks import stands_clear

UNIT_JUMP = 3.0  # a factor no company's day has: splits, pence for pounds, another company
# What tells news from those is trade: a change of unit leaves the number of shares as it was, a split the money, and
# news raises both. At a ratio that a split or a unit can have, it must be louder to be believed.
LOUD, LOUD_AT_A_ROUND_RATIO = 2.0, 5.0  # times the usual, shares and money alike
CALMS_WITHIN = 5  # sessions: trade that stays as loud as on the first day is another listing's, no news
ROUND_RATIOS = (*range(2, 11), 12, 15, 20, 25, 30, 40, 50, 100, 1000, 10_000)
DEMERGER = 0.63  # the smallest demerger seen keeps 61 % of the price, the worst earnings day 65 %
LONG_GAP_DAYS = 30  # a suspension, not a string of holidays
SPLIT_WITHIN = 0.02  # the opening's own move beside the split's factor
# A split is no news: the day's range (high over low) stays small, and about as much money changes hands as in the
# 20 sessions before. A price that halves does so for little else, so from there on a louder day may be one.
LOOKED_BACK = 20  # sessions
QUIET_RANGE, QUIET_TURNOVER = 1.10, 2.0
HALVED_RANGE, HALVED_TURNOVER = 1.25, 5.0
BONUS_RANGE = 1.06  # a sixth off the price is a bad day as well: a bonus issue leaves the day calmer than one


@dataclass(frozen=True, slots=True)
class Fault:
    """A row across which the table is not one series, and why; nothing that is dropped could mend it."""

    row: int
    kind: str
    text: str
    is_wrong: bool  # False for a long silence: the prices are right, but they are not neighbours


def steps(close: Array) -> Mask:
    """Bars whose close changed by enough to hold a split beside a move the other way.

    Parameters
    ----------
    close : array, shape (n_days,)

    Returns
    -------
    array of bool, shape (n_days,)
    """
    return np.asarray(np.abs(log_changes(close)) > np.log(BONUS_ISSUES[0]) / 2)


def find_faults(frame: pd.DataFrame) -> list[Fault]:
    """Every jump of unit, unadjusted split, wrong adjustment and long gap.

    A fall that the adjusted close covers is none of them: what is adjusted for was a spin-off or a dividend.

    Parameters
    ----------
    frame : DataFrame, shape (n_days, 6)
        Daily bars, checked one by one; the columns of bar_checks.COLUMNS, an adjusted close NaN where there is none.

    Returns
    -------
    list of Fault
        Oldest first; at most one a row.
    """
    bar, index = columns(frame), frame.index.to_numpy()
    moves = _Moves(
        close=log_changes(bar.close),
        adjusted=log_changes(bar.adj_close),
        is_clear=stands_clear(frame),
        is_covered=covered_falls(bar.close, bar.adj_close),
        silence=np.diff(index, prepend=index[:1]) / np.timedelta64(1, "D"),
    )
    rows = np.flatnonzero(
        steps(bar.close) | (np.abs(moves.adjusted) > np.log(LEVEL)) | (moves.silence > LONG_GAP_DAYS)
    ).tolist()
    faults = (_fault(bar, moves, row) for row in rows if row)
    return [fault for fault in faults if fault is not None]


class _Moves(NamedTuple):
    """Each bar against the one before, shape (n_days,): log changes, and the days between."""

    close: Array
    adjusted: Array
    is_clear: Mask
    is_covered: Mask
    silence: Array


def _fault(bar: Columns, moves: _Moves, row: int) -> Fault | None:
    change, adjusted, silence = moves.close[row], moves.adjusted[row], moves.silence[row]
    step = f"from {bar.close[row - 1]:g} to {bar.close[row]:g}"
    is_covered = moves.is_covered[row]
    if abs(change) > np.log(UNIT_JUMP) and moves.is_clear[row] and not is_covered:
        if _is_news(bar, row):
            return None
        return Fault(row, "unit_jump", f"the close jumps {step}: another unit, or a split", True)
    if silence > LONG_GAP_DAYS:
        return Fault(row, "gap", f"nothing was traded for {silence:.0f} days", False)
    if not is_covered and (ratio := _split_ratio(bar, row)):
        text = f"the price steps {step}, a split of {ratio} that was not adjusted for"
        return Fault(row, "unadjusted_split", text, True)
    if abs(adjusted) > np.log(LEVEL) > abs(change):
        text = f"the adjusted close jumps by {np.expm1(adjusted):+.0%}, the close by {np.expm1(change):+.0%}"
        return Fault(row, "adjustment_jump", text, True)
    return None


def _is_news(bar: Columns, row: int) -> bool:
    """True where so much was traded on the day of a jump that no split and no other unit explains it."""
    before = slice(max(0, row - LOOKED_BACK), row)
    shares, money = np.median(bar.volume[before]), np.median(bar.close[before] * bar.volume[before])
    opened = float(bar.open[row] / bar.close[row - 1])
    size = max(opened, 1 / opened)
    is_round = any(abs(size / ratio - 1) < SPLIT_WITHIN for ratio in ROUND_RATIOS)
    least = LOUD_AT_A_ROUND_RATIO if is_round else LOUD
    if shares <= 0 or bar.volume[row] < least * shares or bar.close[row] * bar.volume[row] < least * money:
        return False
    after = bar.volume[row + 1 : row + 1 + CALMS_WITHIN]
    return len(after) < CALMS_WITHIN or bool(np.median(after) < bar.volume[row])


def find_news(frame: pd.DataFrame) -> list[Finding]:
    """The jumps that would be another unit or a split but for the trade on that day: news.

    Parameters
    ----------
    frame : DataFrame, shape (n_days, 6)
        Daily bars without any fault.

    Returns
    -------
    list of Finding
        One for each jump.
    """
    bar = columns(frame)
    is_far = (np.abs(log_changes(bar.close)) > np.log(UNIT_JUMP)) & stands_clear(frame)
    rows = np.flatnonzero(is_far & ~covered_falls(bar.close, bar.adj_close))
    text = "the close jumps from {:g} to {:g} on {} on many times the usual volume: taken as news"
    return _noted(frame, rows, "news_jump", text)


def _noted(frame: pd.DataFrame, rows: NDArray[np.intp], kind: str, text: str) -> list[Finding]:
    """A finding for each row, its text filled with the close before, the close and the day."""
    close = columns(frame).close
    return [
        Finding(kind, NOTED, (day,), text.format(close[row - 1], close[row], day))
        for row, day in zip(rows, days(frame.index[rows]), strict=True)
    ]


def _split_ratio(bar: Columns, row: int) -> str | None:
    """The split that a quiet day's opening step looks like, as "3:2"; None for a day with news in it."""
    factor = float(bar.close[row - 1] / bar.open[row])
    size = max(factor, 1 / factor)
    range_limit, turnover_limit = (HALVED_RANGE, HALVED_TURNOVER) if size > 1.9 else (QUIET_RANGE, QUIET_TURNOVER)
    if bar.high[row] > range_limit * bar.low[row]:
        return None
    may_be_bonus = factor > 1 and bar.high[row] <= BONUS_RANGE * bar.low[row]
    ratios = (*SPLITS, *BONUS_ISSUES) if may_be_bonus else SPLITS
    split = next((ratio for ratio in ratios if abs(size / ratio - 1) < SPLIT_WITHIN), None)
    if split is None:
        return None
    before = slice(max(0, row - LOOKED_BACK), row)
    if bar.close[row] * bar.volume[row] > turnover_limit * np.median(bar.close[before] * bar.volume[before]):
        return None
    old = next(old for old in (1, 2, 3, 4, 5) if abs(split * old - round(split * old)) < 1e-9)
    new = round(split * old)
    return f"{new}:{old}" if factor > 1 else f"{old}:{new}"


def find_payouts(frame: pd.DataFrame) -> list[Finding]:
    """The falls that the adjusted close covers: a spin-off or a special dividend, which the close itself keeps.

    Parameters
    ----------
    frame : DataFrame, shape (n_days, 6)
        Daily bars without any fault.

    Returns
    -------
    list of Finding
        One for each fall.
    """
    bar = columns(frame)
    text = "the close fell from {:g} to {:g} on {} by a spin-off or special dividend, which Adj Close allows for"
    return _noted(frame, np.flatnonzero(covered_falls(bar.close, bar.adj_close)), "payout", text)


def find_demergers(frame: pd.DataFrame) -> tuple[list[Finding], tuple[date, ...]]:
    """The real falls that a holder did not suffer and no adjusted close covers: a part of the company given away.

    Parameters
    ----------
    frame : DataFrame, shape (n_days, 6)
        Daily bars without any fault.

    Returns
    -------
    findings : list of Finding
        One for each fall.
    dates : tuple of date
        The first day after each.
    """
    _, high, low, close, adjusted, _ = columns(frame)
    change = log_changes(close)
    overnight = stands_clear(frame) | (high > WILD_RANGE * low)  # a wild bar tells nothing
    fell = (change < np.log(DEMERGER)) & (change > -np.log(UNIT_JUMP)) & overnight & ~covered_falls(close, adjusted)
    text = "the close fell from {:g} to {:g} on {} and stayed: kept out of training"
    return _noted(frame, np.flatnonzero(fell), "demerger", text), days(frame.index[fell])
