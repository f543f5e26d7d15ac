"""last_run.json as it is read back, in values that a run can have left."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Annotated

from msgspec import Meta, Struct

from stockml.core.paths import is_symbol
from stockml.storage.decoding import Count, Text, check_day

_Code = Annotated[int, Meta(ge=0, le=255)]


class _Failure(Struct, forbid_unknown_fields=True):
    symbol: Text
    kind: Text
    message: Text


class KeptRun(Struct, forbid_unknown_fields=True):
    """The fields of the file, each by its name there."""

    began_at: str
    as_of: date | None
    ended_at: str | None
    exit_code: _Code | None
    logged: Count
    settled: Count
    prices_through: dict[str, date]
    failures: list[_Failure]
    waiting: dict[str, Text]
    notices: list[Text]
    watchlist: list[str]
    failing_since: dict[str, date] = {}
    outside: dict[str, Text] = {}
    previous_at: str | None = None
    previous_ended: bool = True

    def __post_init__(self) -> None:
        for name, moment in _moments(self):
            if moment is not None:
                _check_moment(name, moment)
        if (self.exit_code is None) != (self.ended_at is None):
            raise ValueError(f"has the exit code {self.exit_code} beside the end {self.ended_at}")
        if self.as_of is not None:
            check_day("as_of", self.as_of)
        for symbol in (*self.prices_through, *self.watchlist, *self.failing_since):
            if not is_symbol(symbol):
                raise ValueError(f"has {symbol[:60]!r}, which is no symbol")
        for symbol, day in (*self.prices_through.items(), *self.failing_since.items()):
            check_day(symbol, day)


def _moments(run: KeptRun) -> Iterator[tuple[str, str | None]]:
    return ((name, getattr(run, name)) for name in ("began_at", "ended_at", "previous_at"))


def _check_moment(name: str, moment: str) -> None:
    try:
        found = datetime.strptime(moment, "%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        raise ValueError(f"has {moment[:60]!r} for {name}, not a time like 2026-02-01T12:30:00Z") from None
    check_day(name, found.date())
