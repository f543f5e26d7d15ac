"""The bars of a stock that may settle a line, judged anew for `resettlement` by the documented rules alone.

Written without the checks of `stockml.data`, on purpose; see there. Standard library only.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from statistics import median
from typing import NamedTuple

LEAST, GREATEST = 1e-12, 1e13
ENCLOSES = 0.01
WILDEST = 3.0
BEFORE = 20  # bars that say what is usual
LATER = 5  # bars that tell whether a leap stays, and whether trade calms down after news
LEAP, CLEAR, LEVEL = 1.35, 1.15, 1.2
UNIT_STEP = 3.0
GAP_DAYS = 30
WHOLE_SPLITS = (*range(2, 11), 12, 15, 20, 25, 30, 40, 50, 100, 1000, 10_000)
SPLITS = (5 / 4, 4 / 3, 3 / 2, 2.0, 5 / 2, 3.0)
BONUS = (6 / 5, 7 / 5, 5 / 3)
SPLIT_WITHIN = 0.02
PAYOUT = 0.10  # the part of the price from which on a fall that is adjusted for is told
EXACT, CENT = 1e-3, 0.01
BOTH_WAYS: tuple[float, ...] = (*SPLITS, 8 / 5, 7 / 4, 7 / 2, 9 / 2, *range(4, 101), 1000, 10_000)


class Bar(NamedTuple):
    """One session as the source gives it: YYYY-MM-DD, prices, shares traded, the adjusted close (NaN: not given)."""

    day: str
    open: float
    high: float
    low: float
    close: float
    volume: float
    adjusted: float = math.nan


@dataclass(frozen=True)
class Judged:
    """A stock's bars after judgement, oldest first.

    Attributes
    ----------
    certain : list of Bar
        Those that may settle a line.
    open_since : str or None
        The day of the first leap of which it is not known whether it stays; no later bar is certain.
    rescaled : list of str
        Days on which the prices change units, by a split that is not adjusted for.
    closes : dict of str to float
        Every close that is a price, by day, in the newest bar's units.
    """

    certain: list[Bar]
    open_since: str | None
    rescaled: list[str]
    closes: dict[str, float]


def is_weekday(day: str) -> bool:
    """True from Monday to Friday."""
    return date.fromisoformat(day).weekday() < 5


def judge(bars: Iterable[Bar], is_session: Callable[[str], bool] = is_weekday) -> Judged:
    """The bars that may settle a line, and what is known of the others.

    Parameters
    ----------
    bars : iterable of Bar
        In any order; of a day that is given twice the last one holds.
    is_session : callable
        Tells of a day whether the exchange holds a session.

    Returns
    -------
    Judged
    """
    by_day = {bar.day: bar._replace(volume=0.0 if math.isnan(bar.volume) else bar.volume) for bar in bars}
    rows = _in_newest_units(_without_copies([by_day[day] for day in sorted(by_day)], is_session))
    traded = [bar for row, bar in enumerate(rows) if _is_sound(bar) and not _is_untraded(rows, row)]
    kept, open_since = _without_phantoms(traded)
    rescaled = [kept[row].day for row in range(1, len(kept)) if _changes_units(kept, row)]
    certain = [bar for bar in kept if open_since is None or bar.day < open_since]
    return Judged(certain, open_since, rescaled, {bar.day: bar.close for bar in rows if bar.close > 0})


def _without_copies(rows: list[Bar], is_session: Callable[[str], bool]) -> list[Bar]:
    """The bars but those that repeat the one before on a day without a session, or a range of prices without trade."""
    kept = []
    had_volume = False
    for row, bar in enumerate(rows):
        before = rows[row - 1] if row else None
        had_volume |= bar.volume > 0
        if before and bar[1:5] == before[1:5] and bar.volume in (0, before.volume):
            is_still = bar.volume <= 0 and _near(bar.high, bar.low) and _near(bar.open, bar.close)
            untraded = had_volume and bar.volume == 0
            if not (is_still and had_volume) and (untraded or not is_session(bar.day)):
                continue
        kept.append(bar)
    return kept


def _in_newest_units(rows: list[Bar]) -> list[Bar]:
    """The bars as if each split that the adjusted closes tell of had been adjusted for."""
    priced = [row for row, bar in enumerate(rows) if bar.close > 0 and bar.adjusted > 0]
    told = {row: _told_split(rows[last], rows[row]) for last, row in itertools.pairwise(priced)}
    out, shares = [], 1.0
    for row in reversed(range(len(rows))):
        bar = rows[row]
        opening, high, low, close = (price / shares for price in bar[1:5])
        out.append(Bar(bar.day, opening, high, low, close, bar.volume * shares, bar.adjusted))
        shares *= told.get(row) or 1.0
    return out[::-1]


def _steps(last: Bar, bar: Bar) -> tuple[float, bool]:
    """The step of close over adjusted close, above 1 where the close alone falls; True if the other moved less."""
    own = bar.adjusted / last.adjusted
    step = own / (bar.close / last.close)
    return step, max(own, 1 / own) < min(max(step, 1 / step), LEAP)


def _told_split(last: Bar, bar: Bar) -> float | None:
    """New shares per old, where the step between two days is one that a split makes, alone or beside a dividend."""
    step, is_calm = _steps(last, bar)
    if not is_calm or 1 - PAYOUT <= step <= 1 / (1 - PAYOUT):
        return None
    ratios: list[float] = [*BOTH_WAYS, *BONUS, *(1 / ratio for ratio in BOTH_WAYS)]
    cents = CENT / min(last.close, last.adjusted, bar.close, bar.adjusted)
    nearest = min(ratios, key=lambda ratio: abs(step / ratio - 1))
    if cents > SPLIT_WITHIN and 0.5 < nearest < 2:
        return None
    if abs(step / nearest - 1) <= max(EXACT, min(cents, SPLIT_WITHIN)):
        return nearest
    below = [ratio for ratio in ratios if ratio < step and 1 - ratio / step <= _dividend(ratio)]
    return max(below, default=None)


def _dividend(ratio: float) -> float:
    if ratio < 1 or ratio >= 2:
        return 0.05
    return 0.009 if ratio == 3 / 2 else 0.0


def _is_paid_out(last: Bar, bar: Bar) -> bool:
    """True for a fall of the close that the adjusted close allows for: a spin-off, a special dividend."""
    if not (last.adjusted > 0 and bar.adjusted > 0):
        return False
    step, is_calm = _steps(last, bar)
    return is_calm and step > 1 / (1 - PAYOUT)


def _is_sound(bar: Bar) -> bool:
    prices = bar[1:5]
    if not all(LEAST <= price <= GREATEST for price in prices) or bar.volume < 0:
        return False
    is_enclosed = bar.high >= max(prices) * (1 - ENCLOSES) and bar.low <= min(prices) * (1 + ENCLOSES)
    return bar.low <= bar.high <= WILDEST * bar.low and is_enclosed


def _is_untraded(rows: list[Bar], row: int) -> bool:
    """True for one price all day and no volume, where trade is usual or the close before is repeated."""
    bar, before = rows[row], rows[max(0, row - BEFORE) : row]
    if bar.volume > 0 or not _near(bar.high, bar.low) or not _near(bar.open, bar.close) or not before:
        return False
    if 2 * sum(other.volume > 0 for other in before) >= len(before):
        return True
    return _near(bar.close, before[-1].close) and any(other.volume > 0 for other in rows[:row])


def _near(one: float, other: float) -> bool:
    return abs(one - other) <= 1e-6 * abs(other) + 1e-8


def _far(one: float, other: float, factor: float) -> bool:
    return max(one, other) > factor * min(one, other)


def _stands_clear(bar: Bar, of: Bar) -> bool:
    return bar.low > CLEAR * of.high or bar.high * CLEAR < of.low


def _without_phantoms(bars: list[Bar]) -> tuple[list[Bar], str | None]:
    """The bars but those at a level from which the price came back; and the first day of a leap not decided yet."""
    phantoms: set[int] = set()
    stay: list[int] = []
    back = 0
    for row in range(1, len(bars)):
        before = bars[row - 1]
        if row <= back or not _far(bars[row].close, before.close, LEAP) or not _stands_clear(bars[row], before):
            continue
        ends = (end for end in range(row + 1, min(row + LATER, len(bars) - 1) + 1) if _came_back(bars, row, end))
        end = next(ends, None)
        if end is not None:
            back = end
            phantoms |= set(range(row, end))
        else:
            stay.append(row)
    known = len(bars)
    for row in reversed(stay):
        if sum(later not in phantoms for later in range(row + 1, known)) < LATER:
            known = row
    kept = [bar for row, bar in enumerate(bars) if row not in phantoms]
    return kept, bars[known].day if known < len(bars) else None


def _came_back(bars: list[Bar], row: int, end: int) -> bool:
    before, run, after = bars[row - 1], bars[row:end], bars[end]
    closes = [bar.close for bar in run]
    if _far(before.close, after.close, LEVEL) or _far(max(closes), min(closes), LEVEL):
        return False
    above = min(bar.low for bar in run) > CLEAR * max(before.high, after.high)
    return above or max(bar.high for bar in run) * CLEAR < min(before.low, after.low)


def _changes_units(bars: list[Bar], row: int) -> bool:
    """True where the price steps by a split or another unit that the source has not adjusted for."""
    bar, last = bars[row], bars[row - 1]
    if _is_paid_out(last, bar):
        return False
    if _far(bar.close, last.close, UNIT_STEP) and _stands_clear(bar, last):
        return not _is_news(bars, row)
    if (date.fromisoformat(bar.day) - date.fromisoformat(last.day)).days > GAP_DAYS:
        return False
    return _far(bar.close, last.close, math.sqrt(BONUS[0])) and _is_quiet_split(bars, row)


def _is_news(bars: list[Bar], row: int) -> bool:
    bar, before, after = bars[row], bars[max(0, row - BEFORE) : row], bars[row + 1 : row + 1 + LATER]
    opened = bar.open / before[-1].close
    is_round = any(abs(max(opened, 1 / opened) / whole - 1) < SPLIT_WITHIN for whole in WHOLE_SPLITS)
    least = 5 if is_round else 2
    shares = median(other.volume for other in before)
    is_loud = shares > 0 and bar.volume >= least * shares and bar.close * bar.volume >= least * _usual_money(before)
    return is_loud and (len(after) < LATER or median(other.volume for other in after) < bar.volume)


def _is_quiet_split(bars: list[Bar], row: int) -> bool:
    bar, before = bars[row], bars[max(0, row - BEFORE) : row]
    factor = before[-1].close / bar.open
    size, spread = max(factor, 1 / factor), bar.high / bar.low
    widest, most = (1.25, 5) if size > 1.9 else (1.10, 2)
    if spread > widest or bar.close * bar.volume > most * _usual_money(before):
        return False
    ratios = (*SPLITS, *BONUS) if factor > 1 and spread <= 1.06 else SPLITS
    return any(abs(size / ratio - 1) < SPLIT_WITHIN for ratio in ratios)


def _usual_money(bars: list[Bar]) -> float:
    return median(bar.close * bar.volume for bar in bars)
