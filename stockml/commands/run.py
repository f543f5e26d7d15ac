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
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from stockml import __version__
from stockml.commands.announcements import check_announcements
from stockml.commands.clock_check import refuse_future, take_yahoos_time
from stockml.commands.did_you_mean import known_namesakes, with_suggestions
from stockml.commands.exchanges import name_exchanges, take_yahoos
from stockml.commands.exits import DONE, NOTHING_DONE, SOME_FAILED, UsageError
from stockml.commands.mixed_sources import refuse_mixed_sources
from stockml.commands.settings import Settings
from stockml.commands.settings_reader import read_settings
from stockml.commands.symbols import named_symbols
from stockml.core.clock import Clock
from stockml.core.exchanges import Exchanges
from stockml.core.failures import OUTAGES, UNKNOWN_SYMBOL, Failure
from stockml.core.paths import Home
from stockml.core.progress import progress
from stockml.core.records import DEFAULT_HORIZON
from stockml.core.wording import Message, count, told_together
from stockml.data.exchange_book import read
from stockml.data.sources import YAHOO, Source, parse_source
from stockml.prediction_log.log import PredictionLog

NO_ADVICE = "Forecasts are no financial advice."
TOLD_FINDINGS = ("stale", "offline", "malformed_event")  # of a price table; the others are counted or told by -v

log = logging.getLogger("stockml")

if TYPE_CHECKING:
    from stockml.data.fetched import Fetched, FetchTables, ReportedTable, Table
    from stockml.data.price_table import Finding, PriceTable
    from stockml.data.request import DateRange


@dataclass(slots=True)
class Run:
    """Options as values, and everything to tell at the end beside the results."""

    args: argparse.Namespace
    home: Home
    source: Source
    clock: Clock
    symbols: list[str] | None  # as named by the options
    log: PredictionLog
    settings: Settings
    failures: list[Failure] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    findings: list[tuple[str, Finding]] = field(default_factory=list)
    prices: dict[str, Any] = field(default_factory=dict)  # a summary a symbol
    prices_asked_at: datetime | None = None  # the latest time at which the source was asked for them
    gone: set[str] = field(default_factory=set)  # symbols the source says it has no prices of
    seconds: dict[str, float] = field(default_factory=dict)
    watchlist: list[str] = field(default_factory=list)  # that the next run will know of
    trained: list[str] | None = None  # symbols with a trained model, once they were looked for
    written: dict[str, list[str]] = field(default_factory=lambda: {"logged": [], "settled": []})  # ids, by this run
    _held: list[tuple[int, Message]] | None = None  # messages to be told together, with their levels

    @property
    def horizons(self) -> tuple[int, ...]:
        """Sessions to forecast ahead, each once: as named by the option, the settings, or by default."""
        named = self.args.horizons or self.settings.horizons or (DEFAULT_HORIZON,)
        return tuple(dict.fromkeys(named))

    @property
    def main_horizon(self) -> int | None:
        """The horizon that the home's settings name first; None where they name none."""
        return self.settings.horizons[0] if self.settings.horizons else None

    @property
    def is_simulated(self) -> bool:
        """True for the simulated market, by the source or by the home's log."""
        return self.source.is_simulated or "sample" in self.log.kinds()

    @property
    def only_looks(self) -> bool:
        """True for a run that must leave no trace but cached prices."""
        return any(getattr(self.args, name, None) for name in ("dry_run", "explain", "self_check"))

    def notice(self, text: str, symbol: str = "") -> None:
        """Something worth knowing that is no failure; about one symbol, it begins with it."""
        self._tell(logging.WARNING, Message(symbol, text))

    def fail(self, failure: Failure) -> None:
        """A symbol that could not be dealt with; a dead one that was skipped is only worth a line."""
        if failure.is_known:
            self.notice(failure.message, failure.symbol)
            return
        self.failures.append(failure)
        cause = failure.kind if failure.kind in OUTAGES else ""
        self._tell(logging.ERROR, Message(failure.symbol, failure.message, cause))

    @contextmanager
    def telling_together(self) -> Iterator[None]:
        """Hold messages back to the end of the block, where those alike are told as one."""
        if self._held is not None:
            yield
            return
        self._held = []
        try:
            yield
        finally:
            held, self._held = self._held, None
            for level in (logging.WARNING, logging.ERROR):
                for text in told_together(message for of_level, message in held if of_level == level):
                    self._tell(level, Message("", text))

    def _tell(self, level: int, message: Message) -> None:
        if self._held is not None:
            self._held.append((level, message))
            return
        if level == logging.WARNING:
            self.notices.append(message.text)
        log.log(level, "%s", message.text)

    def fetch(self, symbols: Iterable[str], sessions_back: int, *, history_bars: int = 0) -> Fetched[PriceTable]:
        """Checked prices by symbol; says which could not be had, and which are not what they should be."""
        from stockml.data.fetch import fetch_prices  # a run with nothing due asks for no prices

        return self.fetch_by(fetch_prices, symbols, sessions_back, history_bars=history_bars)

    def fetch_by(
        self, fetch: FetchTables[Table], symbols: Iterable[str], sessions_back: int, *, history_bars: int = 0
    ) -> Fetched[Table]:
        """The same by another function than `fetch_prices`, which may keep something else of each table."""
        from stockml.data.fetch import spans_of
        from stockml.data.plugin_source import check_source
        from stockml.data.request import FetchSettings

        check_source(self.source)
        namesakes = known_namesakes(self, symbols := list(symbols))
        name_exchanges(self, symbols, self.today())
        check_announcements(self)
        with timed(self, "fetch"), progress(self.args) as tell:
            asks = self.args.as_of is None and not self.only_looks
            settings = FetchSettings(
                offline=self.args.offline, asks_announcements=asks, history_bars=history_bars, tell=tell
            )
            before = self.clock
            spans = spans_of(symbols, sessions_back, before)
            fetched = fetch(spans, self.source, clock=self.clock, home=self.home, settings=settings)
            take_yahoos(self, fetched.listings)
            take_yahoos_time(self, fetched.skew, fetched.completed)
            if self.clock != before:  # other bars are complete
                changed = self._changed(spans, sessions_back, fetched.failures)
                again = fetch(changed, self.source, clock=self.clock, home=self.home, settings=settings)
                fetched = fetched.renewed(again)
        with self.telling_together():
            for failure in with_suggestions(self, fetched.failures.values()):
                self.fail(failure)
                if failure.is_known and failure.kind == UNKNOWN_SYMBOL and self.source.kind == YAHOO:
                    self.gone.add(failure.symbol)  # unknown on several days; one evening may be Yahoo's own fault
            self.prices.update(fetched.summary())
            asked = [bars.fetched_at for bars in fetched.bars.values() if bars.fetched_at is not None]
            self.prices_asked_at = max(asked, default=self.prices_asked_at)
            for table in fetched.tables.values():
                if table.symbol in namesakes:
                    self.notice(namesakes[table.symbol], table.symbol)
                self._note_findings(table)
        return fetched

    def _changed(
        self, spans: Mapping[str, DateRange], sessions_back: int, failed: Mapping[str, Failure]
    ) -> dict[str, DateRange]:
        """The spans that are others by the clock as it is now; not of symbols that would only fail again."""
        hopeless = {symbol for symbol, failure in failed.items() if failure.kind in (*OUTAGES, UNKNOWN_SYMBOL)}
        from stockml.data.fetch import spans_of

        now = spans_of((symbol for symbol in spans if symbol not in hopeless), sessions_back, self.clock)
        return {symbol: span for symbol, span in now.items() if span != spans[symbol]}

    def today(self) -> date:
        """The day that the run acts on, by the clock in UTC."""
        now = self.clock.now.date()
        return min(self.args.as_of or now, now)

    def _note_findings(self, table: ReportedTable) -> None:
        for finding in table.findings:
            if finding.kind in TOLD_FINDINGS:
                is_provisional = any(map(self.clock.calendar(table.symbol).is_provisional, finding.dates))
                doubt = ", unless it was a holiday: not all are known" if is_provisional else ""
                self.notice(f"{table.symbol}: {finding.text}{doubt}", table.symbol)
            else:
                self.findings.append((table.symbol, finding))
                log.info("%s: %s", table.symbol, finding.text)

    def dropped(self) -> list[str]:
        """One line for each kind of bar that was dropped from the prices, and how many; -v names each stock's."""
        kinds: dict[str, list[tuple[str, int]]] = {}
        for symbol, finding in self.findings:
            if finding.action == "dropped":
                kinds.setdefault(finding.kind, []).append((symbol, finding.count))
        return [
            f"Dropped from the prices: {count(sum(bars for _, bars in found), 'bar')} of {count(len(found), 'stock')} "
            f"({kind})."
            for kind, found in kinds.items()
        ]

    def exit_code(self, *, anything_done: bool) -> int:
        """0 where nothing failed, 1 where something else was done, or no stock failed, 3 where nothing was done."""
        if not self.failures:
            return DONE
        has_failed_stock = any(failure.symbol for failure in self.failures)
        return SOME_FAILED if anything_done or not has_failed_stock else NOTHING_DONE

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
    for name in (args.source or "", str(args.home)):  # messages with these names are written down as UTF-8
        if name.encode(errors="replace").decode() != name:
            raise UsageError(f"{name!a}: the name is not valid UTF-8; give another one, or use a UTF-8 locale")
    refuse_future(args.as_of, now)
    home = Home(args.home.resolve())
    settings = read_settings(home) if not args.init else Settings()
    source = _source(args.source, settings)
    predictions = PredictionLog(home.log, accepts_changes=vars(args).get("accept_log", False))
    if vars(args).get("export") is None and ":" not in (vars(args).get("explain") or ""):  # these ask for no prices
        refuse_mixed_sources(home, source.kind, predictions.kinds())
    clock = Clock(now, args.as_of, Exchanges(read(home)))
    run = Run(args, home, source, clock, named_symbols(args), predictions, settings)
    if args.as_of is not None:
        log.info("Acting as on %s after the close; later prices, lines and outcomes are as if not there.", args.as_of)
    return run


def _source(named: str | None, settings: Settings) -> Source:
    """The source that the option names, the settings, or by default Yahoo."""
    if named is None:
        return settings.source or Source(YAHOO)
    try:
        return parse_source(named)
    except ValueError as error:
        raise UsageError(str(error)) from None


def refuse_beside(run: Run, option: str, others: Sequence[str]) -> None:
    """UsageError where an option was given that makes no sense beside this one: it would not be followed."""
    for name in others:
        if getattr(run.args, name, None):
            raise UsageError(f"{option} and --{name.replace('_', '-')} do not go together; leave one out")


@contextmanager
def timed(run: Run, stage: str) -> Iterator[None]:
    """Adds the wall-clock seconds of a stage to what the run tells."""
    started = time.perf_counter()
    try:
        yield
    finally:
        run.seconds[stage] = run.seconds.get(stage, 0.0) + time.perf_counter() - started


def print_json(result: dict[str, Any]) -> None:
    """One strict JSON object on stdout."""
    print(json.dumps(result, allow_nan=False, ensure_ascii=False, indent=2))
