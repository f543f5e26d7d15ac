"""Pending predictions and the source's bars -> outcomes. It decides; writing them down is the log's business.

A line's outcome depends on the source's bars alone, never on the day on which one looks: it waits until what settles
it is beyond doubt, then takes the first bar that counts, by the same rule whenever it is asked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING

from stockml.accuracy.units import Units, units_since
from stockml.core.clock import Clock
from stockml.core.line_arithmetic import ACCURATE_BELOW_PCT
from stockml.core.outcomes import EXPIRED, VERIFIED, Outcome
from stockml.core.records import Prediction, round_price

if TYPE_CHECKING:
    from stockml.data.source_bars import SourceBars

PATIENCE_SESSIONS = 5  # of the stock's own bars: so long a missing target bar may still be filled in by the source
EXPIRES_AFTER_DAYS = 30
NO_PRICE = f"the source has no price within {EXPIRES_AFTER_DAYS} days of the target"
GONE = "the source has no prices of it any more"
NO_START = "the prices no longer hold the day it was made from"
UNADJUSTED = "the prices changed units before the target, and the source did not adjust them"
UNKNOWN_UNITS = "the close it was made from is another one today, by no ratio that a split has"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A due prediction that has to stay pending, and why, in plain words."""

    prediction: Prediction
    reason: str
    is_fault: bool = False  # something is wrong with the prices; else time alone will tell


def is_due(prediction: Prediction, clock: Clock) -> bool:
    """True once the target session is complete; the exchange's calendar is asked only where the date leaves it open."""
    target = date.fromisoformat(prediction.target_date)
    return not clock.is_surely_ahead(prediction.symbol, target) and target <= clock.limit(prediction.symbol)


def settle(
    due: Iterable[Prediction], bars: Mapping[str, SourceBars], clock: Clock, gone: Collection[str] = ()
) -> tuple[dict[str, Outcome], list[Waiting]]:
    """The outcome of each due prediction by id, and those that must wait.

    Parameters
    ----------
    due : predictions whose target session is complete
    bars : the source's bars by symbol, from the kind of source that made the predictions
    clock : the moment it is done
    gone : symbols of which the source says that it has no prices (any more)
    """
    outcomes: dict[str, Outcome] = {}
    waiting: list[Waiting] = []
    markets = _markets(bars, clock)
    for prediction in due:
        found = bars.get(prediction.symbol)
        if found is None:
            decided = _without_prices(prediction, clock, is_gone=prediction.symbol in gone)
        else:
            decided = _Case(prediction, found, markets[clock.exchanges.market(prediction.symbol)], clock).decide()
        if isinstance(decided, Outcome):
            outcomes[prediction.id] = decided
        else:
            waiting.append(decided)
    return outcomes, waiting


@dataclass(slots=True)
class _Market:
    """The bars of one market's stocks: together they tell how far the source reaches, and which sessions came."""

    stocks: list[SourceBars] = field(default_factory=list)
    _sessions: frozenset[date] | None = None

    @property
    def reach(self) -> date:
        """The last day that the source speaks of: that a stock stopped is seen by its neighbours."""
        return max((stock.reach for stock in self.stocks if stock.reach is not None), default=date.min)

    def came(self, day: date) -> bool:
        """True where a stock of the market has a bar of that day."""
        if self._sessions is None:
            self._sessions = frozenset(day for stock in self.stocks for day in stock.days[stock.counts].tolist())
        return day in self._sessions


def _markets(bars: Mapping[str, SourceBars], clock: Clock) -> dict[str, _Market]:
    found: dict[str, _Market] = {}
    for symbol, own in bars.items():
        found.setdefault(clock.exchanges.market(symbol), _Market()).stocks.append(own)
    return found


def _without_prices(prediction: Prediction, clock: Clock, *, is_gone: bool) -> Outcome | Waiting:
    target = date.fromisoformat(prediction.target_date)
    is_old = clock.limit(prediction.symbol) - target >= timedelta(days=EXPIRES_AFTER_DAYS)
    if is_gone and is_old:
        return Outcome(EXPIRED, clock.written_time(prediction.symbol), reason=GONE)
    return Waiting(prediction, "its prices could not be had")  # the run has failed for that already


@dataclass(frozen=True, slots=True)
class _Case:
    """One due prediction beside the bars of its stock and of its market."""

    prediction: Prediction
    bars: SourceBars
    market: _Market
    clock: Clock

    @property
    def planned(self) -> date:
        """The target by the calendar as it was known."""
        return date.fromisoformat(self.prediction.target_date)

    @property
    def is_over(self) -> bool:
        """True once the source speaks of days so late that it has nothing more to add."""
        return self.market.reach >= self.planned + timedelta(days=EXPIRES_AFTER_DAYS)

    def decide(self) -> Outcome | Waiting:
        """The outcome, or what has to be waited for."""
        row = self._settling_row()
        if isinstance(row, str):
            return Waiting(self.prediction, row)
        if isinstance(row, Outcome):
            return row
        made_from = date.fromisoformat(self.prediction.data_through)
        start = self.bars.close_of(made_from)
        if start is None:
            return self._wait(NO_START, f"the prices do not hold {made_from}, the day it was made from")
        changed = self.bars.rescaled_between(self.bars.row(made_from), row)
        if changed is not None:
            return self._wait(
                UNADJUSTED, f"on {changed} the prices change units, as by a split, and are not adjusted for it yet"
            )
        units = units_since(self.prediction, start, self.bars)
        if units is None:
            logged = self.prediction.current_price
            return self._wait(
                UNKNOWN_UNITS, f"the close of {made_from} was {logged:g} when it was made and is {start:g} now"
            )
        return self._verified(row, units)

    def _target(self) -> date | None:
        """The session whose close is predicted; None where it has not come yet.

        It is the planned one; where the calendar's holidays were not known, the one that is `horizon` sessions after
        the first by the market's own bars.
        """
        line, calendar = self.prediction, self.clock.calendar(self.prediction.symbol)
        after = date.fromisoformat(line.data_through) + timedelta(days=1)
        if not any(map(calendar.is_provisional, calendar.sessions_between(after, self.planned))):
            return self.planned
        last = min(self.market.reach, self.planned + timedelta(days=EXPIRES_AFTER_DAYS))
        came = [day for day in calendar.sessions_between(after, last) if self.market.came(day)]
        return came[line.prediction_horizon_days - 1] if len(came) >= line.prediction_horizon_days else None

    def _settling_row(self) -> int | Outcome | str:
        """The row of the bar that settles it, once no other can."""
        bars, target = self.bars, self._target()
        if target is None and not self.is_over:
            return f"not all {self.prediction.prediction_horizon_days} sessions up to {self.planned} have bars yet"
        target = target or self.planned
        last = self.planned + timedelta(days=EXPIRES_AFTER_DAYS)
        row = bars.first_counting(target, last)
        if row is not None and bars.days[row].item() == target == self.planned:
            return row
        if row is not None and (self.is_over or bars.counting_after(target) >= PATIENCE_SESSIONS):
            return row
        if leap := bars.undecided_leap(last):
            return f"the price leapt on {leap}, and five later sessions tell whether it stays"
        if row is None and self.is_over:
            return self._expired(NO_PRICE)
        if bars.row(target) == len(bars.days):
            return f"there is no bar of {target} yet"
        if target != self.planned:
            return f"{self.planned} seems to have been a holiday; five bars after {target} tell whether it was"
        fault = "is missing" if bars.close_of(target) is None else "cannot be used"
        return f"the bar of {target} {fault} and may still be filled in"

    def _wait(self, reason: str, text: str) -> Outcome | Waiting:
        """Wait for the source to put its prices right, `text` saying what is wrong; in the end the line expires."""
        return self._expired(reason) if self.is_over else Waiting(self.prediction, text, is_fault=True)

    def _ended_at(self) -> str:
        newest = self.bars.days[-1].item() if len(self.bars.days) else None
        return self.clock.written_time(self.prediction.symbol, newest)

    def _fetched_at(self) -> str:
        """The time the bars were fetched, in exchange time; where it is now or not known, the time of writing."""
        if self.clock.as_of is not None or self.bars.fetched_at is None:
            return self._ended_at()
        zone = self.clock.calendar(self.prediction.symbol).timezone
        return self.bars.fetched_at.astimezone(zone).strftime("%Y-%m-%dT%H:%M:%S")

    def _expired(self, reason: str) -> Outcome:
        return Outcome(EXPIRED, self._ended_at(), reason=reason)

    def _verified(self, row: int, units: Units) -> Outcome:
        line = self.prediction
        actual = round_price(float(self.bars.close[row]) * (units.factor or 1.0))
        error_pct = _error_pct(actual, line.predicted_price)
        return Outcome(
            status=VERIFIED,
            ended_at=self._ended_at(),
            actual_price=actual,
            error_pct=error_pct,
            was_accurate=bool(error_pct < ACCURATE_BELOW_PCT),
            naive_error_pct=_error_pct(actual, line.current_price),
            units_factor=None if units.factor is None else round(units.factor, 6),
            current_price_corrected=units.corrected,
            settled_from=str(self.bars.days[row]),
            settled_at=self._fetched_at(),
        )


def _error_pct(actual: float, predicted: float) -> float:
    return round(abs(actual - predicted) / actual * 100, 4)
