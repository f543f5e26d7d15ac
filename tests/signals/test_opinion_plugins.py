"""Signals and forecasters of others: asked about recent prices alone, in fixed units, and checked in what they say."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from planted_plugins import forecaster, plant, signal

from stockml.core.failures import OpinionError
from stockml.core.plugins import PluginError
from stockml.data.price_table import PriceTable
from stockml.models.bundle import SESSIONS_NEEDED
from stockml.signals.plugins import NO_PLUGINS, OpinionPlugins, as_seen, opinion_plugins, plugin_names


class Says:
    """A signal and a forecaster whose opinion is a function of what it sees."""

    def __init__(self, of) -> None:
        self.of = of

    def opinion(self, prices: PriceTable, horizon: int) -> object:
        return self.of(prices, horizon)

    def fit(self, prices: PriceTable, horizon: int) -> Says:
        return Says(lambda later, _: self.of(later, horizon))

    def forecast(self, prices: PriceTable) -> object:
        return self.of(prices, None)


def gone_up(prices: PriceTable, horizon: int) -> float:
    close = prices.frame["adj_close"]
    return float((close.iloc[-1] / close.iloc[-21] - 1) * horizon)


def test_opinions_have_names_of_their_own_and_six_decimals(prices: PriceTable) -> None:
    plugins = OpinionPlugins({"zeta": Says(gone_up), "quiet": Says(lambda *_: None)}, {"alpha": Says(gone_up)})
    close = prices.frame["adj_close"]
    change = close.iloc[-1] / close.iloc[-21] - 1
    found = plugins.opinions(prices, (5, 20))
    assert found == {
        horizon: {name: pytest.approx(change * horizon, abs=1e-6) for name in ("plugin_alpha", "plugin_zeta")}
        for horizon in (5, 20)
    }
    assert list(found[5]) == ["plugin_alpha", "plugin_zeta"]
    assert round(found[5]["plugin_zeta"], 6) == found[5]["plugin_zeta"]
    assert plugins.opinion("quiet", prices, 5) is None
    assert plugin_names(["drift", "plugin_zeta", "plugin_alpha", "pattern_1"]) == ["alpha", "zeta"]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("up", "a str for an opinion, not a number of % or None"),
        (True, "a bool for an opinion"),
        (np.bool_(True), "a bool for an opinion"),
        (1j, "a complex for an opinion"),
        ([1.0], "a list for an opinion"),
        (np.array(1.0), "a ndarray for an opinion"),
        (pd.Series([1.0]), "a Series for an opinion"),
        (float("nan"), "nan for an opinion, not a finite number"),
        (np.float32("inf"), "inf for an opinion, not a finite number"),
        (-(10**400), "inf for an opinion"),
        (1000.5, "a change of 1,000 % for an opinion, which is beyond 1,000 %"),
        (-1e9, "a change of -1,000,000,000 % for an opinion"),
    ],
)
@pytest.mark.parametrize("group", ["signals", "forecasters"])
def test_what_is_no_opinion_fails_the_stock_by_the_plugin_s_name(value, told, group, prices: PriceTable) -> None:
    plugins = OpinionPlugins(**{group: {"mine": Says(lambda *_: value)}})
    with pytest.raises(OpinionError) as caught:
        plugins.opinions(prices, [5])
    assert str(caught.value).startswith("MADE.NS: the plug-in mine gave ") and told in str(caught.value)
    assert (caught.value.kind, caught.value.symbol) == ("plugin", "MADE.NS")


@pytest.mark.parametrize("error", [ValueError("bad"), SystemExit(3), RecursionError("deep"), MemoryError()])
def test_whatever_it_raises_fails_the_stock_alone(error: BaseException, prices: PriceTable) -> None:
    def fails(*_: object) -> float:
        raise error

    with pytest.raises(OpinionError, match=rf"the plug-in mine failed \({type(error).__name__}.*\); repair or"):
        OpinionPlugins({"mine": Says(fails)}).opinions(prices, [5])


def test_an_interruption_is_nobody_s_failure(prices: PriceTable) -> None:
    def interrupted(*_: object) -> float:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        OpinionPlugins({"mine": Says(interrupted)}).opinions(prices, [5])


@pytest.mark.parametrize("value", [2, np.float32(2), np.int64(2), Fraction(2), 1000])
def test_every_kind_of_number_is_one(value, prices: PriceTable) -> None:
    found = OpinionPlugins({"mine": Says(lambda *_: value)}).opinions(prices, [5])[5]["plugin_mine"]
    assert type(found) is float and found == value


def test_they_see_the_newest_sessions_in_units_of_the_last(prices: PriceTable) -> None:
    first = prices.frame.index[-SESSIONS_NEEDED].date()
    broken = replace(prices, breaks=(first - timedelta(days=9), first + timedelta(days=9)), history=prices)
    seen = as_seen(broken)
    assert len(seen.frame) == SESSIONS_NEEDED and seen.history is None and seen.breaks == broken.breaks[1:]
    assert seen.frame["close"].iloc[-1] == seen.frame["adj_close"].iloc[-1] == 100
    assert list(seen.frame) == list(prices.frame) and seen.data_through == prices.data_through


@pytest.mark.parametrize("ratio", [2.0, 0.1, 3.0])
def test_a_later_split_or_dividend_changes_nothing_that_they_see(ratio: float, prices: PriceTable) -> None:
    frame = prices.frame.copy()
    frame[["open", "high", "low", "close", "adj_close"]] /= ratio
    frame["volume"] *= ratio
    frame["adj_close"] *= 0.97
    pd.testing.assert_frame_equal(as_seen(replace(prices, frame=frame)).frame, as_seen(prices).frame, rtol=1e-12)


def test_one_that_writes_into_its_table_changes_no_other_s(prices: PriceTable) -> None:
    def spoils(seen: PriceTable, _: int) -> float:
        seen.frame.loc[:] = 7.0
        return 1.0

    before = prices.frame.copy()
    plugins = OpinionPlugins({"a_spoiler": Says(spoils), "then": Says(gone_up)})
    assert plugins.opinions(prices, [5])[5]["plugin_then"] == plugins.opinion("then", prices, 5) != 0
    pd.testing.assert_frame_equal(prices.frame, before)


def test_none_is_asked_where_none_is_installed(prices: PriceTable) -> None:
    assert opinion_plugins().names == () and NO_PLUGINS.opinions(prices, [5, 20]) == {}


def test_a_signal_and_a_forecaster_of_one_name_are_refused(tmp_path: Path, monkeypatch) -> None:
    plant(tmp_path, {"signals": {"mine": signal(1)}, "forecasters": {"mine": forecaster(1)}})
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(PluginError, match=r"the signal mine .* and the forecaster mine .* have one name"):
        opinion_plugins()


def test_a_forecaster_whose_fit_gives_nothing_to_ask_fails_the_stock(prices: PriceTable) -> None:
    class Empty:
        def fit(self, prices: PriceTable, horizon: int) -> object:
            return object()

    with pytest.raises(OpinionError, match=r"the plug-in mine failed .AttributeError.*forecast"):
        OpinionPlugins({}, {"mine": Empty()}).opinions(prices, [5])
