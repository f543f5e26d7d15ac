"""Daily bars read from the CSV files of a folder, one file a symbol."""

from __future__ import annotations

from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

from stockml.core import failures
from stockml.core.failures import FetchError
from stockml.core.markets import with_dot
from stockml.data.request import RawBars

if TYPE_CHECKING:
    import pandas as pd

_UTC_TIME = r"\d{4}-\d\d-\d\d[T ](?!00:00)\d\d:\d\d\S*(?:Z|\+00:?00)"  # and not midnight


def read_csv(symbol: str, folder: Path, zone: tzinfo) -> RawBars:
    """Read a symbol's file as it is.

    Parameters
    ----------
    symbol : str
        Names the file, `SYMBOL.csv`.
    folder : Path
    zone : tzinfo
        The exchange's, for files that hold times in UTC.

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

    path = folder / f"{symbol}.csv"
    if not path.exists() and (folder / f"{with_dot(symbol)}.csv").exists():
        path = folder / f"{with_dot(symbol)}.csv"  # BRK.B, which is Yahoo's BRK-B
    try:
        return RawBars(_own_days(pd.read_csv(path), zone), None)
    except FileNotFoundError:
        message = f"{symbol}: there is no file {path}; put its prices there or correct the symbol"
        raise FetchError(failures.UNKNOWN_SYMBOL, message) from None
    except (OSError, ValueError) as error:  # pandas' parser errors are ValueErrors, as wrong encodings are
        reason = " ".join(str(error).split())
        message = f"{symbol}: {path} cannot be read as CSV ({reason}); re-export the file"
        raise FetchError(failures.UNREADABLE, message) from None


def _own_days(frame: pd.DataFrame, zone: tzinfo) -> pd.DataFrame:
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
    days = moments.dt.tz_convert(zone).dt.strftime("%Y-%m-%d")
    return frame.assign(**{name: texts.mask(is_utc, days)})
