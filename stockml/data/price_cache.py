"""Price cache: a symbol's raw bars in a Parquet file.

Bars are kept as the source gave them and checked each time they are used. A file that is lost is downloaded again, and
so is one of which any bit is not as it was written: the SHA-256 of the whole file stands in its own metadata, where it
is replaced with the file in one step and disturbs no other program. Parquet's checksums of pages would leave out the
rest of the file.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from stockml.core.paths import Home
from stockml.data.request import NOWHERE, Listing
from stockml.storage.files import StorageError, write_whole
from stockml.storage.plain_files import read_plain

if TYPE_CHECKING:
    import pandas as pd

OVERLAP_DAYS = 14  # about ten sessions are downloaded again, to notice a split, a dividend, a bar filled in late
AGREE_WITHIN = 1e-4  # a source's own rounding is a thousandth of this, the smallest dividend worth noticing ten times

_KEY, _SUM_KEY = b"stockml", b"stockml.sum"
_SUM, _NO_DIGITS = b"stockml-sha256:", b"0" * 64  # the file's checksum, taken while these stand in its place
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class CachedBars:
    """One symbol's bars as last fetched: every complete one from `asked_from` on that the source gave.

    Attributes
    ----------
    frame : DataFrame, shape (n_days, 6)
        The source's own columns; days as a naive index.
    """

    frame: pd.DataFrame
    currency: str | None
    asked_from: date
    fetched_at: datetime
    listing: Listing = NOWHERE

    @property
    def through(self) -> date | None:
        """The last day with a close; None without any."""
        closes = self.frame["Close"].dropna()
        return closes.index[-1].date() if len(closes) else None


def path_of(symbol: str, home: Home) -> Path:
    """The symbol's file; unlike a folder of models it may keep its dots."""
    return home.prices / f"{symbol}.parquet"


def read(symbol: str, home: Home) -> CachedBars | None:
    """The cached bars of a symbol; None where there are none, or none that can be read."""
    import pyarrow
    from pyarrow import parquet

    from stockml.data.kept_files import price_notes

    path = path_of(symbol, home)
    try:
        content = read_plain(path)
        if content is None:
            return None
        _refuse_changed(content)
        table = parquet.read_table(pyarrow.BufferReader(content))
        notes = price_notes(table, _KEY)
        return CachedBars(
            frame=table.to_pandas(),
            currency=notes["currency"],
            asked_from=date.fromisoformat(notes["asked_from"]),
            fetched_at=datetime.fromisoformat(notes["fetched_at"]),
            listing=Listing(notes.get("exchange"), notes.get("timezone")),
        )
    except (StorageError, OSError, ValueError, KeyError, TypeError, pyarrow.ArrowException) as error:
        _log.warning("%s: the cached prices in %s are damaged, so all of them are asked for again", symbol, path)
        _log.debug("%s: %s: %s", path, type(error).__name__, error)
        return None


def write(symbol: str, cached: CachedBars, home: Home) -> None:
    """Write a symbol's bars, whole or not at all."""
    import pyarrow
    from pyarrow import parquet

    notes = {
        "currency": cached.currency,
        "asked_from": cached.asked_from.isoformat(),
        "fetched_at": cached.fetched_at.isoformat(),
        "exchange": cached.listing.exchange,
        "timezone": cached.listing.timezone,
    }
    table = pyarrow.Table.from_pandas(cached.frame)
    ours = {_KEY: json.dumps(notes).encode(), _SUM_KEY: _SUM + _NO_DIGITS}
    table = table.replace_schema_metadata({**table.schema.metadata, **ours})
    buffer = io.BytesIO()
    parquet.write_table(table, buffer)
    content = buffer.getvalue()
    write_whole(path_of(symbol, home), content.replace(_SUM + _NO_DIGITS, _SUM + _digits(content)))


def _digits(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()


def _refuse_changed(content: bytes) -> None:
    """ValueError unless a file's checksum agrees with all the rest of it."""
    before, mark, after = content.rpartition(_SUM)
    digits, after = after[: len(_NO_DIGITS)], after[len(_NO_DIGITS) :]
    if not mark or digits != _digits(b"".join((before, mark, _NO_DIGITS, after))):
        raise ValueError("not as it was written")


def ask_from(cached: CachedBars | None, start: date, expected: date, *, is_doubtful: bool = False) -> date | None:
    """The first day to ask the source for; None where all up to the `expected` session is there already.

    `is_doubtful` says that the newest bars may have been kept before their session ended.
    """
    if cached is None or cached.asked_from > start or cached.through is None:
        return start
    if cached.through >= expected and not is_doubtful:
        return None
    return max(start, min(cached.through, expected) - timedelta(days=OVERLAP_DAYS))


def merge(old: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame | None:
    """Old bars followed by new ones, which win where both have a day.

    Parameters
    ----------
    old, new : DataFrame, shape (n_days, 6)
        Raw bars as the source gave them, days as a naive ascending index.

    Returns
    -------
    DataFrame or None
        None where they are not one series.

    Notes
    -----
    They are not one series if a close or an adjusted close of a shared day differs: all of them after a split or a
    dividend, some after a correction. The newest shared day may differ, for a close may be settled late.
    """
    import pandas as pd

    new = new[~new.index.duplicated(keep="last")]
    known = new[new["Close"].notna()]
    shared = old.index[old["Close"].notna()].intersection(known.index)
    compared = shared[:-1] if len(shared) > 1 else shared
    columns = ["Close", "Adj Close"]
    apart = (known.loc[compared, columns] / old.loc[compared, columns] - 1).abs() > AGREE_WITHIN
    if shared.empty or apart.to_numpy().any():
        return None
    kept = old[~old.index.isin(known.index)]
    return pd.concat([kept, new[~new.index.isin(kept.index)]]).sort_index()
