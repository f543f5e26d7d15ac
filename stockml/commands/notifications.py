"""Tells those whom the settings name of what went wrong in a run: one message at most, after all else is done.

What is told are the sentences of --status, and the errors of a run that left no record of itself. Whatever happens
while it is told, the run's exit code and its files stay as they are.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from stockml.commands.exits import DONE, SOME_FAILED, WRONG_USAGE, UsageError, run_command
from stockml.commands.run import open_run
from stockml.commands.settings_reader import read_settings
from stockml.commands.watchlist import expected_stocks
from stockml.core.installation import PREDICT, install_command
from stockml.core.paths import Home
from stockml.core.wording import count, without_figures
from stockml.storage.files import StorageError
from stockml.storage.plain_files import plain_status

if TYPE_CHECKING:
    from stockml.reporting.concerns import Concern
    from stockml.reporting.status import Status

BY_A_PERSON = (129, 130)  # who closed the terminal or pressed Ctrl-C, and needs no message
SENTENCES = 12  # in a message; some services take no more than 4,096 bytes
LONGEST_SENTENCE = 600
MISSING = (
    "notify: nobody can be told without apprise, which is not installed here; install it with "
    f"{install_command('notify')}, or take notify out of the settings"
)

log = logging.getLogger("stockml")


@dataclass(slots=True)
class Ending:
    """The end of a run, as far as it can be known from outside."""

    program: str
    began_at: datetime
    exit_code: int = DONE
    errors: list[str] = field(default_factory=list)  # as on stderr


@dataclass(frozen=True, slots=True)
class Letter:
    """A message in plain text."""

    title: str
    body: str


class _Heard(logging.Handler):
    """Keeps the errors that a run tells."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__(logging.ERROR)
        self.errors = errors

    def emit(self, record: logging.LogRecord) -> None:
        self.errors.append(record.getMessage())


def run_and_notify(main: Callable[[argparse.Namespace], int], args: argparse.Namespace) -> int:
    """`run_command`, and at its end one message to those whom the settings name, where anything asks for it."""
    ending = Ending(Path(sys.argv[0]).name, datetime.now(UTC))
    heard = _Heard(ending.errors)

    def heeded(options: argparse.Namespace) -> int:
        log.addHandler(heard)
        return main(options)

    try:
        ending.exit_code = run_command(heeded, args)
    except Exception as error:
        ending.exit_code = SOME_FAILED
        ending.errors.append(f"It broke off by an error of its own ({type(error).__name__}): see what it wrote.")
        log.removeHandler(heard)
        notify(args, ending)
        raise
    log.removeHandler(heard)
    notify(args, ending)
    return ending.exit_code


def notify(args: argparse.Namespace, ending: Ending) -> None:
    """Tell what is news of the home, and keep that it was told; whatever goes wrong in that is one sentence."""
    is_seen = ending.exit_code == WRONG_USAGE and sys.stderr.isatty()
    if is_seen or ending.exit_code in BY_A_PERSON or _only_looks(args):
        return
    try:
        home = Home(args.home.resolve())
        urls = read_settings(home).notify
        if urls:
            _notify(args, home, urls, ending)
    except UsageError:
        return  # of the settings themselves, as the run said
    except StorageError as error:
        log.error("notify: %s", error)
    except KeyboardInterrupt:
        log.error("notify: interrupted; somebody may not have been told.")
    except Exception as error:
        log.error("notify: nobody could be told, by an error of this program (%s).", type(error).__name__)


def _only_looks(args: argparse.Namespace) -> bool:
    """True for a run that leaves no trace, or acts on a day in the past."""
    if any(getattr(args, name, None) for name in ("dry_run", "explain")):
        return True
    as_of = args.as_of
    return as_of is not None and as_of < (datetime.now(UTC) - timedelta(hours=12)).date()  # today, anywhere on earth


def _notify(args: argparse.Namespace, home: Home, urls: Sequence[str], ending: Ending) -> None:
    from stockml.commands import sending
    from stockml.reporting.notified import news, read_told, remembered, write_told

    state, is_simulated = _state(args)
    concerns = concerns_of(ending, state, is_recorded=_is_recorded(home, ending))
    told, today = read_told(home), ending.began_at.date()
    new = news(concerns, told, today)
    if not sending.is_possible():
        log.log(logging.ERROR if new else logging.WARNING, "%s", MISSING)
        return
    if new:
        failed = sending.send(urls, letter(new, home, is_simulated=is_simulated))
        for sentence in failed:
            log.error("%s", sentence)
        if len(failed) == len(urls):
            new = []  # told by the next run
    kept = remembered(concerns, told, new, today)
    if kept != told and ending.exit_code != WRONG_USAGE:  # which writes nothing
        write_told(home, kept)


def _state(args: argparse.Namespace) -> tuple[Status | None, bool]:
    """The state of the home, None where it cannot be had, as the run itself has said; and whether it is simulated."""
    from stockml.reporting.status import status

    is_simulated = False
    with suppress(UsageError, StorageError):
        run = open_run(args, datetime.now(UTC))
        is_simulated = run.is_simulated
        return status(run.home, run.log, run.clock, run.main_horizon, expected_stocks(run)), is_simulated
    return None, is_simulated


def _is_recorded(home: Home, ending: Ending) -> bool:
    """True where the run left a record of itself in last_run.json."""
    from stockml.reporting.last_run import last_run_path

    with suppress(StorageError):
        known = plain_status(last_run_path(home))
        return known is not None and known.st_mtime >= ending.began_at.timestamp()
    return False


def concerns_of(ending: Ending, state: Status | None, *, is_recorded: bool) -> list[Concern]:
    """All there is to tell after a run: the concerns of the state, and the run's end where that does not tell it.

    Parameters
    ----------
    ending : Ending
    state : Status, optional
        The home's after the run.
    is_recorded : bool
        True where the state knows how this run ended.
    """
    known = list(state.concerns) if state else []
    knows = is_recorded and state is not None and state.last_run is not None and bool(state.last_run.exit_code)
    if ending.exit_code == DONE or knows:
        return known
    from stockml.reporting.concerns import Concern

    began = ending.began_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    first = f"{ending.program}, begun at {began}, failed with exit code {ending.exit_code}."
    causes = tuple(f"{ending.program}: {without_figures(text)}" for text in ending.errors)
    keys = causes or (f"{ending.program}: exit code {ending.exit_code}",)
    return [*(Concern(text, keys) for text in (first, *ending.errors)), *known]


def letter(concerns: Sequence[Concern], home: Home, *, is_simulated: bool) -> Letter:
    """The message: alarms first, the same words as those of --status."""
    alarms = [concern for concern in concerns if concern.is_alarm]
    notes = [concern for concern in concerns if not concern.is_alarm]
    parts = [count(len(found), noun) for found, noun in ((alarms, "alarm"), (notes, "note")) if found]
    lines = [
        f"{'ALARM' if concern.is_alarm else 'NOTE'}: {_cut(concern.text)}" for concern in (*alarms, *notes)[:SENTENCES]
    ]
    more = len(concerns) - len(lines)
    rest = [f"{count(more, 'more sentence')}: see --status."] if more > 0 else []
    where = f"Home {home.root}; {PREDICT} --status tells all there is."
    market = " (simulated market)" if is_simulated else ""
    return Letter(f"stockml{market}: {' and '.join(parts)}", "\n".join([*lines, *rest, where]))


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_SENTENCE else f"{text[: LONGEST_SENTENCE - 3]}..."
