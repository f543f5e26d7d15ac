"""Causes that moved a price between a forecast and its outcome: results, a split, a gap on volume, or the whole market.

Judged from the log and the prices at hand alone. Where they do not tell, it is "not known", never a guess.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Any

from stockml.core.records import Prediction
from stockml.core.wording import count

if TYPE_CHECKING:
    from stockml.data.price_table import PriceTable

USUAL_SESSIONS = 20  # before the forecast, that tell a usual volume and a usual change
LOUD = 2.0  # times the usual volume
FAR = 3.0  # times the usual change
LEAST_PEERS = 3  # other stocks without which nothing is said of the market
AFTERNOON = time(14)  # of results published on the day of the forecast: the session after it is moved
HALF_A_YEAR = timedelta(days=200)  # in which every company publishes results: without any its days are not kept
SPUN_OFF = ("payout", "demerger")  # findings of a price table

Bar = tuple[str, float, float, float]  # day, open, close, volume


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing that may have moved the price: whether it did (None: not known), and why that is said."""

    name: str
    did_it: bool | None
    text: str

    @property
    def verdict(self) -> str:
        """Yes, no or not known."""
        return {True: "yes", False: "no", None: "not known"}[self.did_it]

    def to_record(self) -> dict[str, Any]:
        """The object that --json prints."""
        return {"name": self.name, "did_it": self.did_it, "text": self.text}


@dataclass(frozen=True, slots=True)
class Moves:
    """Prices from before a forecast to its outcome.

    Attributes
    ----------
    before, after : tuple of Bar
        Days up to the last session used, and after it up to the outcome's.
    results : tuple of (str, bool)
        Days of results that may have moved a price after the forecast, and True for those published late in the day;
        None where none are kept of this stock.
    spun_off : tuple of str
        What the price table says of falls in that time that a holder did not suffer.
    """

    before: tuple[Bar, ...]
    after: tuple[Bar, ...]
    results: tuple[tuple[str, bool], ...] | None
    spun_off: tuple[str, ...]


def moves_of(line: Prediction, prices: PriceTable) -> Moves | str:
    """The bars and results of a table that a settled line is about; the reason in words where it has none of them."""
    columns = prices.frame[["open", "close", "volume"]].astype(float).to_numpy().tolist()
    days = [stamp.date().isoformat() for stamp in prices.frame.index]
    bars = [(day, *values) for day, values in zip(days, columns, strict=True)]
    last = last_day(line)
    before = tuple(bar for bar in bars if bar[0] <= line.data_through)
    after = tuple(bar for bar in bars if line.data_through < bar[0] <= last)
    if not after or len(before) < USUAL_SESSIONS + 1:
        return f"the prices at hand do not reach from {line.data_through} to {last}"
    results = [(one.day.isoformat(), one.at is not None and one.at >= AFTERNOON) for one in prices.announcements]
    since = (date.fromisoformat(line.data_through) - HALF_A_YEAR).isoformat()
    are_kept = any(since <= day <= last for day, _ in results)
    return Moves(
        before[-USUAL_SESSIONS - 1 :],
        after,
        tuple((day, late) for day, late in results if line.data_through <= day <= last) if are_kept else None,
        tuple(found.text for found in prices.findings if found.kind in SPUN_OFF and _within(found.dates, line, last)),
    )


def last_day(line: Prediction) -> str:
    """The day whose bar settled a line; its target, where it does not tell."""
    return (line.outcome and line.outcome.settled_from) or line.target_date


def _within(days: Sequence[date], line: Prediction, last: str) -> bool:
    return any(line.data_through < day.isoformat() <= last for day in days)


def causes(line: Prediction, peers: Sequence[Prediction], moves: Moves | str) -> list[Cause]:
    """The four causes of a verified line's outcome.

    Parameters
    ----------
    line : Prediction
        Verified.
    peers : sequence of Prediction
        Verified lines of other stocks of the same exchange, made from the same day at the same horizon.
    moves : Moves or str
        The prices, or the reason why there are none.
    """
    return [_results(line, moves), _split(line, moves), _gap(line, moves), _market(line, peers)]


def _results(line: Prediction, moves: Moves | str) -> Cause:
    expected = f"{line.results_text}; " if line.results_text else ""
    if isinstance(moves, str):
        return Cause("announcement", None, f"{expected}{moves}")
    if moves.results is None:
        return Cause("announcement", None, f"{expected}no days of results of {line.symbol} are kept")
    moved = [(day, step) for day, late in moves.results if (step := _after(day, moves, late=late)) is not None]
    if not moved:
        return Cause("announcement", False, f"{expected}none came between the forecast and its outcome")
    day, (session, change) = max(moved, key=lambda found: abs(found[1][1]))
    text = f"results of {day}: it went {change:+z.2f} % by the close of {session}, {_times_usual(change, moves)}"
    return Cause("announcement", _is_far(change, moves) and _is_with_it(change, line), text)


def _after(day: str, moves: Moves, *, late: bool) -> tuple[str, float] | None:
    """The session that results of a day moved, and its change in %; None where it lies outside.

    Late results move the next session. Where the hour is not known it is the one of both that moved more.
    """
    bars = [moves.before[-1], *moves.after]
    steps = [(bar[0], (bar[2] / before[2] - 1) * 100) for before, bar in pairwise(bars)]
    first = next((at for at, (session, _) in enumerate(steps) if session > day or (session == day and not late)), None)
    if first is None:
        return None
    chosen = steps[first : first + 1] if late or steps[first][0] > day else steps[first : first + 2]
    return max(chosen, key=lambda step: abs(step[1]))


def _split(line: Prediction, moves: Moves | str) -> Cause:
    factor = line.outcome and line.outcome.units_factor
    if factor:
        text = (
            f"a split or another currency rescaled the prices by {factor:g}; the outcome is in the forecast's own units"
        )
        return Cause("split", False, text)
    if isinstance(moves, str):
        return Cause("split", False, "none is in the log: the outcome is in the units of the forecast")
    if moves.spun_off:
        return Cause("split", True, "; ".join(moves.spun_off))
    return Cause("split", False, "none, nor a spin-off or special dividend")


def _gap(line: Prediction, moves: Moves | str) -> Cause:
    if isinstance(moves, str):
        return Cause("gap", None, moves)
    volume = median(bar[3] for bar in moves.before[1:])
    bars = [moves.before[-1], *moves.after]
    gaps = [(abs(bar[1] / before[2] - 1), bar, (bar[1] / before[2] - 1) * 100) for before, bar in pairwise(bars)]
    _, (day, _, _, traded), gap = max(gaps, key=lambda found: found[0])
    loud = f"{traded / volume:.1f} times the usual volume" if volume > 0 else "a volume that cannot be compared"
    text = f"the widest was {gap:+z.2f} % at the opening of {day}, {_times_usual(gap, moves)}, on {loud}"
    is_loud = volume > 0 and traded >= LOUD * volume
    return Cause("gap", is_loud and _is_far(gap, moves) and _is_with_it(gap, line), text)


def _market(line: Prediction, peers: Sequence[Prediction]) -> Cause:
    if len(peers) < LEAST_PEERS:
        some = count(len(peers), "other stock")
        return Cause(
            "market", None, f"the log has the outcome of {some} of its exchange from that day, too few to tell"
        )
    typical = median(peer.actual_change_pct for peer in peers)
    own = (1 + line.actual_change_pct / 100) / (1 + typical / 100) * 100 - 100
    missed, without = (abs(change - line.predicted_change_pct) for change in (line.actual_change_pct, own))
    text = (
        f"{count(len(peers), 'other stock')} of its exchange went {typical:+z.2f} % (median); beside it this one went "
        f"{own:+z.2f} %"
    )
    return Cause("market", without <= missed / 2, text)


def _usual_pct(moves: Moves) -> float:
    closes = [bar[2] for bar in moves.before]
    return median(abs(now / then - 1) * 100 for then, now in pairwise(closes))


def _is_far(change: float, moves: Moves) -> bool:
    return abs(change) >= FAR * _usual_pct(moves) > 0


def _times_usual(change: float, moves: Moves) -> str:
    usual = _usual_pct(moves)
    return f"{abs(change) / usual:.1f} times a session's usual change" if usual else "after sessions without any change"


def _is_with_it(change: float, line: Prediction) -> bool:
    """True where a change goes the way in which the outcome missed the forecast."""
    return change * (line.actual_change_pct - line.predicted_change_pct) > 0
