"""The options that both commands know, and what an option's value may be.

Standard library only, as `cli`.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from datetime import date
from pathlib import Path

from stockml import __version__
from stockml.core.installation import IS_INSTALLED, as_called, default_root
from stockml.core.markets import entered_symbol, market_named
from stockml.core.paths import expanded
from stockml.core.record_fields import EARLIEST_DATE
from stockml.core.records import DEFAULT_HORIZON, FARTHEST_HORIZON

MOST_YEARS = 100
MOST_JOBS = 1024  # processes; more than any machine has cores for
GREATEST_SEED = 2**63 - 1
USUAL_HOME = "stockml in $XDG_DATA_HOME or ~/.local/share" if IS_INSTALLED else "the folder of this script"


ParserClass = type[argparse.ArgumentParser]


def parser(prog: str, description: str, examples: str, kind: ParserClass) -> argparse.ArgumentParser:
    """A parser without options of its own."""
    return kind(
        prog=as_called(prog),
        description=description,
        epilog=as_called(examples),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def default_home() -> Path:
    """The home where no option names one."""
    return expanded(os.environ.get("STOCKML_HOME") or str(default_root()))


def add_common(parser: argparse.ArgumentParser) -> None:
    """The options of both commands, after those that a script put first."""
    what = parser.add_argument_group("what to work on")
    _add_stocks(what)
    _add_time_and_place(what)
    _add_output(parser.add_argument_group("what to print"))


def _add_stocks(group: argparse._ArgumentGroup) -> None:
    """The stocks, where their prices come from, and where they trade."""
    group.add_argument(
        "--symbols",
        nargs="+",
        metavar="SYMBOL",
        help="ticker symbols in any case, such as TCS.NS INFY.NS or TCS.NS,INFY.NS (default: those of stockml.toml, "
        "else those with trained models, else ten large Indian stocks)",
    )
    group.add_argument(
        "--symbols-file",
        type=expanded,
        metavar="FILE",
        help="a file of symbols, one a line or several, or a CSV with a column symbol; # for comments (default: none)",
    )
    group.add_argument(
        "--source",
        metavar="KIND",
        help="where prices come from: yahoo, csv:DIR (files DIR/SYMBOL.csv), sample, a simulated market, or an "
        "installed plug-in, NAME or NAME:ARGUMENT (default: that of stockml.toml, else yahoo)",
    )
    group.add_argument(
        "--exchange",
        type=exchange,
        metavar="CODE",
        help="the exchange of symbols without an ending, such as XBOM for a file TCS.csv (default: told by Yahoo or by "
        "the days in the file)",
    )


def _add_time_and_place(group: argparse._ArgumentGroup) -> None:
    """The day to act on, and the home with its settings."""
    group.add_argument(
        "--offline", action="store_true", help="ask Yahoo nothing: use the prices kept from earlier runs, however old"
    )
    group.add_argument(
        "--as-of",
        type=day,
        metavar="YYYY-MM-DD",
        help="act as on that day after its close; nothing later is read (default: now)",
    )
    group.add_argument(
        "--home",
        type=expanded,
        metavar="DIR",
        default=default_home(),
        help=f"the folder to write under (default: $STOCKML_HOME, else {USUAL_HOME})",
    )
    group.add_argument(
        "--init",
        action="store_true",
        help="write the options given beside it into stockml.toml in the home, where later runs find them; do no more",
    )


def _add_output(group: argparse._ArgumentGroup) -> None:
    """The output, and its places."""
    group.add_argument("--json", action="store_true", help="print the result as one JSON object instead of a table")
    group.add_argument(
        "-v", "--verbose", action="store_true", help="say what is being done, and how many seconds each stage took"
    )
    group.add_argument("-q", "--quiet", action="store_true", help="print errors only")
    group.add_argument(
        "--log-file",
        type=expanded,
        metavar="FILE",
        help="write messages there too; it rotates at 1 MB, 5 kept (default: none)",
    )
    group.add_argument("--version", action="version", version=f"%(prog)s {__version__}")


def add_lock_timeout(group: argparse._ArgumentGroup) -> None:
    """The seconds to wait for another run, which both commands know."""
    group.add_argument(
        "--lock-timeout",
        type=positive,
        default=60,
        metavar="SECONDS",
        help="how many seconds to wait for another run that is writing (default: %(default)s)",
    )


def add_horizons(group: argparse._ArgumentGroup) -> None:
    """The horizons, which both commands know."""
    group.add_argument(
        "--horizons",
        "--horizon",
        nargs="+",
        action="extend",
        type=up_to(FARTHEST_HORIZON),
        metavar="N",
        help="exchange sessions to forecast ahead, one number or several, such as 1 5 20 (default: those of "
        f"stockml.toml, else {DEFAULT_HORIZON})",
    )


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


def share(text: str) -> float:
    """A share from 0 to 1, also as a percentage with its sign, as an argparse type."""
    try:
        found = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        found = -1.0
    if not 0 <= found <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share from 0 to 1; write one such as 0.75, or 75%")
    return found


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


def explained(text: str) -> str:
    """A symbol or the id of a prediction, in capitals, as an argparse type."""
    if ":" not in text:
        return symbol(text)
    try:
        of, made, horizon = text.split(":")
        found = f"{entered_symbol(of)}:{day(made)}:{positive(horizon)}"
    except (ValueError, argparse.ArgumentTypeError):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no id of a prediction; write SYMBOL:YYYY-MM-DD:SESSIONS, such as NFLX:2026-02-25:5"
        ) from None
    return found


def symbol(text: str) -> str:
    """One symbol in capitals, as an argparse type."""
    try:
        return entered_symbol(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
