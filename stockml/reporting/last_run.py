"""Record of the predictor's last run: how it ended, its failures and the lines that wait.

Owner of realtime_predictions/last_run.json.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Self, TypeVar

from stockml.core.failures import Failure
from stockml.core.paths import Home, check_symbol
from stockml.storage.files import StorageError, write_whole
from stockml.storage.plain_files import read_plain

KNOWN_YEARS = range(1990, 2200)

D = TypeVar("D", bound=date)

_ENDINGS = {
    0: "went well",
    1: "some symbols failed",
    3: "nothing could be done",
    129: "was ended by SIGHUP",
    130: "was interrupted",
    143: "was ended by SIGTERM",
}


@dataclass(frozen=True, slots=True)
class LastRun:
    """The predictor's last run; `ended_at` is None where it was cut short or is still at work."""

    began_at: str  # UTC, YYYY-MM-DDTHH:MM:SSZ, as ended_at
    as_of: str | None
    ended_at: str | None = None
    exit_code: int | None = None
    logged: int = 0
    settled: int = 0
    prices_through: Mapping[str, str] = field(default_factory=dict)  # last day had, by symbol
    failures: tuple[Failure, ...] = ()
    waiting: Mapping[str, str] = field(default_factory=dict)  # reason by prediction id
    notices: tuple[str, ...] = ()
    watchlist: tuple[str, ...] = ()  # what was predicted by default, and what was named since

    def to_record(self) -> dict[str, Any]:
        """The file's JSON object."""
        record = {field.name: getattr(self, field.name) for field in fields(self)}
        failures = [{"symbol": one.symbol, "kind": one.kind, "message": one.message} for one in self.failures]
        lists = {"failures": failures, "notices": list(self.notices), "watchlist": list(self.watchlist)}
        return record | {name: dict(record[name]) for name in ("prices_through", "waiting")} | lists

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """The run that `to_record` wrote down; ValueError or KeyError for anything else."""
        began, ended, code = record["began_at"], record["ended_at"], record["exit_code"]
        for moment in (began, ended):
            if moment is not None and _known(datetime.fromisoformat(moment)).tzinfo is None:
                raise ValueError(f"{moment!r} has no time zone")
        if not isinstance(code, int | None) or (code is None) != (ended is None):
            raise ValueError(f"the exit code {code!r} does not go with the end {ended!r}")
        if began is None or not all(isinstance(record[name], list) for name in ("failures", "notices")):
            raise ValueError("it is no record of a run")
        return cls(
            began_at=began,
            as_of=None if record["as_of"] is None else _day(record["as_of"]),
            ended_at=ended,
            exit_code=code,
            logged=int(record["logged"]),
            settled=int(record["settled"]),
            prices_through={check_symbol(s): _day(day) for s, day in record["prices_through"].items()},
            failures=tuple(_failure(failure) for failure in record["failures"]),
            waiting={str(id_): str(reason) for id_, reason in record["waiting"].items()},
            notices=tuple(map(str, record["notices"])),
            watchlist=tuple(check_symbol(symbol) for symbol in record.get("watchlist", [])),
        )

    @property
    def day(self) -> str:
        """The day it acted on."""
        return self.as_of or self.began_at[:10]

    def ending(self) -> str:
        """The end of the run in a few words."""
        if self.exit_code is None:
            return "has not ended"
        if self.exit_code == 1 and self.failures and not any(failure.symbol for failure in self.failures):
            return "a part of it failed"
        return _ENDINGS.get(self.exit_code, f"ended with exit code {self.exit_code}")


def last_run_path(home: Home) -> Path:
    return home.log.with_name("last_run.json")


def begin_run(home: Home, began_at: datetime, as_of: date | None, watchlist: Sequence[str] = ()) -> None:
    """Note that a run is at work, so that one that is killed shows; not for runs that write nothing."""
    _write(home, LastRun(_moment(began_at), as_of.isoformat() if as_of else None, watchlist=tuple(watchlist)))


def end_run(
    home: Home, result: Mapping[str, Any], *, began_at: datetime, ended_at: datetime, watchlist: Sequence[str] = ()
) -> None:
    """Note how a run ended, and the watchlist that the next one will know of.

    Parameters
    ----------
    result : mapping
        The object that --json prints.
    """
    prices = {symbol: found["data_through"] for symbol, found in result["prices"].items() if "data_through" in found}
    ended = LastRun(
        _moment(began_at),
        result["as_of"],
        _moment(ended_at),
        result["exit_code"],
        logged=len(result["logged"]),
        settled=len(result["settled"]),
        prices_through=prices,
        failures=tuple(_failure(failure) for failure in result["failures"]),
        waiting={line["id"]: line["reason"] for line in result["waiting"]},
        notices=tuple(result["notices"]),
        watchlist=tuple(watchlist),
    )
    _write(home, ended)


def amend_run(home: Home, result: Mapping[str, Any], *, began_at: datetime) -> None:
    """Note what went wrong after `end_run`, unless another run has begun since."""
    run = read_last_run(home)
    if run is not None and run.ended_at is not None and run.began_at == _moment(began_at):
        failures = tuple(_failure(failure) for failure in result["failures"])
        _write(home, replace(run, exit_code=result["exit_code"], failures=failures))


def read_last_run(home: Home) -> LastRun | None:
    """The last run; None where none left anything behind, or what it left is damaged, or no file."""
    try:
        content = read_plain(last_run_path(home))
        return LastRun.from_record(json.loads(content)) if content is not None else None
    except (ArithmeticError, AttributeError, KeyError, RecursionError, StorageError, TypeError, ValueError):
        return None  # the next run rewrites it, or says why it cannot


def _write(home: Home, run: LastRun) -> None:
    text = json.dumps(run.to_record(), allow_nan=False, ensure_ascii=False, indent=2)
    write_whole(last_run_path(home), text + "\n")


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _day(text: str) -> str:
    return _known(date.fromisoformat(text)).isoformat()


def _known(moment: D) -> D:
    """A day or time that a calendar may be asked about; ValueError for any other."""
    if moment.year not in KNOWN_YEARS:
        raise ValueError(f"{moment}: no run can have been then")
    return moment


def _failure(record: Mapping[str, Any]) -> Failure:
    return Failure(str(record["symbol"]), str(record["kind"]), str(record["message"]))
