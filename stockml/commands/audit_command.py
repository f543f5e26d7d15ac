"""--audit: what can be proved of the record, check by check, and what cannot."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from stockml.commands.exits import DONE, SOME_FAILED, NotDoneError
from stockml.commands.run import Run, print_json, refuse_beside, timed
from stockml.core.failures import FetchError
from stockml.core.progress import progress
from stockml.core.wording import count
from stockml.data.fetch import fetch_bars
from stockml.prediction_log.still import held_still
from stockml.replay.replay_home import folder
from stockml.storage.plain_files import plain_status

if TYPE_CHECKING:
    from stockml.accuracy.audit import Check, Heads
    from stockml.accuracy.audit_outcomes import Settled
    from stockml.data.plain_bars import PlainBars
    from stockml.data.request import DateRange

log = logging.getLogger("stockml")

OTHERS = (
    *("verify_only", "explain", "replay", "self_check", "report", "status", "reopen", "backup", "restore", "export"),
    *("dry_run", "as_of", "exchange"),
)
DAYS_BEFORE = 90  # bars before the first start that say what is usual
KEPT_ELSEWHERE = (
    "The heads lie beside the log: to anyone else they prove as much as the copies of them that are kept elsewhere."
)


def run_audit(run: Run) -> int:
    """Prove what can be proved of the record; the exit code is 1 where anything disagrees."""
    refuse_beside(run, "--audit", OTHERS)
    path = run.log.path
    if plain_status(path) is None:
        raise NotDoneError(f"{path}: there is no prediction log to audit yet; name its --home")
    with held_still(path, run.args.lock_timeout):
        run.log.check()
        checks, heads = _checks(run)
    exit_code = SOME_FAILED if any(check.disagreements for check in checks) else DONE
    head = heads.chain.head
    if run.args.json:
        found = head and {"count": heads.chain.lines, "seal": head}
        print_json(run.to_json("audit", {"head": found, "checks": [check.to_record() for check in checks]}, exit_code))
    else:
        _tell(run, checks, heads)
    return exit_code


def _checks(run: Run) -> tuple[list[Check], Heads]:
    from stockml.accuracy.audit import Heads, check_dates, check_kept, check_seals, check_witnesses
    from stockml.accuracy.audit_outcomes import check_outcomes, settled_of
    from stockml.accuracy.tracker import Feedback
    from stockml.signals.learner import Learner

    path = run.log.path
    with timed(run, "seals"):
        heads = Heads.of(path)
        if not heads.chain.lines:
            raise NotDoneError(f"{path}: holds no prediction, so there is nothing to audit")
        checks = [check_seals(heads), check_witnesses(heads)]
        checks.append(_of_a_replay() if folder(run.home).exists() else check_dates(path, heads, _closes(run)))
    settled = settled_of(path, run.source.kind, run.symbols)
    bars, missing = _bars(run, settled)
    with timed(run, "outcomes"):
        checks.append(check_outcomes(path, settled, bars, missing, run.clock.exchanges))
    with timed(run, "scores"):
        for name, (kept, folded) in Feedback(run.home.feedback, Learner).refolded(run.log.read()).items():
            checks.append(check_kept("scores" if "scores" in name else "learned", kept, folded))
    return checks, heads


def _of_a_replay() -> Check:
    from stockml.accuracy.audit import Check

    return Check("dates", unproved=["a replay makes its predictions long after their targets: nothing dates them."])


def _closes(run: Run) -> Callable[[str, str], datetime]:
    @functools.cache
    def of_market(market: str, day: str) -> datetime:
        from stockml.core.calendars import calendar_of

        return calendar_of(market).closes_at(date.fromisoformat(day))

    return lambda symbol, day: of_market(run.clock.exchanges.market(symbol), day)


def _bars(run: Run, settled: Settled) -> tuple[dict[str, PlainBars], dict[str, str]]:
    """The bars of every stock with an outcome, and why a stock has none; Yahoo is asked for what the cache lacks."""
    from stockml.data.plain_bars import plain_bars
    from stockml.data.request import FetchSettings

    spans = {symbol: _span(run, symbol, wanted.first, wanted.last) for symbol, wanted in settled.symbols.items()}
    with timed(run, "fetch"), progress(run.args) as tell:
        settings = FetchSettings(offline=run.args.offline, tell=tell)
        feed = fetch_bars(spans, run.source, clock=run.clock, home=run.home, settings=settings)
    missing = {symbol: failure.message for symbol, failure in feed.failures.items()}
    bars = {}
    for symbol, raw in feed.bars.items():
        try:
            bars[symbol] = plain_bars(symbol, raw, spans[symbol].start, spans[symbol].limit)
        except FetchError as error:
            missing[symbol] = str(error)
    return bars, missing


def _span(run: Run, symbol: str, first: str, last: str) -> DateRange:
    """The days that the outcomes of a stock depend on; nothing is asked for that lies behind the last of them."""
    from stockml.data.request import DateRange

    calendar = run.clock.calendar(symbol)
    start = date.fromisoformat(first) - timedelta(days=DAYS_BEFORE)
    needed = calendar.session_on_or_before(date.fromisoformat(last))
    limit = run.clock.limit(symbol)
    return DateRange(start, run.clock.cutoff(symbol), min(needed, limit), False, calendar)


def _tell(run: Run, checks: Sequence[Check], heads: Heads) -> None:
    if run.args.quiet:
        for check in checks:
            if check.first:
                log.error("%s: %s", check.name, check.first)
        return
    title = f"{run.log.path}: {count(heads.chain.lines, 'prediction')}"
    print(f"{title}, head {heads.chain.head[:16]}" if heads.chain.head else title)
    for check in checks:
        wrong = f"{count(check.disagreements, 'disagreement')}, the first: {check.first}" if check.first else ""
        told = [*filter(None, (check.proved, wrong)), *(f"not proved: {text}" for text in check.unproved)]
        for at, text in enumerate(told or ["nothing to prove"]):
            print(f"{check.name if at == 0 else '':<10}{text}")
    if heads.written:
        print(KEPT_ELSEWHERE)
