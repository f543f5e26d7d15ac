"""The first box of the HTML report: what changed since the session before, what came true, and what is missing.

Told from the log; causes also from the prices at hand, where there are some. See `outcome_causes`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from stockml.accuracy.scores import EIGHTY, Score, by
from stockml.core.clock import Clock
from stockml.core.outcomes import VERIFIED
from stockml.core.records import Prediction
from stockml.core.wording import alternatives, count
from stockml.reporting.formatting import percent, share, signed
from stockml.reporting.outcome_causes import Cause, causes, last_day
from stockml.reporting.outcome_story import Aftermath
from stockml.reporting.prices_at_hand import peers_of
from stockml.reporting.stock_states import StockState

if TYPE_CHECKING:
    from stockml.reporting.outcome_causes import Moves

Key = tuple[str, int]

MOST_CHANGES, MOST_MISSES, MOST_OUTSIDE, MOST_WITHOUT = 5, 3, 8, 8  # told; the rest is counted
LEAST_CHANGE = 0.005  # points of %; a smaller one is not seen in a figure of two decimals
NINETY_FIVE = 0.95
_MINUS = re.compile(r"(?<!\S)-(?=\d+\.\d)")  # before a figure, as all others of the page have it


class Sessions:
    """The sessions of the exchanges up to the newest day that any forecast was made from."""

    def __init__(self, newest: str, clock: Clock) -> None:
        self.newest = newest
        self._clock = clock
        self._last: dict[str, str] = {}

    def is_newest(self, symbol: str, day: str) -> bool:
        """True where no complete session of the symbol's exchange follows the day."""
        last = self._last.get(symbol)
        if last is None:
            limit = min(date.fromisoformat(self.newest), self._clock.limit(symbol))
            last = self._clock.calendar(symbol).session_on_or_before(limit).isoformat()
            self._last[symbol] = last
        return day >= last

    def are_neighbours(self, symbol: str, first: str, last: str) -> bool:
        """True where the symbol's exchange has no session between two days."""
        begin, end = date.fromisoformat(first) + timedelta(days=1), date.fromisoformat(last) - timedelta(days=1)
        return not self._clock.calendar(symbol).sessions_between(begin, end)


@dataclass(frozen=True, slots=True)
class Yesterday:
    """Sources of the box.

    Attributes
    ----------
    series : mapping of (symbol, horizon) to sequence of Prediction
        The newest lines of each, oldest first.
    names : mapping of (symbol, horizon) to str
        Each series' name on the page.
    sessions : Sessions
    clock : Clock
    stocks : mapping of str to StockState
        Of the watchlist.
    moves : callable
        A verified line's prices, or why there are none.
    outcomes : list of Prediction
        Those known since the session before.
    """

    series: Mapping[Key, Sequence[Prediction]]
    names: Mapping[Key, str]
    sessions: Sessions
    clock: Clock
    stocks: Mapping[str, StockState]
    moves: Callable[[Prediction], Moves | str]
    outcomes: list[Prediction] = field(init=False)

    def __post_init__(self) -> None:
        settled = (line for lines in self.series.values() for line in lines if line.status == VERIFIED)
        found = [line for line in settled if self.sessions.is_newest(line.symbol, last_day(line))]
        object.__setattr__(self, "outcomes", found)

    def to_page(self) -> dict[str, Any]:
        """The values that the template shows."""
        changes, misses, outside = self._changes(), self._misses(), self._outside()
        return {
            "day": self.sessions.newest,
            "several": len({horizon for _, horizon in self.series}) > 1,
            "compared": len(changes),
            "changes": [change for change in changes if abs(change["by"]) >= LEAST_CHANGE][:MOST_CHANGES],
            "outcomes": self._outcome_texts(),
            "n_misses": len(misses),
            "misses": [self._miss(line) for line in misses[:MOST_MISSES]],
            "farthest": self._farthest(),
            "outside": outside[:MOST_OUTSIDE],
            "outside_text": self._outside_text(len(outside)),
            **without_forecast(self.stocks),
        }

    # ---- forecasts ----

    def _changes(self) -> list[dict[str, Any]]:
        """The newest forecasts beside those of the session before, the largest change first."""
        found = []
        for lines in self.series.values():
            if len(lines) < 2:
                continue
            before, now = lines[-2:]
            is_new = self.sessions.is_newest(now.symbol, now.data_through)
            if is_new and self.sessions.are_neighbours(now.symbol, before.data_through, now.data_through):
                change = now.predicted_change_pct - before.predicted_change_pct
                figures = {"before": before.predicted_change_pct, "now": now.predicted_change_pct, "by": change}
                found.append({**self._named(now), **figures})
        return sorted(found, key=lambda change: (-abs(change["by"]), change["key"]))

    # ---- outcomes ----

    def _outcome_texts(self) -> list[str]:
        """A sentence for each horizon with an outcome."""
        scores = by(lambda line: line.prediction_horizon_days, self.outcomes)
        return [_outcome_text(horizon, score) for horizon, score in sorted(scores.items())]

    def _misses(self) -> list[Prediction]:
        missed = [line for line in self.outcomes if line.outcome and not line.outcome.was_accurate]
        return sorted(missed, key=lambda line: (-_error(line), line.id))

    def _miss(self, line: Prediction) -> dict[str, Any]:
        others = (other for lines in self.series.values() for other in lines)
        found = causes(line, peers_of(line, others, self.clock), self.moves(line))
        widths = Aftermath(line, (), ()).widths_away
        side = "above" if widths > 0 else "below"
        text = (
            f"{signed(line.actual_change_pct)} where {signed(line.predicted_change_pct)} was forecast, an error of "
            f"{percent(_error(line))}: {abs(widths):.2f} widths of the 80 % interval {side} the forecast."
        )
        return {**self._named(line), "id": line.id, "text": text, "why": _MINUS.sub("−", why_text(found))}

    def _farthest(self) -> str:
        if not self.outcomes:
            return ""
        line = max(self.outcomes, key=_error)
        return f"the largest error was {percent(_error(line))}, of {line.symbol}"

    def _outside(self) -> list[dict[str, Any]]:
        """The outcomes outside their 80 % interval, the farthest first."""
        away = {line.id: Aftermath(line, (), ()) for line in self.outcomes}
        left = [line for line in self.outcomes if not away[line.id].is_inside]
        left.sort(key=lambda line: (-abs(away[line.id].widths_away), line.id))
        return [
            {
                **self._named(line),
                "change": line.actual_change_pct,
                "side": "above" if away[line.id].widths_away > 0 else "below",
                "is_far": _is_beyond(line, NINETY_FIVE),
            }
            for line in left
        ]

    def _outside_text(self, number: int) -> str:
        total = len(self.outcomes)
        if not total:
            return ""
        expected = round((1 - EIGHTY) * total)
        verb = "lies" if number == 1 else "lie"
        return (
            f"{number} of {count(total, 'outcome')} {verb} outside the 80 % interval; about {expected} would by chance."
        )

    def _named(self, line: Prediction) -> dict[str, Any]:
        key = (line.symbol, line.prediction_horizon_days)
        return {"key": self.names[key], "symbol": line.symbol, "horizon": line.prediction_horizon_days}


def _outcome_text(horizon: int, score: Score) -> str:
    return (
        f"{count(horizon, 'session')} ahead: {score.accurate} of {count(score.total, 'forecast')} accurate (naive: "
        f"{score.naive_accurate}), mean error {percent(score.mean_error_pct)} (naive: "
        f"{percent(score.mean_naive_error_pct)}); {share(score.direction)} had the direction right, "
        f"{share(score.rose)} rose."
    )


def _error(line: Prediction) -> float:
    return (line.outcome and line.outcome.error_pct) or 0.0


def _is_beyond(line: Prediction, part: float) -> bool:
    if line.distribution is None:
        return False
    low, high = line.distribution.interval_pct(part)
    return not low <= line.actual_change_pct <= high


def why_text(found: Iterable[Cause]) -> str:
    """The causes that did it; or which did not, and of which it is not known."""
    told = list(found)
    did_it = [f"{cause.name[0].upper()}{cause.name[1:]}: {cause.text}." for cause in told if cause.did_it]
    if did_it:
        return " ".join(did_it)
    ruled_out = [cause.name for cause in told if cause.did_it is False]
    unknown: dict[str, list[str]] = {}
    for cause in told:
        if cause.did_it is None:
            unknown.setdefault(cause.text, []).append(cause.name)
    sentences = [f"No {alternatives(ruled_out)} did it."] if ruled_out else []
    sentences += [f"Not known of {' and '.join(names)}: {text}." for text, names in unknown.items()]
    return " ".join(sentences)


def without_forecast(stocks: Mapping[str, StockState]) -> dict[str, Any]:
    """The stocks of the watchlist that lack a forecast, the longest first, and their number."""
    lacking = [stock for stock in stocks.values() if is_lacking(stock)]
    lacking.sort(key=lambda stock: (-stock.missing_sessions, stock.symbol))
    told = [(stock.symbol, stock.to_text()) for stock in lacking[:MOST_WITHOUT]]
    return {"without": told, "n_without": len(lacking), "n_watched": len(stocks)}


def is_lacking(stock: StockState) -> bool:
    """True without a forecast for two sessions, without any at all, or where the last run made none."""
    return stock.is_missing or stock.failing_since is not None or stock.last_forecast is None
