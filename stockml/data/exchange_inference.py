"""The days on which a stock traded -> the exchange whose sessions they are, where that is beyond doubt.

Only days up to the one that a run acts on are looked at: what a file says later must not change an earlier forecast.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from stockml.core.calendars import calendar_of
from stockml.core.failures import FetchError
from stockml.core.markets import (
    EXCHANGES,
    MON_FRI,
    NEW_YORK,
    SUN_THU,
    SUNDAY_TO_THURSDAY,
    WEEKDAYS,
    assumed_market,
    market,
    market_named,
)
from stockml.core.paths import is_symbol
from stockml.data.csv_files import read_csv

if TYPE_CHECKING:
    import pandas as pd

LOOKED_AT = 500  # sessions, two years: some twenty holidays of any exchange
LEAST_DAYS = 40  # a quarter: two exchanges far from each other differ by a handful of holidays in it
SURE_DAYS = 100  # half a year without a misfit: no neighbour's holidays are so much alike
STRAY = 0.01  # share of the days that may lie on a holiday, as special sessions do, or lack a bar
MARGIN = 4  # days by which the next best exchange must fit worse
MUMBAI = "XBOM"  # tried with New York before all others, which take seconds to build


STATED, INFERRED, ASSUMED = "stated", "inferred", "assumed"


@dataclass(frozen=True, slots=True)
class FileExchange:
    """A file's market: `how` is stated (by its column), inferred (from its days) or assumed (they do not decide)."""

    market: str
    how: str


def exchange_of_file(symbol: str, folder: Path, through: date) -> FileExchange | None:
    """The exchange of a symbol's CSV file by its column `exchange`, else by its days up to `through`.

    None where the symbol is none or the file cannot be read: that is for the fetch to say.

    Raises
    ------
    ValueError
        Where the column names an unknown exchange, or more than one.
    """
    from stockml.data.findings import PriceError
    from stockml.data.raw_table import tidy

    if not is_symbol(symbol):
        return None
    try:
        raw = read_csv(symbol, folder, ZoneInfo("UTC")).frame
        stated = _stated(symbol, raw)
        if stated is not None:
            return FileExchange(stated, STATED)
        days = traded_days(tidy(raw)[0], through)
    except (FetchError, PriceError):
        return None
    if not days:
        return None
    found = infer(days)
    return FileExchange(_week_of(symbol, days), ASSUMED) if found is None else FileExchange(found, INFERRED)


def _stated(symbol: str, raw: pd.DataFrame) -> str | None:
    column = next((name for name in raw.columns if str(name).strip().lower() == "exchange"), None)
    if column is None:
        return None
    names = sorted({str(name).strip() for name in raw[column].dropna()} - {""})
    if not names:
        return None
    codes = set()
    for name in names:
        try:
            codes.add(market_named(name))
        except ValueError as error:
            raise ValueError(f"{symbol}: in its column {str(column)!r}, {error}") from None
    if len(codes) > 1:
        raise ValueError(f"{symbol}: its column {str(column)!r} names {', '.join(names)}; one file holds one exchange")
    return codes.pop()


def traded_days(bars: pd.DataFrame, through: date) -> list[date]:
    """The newest days with volume up to `through`, oldest first; all of them where no bar has any.

    Parameters
    ----------
    bars : DataFrame, shape (n_days, 6)
        Tidied, the day as index.
    through : date
    """
    import pandas as pd

    known = bars.sort_index().loc[: pd.Timestamp(through)]
    traded = known[known["volume"] > 0] if (known["volume"] > 0).any() else known
    return list(dict.fromkeys(pd.DatetimeIndex(traded.index).date))[-LOOKED_AT:]


def infer(days: Sequence[date]) -> str | None:
    """The market whose sessions these days are, beyond doubt; None where several may be meant, or none is."""
    return _inferred(tuple(days))


@lru_cache(maxsize=64)  # stocks of one exchange traded on the same days: a folder of hundreds is inferred once
def _inferred(days: tuple[date, ...]) -> str | None:
    if len(days) < LEAST_DAYS:
        return None
    is_monday_to_friday = _fits_week(days, MON_FRI)
    if is_monday_to_friday and len(days) >= SURE_DAYS and _misfits(days, NEW_YORK) <= 1:
        return NEW_YORK
    if is_monday_to_friday and _fits(days, MUMBAI) and _misfits(days, NEW_YORK) >= _misfits(days, MUMBAI) + MARGIN:
        return MUMBAI
    alike = [code for code in EXCHANGES if (6 not in market(code).week_on(days[-1])) == is_monday_to_friday]
    return _best(days, alike)


def _week_of(symbol: str, days: Sequence[date]) -> str:
    """The market to assume: that of all symbols like it, or the week alone where New York did not trade like that."""
    if len(days) < LEAST_DAYS or _fits(days, NEW_YORK):
        return assumed_market(symbol)
    return SUNDAY_TO_THURSDAY if _fits_week(days, SUN_THU) else WEEKDAYS


def _best(days: Sequence[date], codes: Sequence[str]) -> str | None:
    """The only market that fits; two with the same sessions are not told apart."""
    best, *others = sorted((_misfits(days, code), code) for code in codes if market(code).has_holidays)
    if not _fits(days, best[1]) or any(count < best[0] + MARGIN for count, _ in others):
        return None
    return best[1]


def _fits_week(days: Sequence[date], week: frozenset[int]) -> bool:
    return sum(day.weekday() not in week for day in days) <= STRAY * len(days)


def _fits(days: Sequence[date], code: str) -> bool:
    return _misfits(days, code) <= 1 + STRAY * len(days)


def _misfits(days: Sequence[date], code: str) -> int:
    """Bars on days that are no sessions, and sessions without a bar."""
    return len(_sessions(code, days[0], days[-1]).symmetric_difference(days))


@lru_cache(maxsize=1024)  # each exchange's, of the few spans that the files of a run have
def _sessions(code: str, first: date, last: date) -> frozenset[date]:
    return frozenset(calendar_of(code).sessions_between(first, last))
