"""The forecasts that a run can make: at which horizons, with which of the stocks' models and which plug-ins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from stockml.commands.run import Run
from stockml.core.failures import Failure, OpinionError
from stockml.core.installation import TRAIN
from stockml.core.wording import named

if TYPE_CHECKING:
    from stockml.data.price_table import PriceTable
    from stockml.signals.engine import Analysis, ModelView
    from stockml.signals.plugins import OpinionPlugins


def horizons_asked(run: Run) -> tuple[int, ...]:
    """The horizons of this run: --explain tells of the first alone, unless it is told which."""
    return run.horizons[:1] if run.args.explain and not run.args.horizons else run.horizons


def horizons_ahead(run: Run, tables: Iterable[PriceTable]) -> dict[str, list[int]]:
    """By symbol the horizons whose close is still to come; a failure for each of the others."""
    from stockml.signals import engine

    ahead: dict[str, list[int]] = {}
    for table in tables:
        for horizon in horizons_asked(run):
            if late := engine.past_target(table.symbol, table.data_through, horizon, run.clock):
                run.fail(late)
            else:
                ahead.setdefault(table.symbol, []).append(horizon)
    return ahead


def analyses_of(
    run: Run, tables: Mapping[str, PriceTable], horizons: Mapping[str, Sequence[int]], plugins: OpinionPlugins
) -> list[Analysis]:
    """ANALYZE each stock that has a horizon ahead, with its models and the plug-ins; a failure for each that fails."""
    from stockml.signals import engine

    found = []
    for symbol, ahead in horizons.items():
        prices = tables[symbol]
        try:
            heard = plugins.opinions(prices, ahead)
        except OpinionError as error:
            run.fail(Failure(symbol, error.kind, str(error)))
            continue
        found.append(replace(engine.analyze(prices, models_forecast(run, prices)), plugin_opinions=heard))
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


def models_forecast(run: Run, prices: PriceTable) -> ModelView | None:
    """The models' forecast of a stock's newest session; None, with a notice or failure, where they cannot be asked."""
    from stockml.models.bundle import MISSING, ModelError

    try:
        return _ask_models(run, prices)
    except ModelError as error:
        if error.kind == MISSING and (run.symbols or any(run.home.models.glob("[!.]*"))):
            text = f"{prices.symbol}: no trained model, so signals alone serve; run {TRAIN} to add it."
            run.notice(text, prices.symbol)
        elif error.kind != MISSING:
            run.fail(Failure(prices.symbol, f"model_{error.kind}", f"{error}; until then signals alone serve."))
        return None


def _ask_models(run: Run, prices: PriceTable) -> ModelView | None:
    """The models' forecast, or None where they have seen a later day; ModelError where they cannot be used."""
    from stockml.models.bundle_store import load_bundle
    from stockml.reporting.status import MODEL_STALE_AFTER_DAYS
    from stockml.signals import engine

    bundle = load_bundle(run.home, prices.symbol)
    symbol, through = prices.symbol, prices.data_through
    age_days = (through - bundle.data_through).days
    if age_days < 0:
        run.notice(f"{symbol}: its model has seen {bundle.data_through}, after {through}, and is not used.", symbol)
        return None
    if age_days > MODEL_STALE_AFTER_DAYS:
        run.notice(f"{symbol}: its model is stale, {age_days} days old; run {TRAIN} to renew it.", symbol)
    return engine.view_of(bundle, bundle.forecast(prices))
