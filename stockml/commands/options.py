"""The options that both commands know, and what an option's value may be.

Standard library only, as `cli`.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from datetime import date

from stockml import __version__
from stockml.core.markets import entered_symbol, market_named
from stockml.core.paths import PROJECT, expanded
from stockml.core.record_fields import EARLIEST_DATE

FARTHEST_HORIZON = 1_000  # sessions, some four years; much farther a rule's change would leave nothing of a price
MOST_YEARS = 100
GREATEST_SEED = 2**63 - 1


def parser(prog: str, description: str, examples: str) -> argparse.ArgumentParser:
    """A parser without options of its own."""
    return argparse.ArgumentParser(
        prog=prog,
        description=description,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def add_common(parser: argparse.ArgumentParser, *, default_symbols: str) -> None:
    """The options of both commands, after those that a script put first."""
    what = parser.add_argument_group("what to work on")
    what.add_argument(
        "--symbols",
        nargs="+",
        metavar="SYMBOL",
        help=f"ticker symbols in any case, such as TCS.NS INFY.NS or TCS.NS,INFY.NS (default: {default_symbols})",
    )
    what.add_argument(
        "--symbols-file",
        type=expanded,
        metavar="FILE",
        help="a file of symbols, one a line or several, or a CSV with a column symbol; # for comments (default: none)",
    )
    what.add_argument(
        "--source",
        default="yahoo",
        metavar="KIND",
        help="where prices come from: yahoo, csv:DIR (files DIR/SYMBOL.csv) or sample, a simulated market "
        "(default: %(default)s)",
    )
    what.add_argument(
        "--exchange",
        type=exchange,
        metavar="CODE",
        help="the exchange of symbols without an ending, such as XBOM for a file TCS.csv (default: told by Yahoo or by "
        "the days in the file)",
    )
    what.add_argument(
        "--offline", action="store_true", help="ask Yahoo nothing: use the prices kept from earlier runs, however old"
    )
    what.add_argument(
        "--as-of",
        type=day,
        metavar="YYYY-MM-DD",
        help="act as on that day after its close; nothing later is read (default: now)",
    )
    what.add_argument(
        "--home",
        type=expanded,
        metavar="DIR",
        default=expanded(os.environ.get("STOCKML_HOME") or str(PROJECT)),
        help="the folder to write under (default: $STOCKML_HOME, else the folder of this script)",
    )
    how = parser.add_argument_group("what to print")
    how.add_argument("--json", action="store_true", help="print the result as one JSON object instead of a table")
    how.add_argument(
        "-v", "--verbose", action="store_true", help="say what is being done, and how many seconds each stage took"
    )
    how.add_argument("-q", "--quiet", action="store_true", help="print errors only")
    how.add_argument(
        "--log-file",
        type=expanded,
        metavar="FILE",
        help="write messages there too; it rotates at 1 MB, 5 kept (default: none)",
    )
    how.add_argument("--version", action="version", version=f"%(prog)s {__version__}")


def add_horizon(group: argparse._ArgumentGroup) -> None:
    """The horizon, which both commands know."""
    group.add_argument(
        "--horizon",
        type=up_to(FARTHEST_HORIZON),
        default=5,
        metavar="N",
        help="exchange sessions to forecast ahead (default: %(default)s)",
    )


def add_lock_timeout(group: argparse._ArgumentGroup) -> None:
    """The seconds to wait for another run, which both commands know."""
    group.add_argument(
        "--lock-timeout",
        type=positive,
        default=60,
        metavar="SECONDS",
        help="how many seconds to wait for another run that is writing (default: %(default)s)",
    )


def add_past(group: argparse._ArgumentGroup) -> None:
    """The walk-forward backtest and the look-ahead bias check."""
    group.add_argument(
        "--replay",
        nargs=2,
        type=day,
        metavar=("START", "END"),
        help="walk forward through the sessions from START to END (days as YYYY-MM-DD), each as on that day, in a "
        "--home of their own",
    )
    group.add_argument(
        "--retrain",
        choices=["monthly"],
        help="with --replay: train as of each month's first session too (default: ask the models there are)",
    )
    group.add_argument(
        "--self-check",
        action="store_true",
        help="look-ahead bias check: recompute past values without later days",
    )


def add_record(group: argparse._ArgumentGroup) -> None:
    """The record itself: lines made pending again, the whole copied and brought back."""
    group.add_argument(
        "--reopen",
        nargs="+",
        metavar="ID",
        help="make settled predictions pending again by their ids, such as TCS.NS:2026-02-01:5, so that the next run "
        "settles them anew",
    )
    group.add_argument(
        "--backup",
        type=expanded,
        metavar="FILE",
        help="copy the record (log, feedback, exchanges; not prices and models) into a new file",
    )
    group.add_argument(
        "--restore",
        type=expanded,
        metavar="FILE",
        help="check a backup and put it in the record's place; the present record is moved aside",
    )


def add_export(group: argparse._ArgumentGroup) -> None:
    """The log as a table, and which of its lines."""
    group.add_argument(
        "--export",
        type=expanded,
        metavar="FILE",
        help="write the log as a table: .csv, .parquet, .xlsx or .sqlite by the file's ending; --symbols, --horizon "
        "and --since choose",
    )
    group.add_argument(
        "--since",
        type=day,
        metavar="YYYY-MM-DD",
        help="with --export: only predictions from that day's close on (default: from the first)",
    )
    group.add_argument("--force", action="store_true", help="with --export: replace the file that is there")


def parsed(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> argparse.Namespace:
    """The options; beside --export the horizon is None unless it was asked for, and only there lines are chosen."""
    args = parser.parse_args(argv, argparse.Namespace(horizon=None))
    if args.export is None:
        if args.since or args.force:
            parser.error(f"{'--since' if args.since else '--force'} goes with --export")
        args.horizon = args.horizon or parser.get_default("horizon")
    return args


def add_proof(group: argparse._ArgumentGroup) -> None:
    """Proof that the record is what it was: the audit, and a command of the user's that keeps its head."""
    group.add_argument(
        "--audit",
        action="store_true",
        help="prove what can be proved of the record: its seals, dates, outcomes and scores; exit code 1 if anything "
        "disagrees",
    )
    group.add_argument(
        "--witness",
        metavar="COMMAND",
        help="after the run, give the number of predictions and the last seal to a shell command, which may keep them "
        "elsewhere (default: none)",
    )


def check_witness(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """End with wrong usage where --witness names no command, or stands beside an option that makes no head."""
    if args.witness is None:
        return
    if not args.witness.strip():
        parser.error("--witness names no command; write one in quotes, such as 'mail -s seal me@example.org'")
    for name in ("dry_run", "explain", "replay", "self_check", "report", "status", *_OF_THE_RECORD):
        if getattr(args, name):
            parser.error(f"--witness and --{name.replace('_', '-')} do not go together; leave one out")


_OF_THE_RECORD = ("reopen", "backup", "restore", "audit", "export")


def day(text: str) -> date:
    """A day, as an argparse type."""
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = date.min
    if found.isoformat() != text or found < date.fromisoformat(EARLIEST_DATE):
        raise argparse.ArgumentTypeError(f"{text!r} is not a day since {EARLIEST_DATE[:4]}; write it as YYYY-MM-DD")
    return found


def positive(text: str) -> int:
    """A whole number above 0, as an argparse type."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return number


def up_to(most: int) -> Callable[[str], int]:
    """An argparse type for whole numbers from 1 to `most`."""

    def bounded(text: str) -> int:
        if (number := positive(text)) > most:
            raise argparse.ArgumentTypeError(f"{text!r} is above {most:,}; write a smaller number")
        return number

    return bounded


def seed(text: str) -> int:
    """A whole number that every library takes as a seed, as an argparse type."""
    try:
        number = int(text)
    except ValueError:
        number = -1
    if not 0 <= number <= GREATEST_SEED:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to {GREATEST_SEED}")
    return number


def exchange(text: str) -> str:
    """An exchange by its code, an ending or a common name, as an argparse type."""
    try:
        return market_named(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def symbol(text: str) -> str:
    """One symbol in capitals, as an argparse type."""
    try:
        return entered_symbol(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
