"""The headline answers of the HTML report: what it expects, how sure, how good it has been, what needs attention."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

from stockml.accuracy.scores import Score
from stockml.core.installation import PREDICT
from stockml.core.wording import count
from stockml.reporting.formatting import NO_WORDS, day, percent, share, signed
from stockml.reporting.page_data import LogSummary
from stockml.reporting.page_yesterday import is_lacking
from stockml.reporting.status import Status


def horizon_shown(summary: LogSummary, state: Status) -> int:
    """The horizon that the record opens with: the main one, or the shortest with an outcome where that has none."""
    return state.horizon if state.horizon in summary.records or not summary.records else min(summary.records)


def tiles(summary: LogSummary, rows: Sequence[dict[str, Any]], state: Status) -> list[dict[str, Any]]:
    """The four questions, each with a short answer.

    They count one horizon, the home's main one, and of its forecasts those made from the newest session alone; the
    horizon is named where there are several, and where the home predicts at others alone the record's is taken.
    """
    horizons = {row["horizon"] for row in rows}
    horizon = state.horizon if state.horizon in horizons or not horizons else horizon_shown(summary, state)
    known = summary.records.get(horizon)
    of_it = [row for row in rows if row["horizon"] == horizon]
    fresh = [row for row in of_it if not row["is_old"]]
    good = _good(known.sums.total if known else Score(), state.by_horizon.get(horizon, Score()).expired_text())
    pairs = [
        ("What does it expect?", _expects(fresh, len(of_it) - len(fresh))),
        ("How sure is it?", _sure(fresh)),
        ("How good has it been?", good),
        ("Does anything need attention?", _attention(state)),
    ]
    ahead = f"{count(horizon, 'session')} ahead. " if len(horizons) > 1 else ""
    return [
        {
            "question": question,
            "answer": answer,
            "detail": f"{ahead if number < 3 else ''}{detail}",
            "is_alarm": number == 3 and bool(state.alarms or open_points(state)),
        }
        for number, (question, (answer, detail)) in enumerate(pairs)
    ]


def _expects(rows: Sequence[dict[str, Any]], n_older: int) -> tuple[str, str]:
    older = f" {count(n_older, 'older forecast')} left out." if n_older else ""
    if not rows:
        return NO_WORDS, f"No forecast of the newest session.{older}" if older else "No prediction yet."
    changes = [row["change"] for row in rows]
    rising, falling = sum(change > 0 for change in changes), sum(change < 0 for change in changes)
    most, least = max(rows, key=lambda row: row["change"]), min(rows, key=lambda row: row["change"])
    if len(rows) == 1:
        return f"{rows[0]['symbol']} {signed(changes[0])}", f"by the close of {day(rows[0]['target'])}.{older}"
    ends = f"from {signed(least['change'])} ({least['symbol']}) to {signed(most['change'])} ({most['symbol']})"
    answer = f"{rising} of {len(rows)} to rise" if rising >= falling else f"{falling} of {len(rows)} to fall"
    return answer, f"Median {signed(median(changes))}, {ends}.{older}"


def _sure(rows: Sequence[dict[str, Any]]) -> tuple[str, str]:
    if not rows:
        return NO_WORDS, "No prediction yet."
    widths = [(row["high"] - row["low"]) / row["close"] * 50 for row in rows]
    detail = f"Median confidence that the error stays below 5 %; the 80 % interval reaches ±{median(widths):.1f} %."
    return f"{median(row['confidence'] for row in rows):.0%}".replace("%", " %"), detail


def _good(total: Score, expired: str) -> tuple[str, str]:
    if not total.total:
        return NO_WORDS, f"Nothing is verified yet. {expired}".rstrip()
    detail = (
        f"Naive: {share(total.naive_accurate / total.total)}. Mean error {percent(total.mean_error_pct)} against "
        f"{percent(total.mean_naive_error_pct)}, {total.total:,} verified. {expired}"
    ).rstrip()
    return f"{share(total.accuracy)} accurate", detail


def _attention(state: Status) -> tuple[str, str]:
    points = open_points(state)
    detail = f"{state.pending:,} pending, {state.due:,} of them due, {len(state.overdue):,} overdue."
    if state.alarms:
        return count(len(state.alarms), "alarm"), " ".join([detail, *points])
    lacking = sum(map(is_lacking, state.stocks.values()))
    answers = [f"{state.due:,} due"] * bool(state.due) + [f"{count(lacking, 'stock')} without a forecast"] * bool(
        lacking
    )
    return ", ".join(answers) or "Nothing", " ".join([detail, *points])


def open_points(state: Status) -> list[str]:
    """Sentences on what is no alarm yet, but not done either: lines due and not settled, stocks without a forecast."""
    points = []
    if state.due:
        verb = "is" if state.due == 1 else "are"
        points.append(f"{count(state.due, 'due prediction')} {verb} not settled: run {PREDICT} --verify-only.")
    lacking = [stock for stock in state.stocks.values() if is_lacking(stock)]
    if lacking:
        verb = "is" if len(lacking) == 1 else "are"
        of = count(len(state.stocks), "stock")
        points.append(f"{len(lacking):,} of {of} in the watchlist {verb} without a forecast.")
    return points
