"""What both commands share: what a run knows, its exit codes, and how it ends.

Standard library only: `--help` and a run with nothing to do must not wait for anything heavier.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stockml import __version__
from stockml.commands import logging_setup as messages
from stockml.core.clock import Clock
from stockml.core.failures import UNKNOWN_SYMBOL, Failure
from stockml.core.paths import Home, check_symbol, folder_name
from stockml.core.progress import progress
from stockml.data.fetch import YAHOO, Source, fetch_prices, parse_source, spans_of
from stockml.data.request import FetchSettings
from stockml.prediction_log.log import PredictionLog
from stockml.storage.files import StorageError

DONE, SOME_FAILED, WRONG_USAGE, NOTHING_DONE = 0, 1, 2, 3

WATCHLIST = (
    "TCS.NS",
    "RELIANCE.NS",
    "INFY.NS",
    "HDFCBANK.NS",
    "ICICIBANK.NS",
    "HINDUNILVR.NS",
    "ITC.NS",
    "SBIN.NS",
    "BHARTIARTL.NS",
    "LT.NS",
)
NO_ADVICE = "Forecasts are no financial advice."

log = logging.getLogger("stockml")

if TYPE_CHECKING:
    from stockml.data.price_table import Finding, PriceTable


class UsageError(Exception):
    """A wrong option or input, in one plain sentence; the run ends with exit code 2."""


class NotDoneError(Exception):
    """Nothing could be done, in one plain sentence; the run ends with exit code 3."""


@dataclass(slots=True)
class Run:
    """What the options ask for, and what there is to tell at the end beside the results."""

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
        """Whether the prices are those of the simulated market, by the source or by what the home holds."""
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
            raise UsageError(f"{name!a}: its name is no text in UTF-8; give another one, or a UTF-8 locale")
    try:
        source = parse_source(args.source)
    except ValueError as error:
        raise UsageError(str(error)) from None
    home = Home(args.home.resolve())
    predictions = PredictionLog(home.log)
    claim(home, source.kind, predictions.kinds())
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


def named_symbols(args: argparse.Namespace) -> list[str] | None:
    """The symbols given by either option, each once and in order; None where neither was given.

    Raises
    ------
    UsageError
        For an unreadable file, an impossible symbol, or two symbols that would share a folder.
    """
    if args.symbols is None and args.symbols_file is None:
        return None
    symbols = [*(args.symbols or []), *_read_symbols(args.symbols_file)]
    try:
        checked = list(dict.fromkeys(check_symbol(symbol) for symbol in symbols))
    except ValueError as error:
        raise UsageError(str(error)) from None
    if not checked:
        raise UsageError(f"{args.symbols_file}: no symbol in it; write one a line")
    refuse_shared_folders(checked)
    return checked


def _read_symbols(path: Path | None) -> list[str]:
    if path is None:
        return []
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = messages.cause(error)
        raise UsageError(f"{path}: cannot be read as a list of symbols ({why}); name another file") from None
    return [line.split("#")[0].strip() for line in lines if line.split("#")[0].strip()]


def refuse_shared_folders(symbols: Iterable[str]) -> None:
    """UsageError where two symbols would keep their models in one folder."""
    folders: dict[str, str] = {}
    for symbol in symbols:
        other = folders.setdefault(folder_name(symbol), symbol)
        if other != symbol:
            raise UsageError(
                f"{other} and {symbol} would share the folder {folder_name(symbol)}; give one another --home"
            )


def claim(home: Home, kind: str, kinds_in_log: Iterable[str]) -> None:
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


def configure_messages(args: argparse.Namespace) -> None:
    """Send messages where the options say; UsageError where they cannot go there."""
    messages.to_stderr(logging.ERROR if args.quiet else logging.INFO if args.verbose else logging.WARNING)
    if args.log_file is not None:
        try:
            messages.to_file(args.log_file)
        except OSError as error:
            why = messages.cause(error)
            raise UsageError(f"{args.log_file}: cannot be written ({why}); name another --log-file") from None


def print_json(result: dict[str, Any]) -> None:
    """One strict JSON object on stdout."""
    print(json.dumps(result, allow_nan=False, ensure_ascii=False, indent=2))


def run(main: Callable[[argparse.Namespace], int], args: argparse.Namespace) -> int:
    """The exit code of `main(args)`, with every foreseeable failure told in one plain sentence."""
    messages.open_closed_streams()
    try:
        configure_messages(args)
        exit_code = main(args)
        sys.stdout.flush()  # here, where what goes wrong can still be told
        return exit_code
    except UsageError as error:
        log.error("%s", error)
        return WRONG_USAGE
    except (NotDoneError, StorageError) as error:
        log.error("%s", error)
        return NOTHING_DONE
    except KeyboardInterrupt:
        log.error("Interrupted; what was finished is saved.")
        return 130
    except BrokenPipeError:
        messages.give_up_stdout()
        return DONE
    except OSError as error:
        if error.filename is not None:  # those of files are StorageErrors: this one nobody has foreseen
            raise
        messages.give_up_stdout()
        log.error("stdout: cannot be written (%s); what was finished is saved", messages.cause(error))
        return NOTHING_DONE
