"""A raw price table -> a checked one, with all that was dropped, noted or refused, and why.

Tables are checked once, on input; all code behind that trusts them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date

import pandas as pd

from stockml.core.calendars import Calendar, calendar_for
from stockml.core.wording import count
from stockml.data import adjustment_steps, bar_checks, day_checks, jump_outcomes, neighbour_checks, volume_checks
from stockml.data.announcements import Announcement, known_by
from stockml.data.findings import DROPPED, NOTED, Checked, Finding, PriceError, drop
from stockml.data.raw_table import tidy

__all__ = ["Finding", "PriceError", "PriceTable", "check_prices", "note_stale"]

MIN_SESSIONS = 30  # MACD's slow average looks at 26 sessions, the regime at 20
ENDED = pd.Timedelta(days=15)  # longer than any row of holidays

ALONE = (
    bar_checks.drop_duplicates,
    adjustment_steps.undo_splits,
    bar_checks.drop_not_positive,
    bar_checks.drop_inverted,
    volume_checks.drop_untraded,
)
BESIDE_OTHERS = (neighbour_checks.drop_phantoms, neighbour_checks.drop_misadjusted)


@dataclass(frozen=True, slots=True, eq=False)
class PriceTable:
    """One symbol's daily bars, checked.

    Attributes
    ----------
    frame : DataFrame, shape (n_days, 6)
        Float columns open, high, low, close, adj_close, volume; a naive, ascending, unique DatetimeIndex "Date".
        `close` is adjusted for splits alone, `adj_close` for dividends too (equal where the source has none).
    currency : str or None
        As the source writes it: "GBp" are pence.
    source : str
        Its kind: yahoo, csv or sample.
    breaks : tuple of date
        First bars after a real jump that no adjustment covers (demergers, long suspensions).
    announcements : tuple of Announcement
        Of the company's results, by day, as known at the close of the last bar; each from the day it was known on.
    history : PriceTable, optional
        The bars up to the last one that the source has at hand, where they are more than the table's own.
    """

    symbol: str
    frame: pd.DataFrame
    currency: str | None
    source: str
    findings: tuple[Finding, ...] = ()
    breaks: tuple[date, ...] = ()
    announcements: tuple[Announcement, ...] = ()
    history: PriceTable | None = None

    @property
    def data_through(self) -> date:
        """The day of the last bar."""
        last: date = self.frame.index[-1].date()
        return last

    def through(self, day: date) -> PriceTable:
        """The table without the bars after `day`.

        Returns
        -------
        PriceTable
            Of shape (n_kept, 6); checked with the later bars at hand, unlike `PointInTimePrices.table`.

        Raises
        ------
        PriceError
            too_short, where no bar is left.
        """
        frame = self.frame.loc[: pd.Timestamp(day)]
        if frame.empty:
            raise PriceError(
                "too_short", f"{self.symbol}: no bar up to {day}; its first is {self.frame.index[0].date()}"
            )
        breaks = tuple(at for at in self.breaks if at <= day)
        dates = known_by(self.announcements, frame.index[-1].date())
        return replace(self, frame=frame, breaks=breaks, announcements=dates, history=None)

    def last(self, n_days: int) -> PriceTable:
        """The table's newest bars, at most `n_days`: shape (n_days, 6)."""
        return replace(self, frame=self.frame.iloc[-n_days:])

    def noting(self, finding: Finding) -> PriceTable:
        """The table with one more finding."""
        return replace(self, findings=(*self.findings, finding))

    def summary(self) -> dict[str, object]:
        """The table in a few plain values, for a report."""
        return {
            "rows": len(self.frame),
            "data_through": self.data_through.isoformat(),
            "currency": self.currency,
            "findings": [finding.summary() for finding in self.findings],
        }


def check_prices(
    symbol: str,
    raw: pd.DataFrame,
    *,
    limit: date | None = None,
    start: date | None = None,
    calendar: Calendar | None = None,
) -> PriceTable:
    """The table that may be used, with all that was found in it.

    Parameters
    ----------
    symbol : str
    raw : DataFrame, shape (n_rows, n_columns)
        Open, High, Low, Close, Volume and perhaps Adj Close, in any order and case; the day as index or as Date.
    calendar : Calendar, optional
        The exchange's; by default the one that the symbol names.
    limit : date, optional
        The last day whose bar is complete; bars after it are dropped.
    start : date, optional
        Bars before it are left out before anything is checked.

    Returns
    -------
    PriceTable
        Of shape (n_days, 6), with at least MIN_SESSIONS days, no currency and no source.

    Raises
    ------
    PriceError
        `kind` is columns, unreadable, intraday, sparse, empty, too_short, mixed_tickers, unit_jump, unadjusted_split
        or adjustment_jump; the message names the symbol, the day and what to do.
    """
    try:
        tidied = tidy(raw, limit)
    except PriceError as error:
        raise PriceError(error.kind, f"{symbol}: {error}") from None
    return check_tidied(symbol, tidied, limit=limit, start=start, calendar=calendar)


def check_tidied(
    symbol: str, tidied: Checked, *, limit: date | None, start: date | None, calendar: Calendar | None
) -> PriceTable:
    """The same of rows that `raw_table.tidy` has read, with that limit; they are left as they are.

    Parameters
    ----------
    symbol : str
    tidied : DataFrame of shape (n_rows, 6), and its findings
    limit, start, calendar
        As of `check_prices`.

    Returns
    -------
    PriceTable
        Of shape (n_days, 6), with at least MIN_SESSIONS days, no currency and no source.

    Raises
    ------
    PriceError
        As `check_prices`.
    """
    frame, findings = tidied[0], [*tidied[1]]
    try:
        days = frame.index
        frame, found = _drop_bad_bars(frame, calendar or calendar_for(symbol), limit, start)
        findings += found
        frame, found, breaks = jump_outcomes.settle_jumps(frame)
        findings += found
        frame, found = bar_checks.drop_wild(frame)
        findings += found
        _refuse_ended(frame, days, limit)
        _refuse_short(frame, findings)
    except PriceError as error:
        raise PriceError(error.kind, f"{symbol}: {error}") from None
    return PriceTable(symbol, frame, None, "", tuple(findings), breaks)


def note_stale(table: PriceTable, expected: date) -> PriceTable:
    """The table, with a finding where it ends before the last session that should be there.

    Parameters
    ----------
    table : PriceTable, shape (n_days, 6)
    expected : date

    Returns
    -------
    PriceTable
        The same bars.
    """
    if table.data_through >= expected:
        return table
    text = f"the last bar is of {table.data_through}, that of {expected} is missing"
    return table.noting(Finding("stale", NOTED, (expected,), text))


def _drop_bad_bars(frame: pd.DataFrame, calendar: Calendar, limit: date | None, start: date | None) -> Checked:
    """All that is put right by leaving bars out, in an order in which no check trips over another's bars."""
    frame, findings = bar_checks.sort_dates(frame)
    filled = day_checks.is_filled_forward(frame, calendar)  # the first bar that is wanted may repeat one before it
    if start is not None:
        first = int(frame.index.searchsorted(pd.Timestamp(start)))
        frame, filled = frame.iloc[first:], filled[first:]
        frame = frame.set_axis(frame.index.copy(deep=True)).copy()  # a view would hold the bars before in memory
    if limit is not None:
        frame, found = bar_checks.drop_later(frame, limit)
        findings += found
        filled = filled[: len(frame)]
    frame, found = drop(frame, filled, "filled_forward", "that repeat the day before, without a session, dropped")
    findings += found
    day_checks.refuse_sparse(frame)
    day_checks.refuse_crowded(frame)
    frame, found = _in_turn(frame, ALONE)
    findings += found
    neighbour_checks.refuse_mixed(frame)
    frame, found = _in_turn(frame, BESIDE_OTHERS)
    return frame, findings + found + volume_checks.note_no_volume(frame)


def _in_turn(frame: pd.DataFrame, checks: Sequence[Callable[[pd.DataFrame], Checked]]) -> Checked:
    findings: list[Finding] = []
    for check in checks:
        frame, found = check(frame)
        findings += found
    return frame, findings


def _refuse_ended(frame: pd.DataFrame, days: pd.Index, limit: date | None) -> None:
    """Refuse a table with too few bars because the source's own, on `days`, ended long before the limit."""
    if len(frame) >= MIN_SESSIONS or limit is None:
        return
    last = days[days <= pd.Timestamp(limit)].max()
    if pd.Timestamp(limit) - last > ENDED:  # never so for NaT
        raise PriceError("too_short", f"its last bar is of {last.date()}; renew it, or use --as-of {last.date()}")


def _refuse_short(frame: pd.DataFrame, findings: Sequence[Finding]) -> None:
    if len(frame) >= MIN_SESSIONS:
        return
    dropped = [found for found in findings if found.action == DROPPED and found.kind != "open_session"]
    reasons = f" ({'; '.join(found.text for found in dropped)})" if dropped else ""
    is_spoilt = len(frame) + sum(found.count for found in dropped) >= MIN_SESSIONS
    remedy = "download its prices again" if is_spoilt else "ask again when it has traded longer"
    raise PriceError("too_short", f"{count(len(frame), 'daily bar')}, need {MIN_SESSIONS}{reasons}; {remedy}")
