"""The forecasts that a run can make: at which horizons, of which stocks, and what is to be told of their models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from stockml.commands.run import Run
from stockml.core.failures import Failure
from stockml.core.wording import named

if TYPE_CHECKING:
    from stockml.commands.stock_analysis import StockResult
    from stockml.signals.engine import Analysis


def horizons_asked(run: Run) -> tuple[int, ...]:
    """The horizons of this run: --explain tells of the first alone, unless it is told which."""
    return run.horizons[:1] if run.args.explain and not run.args.horizons else run.horizons


def horizons_ahead(run: Run, stocks: Iterable[StockResult]) -> dict[str, list[int]]:
    """By symbol the horizons whose close is still to come; a failure for each of the others."""
    from stockml.signals import engine

    ahead: dict[str, list[int]] = {}
    for stock in stocks:
        for horizon in horizons_asked(run):
            if late := engine.past_target(stock.symbol, stock.data_through, horizon, run.clock):
                run.fail(late)
            else:
                ahead.setdefault(stock.symbol, []).append(horizon)
    return ahead


def analyses_of(run: Run, stocks: Mapping[str, StockResult], horizons: Mapping[str, Sequence[int]]) -> list[Analysis]:
    """The analysis of each stock that has a horizon ahead; tells of its models, and of each that a plug-in failed."""
    found = []
    for symbol, ahead in horizons.items():
        stock = stocks[symbol]
        assert stock.analysis is not None and stock.opinions is not None  # it was asked for
        heard = {horizon: stock.opinions[horizon] for horizon in ahead}
        if failed := [opinion for opinion in heard.values() if isinstance(opinion, Failure)]:
            run.fail(failed[0])
            continue
        for message in stock.told:
            if isinstance(message, Failure):
                run.fail(message)
            else:
                run.notice(message.text, message.symbol)
        opinions = {horizon: opinion for horizon, opinion in heard.items() if not isinstance(opinion, Failure)}
        found.append(replace(stock.analysis, plugin_opinions=opinions))
    return found


def tell_beyond(run: Run, analyses: Sequence[Analysis]) -> None:
    """One notice where stocks are to be predicted farther ahead than their models look."""
    asked = horizons_asked(run)
    told = [one for one in analyses if run.args.explain in (None, one.symbol)]
    short = {
        one.symbol: one.model.forecast.horizon for one in told if one.model and one.model.forecast.horizon < max(asked)
    }
    if not short:
        return
    reach, beyond = sorted(set(short.values())), sorted(horizon for horizon in asked if horizon > min(short.values()))
    run.notice(
        f"{named(list(short))}: {'its models look' if len(short) == 1 else 'their models look'} "
        f"{' to '.join(str(n) for n in dict.fromkeys((reach[0], reach[-1])))} sessions ahead, so no model serves "
        f"{', '.join(map(str, beyond))}; train with --horizons {' '.join(map(str, run.horizons))}."
    )
