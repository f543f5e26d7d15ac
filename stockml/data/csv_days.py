"""Days as people's files write them: ISO and compact dates, month names, day/month/year in either order, epochs.

One form serves a whole file. Where day and month could be exchanged, a day over 12 anywhere in the file decides.
"""

from __future__ import annotations

import re
from datetime import tzinfo
from typing import Literal

import numpy as np
import pandas as pd

from stockml.data.findings import Mask, PriceError

OTHER_SHARE = 0.1  # so few days in another form are slips
UNSORTED_SHARE = 0.02  # read in a wrong order, days step back once a month
PIVOT = 70  # two-digit years from here on are of the last century

_TIME = (
    r"(?:,?[T ]\s*(?P<time>\d{1,2}:\d\d(?::\d\d(?:\.\d+)?)?)\s*(?P<half>[AP]M)?"
    r"\s*(?P<zone>Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)?(?: ?[A-Z]{2,5})?)?"
)
_WEEKDAY = r"(?:(?:MON|TUE|WED|THU|FRI|SAT|SUN)[A-Z]*\.?,?\s+)?"
_FORMS = {
    "year first": r"(?P<y>\d{4})(?P<s>[-/.])(?P<m>\d{1,2})(?P=s)(?P<d>\d{1,2})",
    "compact": r"(?P<y>(?:19|20)\d\d)(?P<m>\d\d)(?P<d>\d\d)(?:\.0)?",
    "named month": r"(?P<d>\d{1,2})[-/. ]{0,2}(?P<name>[A-Z]{3,9})\.?[-/., ]{0,2}(?P<y>\d{4}|\d\d)",
    "month first": r"(?P<name>[A-Z]{3,9})\.?[-/ ]?(?P<d>\d{1,2}),?[-/ ]\s*(?P<y>\d{4}|\d\d)",
    "numeric": r"(?P<a>\d{1,2})(?P<s>[-/.])(?P<b>\d{1,2})(?P=s)(?P<c>\d{4}|\d\d)",
}
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_NUMBER_OF = {name: f"{number:02}" for number, name in enumerate(_MONTHS, start=1)}
_EPOCH: dict[str, Literal["s", "ms"]] = {r"[1-9]\d{8,9}(?:\.0+)?": "s", r"[1-9]\d{11,12}(?:\.0+)?": "ms"}
_ORDERS = {"day/month": "abc", "month/day": "bac", "year/month/day": "cba"}  # where day, month and year stand


def read_days(texts: pd.Series, timezone: tzinfo) -> pd.Series:
    """Days, with their time where one is written, out of the texts of a file's day column.

    A time in UTC other than midnight is brought to the exchange's own (midnight in Mumbai is 18:30 of the day before);
    a time at another offset is taken for the exchange's own already.

    Parameters
    ----------
    texts : Series of str, shape (n_rows,)
    timezone : tzinfo
        The exchange's.

    Returns
    -------
    Series of datetime64[us], shape (n_rows,)
        Naive; NaT for a text in another form than most of the file's.

    Raises
    ------
    PriceError
        unreadable, where day and month cannot be told apart.
    """
    texts = texts.str.strip().str.upper()
    for form, unit in _EPOCH.items():
        if _most(texts.str.fullmatch(form)):
            numbers = pd.to_numeric(texts.where(texts.str.fullmatch(form).astype(bool)), errors="coerce")
            moments = pd.to_datetime(numbers.to_numpy(), unit=unit, utc=True).as_unit("us")
            return _own_time(pd.Series(moments, texts.index), timezone)
    parts = [texts.str.extract(f"^{_WEEKDAY}{form}{_TIME}$") for form in _FORMS.values()]
    best = max(parts, key=lambda part: int(part["s" if "s" in part else "d"].notna().sum()))
    days = _numeric_days(texts, best) if "a" in best else _to_days(*_named_parts(best))
    return _with_times(days, best, timezone)


def _most(mask: pd.Series) -> bool:
    return bool(mask.astype(bool).mean() > 1 - OTHER_SHARE)


def _named_parts(part: pd.DataFrame) -> tuple[pd.Series, pd.Series, pd.Series]:
    months = part["name"].str[:3].map(_NUMBER_OF) if "name" in part else part["m"]
    return part["d"], months, part["y"]


def _to_days(day: pd.Series, month: pd.Series, year: pd.Series) -> pd.Series:
    """Days out of texts; NaT for one that no calendar has."""
    century = np.where(pd.to_numeric(year, errors="coerce") < PIVOT, "20", "19")
    year = year.where(year.str.len() != 2, pd.Series(century, year.index, dtype=year.dtype) + year)
    iso = year + "-" + month.str.zfill(2) + "-" + day.str.zfill(2)
    return pd.to_datetime(iso, format="%Y-%m-%d", errors="coerce").astype("datetime64[us]")


def _numeric_days(texts: pd.Series, part: pd.DataFrame) -> pd.Series:
    """Days of three numbers in the one order that the file allows."""
    written = part["a"].notna()
    is_short = bool((part["c"].str.len() == 2).any())
    orders = {name: order for name, order in _ORDERS.items() if is_short or order != "cba"}
    if _most((part["s"] == ".")[written]):  # nobody writes the month first with points
        del orders["month/day"]
    read = {name: _to_days(*(part[column] for column in order)) for name, order in orders.items()}
    most = max(int(days.notna().sum()) for days in read.values())
    read = {name: days for name, days in read.items() if days.notna().sum() >= most * (1 - OTHER_SHARE)}
    if len(read) > 1 and is_short:  # 31/01/24 is a day in 2031 too: then the order of the file tells as well
        read = {name: days for name, days in read.items() if _is_in_order(days)} or read
    surest = {name for name, days in read.items() if days.notna().sum() == most}
    if len(read) > 1 and len(surest) == 1:
        read = {name: days for name, days in read.items() if name in surest}
    first = texts[written].iloc[0]
    if len(read) > 1:
        ways = " or ".join(read)
        raise PriceError("unreadable", f"its days, the first {first!r}, may be {ways}; write them as YYYY-MM-DD")
    name, days = read.popitem()
    if most < written.sum() * (1 - OTHER_SHARE) or not _is_in_order(days):
        reason = f"are not {name} throughout, nor in any other order"
        raise PriceError("unreadable", f"its days, the first {first!r}, {reason}; write them as YYYY-MM-DD")
    return days


def _is_in_order(days: pd.Series) -> bool:
    """True where almost all days follow one another, oldest or newest first."""
    steps = np.sign(days.dropna().diff().dropna().dt.days)
    against = min(int((steps < 0).sum()), int((steps > 0).sum()))
    return against <= UNSORTED_SHARE * len(steps)


def _with_times(days: pd.Series, part: pd.DataFrame, timezone: tzinfo) -> pd.Series:
    written = part["time"].notna() & days.notna()
    if not written.any():
        return days
    clock = part["time"].where(written, "0:00")
    clock = clock.where(clock.str.count(":") == 2, clock + ":00")
    times = pd.to_timedelta(clock, errors="coerce")
    hours = times // pd.Timedelta(hours=1)
    half = part["half"].fillna("")
    times += pd.to_timedelta(np.where((half == "PM") & (hours < 12), 12, 0), unit="h")
    times -= pd.to_timedelta(np.where((half == "AM") & (hours == 12), 12, 0), unit="h")
    moments = (days + times).astype("datetime64[us]")
    in_utc = np.asarray(part["zone"].fillna("").str.fullmatch(r"Z|UTC|GMT|[+-]00(?::?00)?")) & written.to_numpy()
    if not in_utc.any():
        return moments
    return moments.mask(pd.Series(in_utc, moments.index), _own_time(moments.dt.tz_localize("UTC"), timezone))


def _own_time(moments: pd.Series, timezone: tzinfo) -> pd.Series:
    """Moments in UTC as the exchange's naive time; a midnight is a day without a time."""
    naive = moments.dt.tz_localize(None)
    is_day: Mask = (naive == naive.dt.normalize()).to_numpy()
    own: pd.Series = moments.dt.tz_convert(timezone).dt.tz_localize(None)
    return own.mask(pd.Series(is_day, own.index), naive)


def times_of_day(texts: pd.Series) -> pd.Series:
    """Times out of a column of their own: HH:MM, HH:MM:SS, HHMM or HHMMSS.

    Parameters
    ----------
    texts : Series of str, shape (n_rows,)

    Returns
    -------
    Series of timedelta64, shape (n_rows,)
        0 for another text.
    """
    digits = texts.str.strip().str.replace(":", "").str.extract(re.compile(r"^(\d{3,6})$"), expand=False)
    padded = digits.where(digits.str.len() > 4, digits.str.zfill(4) + "00").str.zfill(6)
    clock = padded.str[:2] + ":" + padded.str[2:4] + ":" + padded.str[4:]
    return pd.to_timedelta(clock, errors="coerce").fillna(pd.Timedelta(0))
