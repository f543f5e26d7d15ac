"""The state of the system in a few plain lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from stockml.accuracy.conditions import ConditionScore, coverage_text
from stockml.accuracy.scores import Score
from stockml.core.wording import count
from stockml.reporting.last_run import LastRun

if TYPE_CHECKING:
    from stockml.reporting.status import Status


def status_text(state: Status, *, all_stocks: bool = False) -> str:
    """A line for each part of the state, notes and alarms last; of the stocks those that lack something, or all."""
    pending = f"{state.pending:,} pending, {state.due} of them due, {len(state.overdue)} overdue"
    lines = [
        f"Predictions   {pending}; {state.verified:,} verified",
        *_accuracy_lines(state),
        f"Prices        {_prices_text(state)}",
        f"Models        {_models_text(state)}",
        *_plugin_lines(state),
        *_stock_lines(state, all_stocks=all_stocks),
        *_seal_lines(state),
        f"Last run      {_run_text(state.last_run)}",
    ]
    told = [*(f"NOTE          {note}" for note in state.notes), *(f"ALARM         {alarm}" for alarm in state.alarms)]
    return "\n".join([*lines, *told])


def _record_text(record: Score) -> str:
    told = "nothing verified yet"
    if record.total:
        told = (
            f"{record.accuracy * 100:.1f} % within 5 %; mean error {record.mean_error_pct:.2f} % "
            f"(naive: {record.mean_naive_error_pct:.2f} %)"
        )
    return f"{told}; {record.expired_text().rstrip('.')}" if record.expired else told


def _accuracy_lines(state: Status) -> list[str]:
    """The record of the main horizon, with its intervals; below it the accuracy of each of the others."""
    several = set(state.by_horizon) - {state.horizon}
    main = f"{_ahead(state.horizon)}: " if several else ""
    lines = [
        f"Accuracy      {main}{_record_text(state.record)}",
        *_distribution_lines(state.record, state.by_condition, main),
    ]
    others = ((horizon, score) for horizon, score in state.by_horizon.items() if horizon != state.horizon)
    return [*lines, *(f"Accuracy      {_ahead(horizon)}: {_record_text(score)}" for horizon, score in others)]


def _ahead(horizon: int) -> str:
    return f"{count(horizon, 'session')} ahead"


def _distribution_lines(record: Score, rows: Sequence[ConditionScore], ahead: str) -> list[str]:
    """Lines on the intervals and on the whole distribution, where there is any outcome."""
    if not record.total:
        return []
    told = record.distribution_text()
    return [f"Intervals     {ahead}{coverage_text(record, rows)}", *([f"Distribution  {ahead}{told}"] if told else [])]


def _stock_lines(state: Status, *, all_stocks: bool) -> list[str]:
    """The line on the watchlist, and below it one for each stock that lacks something, or for each."""
    if not state.stocks:
        return []
    states = list(state.stocks.values())
    new = sum(stock.last_forecast is None and not stock.is_missing for stock in states)
    parts = (
        (sum(stock.is_missing for stock in states), "without a forecast for two sessions"),
        (new, "not predicted yet"),
        (sum(stock.failing_since is not None for stock in states), "failing"),
    )
    told = ", ".join(f"{number} {words}" for number, words in parts if number) or "each with a forecast"
    shown = [stock for stock in states if all_stocks or stock.is_missing or stock.failing_since]
    return [
        f"Stocks        {len(states)} in the watchlist, {told}",
        *(f"              {stock.symbol}: {stock.to_text()}" for stock in shown),
    ]


def _seal_lines(state: Status) -> list[str]:
    """The line on the chain of seals, where there is any."""
    told = [str(state.head)] if state.head else []
    told += [f"written down {state.witnessed_at}"] if state.witnessed_at else []
    told += [f"broken: {state.broken_seals}; run --audit"] if state.broken_seals else []
    return [f"Seals         {'; '.join(told)}"] if told else []


def _prices_text(state: Status) -> str:
    if state.prices_through is None:
        return "no prediction yet"
    stale = count(len(state.stale_prices), "stock")
    return f"predictions made from prices through {state.prices_through}; {stale} stale"


def _models_text(state: Status) -> str:
    ages = state.model_ages.values()
    without = len(state.without_model)
    alone = f"; {count(without, 'stock')} predicted from signals alone" if without else ""
    if not ages:
        return f"none{alone}"
    days = f"{min(ages)} to {max(ages)} days" if min(ages) < max(ages) else count(max(ages), "day")
    return f"{len(ages)}, {days} old, {len(state.stale_models)} stale{alone}"


def _plugin_lines(state: Status) -> list[str]:
    """The line on the plug-ins that have an opinion in what is pending, where there are any."""
    told = (f"{name} ({count(stocks, 'stock')})" for name, stocks in state.plugins.items())
    return [f"Plug-ins      {', '.join(told)}"] if state.plugins else []


def _run_text(run: LastRun | None) -> str:
    if run is None:
        return "none known"
    done = f": {run.logged} logged, {run.settled} settled" if run.ended_at else ""
    return f"{run.ended_at or run.began_at}, {run.ending()}{done}"
