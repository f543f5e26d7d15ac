"""--reopen: settled lines made pending again, all or none, and unlearned; the next run settles them anew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from stockml.accuracy.tracker import Feedback
from stockml.commands.exits import DONE, UsageError
from stockml.commands.run import Run, print_json, refuse_beside
from stockml.core.outcomes import PENDING
from stockml.core.records import Prediction
from stockml.core.wording import alternatives, count, named
from stockml.prediction_log.view import View

CLOSE = 0.85  # difflib's measure; two ids of one stock have much in common
MOST_MEANT = 3
OTHERS = (
    *("verify_only", "explain", "replay", "self_check", "audit", "report", "status", "backup", "restore"),
    *("as_of", "exchange", "symbols", "symbols_file", "offline"),
)


def run_reopen(run: Run) -> int:
    """Make the lines named by --reopen pending again; UsageError, and nothing changed, where one of them cannot be."""
    refuse_beside(run, "--reopen", OTHERS)
    ids = list(dict.fromkeys(id_ for text in run.args.reopen for id_ in text.split(",") if id_))
    if run.args.dry_run or not run.log.path.exists():  # the lock would make the folder
        lines, refusal = _settled(run.log.read(), ids)
    else:
        with run.log.locked(run.args.lock_timeout):
            lines, refusal = _settled(run.log.read(), ids)
            if not refusal:
                _reopen(run, lines)
    if refusal:
        raise UsageError(refusal)
    if run.args.json:
        print_json(run.to_json("reopen", {"reopened": [line.id for line in lines], "dry_run": run.args.dry_run}, DONE))
    elif not run.args.quiet:
        _tell(run, lines)
    return DONE


def _reopen(run: Run, lines: Sequence[Prediction]) -> None:
    from stockml.signals.learner import Learner

    run.log.reopen({line.id: run.clock.written_time(line.symbol) for line in lines})
    Feedback(run.home.feedback, Learner, run.main_horizon).update(run.log)


def _tell(run: Run, lines: Sequence[Prediction]) -> None:
    for line in lines:
        assert line.outcome is not None
        price = "" if line.outcome.actual_price is None else f" by a close of {line.outcome.actual_price}"
        would = "would be pending again" if run.args.dry_run else "pending again"
        print(f"{line.id}: was {line.status} on {line.outcome.ended_at[:10]}{price}, {would}")
    if not run.args.dry_run:
        print(f"{count(len(lines), 'prediction')} reopened and unlearned; the next run settles what is due.")


def _settled(view: View, ids: Sequence[str]) -> tuple[list[Prediction], str]:
    """The settled lines with these ids, in any case; and a sentence where one is no such line."""
    wanted = {id_.upper(): id_ for id_ in ids}
    found: dict[str, Prediction] = {}
    for line in chain(view.pending, view.settled):
        key = line.id.upper()
        if key in wanted and (key not in found or line.id == wanted[key]):
            found[key] = line
    pending = [line.id for line in found.values() if line.status == PENDING]
    unknown = [id_ for key, id_ in wanted.items() if key not in found]
    said = list(_said_of_unknown(view, unknown)) if unknown else []
    if pending:
        said.append(f"{named(pending)}: pending already")
    refusal = f"--reopen {'; '.join(said)}; nothing was changed, correct the ids and run again" if said else ""
    return [found[key] for key in wanted if key in found], refusal


def _said_of_unknown(view: View, unknown: Sequence[str]) -> Iterator[str]:
    settled = [line.id for line in view.settled]
    for id_ in unknown[:MOST_MEANT]:
        meant = _meant(id_, settled)
        yield f"{id_}: not in the log" + (f" (did you mean {alternatives(meant)}?)" if meant else "")
    if more := len(unknown) - MOST_MEANT:
        yield from [f"{count(more, 'other id')}: not in the log"] if more > 0 else []


def _meant(id_: str, settled: Sequence[str]) -> list[str]:
    """Settled lines whose ids are close to one that is none: the newest of a bare symbol, or a misspelling."""
    from difflib import get_close_matches

    of_symbol = [other for other in settled if other.upper().startswith(f"{id_.upper()}:")]
    if of_symbol:
        return of_symbol[-MOST_MEANT:]
    by_capitals = {other.upper(): other for other in settled}
    return [by_capitals[key] for key in get_close_matches(id_.upper(), by_capitals, n=MOST_MEANT, cutoff=CLOSE)]
