"""Daily bars read from the CSV files of a folder, one file a symbol."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from stockml.core import failures
from stockml.core.calendars import calendar_for
from stockml.core.failures import FetchError
from stockml.data.known_symbols import csv_path
from stockml.data.request import RawBars

if TYPE_CHECKING:
    import pandas as pd

_UTC_TIME = r"\d{4}-\d\d-\d\d[T ](?!00:00)\d\d:\d\d\S*(?:Z|\+00:?00)"  # and not midnight


def read_csv(symbol: str, folder: Path) -> RawBars:
    """Read a symbol's file as it is.

    Parameters
    ----------
    symbol : str
        Names the file, `SYMBOL.csv` in any case.
    folder : Path

    Returns
    -------
    RawBars
        Its frame has shape (n_rows, n_columns) and is not checked; a CSV file names no currency.

    Raises
    ------
    FetchError
        Where there is no such file, or it is no CSV file.
    """
    import pandas as pd

    path = csv_path(symbol, folder)
    try:
        return RawBars(_own_days(symbol, pd.read_csv(path)), None)
    except FileNotFoundError:
        message = f"{symbol}: there is no file {path}; put its prices there or correct the symbol"
        raise FetchError(failures.UNKNOWN_SYMBOL, message) from None
    except (OSError, ValueError) as error:  # pandas' parser errors are ValueErrors, as wrong encodings are
        reason = " ".join(str(error).split())
        message = f"{symbol}: {path} cannot be read as CSV ({reason}); re-export the file"
        raise FetchError(failures.UNREADABLE, message) from None


def _own_days(symbol: str, frame: pd.DataFrame) -> pd.DataFrame:
    """The bars under their exchange's days, where the file holds UTC: midnight in Mumbai is 18:30 of the day before.

    A time of 00:00 is taken for a day without one, and a time at another offset for the exchange's own.
    """
    import pandas as pd

    name = next((name for name in frame.columns if str(name).strip().lower() == "date"), None)
    if name is None or frame.empty or len(str(frame[name].iloc[0])) <= len("YYYY-MM-DD"):
        return frame
    texts = frame[name].astype(str)
    is_utc = texts.str.fullmatch(_UTC_TIME)
    moments = pd.to_datetime(texts.where(is_utc), format="ISO8601", utc=True, errors="coerce")
    days = moments.dt.tz_convert(calendar_for(symbol).timezone).dt.strftime("%Y-%m-%d")
    return frame.assign(**{name: texts.mask(is_utc, days)})
