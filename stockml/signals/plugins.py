"""Opinions of plug-ins: installed signals and forecasters, asked about one stock on one day.

A plug-in sees the newest bars up to that day and nothing else, in units that no later split or dividend changes, so a
replay hands it what a live run of the day does. docs/plugins.md describes both kinds and gives an example.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from numbers import Real
from typing import TYPE_CHECKING, Any, Protocol

from stockml.core.failures import OpinionError
from stockml.core.plugins import (
    FAILURES,
    FORECASTERS,
    SIGNALS,
    PluginError,
    apart,
    in_words,
    installed,
    refuse_namesake,
)

if TYPE_CHECKING:
    from stockml.data.price_table import PriceTable

PREFIX = "plugin_"  # of the names of their opinions; no signal of ours begins with it
NEWEST_CLOSE = 100.0
FARTHEST_PCT = 1000.0  # no forecast of a share's change is bolder
DECIMALS = 9  # of a price: what dividing leaves beyond them depends on its unit


class SignalPlugin(Protocol):
    """A signal: recent prices in, an opinion of the change to come out."""

    def opinion(self, prices: PriceTable, horizon: int) -> float | None:
        """The change of the close to be expected.

        Parameters
        ----------
        prices : PriceTable, shape (n_days, 6)
            As `as_seen` makes it: up to the day of the forecast.
        horizon : int
            Sessions from that day to the target.

        Returns
        -------
        float or None
            In % of the newest close, within FARTHEST_PCT; None for no opinion on this day.

        Raises
        ------
        Exception
            Any: the stock then has no forecast in this run, and the message names the plug-in.
        """


class FittedForecaster(Protocol):
    """The result of a fit."""

    def forecast(self, prices: PriceTable) -> float | None:
        """The change of the close to be expected at the horizon of the fit, in %, as `SignalPlugin.opinion` gives it.

        Parameters
        ----------
        prices : PriceTable, shape (n_days, 6)
            Those of the fit.
        """


class ForecasterPlugin(Protocol):
    """A forecaster: fitted to a stock's recent prices, then asked for the change to come.

    It is fitted anew for each forecast: nothing of it is kept in a home, so nothing can be stale, or be newer than the
    day that a replay has come to.
    """

    def fit(self, prices: PriceTable, horizon: int) -> FittedForecaster:
        """Fit to what has come of past days.

        Parameters
        ----------
        prices : PriceTable, shape (n_days, 6)
            As `as_seen` makes it: up to the day of the forecast.
        horizon : int
            Sessions from that day to the target.

        Raises
        ------
        Exception
            Any, as `SignalPlugin.opinion`.
        """


Ask = Callable[["PriceTable", int], Any]


class OpinionPlugins:
    """Signals and forecasters by the names of their opinions; none by default."""

    def __init__(
        self,
        signals: Mapping[str, SignalPlugin] | None = None,
        forecasters: Mapping[str, ForecasterPlugin] | None = None,
    ) -> None:
        asks: dict[str, Ask] = {name: signal.opinion for name, signal in (signals or {}).items()}
        asks |= {name: partial(_forecast, forecaster) for name, forecaster in (forecasters or {}).items()}
        self._asks = dict(sorted(asks.items()))

    def __reduce__(self) -> tuple[Callable[[tuple[str, ...]], OpinionPlugins], tuple[tuple[str, ...]]]:
        """In another process the same plug-ins, made anew as installed there: their own objects may not pickle."""
        return _of_this_process, (self.names,)

    @property
    def names(self) -> tuple[str, ...]:
        """The plug-ins' own names."""
        return tuple(self._asks)

    def only(self, names: Iterable[str]) -> OpinionPlugins:
        """Those of these names; PluginError where one of them is missing."""
        found = OpinionPlugins()
        try:
            found._asks = {name: self._asks[name] for name in names}
        except KeyError as error:
            raise PluginError(f"the plug-in {error.args[0]} is not installed where it is asked; install it") from None
        return found

    def opinions(self, prices: PriceTable, horizons: Sequence[int]) -> dict[int, dict[str, float]]:
        """The opinions at each horizon.

        Parameters
        ----------
        prices : PriceTable, shape (n_days, 6)
            Up to the day of the forecast.
        horizons : sequence of int
            Sessions ahead.

        Returns
        -------
        dict
            Horizon -> name of the opinion -> change in %, to 6 decimals; {} where no plug-in is installed.

        Raises
        ------
        OpinionError
            Where one of them fails.
        """
        if not self._asks:
            return {}
        seen = as_seen(prices)
        return {horizon: dict(self._heard(seen, horizon)) for horizon in horizons}

    def opinion(self, name: str, prices: PriceTable, horizon: int) -> float | None:
        """One plug-in's opinion; see `opinions`."""
        return dict(self._heard(as_seen(prices), horizon, [name])).get(f"{PREFIX}{name}")

    def _heard(self, seen: PriceTable, horizon: int, names: Iterable[str] | None = None) -> Iterable[tuple[str, float]]:
        for name in self._asks if names is None else names:
            own = replace(seen, frame=seen.frame.copy())  # one that writes into it changes no other's
            try:
                with apart():
                    value = self._asks[name](own, horizon)
            except FAILURES as error:
                raise OpinionError(
                    seen.symbol, f"the plug-in {name} failed ({in_words(error)}); repair or uninstall it"
                ) from None
            if value is not None:
                yield f"{PREFIX}{name}", _checked(seen.symbol, name, value)


NO_PLUGINS = OpinionPlugins()


def opinion_plugins() -> OpinionPlugins:
    """All that are installed; PluginError where one of them cannot be used."""
    signals, forecasters = installed(SIGNALS), installed(FORECASTERS)
    for plugin in forecasters.values():
        refuse_namesake(plugin, signals)  # their opinions would have one name
    return OpinionPlugins(
        {name: plugin.made(["opinion"]) for name, plugin in signals.items()},
        {name: plugin.made(["fit"]) for name, plugin in forecasters.items()},
    )


def opinion_packages() -> tuple[str, ...]:
    """The names of the packages that bring them, each once."""
    plugins = (*installed(SIGNALS).values(), *installed(FORECASTERS).values())
    return tuple(dict.fromkeys(plugin.distribution for plugin in plugins))


@cache
def _of_this_process(names: tuple[str, ...]) -> OpinionPlugins:
    return opinion_plugins().only(names) if names else NO_PLUGINS


def as_seen(prices: PriceTable) -> PriceTable:
    """A stock's prices as plug-ins see them.

    Parameters
    ----------
    prices : PriceTable, shape (n_days, 6)

    Returns
    -------
    PriceTable
        Of shape (n_seen, 6), the newest SESSIONS_NEEDED days at most. Prices are in % of the newest close (`adj_close`
        of the newest adjusted one), the volume in hundredths of what it was worth at that close.
    """
    from stockml.models.bundle import SESSIONS_NEEDED

    frame = prices.frame.iloc[-SESSIONS_NEEDED:].copy()
    close, adjusted = (float(frame[name].iloc[-1]) for name in ("close", "adj_close"))
    columns = ["open", "high", "low", "close"]
    frame[columns] = (frame[columns] * (NEWEST_CLOSE / close)).round(DECIMALS)
    frame["adj_close"] = (frame["adj_close"] * (NEWEST_CLOSE / adjusted)).round(DECIMALS)
    frame["volume"] = (frame["volume"] * (close / NEWEST_CLOSE)).round(DECIMALS)
    first = frame.index[0].date()
    breaks = tuple(day for day in prices.breaks if day > first)
    return replace(prices, frame=frame, findings=(), breaks=breaks, history=None)


def plugin_names(opinions: Iterable[str]) -> list[str]:
    """The plug-ins that opinions of these names come from, each once, sorted."""
    return sorted({name.removeprefix(PREFIX) for name in opinions if name.startswith(PREFIX)})


def _forecast(forecaster: ForecasterPlugin, prices: PriceTable, horizon: int) -> float | None:
    return forecaster.fit(prices, horizon).forecast(prices)


def _checked(symbol: str, name: str, value: object) -> float:
    """The opinion as a plain number."""
    try:
        number = float(value) if isinstance(value, Real) and not isinstance(value, bool) else None
    except FAILURES:  # a whole number of hundreds of digits
        number = math.inf
    if number is None:
        why = f"a {type(value).__name__[:40]} for an opinion, not a number of % or None"
    elif not math.isfinite(number):
        why = f"{number} for an opinion, not a finite number of %"
    elif abs(number) > FARTHEST_PCT:
        why = f"a change of {number:,.0f} % for an opinion, which is beyond {FARTHEST_PCT:,.0f} %"
    else:
        return round(number, 6)
    raise OpinionError(symbol, f"the plug-in {name} gave {why}; repair or uninstall it")
