"""Daily bars read from the CSV files of a folder, one file a symbol."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import tzinfo
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, cast

from stockml.core import failures
from stockml.core.failures import FetchError
from stockml.core.wording import cause
from stockml.data.known_symbols import csv_path
from stockml.data.request import RawBars

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


class NoTextError(ValueError):
    """A file without any text that could be CSV."""


@dataclass(frozen=True, slots=True, eq=False)
class CsvFile:
    """A symbol's CSV file, not read yet: its bytes, and the path that messages name.

    Attributes
    ----------
    symbol : str
    path : Path
    content : array of uint8, shape (n_bytes,)
        An array, since pickle hands arrays on without a copy.
    """

    symbol: str
    path: Path
    content: NDArray[np.uint8]

    def bars(self, zone: tzinfo) -> RawBars:
        """The bars as they are in the file; see `read_csv`."""
        with _told(self.symbol, self.path):
            plain = _plain_bars(self.content)
            return RawBars(plain, None) if plain is not None else self._read_any(zone)

    def _read_any(self, zone: tzinfo) -> RawBars:
        from stockml.data.csv_dialect import read_dialect

        frame, notes = read_dialect(self.symbol, _decoded(self.content.tobytes()), zone)
        return RawBars(frame, None, notes)


def open_csv(symbol: str, folder: Path) -> CsvFile:
    """A symbol's file, `SYMBOL.csv` in any case; FetchError where there is none, or it cannot be read."""
    import numpy as np

    path = csv_path(symbol, folder)
    with _told(symbol, path):
        return CsvFile(symbol, path, np.frombuffer(path.read_bytes(), np.uint8))


def read_csv(symbol: str, folder: Path, zone: tzinfo) -> RawBars:
    """Read a symbol's file as it is.

    Parameters
    ----------
    symbol : str
        Names the file, `SYMBOL.csv` in any case.
    folder : Path
    zone : tzinfo
        The exchange's, for files that hold times in UTC.

    Returns
    -------
    RawBars
        Its frame has shape (n_rows, n_columns) and is not checked: days and numbers, and texts for what is neither. Its
        index holds the lines of the file. A CSV file names no currency.

    Raises
    ------
    FetchError
        Where there is no such file, or it is no CSV file of daily bars.
    """
    return open_csv(symbol, folder).bars(zone)


@contextmanager
def _told(symbol: str, path: Path) -> Iterator[None]:
    """Turn whatever a file may raise into a FetchError of one plain sentence."""
    from stockml.data.findings import PriceError

    try:
        yield
    except FileNotFoundError:
        message = f"{symbol}: there is no file {path}; put its prices there or correct the symbol"
        raise FetchError(failures.UNKNOWN_SYMBOL, message) from None
    except PriceError as error:
        kind = failures.BAD_PRICES if error.kind == "mixed_tickers" else failures.UNREADABLE
        raise FetchError(kind, f"{symbol}: {error}") from None
    except (OSError, ValueError, csv.Error) as error:  # pandas' parser errors are ValueErrors, as wrong encodings are
        reason = str(error) if isinstance(error, NoTextError) else cause(error, "its lines are not alike")
        message = f"{symbol}: {path} cannot be read as CSV ({reason}); re-export the file"
        raise FetchError(failures.UNREADABLE, message) from None


def _plain_bars(content: NDArray[np.uint8]) -> pd.DataFrame | None:
    """The bars of a file in the plain form, ISO days and plain numbers, read at once; None for any other form."""
    import numpy as np
    import pandas as pd

    from stockml.data.column_names import LINE, SERIES_NAMES, TICKER_NAMES, find_columns, plain_name
    from stockml.data.findings import PriceError
    from stockml.data.raw_table import plain_days

    try:
        frame = pd.read_csv(BytesIO(content.data))
        at = find_columns(frame.columns)
    except (UnicodeError, pd.errors.ParserError, PriceError):
        return None
    if not isinstance(frame.index, pd.RangeIndex) or frame.empty:
        return None
    if any(plain_name(name) in (*SERIES_NAMES, *TICKER_NAMES, "time") for name in frame.columns):
        return None
    day, dtypes = at.pop("date"), list(frame.dtypes)
    if not isinstance(dtypes[day], pd.StringDtype) or len(str(frame.iat[0, day])) != len("YYYY-MM-DD"):
        return None
    if not all(isinstance(dtypes[at], np.dtype) and dtypes[at].kind in "fiu" for at in at.values()):
        return None
    newest = [cast(float, frame.iat[-1, at]) for at in at.values()]
    if pd.isna(newest).any():  # the file may break off within its last line
        return None
    texts = frame[frame.columns[day]]
    days = plain_days(texts)
    if days is None or days.hasnans:
        return None
    frame.index = pd.RangeIndex(2, len(frame) + 2, name=LINE)
    frame[texts.name] = days
    return frame


def _decoded(content: bytes) -> str:
    """The text of a file; NoTextError where it is none."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16")
    if b"\0" in content:
        raise NoTextError("it is no text, perhaps a workbook")
    if not content.strip():
        raise NoTextError("it is empty")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")  # digits are the same in all of these
