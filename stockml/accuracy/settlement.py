"""Pending predictions and today's prices -> outcomes. It decides; writing them down is the log's business."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from stockml.core.clock import Clock
from stockml.core.records import ACCURATE_BELOW_PCT, EXPIRED, VERIFIED, Outcome, Prediction, round_price

if TYPE_CHECKING:
    from stockml.data.price_table import PriceTable

PATIENCE_SESSIONS = 5  # how long a missing target bar may still be filled in by the source
EXPIRES_AFTER_DAYS = 30
SAME_UNITS_WITHIN = 0.005  # closes further apart than this were rescaled, by a split


@dataclass(frozen=True, slots=True)
class Waiting:
    """A due prediction that has to stay pending, and why, in plain words."""

    prediction: Prediction
    reason: str


def is_due(prediction: Prediction, clock: Clock) -> bool:
    """True once the target session is complete; the exchange's calendar is asked only where the date leaves it open."""
    target = date.fromisoformat(prediction.target_date)
    return not clock.is_surely_ahead(prediction.symbol, target) and target <= clock.limit(prediction.symbol)


def settle(
    due: Iterable[Prediction], tables: Mapping[str, PriceTable], clock: Clock, gone: Collection[str] = ()
) -> tuple[dict[str, Outcome], list[Waiting]]:
    """The outcome of each due prediction by id, and those that must wait.

    Parameters
    ----------
    due : predictions whose target session is complete
    tables : price tables by symbol, from the kind of source that made the predictions
    clock : the moment it is done
    gone : symbols of which the source says that it has no prices (any more)
    """
    outcomes: dict[str, Outcome] = {}
    waiting: list[Waiting] = []
    for prediction in due:
        table = tables.get(prediction.symbol)
        if table is None:
            found = _without_prices(prediction, clock, is_gone=prediction.symbol in gone)
        else:
            found = _settle_one(prediction, table, tables, clock)
        if isinstance(found, Outcome):
            outcomes[prediction.id] = found
        else:
            waiting.append(Waiting(prediction, found))
    return outcomes, waiting


def _without_prices(prediction: Prediction, clock: Clock, *, is_gone: bool) -> Outcome | str:
    if is_gone and _is_old(prediction, clock):
        settled_at = clock.written_time(prediction.symbol)
        return Outcome(EXPIRED, settled_at, reason=f"the source has no prices of {prediction.symbol} any more")
    return "its prices could not be had"


def _is_old(prediction: Prediction, clock: Clock) -> bool:
    target = date.fromisoformat(prediction.target_date)
    return clock.limit(prediction.symbol) - target >= timedelta(days=EXPIRES_AFTER_DAYS)


def _settle_one(
    prediction: Prediction, table: PriceTable, tables: Mapping[str, PriceTable], clock: Clock
) -> Outcome | str:
    import pandas as pd

    close = table.frame["close"]
    settled_at = clock.written_time(prediction.symbol, table.data_through)
    target, made_on = pd.Timestamp(prediction.target_date), pd.Timestamp(prediction.data_through)
    later = close.loc[target:]
    is_old = _is_old(prediction, clock)
    if later.empty:
        if is_old:
            return Outcome(
                EXPIRED,
                settled_at,
                reason=f"no price from {prediction.target_date} on, {EXPIRES_AFTER_DAYS} days later",
            )
        return f"there is no bar of {prediction.target_date} yet"
    if later.index[0] != target and not _next_bar_serves(prediction, tables, clock):
        return f"the bar of {prediction.target_date} is missing and may still be filled in"
    if made_on not in close.index:
        if is_old:
            return Outcome(
                EXPIRED,
                settled_at,
                reason=f"the prices no longer hold {prediction.data_through}, the day it was made from",
            )
        return f"the prices do not hold {prediction.data_through}, the day it was made from"
    return _verified(prediction, float(later.iloc[0]), float(close.loc[made_on]), settled_at)


def _next_bar_serves(prediction: Prediction, tables: Mapping[str, PriceTable], clock: Clock) -> bool:
    """True where the session after a missing target may stand in: no stock traded that day, or it was waited for."""
    import pandas as pd

    target = date.fromisoformat(prediction.target_date)
    calendar = clock.calendar(prediction.symbol)
    limit = clock.limit(prediction.symbol)
    if len(calendar.sessions_between(target + timedelta(days=1), limit)) >= PATIENCE_SESSIONS:
        return True
    peers = [
        table.frame.index
        for symbol, table in tables.items()
        if symbol != prediction.symbol
        and clock.calendar(symbol).name == calendar.name
        and table.data_through > target
        and table.frame.index[0].date() < target
    ]
    return bool(peers) and all(pd.Timestamp(target) not in index for index in peers)


def _verified(prediction: Prediction, close_at_target: float, close_at_start: float, settled_at: str) -> Outcome:
    factor = prediction.current_price / close_at_start
    rescaled = abs(factor - 1) > SAME_UNITS_WITHIN
    actual = round_price(close_at_target * factor if rescaled else close_at_target)
    error_pct = _error_pct(actual, prediction.predicted_price)
    return Outcome(
        status=VERIFIED,
        settled_at=settled_at,
        actual_price=actual,
        error_pct=error_pct,
        was_accurate=error_pct < ACCURATE_BELOW_PCT,
        naive_error_pct=_error_pct(actual, prediction.current_price),
        units_factor=round(factor, 6) if rescaled else None,
    )


def _error_pct(actual: float, predicted: float) -> float:
    return round(abs(actual - predicted) / actual * 100, 4)
