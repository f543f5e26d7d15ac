"""Record of the predictor's last run: how it ended, its failures and the lines that wait.

Owner of realtime_predictions/last_run.json.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from stockml.core.failures import Failure
from stockml.core.paths import Home, is_symbol
from stockml.core.student_t import StudentT
from stockml.storage.files import StorageError, write_whole
from stockml.storage.plain_files import read_plain

if TYPE_CHECKING:
    from stockml.reporting.kept_run import KeptRun

MOST_BYTES = 1 << 26  # ours have some 200 bytes a stock
WIDE = 0.95  # the share of outcomes of which the others are told

_MAPPINGS = ("prices_through", "waiting", "failing_since", "outside")
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
    failing_since: Mapping[str, str] = field(default_factory=dict)  # day of the first run that failed, by symbol
    outside: Mapping[str, str] = field(default_factory=dict)  # outcomes outside their 95 % range, in words, by id
    previous_at: str | None = None  # began_at of the run before it, leaving out those that acted on a past day
    previous_ended: bool = True

    def to_record(self) -> dict[str, Any]:
        """The file's JSON object."""
        record = {field.name: getattr(self, field.name) for field in fields(self)}
        failures = [{"symbol": one.symbol, "kind": one.kind, "message": one.message} for one in self.failures]
        lists = {"failures": failures, "notices": list(self.notices), "watchlist": list(self.watchlist)}
        return record | {name: dict(record[name]) for name in _MAPPINGS} | lists

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """The run that `to_record` wrote down; ValueError for anything else."""
        from stockml.reporting.kept_run import KeptRun
        from stockml.storage.decoding import converted

        return cls.of(converted(KeptRun, record))

    @classmethod
    def of(cls, kept: KeptRun) -> Self:
        """The run of a decoded file."""
        return cls(
            began_at=kept.began_at,
            as_of=None if kept.as_of is None else kept.as_of.isoformat(),
            ended_at=kept.ended_at,
            exit_code=kept.exit_code,
            logged=kept.logged,
            settled=kept.settled,
            prices_through={symbol: day.isoformat() for symbol, day in kept.prices_through.items()},
            failures=tuple(Failure(one.symbol, one.kind, one.message) for one in kept.failures),
            waiting=kept.waiting,
            notices=tuple(kept.notices),
            watchlist=tuple(kept.watchlist),
            failing_since={symbol: day.isoformat() for symbol, day in kept.failing_since.items()},
            outside=kept.outside,
            previous_at=kept.previous_at,
            previous_ended=kept.previous_ended,
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
    before = read_last_run(home)
    begun = LastRun(_moment(began_at), as_of.isoformat() if as_of else None, watchlist=tuple(watchlist))
    if before is not None:
        begun = replace(begun, failing_since=before.failing_since, **_previous(before))
    _write(home, begun)


def _previous(run: LastRun) -> dict[str, Any]:
    """Fields by which the next run knows when this one was, or the last before it that acted on the present."""
    if run.as_of is not None:
        return {"previous_at": run.previous_at, "previous_ended": run.previous_ended}
    return {"previous_at": run.began_at, "previous_ended": run.ended_at is not None}


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
        outside=_outside(result["settled"]),
    )
    before = read_last_run(home)  # this one, at its beginning
    if before is not None:
        ended = replace(ended, previous_at=before.previous_at, previous_ended=before.previous_ended)
    _write(home, replace(ended, failing_since=_failing_since(ended, before, result)))


def _outside(settled: Sequence[Any]) -> dict[str, str]:
    """The outcomes outside their 95 % range, in words, by id; of a run cut short only ids are known, and none of it."""
    found = {}
    for line in settled:
        if not isinstance(line, Mapping) or line.get("distribution") is None or line.get("actual_price") is None:
            continue
        actual = (line["actual_price"] / line["current_price"] - 1) * 100
        low, high = StudentT.from_record(line["distribution"]).interval_pct(WIDE)
        if not low <= actual <= high:
            found[line["id"]] = f"{actual:+.1f} %, expected {low:+.1f} to {high:+.1f} %"
    return found


def _failing_since(run: LastRun, before: LastRun | None, result: Mapping[str, Any]) -> dict[str, str]:
    """The day of the first run without a forecast by symbol: of those that failed now, and of those not asked for."""
    predicted = {prediction["symbol"] for prediction in result.get("predictions", ())}
    failed = {failure.symbol for failure in run.failures if is_symbol(failure.symbol)} - predicted
    known = before.failing_since if before else {}
    kept = {symbol: day for symbol, day in known.items() if symbol not in predicted and symbol not in failed}
    return {**kept, **{symbol: min(known.get(symbol, run.day), run.day) for symbol in sorted(failed)}}


def amend_run(home: Home, result: Mapping[str, Any], *, began_at: datetime) -> None:
    """Note what went wrong after `end_run`, unless another run has begun since."""
    run = read_last_run(home)
    if run is not None and run.ended_at is not None and run.began_at == _moment(began_at):
        failures = tuple(_failure(failure) for failure in result["failures"])
        _write(home, replace(run, exit_code=result["exit_code"], failures=failures))


def read_last_run(home: Home) -> LastRun | None:
    """The last run; None where none left anything behind, or what it left is damaged, or no file."""
    try:
        content = read_plain(last_run_path(home), MOST_BYTES)
        if content is None:
            return None
        from stockml.reporting.kept_run import KeptRun
        from stockml.storage.decoding import decoded

        return LastRun.of(decoded(KeptRun, content, MOST_BYTES))
    except (StorageError, ValueError):
        return None  # the next run rewrites it, or says why it cannot


def _write(home: Home, run: LastRun) -> None:
    text = json.dumps(run.to_record(), allow_nan=False, ensure_ascii=False, indent=2)
    write_whole(last_run_path(home), text + "\n")


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _failure(record: Mapping[str, Any]) -> Failure:
    return Failure(str(record["symbol"]), str(record["kind"]), str(record["message"]))
