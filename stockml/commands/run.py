"""One run of a command: its options, its home and log, and the notices and failures to tell at its end.

Standard library only: `--help` and a run with nothing to do must not wait for anything heavier.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from stockml import __version__
from stockml.commands.exits import DONE, NOTHING_DONE, SOME_FAILED, UsageError
from stockml.commands.symbols import WATCHLIST, named_symbols
from stockml.core.clock import Clock
from stockml.core.failures import UNKNOWN_SYMBOL, Failure
from stockml.core.paths import Home
from stockml.core.progress import progress
from stockml.data.fetch import YAHOO, Source, fetch_prices, parse_source, spans_of
from stockml.data.request import FetchSettings
from stockml.prediction_log.log import PredictionLog

NO_ADVICE = "Forecasts are no financial advice."

log = logging.getLogger("stockml")

if TYPE_CHECKING:
    from stockml.data.price_table import Finding, PriceTable


@dataclass(slots=True)
class Run:
    """Options as values, and everything to tell at the end beside the results."""

    args: argparse.Namespace
    home: Home
    source: Source
    clock: Clock
    symbols: list[str] | None  # as named by the options
    log: PredictionLog
    failures: list[Failure] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    findings: list[tuple[str, Finding]] = field(default_factory=list)
    prices: dict[str, Any] = field(default_factory=dict)  # a summary a symbol
    gone: set[str] = field(default_factory=set)  # symbols the source says it has no prices of
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def is_simulated(self) -> bool:
        """True for the simulated market, by the source or by the home's log."""
        return self.source.is_simulated or "sample" in self.log.kinds()

    def notice(self, text: str) -> None:
        """Something worth knowing that is no failure."""
        self.notices.append(text)
        log.warning("%s", text)

    def fail(self, failure: Failure) -> None:
        """A symbol that could not be dealt with; a dead one that was skipped is only worth a line."""
        if failure.is_known:
            self.notice(failure.message)
            return
        self.failures.append(failure)
        log.error("%s", failure.message)

    def fetch(self, symbols: Iterable[str], sessions_back: int) -> Mapping[str, PriceTable]:
        """Checked prices by symbol; says which could not be had, and which are not what they should be."""
        with timed(self, "fetch"), progress(self.args) as tell:
            settings = FetchSettings(offline=self.args.offline, tell=tell)
            spans = spans_of(symbols, sessions_back, self.clock)
            fetched = fetch_prices(spans, self.source, clock=self.clock, home=self.home, settings=settings)
        for failure in fetched.failures.values():
            self.fail(failure)
            if failure.kind == UNKNOWN_SYMBOL and self.source.kind == YAHOO:
                self.gone.add(failure.symbol)  # a missing file says less: it may be the wrong folder
        self.prices.update(fetched.summary())
        for table in fetched.tables.values():
            for finding in table.findings:
                if finding.kind in ("stale", "offline"):
                    self.notice(f"{table.symbol}: {finding.text}")
                else:
                    self.findings.append((table.symbol, finding))
                    log.info("%s: %s", table.symbol, finding.text)
        return fetched.tables

    def dropped(self) -> list[str]:
        """One line for each kind of bar that was dropped from the prices, and how many; -v names each stock's."""
        kinds: dict[str, list[tuple[str, int]]] = {}
        for symbol, finding in self.findings:
            if finding.action == "dropped":
                kinds.setdefault(finding.kind, []).append((symbol, finding.count))
        return [
            f"Dropped from the prices: {sum(count for _, count in found)} bars of {len(found)} stocks ({kind})."
            for kind, found in kinds.items()
        ]

    def default_symbols(self) -> list[str]:
        """The watchlist, or every company of the simulated market."""
        if not self.source.is_simulated:
            return list(WATCHLIST)
        from stockml.data.simulated_market import SAMPLE_SYMBOLS

        return list(SAMPLE_SYMBOLS)

    def exit_code(self, *, anything_done: bool) -> int:
        """0 where nothing failed, 1 where something else was done all the same, 3 where nothing was."""
        if not self.failures:
            return DONE
        return SOME_FAILED if anything_done else NOTHING_DONE

    def to_json(self, command: str, results: Mapping[str, Any], exit_code: int) -> dict[str, Any]:
        """The object that --json prints: what both commands say, around each one's own results."""
        return {
            "command": command,
            "version": __version__,
            "source": self.source.kind,
            "simulated": self.source.is_simulated,
            "as_of": self.args.as_of.isoformat() if self.args.as_of else None,
            "exit_code": exit_code,
            **results,
            "prices": self.prices,
            "failures": [
                {"symbol": failure.symbol, "kind": failure.kind, "message": failure.message}
                for failure in self.failures
            ],
            "notices": self.notices,
            "seconds": {stage: round(value, 3) for stage, value in self.seconds.items()},
        }


def open_run(args: argparse.Namespace, now: datetime) -> Run:
    """The run that the options ask for; UsageError where they cannot be followed."""
    for name in (args.source, str(args.home)):  # messages with these names are written down as UTF-8
        if name.encode(errors="replace").decode() != name:
            raise UsageError(f"{name!a}: the name is not valid UTF-8; give another one, or use a UTF-8 locale")
    try:
        source = parse_source(args.source)
    except ValueError as error:
        raise UsageError(str(error)) from None
    home = Home(args.home.resolve())
    predictions = PredictionLog(home.log, accepts_changes=vars(args).get("accept_log", False))
    refuse_mixed_sources(home, source.kind, predictions.kinds())
    run = Run(args, home, source, Clock(now, args.as_of), named_symbols(args), predictions)
    if args.as_of is not None:
        log.info("Acting as on %s after the close; later prices, lines and outcomes are as if not there.", args.as_of)
    return run


def refuse_beside(run: Run, option: str, others: Sequence[str]) -> None:
    """UsageError where an option was given that makes no sense beside this one: it would not be followed."""
    for name in others:
        if getattr(run.args, name):
            raise UsageError(f"{option} and --{name.replace('_', '-')} do not go together; leave one out")


@contextmanager
def timed(run: Run, stage: str) -> Iterator[None]:
    """Adds the wall-clock seconds of a stage to what the run tells."""
    started = time.perf_counter()
    try:
        yield
    finally:
        run.seconds[stage] = run.seconds.get(stage, 0.0) + time.perf_counter() - started


def refuse_mixed_sources(home: Home, kind: str, kinds_in_log: Iterable[str]) -> None:
    """UsageError where simulated and real prices would meet in one home."""
    kept = set(kinds_in_log) | set(_model_sources(home))
    foreign = {other for other in kept if (other == "sample") != (kind == "sample")}
    if foreign:
        raise UsageError(
            f"{home.root}: holds data from {', '.join(sorted(foreign))}; simulated and real prices never share a home, "
            f"so give --source {kind} another --home"
        )


def _model_sources(home: Home) -> Iterable[str]:
    """The source of the first readable model: all models of a home are of one nature."""
    for path in sorted(home.models.glob("*/metrics.json")):
        try:
            yield str(json.loads(path.read_bytes())["source"])
            return
        except (OSError, ValueError, KeyError, TypeError):
            continue  # a damaged model is named where it is used


def print_json(result: dict[str, Any]) -> None:
    """One strict JSON object on stdout."""
    print(json.dumps(result, allow_nan=False, ensure_ascii=False, indent=2))
