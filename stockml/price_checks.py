"""One check per function: a table of daily bars in, the bars to keep and what was found out.

Each looks for one thing that is wrong with real price feeds; `prices.check_prices` runs them in their order.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

DROPPED, NOTED = "dropped", "noted"
PRICES = ("open", "high", "low", "close", "adj_close")
COLUMNS = (*PRICES, "volume")

UNREADABLE_SHARE = 0.1  # a tenth of the rows unreadable is not a slip of the pen but another kind of file
ROUNDING = 0.01  # adjusted prices are rounded: an open may lie so far outside its day's high and low
WILD_RANGE = 3.0  # high over low within a day; the widest true one in 450,000 bars is 1.84
LEVEL = 1.35  # a day's change as a factor that asks for an explanation
SAME_LEVEL = 1.2  # closes this near to one another are at one level
CLEAR_OF = 1.15  # so far the bars of a wrong level lie outside their neighbours' whole ranges
PHANTOM_RUN = 5  # sessions a price may stand at a wrong level and come back
UNIT_JUMP = 3.0  # a factor no company's day has: splits, pence for pounds, another company
DEMERGER = 0.63  # the smallest demerger seen keeps 61 % of the price, the worst earnings day 65 %
STALE_RUN = 10  # sessions: longer than any row of holidays
LONG_GAP_DAYS = 30  # a suspension, not a string of holidays
MIXED_SHARE = 0.01  # bars that leap from level to level, where a file mixes two companies
MIXED_BARS = 10
SPLITS = (1.25, 4 / 3, 1.5, 2.0, 2.5, 3.0)  # new shares per old; beyond, UNIT_JUMP speaks
SPLIT_WITHIN = 0.02  # the opening's own move beside the split's factor
# A split is no news: the day's range (high over low) stays small, and about as much money changes hands as in the
# 20 sessions before. A price that halves does so for little else, so from there on a louder day may be one.
QUIET_RANGE, QUIET_TURNOVER = 1.10, 2.0
HALVED_RANGE, HALVED_TURNOVER = 1.25, 5.0


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

    @property
    def count(self) -> int:
        return len(self.dates)

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
Checked = tuple[pd.DataFrame, list[Finding]]


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
    again = frame.index.duplicated(keep="last")
    closes = frame["close"].where(frame["close"] > 0).groupby(level=0)
    torn = (closes.max() / closes.min() > LEVEL).to_numpy()
    if torn.sum() > MIXED_BARS:
        dates = days(closes.max().index[torn])
        raise PriceError("mixed_tickers", f"{bars(dates)} have two prices far apart: the table mixes two companies")
    return drop(frame, again, "duplicate", "given more than once, the last kept")


def drop_later(frame: pd.DataFrame, limit: date) -> Checked:
    """Without the bars of sessions that are not complete."""
    return drop(frame, np.asarray(frame.index > pd.Timestamp(limit)), "open_session", "of a session still open dropped")


def drop_not_positive(frame: pd.DataFrame) -> Checked:
    """Without the bars that lack a price, or have one of zero or below."""
    missing = frame[list(PRICES)].isna().any(axis=1).to_numpy()
    frame, findings = drop(frame, missing, "missing_price", "without a price dropped")
    if frame["volume"].isna().any():
        frame = frame.fillna({"volume": 0.0})  # no volume given says as much as a volume of zero
    raw = (frame[list(PRICES[:4])] <= 0).any(axis=1).to_numpy()
    frame, more = drop(frame, raw, "not_positive", "with a price of zero or below dropped")
    adjusted = (frame["adj_close"] <= 0).to_numpy()
    frame, most = drop(frame, adjusted, "not_positive_adjusted", "with an adjusted close of zero or below dropped")
    return frame, findings + more + most


def drop_inverted(frame: pd.DataFrame) -> Checked:
    """Without the bars whose high is below their low, their open or their close."""
    highest = frame[["low", "open", "close"]].max(axis=1)
    lowest = frame[["high", "open", "close"]].min(axis=1)
    inverted = (frame["high"] < frame["low"]) | (frame["high"] < highest * (1 - ROUNDING))
    inverted |= frame["low"] > lowest * (1 + ROUNDING)
    text = "whose high and low do not enclose their other prices dropped"
    return drop(frame, inverted.to_numpy(), "high_low", text)


def drop_wild(frame: pd.DataFrame) -> Checked:
    """Without the bars whose high is three times their low."""
    wild = (frame["high"] > frame["low"] * WILD_RANGE).to_numpy()
    return drop(frame, wild, "wild_range", f"whose high is over {WILD_RANGE:.0f} times their low dropped")


def drop_untraded(frame: pd.DataFrame) -> Checked:
    """Without the bars nobody traded: no volume, one price all day, where volume tells anything.

    Where no bar has volume (currencies, funds) all stay, and so do those of an index's early years, which have one
    price a day and no volume but move from day to day among others alike.
    """
    has_volume = frame["volume"] > 0
    if not has_volume.any():
        return frame, []
    still = is_still(frame)
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
    flat = np.isclose(frame["high"], frame["low"], rtol=1e-6) & np.isclose(frame["open"], frame["close"], rtol=1e-6)
    return np.asarray((frame["volume"] <= 0).to_numpy() & flat)


def _run_lengths(mask: Mask) -> NDArray[np.int64]:
    """For each row the length of the run of equal values it is in."""
    run = np.asarray(np.diff(mask, prepend=mask[:1])).cumsum()
    return np.asarray(np.bincount(run)[run])


def note_no_volume(frame: pd.DataFrame) -> list[Finding]:
    """The bars that moved without any volume, in a table where others have it."""
    without = (frame["volume"] == 0).to_numpy()
    if without.all() or not without.any():
        return []
    dates = days(frame.index[without])
    return [Finding("no_volume", NOTED, dates, f"{bars(dates)} have prices but no volume")]


def refuse_mixed(frame: pd.DataFrame) -> None:
    """PriceError for a table that leaps to and fro between two price levels: two companies in one table."""
    leaps = (np.abs(log_changes(frame["close"])) > np.log(LEVEL)) & stands_clear(frame)
    if leaps.sum() > max(MIXED_BARS, MIXED_SHARE * len(frame)):
        raise PriceError(
            "mixed_tickers",
            f"{int(leaps.sum())} of {len(frame)} closes leap by over {LEVEL - 1:.0%}: the table mixes two companies",
        )


def drop_phantoms(frame: pd.DataFrame) -> Checked:
    """Without the few bars that stand clear of their neighbours' ranges at another level, and come back."""
    bad = np.zeros(len(frame), dtype=bool)
    leaps = (np.abs(log_changes(frame["close"])) > np.log(LEVEL)) & stands_clear(frame)
    for start in np.flatnonzero(leaps).tolist():
        if bad[start - 1] or bad[start]:
            continue
        for stop in range(start + 1, min(start + PHANTOM_RUN + 1, len(frame))):
            if _stands_apart(frame, start, stop):
                bad[start:stop] = True
                break
    return drop(frame, bad, "phantom_price", "at a price far from their neighbours' dropped")


def _stands_apart(frame: pd.DataFrame, start: int, stop: int) -> bool:
    """Whether bars start..stop-1 lie at one level, clear of the bars around them, which agree."""
    close, high, low = (frame[name].to_numpy() for name in ("close", "high", "low"))
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
    ratio = pd.Series(log_changes(frame["adj_close"]) - log_changes(frame["close"]), frame.index).cumsum()
    usual = ratio.rolling(2 * PHANTOM_RUN + 1, center=True, min_periods=1).median()  # a step to stay is its own side's
    bad = ((ratio - usual).abs() > np.log(LEVEL)).to_numpy()
    return drop(frame, bad, "misadjusted", "with an adjusted close far from their neighbours' dropped")


def stands_clear(frame: pd.DataFrame) -> Mask:
    """Whether each bar's whole range lies apart from that of the bar before: no day's trade led from one to the other.

    A currency's wild day begins where the last one ended; another unit, a split or a demerger begins elsewhere.
    """
    above = frame["low"] > CLEAR_OF * frame["high"].shift()
    below = frame["high"] * CLEAR_OF < frame["low"].shift()
    return (above | below).to_numpy()


def log_changes(series: pd.Series) -> NDArray[np.float64]:
    """The log of each day's change as a factor; 0 for the first day."""
    values = np.log(series.to_numpy(dtype=float))
    return np.diff(values, prepend=values[:1])


@dataclass(frozen=True, slots=True)
class Fault:
    """A row across which the table is not one series, and why; nothing that is dropped could mend it."""

    row: int
    kind: str
    text: str
    is_wrong: bool  # False for a long silence: the prices are right, but they are not neighbours


def find_faults(frame: pd.DataFrame) -> list[Fault]:
    """Every jump of unit, unadjusted split, wrong adjustment and long gap, oldest first."""
    close, change = frame["close"].to_numpy(), log_changes(frame["close"])
    adjusted = log_changes(frame["adj_close"])
    jumped = (np.abs(change) > np.log(UNIT_JUMP)) & stands_clear(frame)
    silence = np.diff(frame.index.to_numpy(), prepend=frame.index.to_numpy()[:1]) / np.timedelta64(1, "D")
    rows = np.flatnonzero(
        (np.abs(change) > np.log(SPLITS[0]) / 2) | (np.abs(adjusted) > np.log(LEVEL)) | (silence > LONG_GAP_DAYS)
    )
    faults = []
    for row in (int(row) for row in rows if row):
        step = f"from {close[row - 1]:g} to {close[row]:g}"
        if jumped[row]:
            faults.append(Fault(row, "unit_jump", f"the close jumps {step}: another unit, or a split", True))
        elif silence[row] > LONG_GAP_DAYS:
            faults.append(Fault(row, "gap", f"nothing was traded for {silence[row]:.0f} days", False))
        elif ratio := _split_ratio(frame, row):
            text = f"the price steps {step}, a split of {ratio} that was not adjusted for"
            faults.append(Fault(row, "unadjusted_split", text, True))
        elif abs(adjusted[row]) > np.log(LEVEL) > abs(change[row]):
            text = (
                f"the adjusted close jumps by {np.expm1(adjusted[row]):+.0%}, the close by {np.expm1(change[row]):+.0%}"
            )
            faults.append(Fault(row, "adjustment_jump", text, True))
    return faults


def _split_ratio(frame: pd.DataFrame, row: int) -> str | None:
    """The split that a quiet day's opening step looks like, as "3:2"; None for a day with news in it."""
    bar, before = frame.iloc[row], frame.iloc[max(0, row - 20) : row]
    factor = float(before["close"].iloc[-1] / bar["open"])
    size = max(factor, 1 / factor)
    range_limit, turnover_limit = (HALVED_RANGE, HALVED_TURNOVER) if size > 1.9 else (QUIET_RANGE, QUIET_TURNOVER)
    turnover = (before["close"] * before["volume"]).median()
    if bar["high"] > range_limit * bar["low"] or bar["close"] * bar["volume"] > turnover_limit * turnover:
        return None
    for split in SPLITS:
        if abs(size / split - 1) < SPLIT_WITHIN:
            old = next(old for old in (1, 2, 3, 4) if abs(split * old - round(split * old)) < 1e-9)
            new = round(split * old)
            return f"{new}:{old}" if factor > 1 else f"{old}:{new}"
    return None


def find_demergers(frame: pd.DataFrame) -> tuple[list[Finding], tuple[date, ...]]:
    """The real falls that a holder did not suffer: the company gave a part of itself away."""
    change = log_changes(frame["close"])
    overnight = stands_clear(frame) | (frame["high"] > WILD_RANGE * frame["low"]).to_numpy()  # a wild bar tells nothing
    fell = (change < np.log(DEMERGER)) & (change > -np.log(UNIT_JUMP)) & overnight
    dates = days(frame.index[fell])
    close = frame["close"].to_numpy()
    findings = [
        Finding(
            "demerger",
            NOTED,
            (day,),
            f"the close fell from {close[row - 1]:g} to {close[row]:g} on {day} and stayed: kept out of training",
        )
        for row, day in zip(np.flatnonzero(fell), dates, strict=True)
    ]
    return findings, dates
