"""Sentences on what is not as it should be: alarms, which ask for something to be done, and notes.

Each says by its keys what it is about, so that whoever heard of it before need not hear of it every day.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from stockml.accuracy.bands import recent_shares
from stockml.accuracy.record import Record
from stockml.accuracy.settlement import PATIENCE_SESSIONS
from stockml.core.clock import Clock
from stockml.core.failures import OUTAGES
from stockml.core.installation import PREDICT, TRAIN
from stockml.core.wording import Message, count, named, told_together
from stockml.prediction_log.view import View
from stockml.reporting.last_run import LastRun
from stockml.reporting.stock_states import StockState, sessions_behind

PRICES_GRACE_SESSIONS = 1  # today's run may still be to come
RUN_TAKES_AT_MOST = timedelta(hours=1)  # one that has not ended by then was killed
SYMBOLS_NAMED = 5  # in a sentence; the rest is counted


@dataclass(frozen=True, slots=True)
class Concern:
    """One sentence on what is not as it should be.

    Attributes
    ----------
    text : str
    keys : tuple of str
        What it is about, without the figures that change each day.
    is_alarm : bool
        True where it asks for something to be done; else it is a note.
    is_event : bool
        True for what happened once; else it lasts.
    """

    text: str
    keys: tuple[str, ...]
    is_alarm: bool = True
    is_event: bool = False


# ---- alarms ----


def damage(view: View) -> list[Concern]:
    """Alarm for each line of the log that is set aside."""
    lost = [f"{problem}." for problem in view.problems if problem.is_set_aside]
    return [Concern(text[0].upper() + text[1:], (f"set aside: {text}",)) for text in lost]


def overdue(ids: Sequence[str], run: LastRun | None) -> list[Concern]:
    """Alarm where predictions wait so long that even a missing bar is no reason."""
    if not ids:
        return []
    known = (run.waiting if run else {}).get(ids[0])
    why = f" ({ids[0]}: {known})" if known else ""
    text = (
        f"{named(ids, SYMBOLS_NAMED)}: still pending more than {PATIENCE_SESSIONS} sessions after the target{why}; run "
        f"{PREDICT} --verify-only and read what it says."
    )
    return [Concern(text, tuple(f"overdue: {symbol}" for symbol in sorted({id_.rsplit(":", 2)[0] for id_ in ids})))]


def lagging(newest: tuple[str, str] | None, run: LastRun | None, clock: Clock) -> list[Concern]:
    """Alarm where nothing has been predicted for a while: the job that should do it is not running, or does nothing."""
    behind = sessions_behind(*newest, clock) if newest else 0
    if newest is None or behind <= PRICES_GRACE_SESSIONS:
        return []
    is_started = run is not None and sessions_behind(newest[0], run.day, clock) <= PRICES_GRACE_SESSIONS
    remedy = f"see that {PREDICT} is started every day"
    if is_started:
        remedy = "the last run made none: read its messages in last_run.json"
    text = f"The newest prediction was made from the prices of {newest[1]}, {count(behind, 'session')} ago; {remedy}."
    return [Concern(text, ("no predictions",))]


def missing(states: Mapping[str, StockState], newest: str | None, *, is_idle: bool) -> list[Concern]:
    """Alarm where stocks have been without a forecast for two sessions, the longest first.

    Parameters
    ----------
    states : mapping of str to StockState
    newest : str, optional
        The last session that any forecast was made from.
    is_idle : bool
        Nothing at all has been predicted since, which is an alarm of its own: only stocks behind that are named.
    """
    found = [state for state in states.values() if state.is_missing]
    if is_idle:
        found = [state for state in found if (state.last_forecast or "") < (newest or "")]
    if not found:
        return []
    found.sort(key=lambda state: (-state.missing_sessions, state.symbol))
    most, least = found[0].missing_sessions, found[-1].missing_sessions
    span = count(most, "session") if most == least else f"{least} to {count(most, 'session')}"
    since = min(state.missing_since or "9999" for state in found)
    remedy = "read what the last run says of them in last_run.json, or take them off the watchlist"
    if not any(state.failing_since for state in found):
        remedy = f"no run has asked for them since: run {PREDICT} without --symbols"
    names = named([state.symbol for state in found], SYMBOLS_NAMED)
    text = f"{names}: no forecast for {span}, since {since}; {remedy}."
    return [Concern(text, tuple(f"no forecast: {state.symbol}" for state in found))]


def stale(prices: Mapping[str, str], models: Mapping[str, int]) -> list[Concern]:
    """Alarms for prices that stopped, by their last day, and for models too old, by their days."""
    alarms = []
    if prices:
        text = (
            f"{_named(prices)}: no prices since {min(prices.values())}; check that the symbols are still traded "
            f"under these names."
        )
        alarms.append(Concern(text, tuple(f"stale prices: {symbol}" for symbol in prices)))
    if models:
        text = f"{_named(models)}: models up to {count(max(models.values()), 'day')} old; run {TRAIN} to renew them."
        alarms.append(Concern(text, tuple(f"stale model: {symbol}" for symbol in models)))
    return alarms


def failed(run: LastRun | None, clock: Clock) -> list[Concern]:
    """Alarms where the last run failed or never ended."""
    if run is None or run.exit_code == 0:
        return []
    if run.exit_code is None:
        age = clock.now - datetime.fromisoformat(run.began_at)
        text = f"The run begun at {run.began_at} never ended; start it again."
        return [Concern(text, (f"never ended: {run.began_at}",))] if age > RUN_TAKES_AT_MOST else []
    causes = (Message(one.symbol, one.message, one.kind if one.kind in OUTAGES else "") for one in run.failures)
    told = told_together(causes)
    more = len(told) - SYMBOLS_NAMED
    rest = [f"{count(more, 'more failure')} of that run: see last_run.json."] if more > 0 else []
    keys = tuple(dict.fromkeys(f"failed: {one.kind} {one.symbol}" for one in run.failures))
    texts = [f"The last run, at {run.ended_at}, failed ({run.ending()}).", *told[:SYMBOLS_NAMED], *rest]
    return [Concern(text, keys or (f"failed: {run.exit_code}",)) for text in texts]


# ---- notes ----


def skipped(run: LastRun | None, symbols: Iterable[str], clock: Clock) -> list[Concern]:
    """Note where sessions went by between the last run and the one before, or where that one never ended.

    Parameters
    ----------
    run : LastRun, optional
    symbols : iterable of str
        Of every exchange that is watched: a session counts that was missed on all of them.
    clock : Clock
    """
    if run is None or run.previous_at is None or run.as_of is not None:
        return []
    found = []
    if not run.previous_ended:
        text = f"The run begun at {run.previous_at} never ended; the next one went on from there."
        found.append(Concern(text, (f"never ended: {run.previous_at}",), is_alarm=False, is_event=True))
    before, after = (
        replace(clock, now=datetime.fromisoformat(moment), as_of=None, completed={})
        for moment in (run.previous_at, run.began_at)
    )
    one_of_each = {clock.exchanges.market(symbol): symbol for symbol in symbols}
    missed = (_sessions_between(symbol, before, after) - 1 for symbol in one_of_each.values())
    if (least := min(missed, default=0)) > 0:
        text = (
            f"No run was made between {run.previous_at} and {run.began_at}, which {count(least, 'session')} went "
            f"without; see that {PREDICT} is started every day."
        )
        found.append(Concern(text, (f"no run: {run.previous_at}",), is_alarm=False, is_event=True))
    return found


def _sessions_between(symbol: str, before: Clock, after: Clock) -> int:
    first = before.limit(symbol) + timedelta(days=1)
    return len(after.calendar(symbol).sessions_between(first, after.limit(symbol)))


def misfits(record: Record) -> list[Concern]:
    """Notes on the horizons at which intervals or probabilities of the last 60 sessions are not what they say."""
    shares = (
        share for horizon, known in sorted(record.horizons.items()) for share in recent_shares(known.weeks, horizon)
    )
    return [
        Concern(share.to_text(), (f"{share.kind}: {share.horizon}",), is_alarm=False)
        for share in shares
        if share.is_outside
    ]


def surprises(run: LastRun | None) -> list[Concern]:
    """Note on the outcomes of the last run outside their 95 % range."""
    if run is None or not run.outside:
        return []
    told = [f"{id_} ({text})" for id_, text in run.outside.items()]
    verb = "lies" if len(told) == 1 else "lie"
    text = (
        f"{len(told)} of {count(run.settled, 'outcome')} of the last run {verb} outside the 95 % range, as one in 20 "
        f"should: {named(told, SYMBOLS_NAMED)}; --explain {next(iter(run.outside))} tells why."
    )
    return [Concern(text, tuple(f"outside: {id_}" for id_ in run.outside), is_alarm=False, is_event=True)]


def _named(symbols: Iterable[str]) -> str:
    return named(list(symbols), SYMBOLS_NAMED)
