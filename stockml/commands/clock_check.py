"""The clocks of a run: Yahoo's time is believed before the machine's, and a machine's clock that was moved is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from stockml.commands.exits import UsageError
from stockml.core.clock import TOLERANCE, Clock
from stockml.core.wording import count
from stockml.reporting.last_run import read_last_run

if TYPE_CHECKING:
    from stockml.commands.run import Run

NONE = timedelta(0)


def take_yahoos_time(run: Run, skew: timedelta | None, completed: Mapping[str, date]) -> None:
    """Put the time that Yahoo's answers tell into the run's clock, and say so where the machine's is another.

    Parameters
    ----------
    run : Run
    skew : timedelta or None
        How much Yahoo's clock is ahead of the machine's; None where no answer told.
    completed : mapping of str to date
        The last day whose bar is complete by Yahoo's answer.

    Raises
    ------
    UsageError
        Where --as-of is a day to come by Yahoo's clock.
    """
    clock = run.clock if skew is None else run.clock.corrected(skew)
    if abs(clock.skew - run.clock.skew) <= TOLERANCE:
        clock = run.clock  # as an earlier fetch of the run has told
    elif clock.skew:
        machines = run.clock.now - run.clock.skew
        run.notice(
            f"The clock of this machine is {_length(clock.skew)} {'ahead of' if clock.skew < NONE else 'behind'} "
            f"Yahoo's ({_minute(machines)} here, {_minute(clock.now)} there); Yahoo's is used, so set the machine's."
        )
    run.clock = clock
    refuse_future(run.args.as_of, clock.now)
    fewer = {symbol: day for symbol, day in completed.items() if day < clock.cutoff(symbol)}
    if fewer:
        run.clock = replace(clock, completed={**clock.completed, **fewer})


def refuse_future(as_of: date | None, now: datetime) -> None:
    """UsageError where --as-of lies ahead; today (here or in UTC) is none such, even before its close."""
    today = max(now.astimezone(UTC).date(), now.astimezone().date())
    if as_of is not None and as_of > today:
        raise UsageError(f"--as-of {as_of}: is still to come (today is {today}); give a day up to today")


def tell_moved_clock(run: Run, now: datetime) -> None:
    """Say where something that was done before lies ahead by this run's clock: that one or this one is wrong.

    Parameters
    ----------
    run : Run
        One on a past day asks nothing of the clock, and says nothing.
    now : datetime
        The present by the machine's clock: another run may have ended since this one began.
    """
    if run.args.as_of is not None:
        return
    present = Clock(now).corrected(run.clock.skew)
    last = read_last_run(run.home)
    done = [] if last is None else [(datetime.fromisoformat(last.ended_at or last.began_at), "The last run ended")]
    if run.prices_asked_at is not None:
        done.append((run.prices_asked_at, "The prices kept were asked for"))
    ahead = [(moment, what) for moment, what in done if present.is_ahead(moment)]
    if ahead:
        moment, what = max(ahead)
        run.notice(
            f"{what} at {_minute(moment)}, {_length(moment - present.now)} from now by this machine's clock "
            f"({_minute(present.now)}): it was ahead then or is behind now, so check it."
        )


def _length(span: timedelta) -> str:
    """A length of time in its largest unit of which there are two or more: 45 days, 3 hours, 12 minutes."""
    minutes = round(abs(span) / timedelta(minutes=1))
    for unit, size in (("day", 24 * 60), ("hour", 60)):
        if minutes >= 2 * size:
            return count(round(minutes / size), unit)
    return count(minutes, "minute")


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
