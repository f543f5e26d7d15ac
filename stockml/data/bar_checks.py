"""One check per function: a table of daily bars in, the bars to keep and what was found out.

Each looks for one thing that is wrong with real price feeds; `prices.check_prices` runs them in their order.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

DROPPED, NOTED = "dropped", "noted"
PRICES = ("open", "high", "low", "close", "adj_close")
COLUMNS = (*PRICES, "volume")

LEAST_PRICE, GREATEST_PRICE = 1e-12, 1e13  # no share costs less or more; the log holds numbers up to 1e15
UNREADABLE_SHARE = 0.1  # a tenth of the rows unreadable is not a slip of the pen but another kind of file
ROUNDING = 0.01  # adjusted prices are rounded: an open may lie so far outside its day's high and low
WILD_RANGE = 3.0  # high over low within a day; the widest true one in 450,000 bars is 1.84
LEVEL = 1.35  # a day's change as a factor that asks for an explanation
SAME_LEVEL = 1.2  # closes this near to one another are at one level
CLEAR_OF = 1.15  # so far the bars of a wrong level lie outside their neighbours' whole ranges
PHANTOM_RUN = 5  # sessions a price may stand at a wrong level and come back
STALE_RUN = 10  # sessions: longer than any row of holidays
MIXED_SHARE = 0.01  # bars that leap from level to level, where a file mixes two companies
MIXED_BARS = 10


class PriceError(ValueError):
    """A table that cannot be trusted; `kind` says in a word what is wrong with it."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found: bars dropped, or something noted, and where."""

    kind: str
    action: str  # dropped or noted
    dates: tuple[date, ...]  # oldest first
    text: str
    undated: int = 0  # bars that name no day

    @property
    def count(self) -> int:
        return len(self.dates) + self.undated

    def summary(self) -> dict[str, str | int | None]:
        """The finding as plain values for a report: how many bars, the first and the last of them."""
        first, last = (self.dates[0].isoformat(), self.dates[-1].isoformat()) if self.dates else (None, None)
        return {
            "kind": self.kind,
            "action": self.action,
            "count": self.count,
            "first": first,
            "last": last,
            "text": self.text,
        }


Mask = NDArray[np.bool_]
Array = NDArray[np.float64]
Checked = tuple[pd.DataFrame, list[Finding]]


class Columns(NamedTuple):
    """A table's columns as arrays, shape (n_days,) each: pandas takes longer to look at a Series than at its values."""

    open: Array
    high: Array
    low: Array
    close: Array
    adj_close: Array
    volume: Array


def columns(frame: pd.DataFrame) -> Columns:
    """The columns of a table of COLUMNS."""
    return Columns(*frame.to_numpy().T)


def days(index: pd.Index) -> tuple[date, ...]:
    return tuple(pd.DatetimeIndex(index).date)


def drop(frame: pd.DataFrame, bad: Mask, kind: str, text: str) -> Checked:
    """The frame without its bad bars, and the finding that says so; nothing is found where none is bad."""
    if not bad.any():
        return frame, []
    dates = days(frame.index[bad])
    return frame[~bad], [Finding(kind, DROPPED, dates, f"{bars(dates)} {text}")]


def bars(dates: tuple[date, ...]) -> str:
    """How many bars, and of which days, in words."""
    if len(dates) == 1:
        return f"1 bar ({dates[0]})"
    return f"{len(dates)} bars ({dates[0]} to {dates[-1]})"


def sort_dates(frame: pd.DataFrame) -> Checked:
    """Oldest first."""
    if frame.index.is_monotonic_increasing:
        return frame, []
    late = np.asarray(frame.index < frame.index.to_series().cummax().to_numpy())
    dates = days(frame.index[late].sort_values())
    return frame.sort_index(kind="stable"), [Finding("order", NOTED, dates, f"{bars(dates)} out of order, sorted")]


def drop_duplicates(frame: pd.DataFrame) -> Checked:
    """One bar a day, the last given; PriceError where a day's bars are of two companies."""
    if frame.index.is_unique:
        return frame, []
    again = frame.index.duplicated(keep="last")
    closes = frame["close"].where(frame["close"] > 0).groupby(level=0)
    torn = (closes.max() / closes.min() > LEVEL).to_numpy()
    if torn.sum() > MIXED_BARS:
        dates = days(closes.max().index[torn])
        raise PriceError("mixed_tickers", f"{bars(dates)} have two prices far apart: the table mixes two companies")
    return drop(frame, again, "duplicate", "given more than once, the last kept")


def drop_later(frame: pd.DataFrame, limit: date) -> Checked:
    """Without the bars of sessions that are not complete."""
    return drop(frame, frame.index.to_numpy() > np.datetime64(limit), "open_session", "of a session still open dropped")


def drop_not_positive(frame: pd.DataFrame) -> Checked:
    """Without the bars that lack a price or have one that is none of anything, or a volume below zero."""
    missing = np.asarray(np.isnan(frame.to_numpy()[:, : len(PRICES)]).any(axis=1))
    frame, findings = drop(frame, missing, "missing_price", "without a price dropped")
    if np.isnan(columns(frame).volume).any():
        frame = frame.fillna({"volume": 0.0})  # no volume given says as much as a volume of zero
    raw = np.asarray((frame.to_numpy()[:, : len(PRICES) - 1] <= 0).any(axis=1))
    frame, more = drop(frame, raw, "not_positive", "with a price of zero or below dropped")
    frame, most = drop(
        frame, columns(frame).adj_close <= 0, "not_positive_adjusted", "with an adjusted close of zero or below dropped"
    )
    frame, least = drop(frame, columns(frame).volume < 0, "negative_volume", "with a volume below zero dropped")
    prices = frame.to_numpy()[:, : len(PRICES) - 1]
    beyond = np.asarray(((prices < LEAST_PRICE) | (prices > GREATEST_PRICE)).any(axis=1))
    frame, rest = drop(frame, beyond, "not_a_price", f"below {LEAST_PRICE:g} or above {GREATEST_PRICE:g} dropped")
    return frame, findings + more + most + least + rest


def drop_inverted(frame: pd.DataFrame) -> Checked:
    """Without the bars whose high is below their low, their open or their close."""
    bar = columns(frame)
    highest = np.maximum(np.maximum(bar.low, bar.open), bar.close)
    lowest = np.minimum(np.minimum(bar.high, bar.open), bar.close)
    inverted = (bar.high < bar.low) | (bar.high < highest * (1 - ROUNDING)) | (bar.low > lowest * (1 + ROUNDING))
    return drop(frame, inverted, "high_low", "whose high and low do not enclose their other prices dropped")


def drop_wild(frame: pd.DataFrame) -> Checked:
    """Without the bars whose high is three times their low."""
    _, high, low, *_ = columns(frame)
    return drop(
        frame, high > low * WILD_RANGE, "wild_range", f"whose high is over {WILD_RANGE:.0f} times their low dropped"
    )


def drop_untraded(frame: pd.DataFrame) -> Checked:
    """Without the bars nobody traded: no volume, one price all day, where volume tells anything.

    Where no bar has volume (currencies, funds) all stay, and so do those of an index's early years, which have one
    price a day and no volume but move from day to day among others alike.
    """
    has_volume, still = frame["volume"] > 0, is_still(frame)
    if not has_volume.any() or not still.any():
        return frame, []
    same = np.isclose(frame["close"], frame["close"].shift(), rtol=1e-6)
    among_traded = (has_volume.rolling(21, center=True, min_periods=1).mean() >= 0.5).to_numpy()
    traded_close = frame["close"].where(~still).ffill()
    moved = np.abs(np.log((frame["close"] / traded_close).to_numpy())) > np.log(LEVEL)
    copies, phantoms = still & ~moved & (same | among_traded), still & moved & among_traded
    stale = copies & (_run_lengths(copies) >= STALE_RUN)
    findings = []
    for bad, kind, text in (
        (phantoms, "phantom_price", "without volume at a price far from their neighbours' dropped"),
        (stale, "stale_price", f"without volume, one price repeated {STALE_RUN} times or more, dropped"),
        (copies & ~stale, "untraded", "without volume, the last price repeated, dropped"),
    ):
        findings += drop(frame, bad, kind, text)[1]
    return frame[~(phantoms | copies)], findings


def is_still(frame: pd.DataFrame) -> Mask:
    """Whether nobody traded a bar: no volume, and one price all day."""
    bar = columns(frame)
    still = bar.volume <= 0
    if still.any():
        still &= np.isclose(bar.high, bar.low, rtol=1e-6) & np.isclose(bar.open, bar.close, rtol=1e-6)
    return still


def _run_lengths(mask: Mask) -> NDArray[np.int64]:
    """For each row the length of the run of equal values it is in."""
    run = np.asarray(np.diff(mask, prepend=mask[:1])).cumsum()
    return np.asarray(np.bincount(run)[run])


def note_no_volume(frame: pd.DataFrame) -> list[Finding]:
    """The bars that moved without any volume, in a table where others have it."""
    without = columns(frame).volume == 0
    if without.all() or not without.any():
        return []
    dates = days(frame.index[without])
    return [Finding("no_volume", NOTED, dates, f"{bars(dates)} have prices but no volume")]


def refuse_mixed(frame: pd.DataFrame) -> None:
    """PriceError for a table that leaps to and fro between two price levels: two companies in one table."""
    leaps = _leaps(frame)
    if leaps.sum() > max(MIXED_BARS, MIXED_SHARE * len(frame)):
        raise PriceError(
            "mixed_tickers",
            f"{int(leaps.sum())} of {len(frame)} closes leap by over {LEVEL - 1:.0%}: the table mixes two companies",
        )


def drop_phantoms(frame: pd.DataFrame) -> Checked:
    """Without the few bars that stand clear of their neighbours' ranges at another level, and come back."""
    bad = np.zeros(len(frame), dtype=bool)
    for start in np.flatnonzero(_leaps(frame)).tolist():
        if bad[start - 1] or bad[start]:
            continue
        for stop in range(start + 1, min(start + PHANTOM_RUN + 1, len(frame))):
            if _stands_apart(frame, start, stop):
                bad[start:stop] = True
                break
    return drop(frame, bad, "phantom_price", "at a price far from their neighbours' dropped")


def _stands_apart(frame: pd.DataFrame, start: int, stop: int) -> bool:
    """Whether bars start..stop-1 lie at one level, clear of the bars around them, which agree."""
    _, high, low, close, *_ = columns(frame)
    run = slice(start, stop)
    if max(close[stop], close[start - 1]) > SAME_LEVEL * min(close[stop], close[start - 1]):
        return False
    if close[run].max() > SAME_LEVEL * close[run].min():
        return False
    above = low[run].min() > CLEAR_OF * max(high[start - 1], high[stop])
    below = high[run].max() * CLEAR_OF < min(low[start - 1], low[stop])
    return bool(above or below)


def drop_misadjusted(frame: pd.DataFrame) -> Checked:
    """Without the few bars whose adjusted close is at another ratio to the close than in the days around them."""
    *_, close, adjusted, _ = columns(frame)
    ratio = pd.Series((log_changes(adjusted) - log_changes(close)).cumsum())
    if ratio.max() - ratio.min() <= np.log(LEVEL):  # then nowhere farther from any median
        return frame, []
    usual = ratio.rolling(2 * PHANTOM_RUN + 1, center=True, min_periods=1).median()  # a step to stay is its own side's
    bad = ((ratio - usual).abs() > np.log(LEVEL)).to_numpy()
    return drop(frame, bad, "misadjusted", "with an adjusted close far from their neighbours' dropped")


def stands_clear(frame: pd.DataFrame) -> Mask:
    """Whether each bar's whole range lies apart from that of the bar before: no day's trade led from one to the other.

    A currency's wild day begins where the last one ended; another unit, a split or a demerger begins elsewhere.
    """
    _, high, low, *_ = columns(frame)
    clear = np.zeros(len(frame), dtype=np.bool_)
    clear[1:] = (low[1:] > CLEAR_OF * high[:-1]) | (high[1:] * CLEAR_OF < low[:-1])
    return clear


def _leaps(frame: pd.DataFrame) -> Mask:
    return (np.abs(log_changes(columns(frame).close)) > np.log(LEVEL)) & stands_clear(frame)


def log_changes(values: Array) -> Array:
    """The log of each day's change as a factor; 0 for the first day."""
    logs = np.log(values)
    return np.diff(logs, prepend=logs[:1])
