"""A plug-in that sees the future is found: by what it remembers, or by opinions that come true too often."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from conftest import made_up_prices
from made_up_bars import market

from stockml.core.failures import OpinionError
from stockml.data.price_table import PriceTable
from stockml.replay.lookahead_check import Check
from stockml.replay.plugin_check import assert_no_future, check_plugins
from stockml.signals.plugins import OpinionPlugins

TABLES = [made_up_prices(500, seed=seed, symbol=f"M{seed}.NS") for seed in (1, 2)]


class Momentum:
    def opinion(self, prices: PriceTable, horizon: int) -> float | None:
        close = prices.frame["close"]
        return float(close.iloc[-1] / close.iloc[-21] - 1) if close.iloc[-1] > close.iloc[-2] else None


class Remembers:
    """It answers from the longest table that it was ever shown of a stock."""

    def __init__(self) -> None:
        self.seen: dict[str, pd.Series] = {}

    def opinion(self, prices: PriceTable, horizon: int) -> float | None:
        close, day = prices.frame["close"], prices.frame.index[-1]
        longest = self.seen.get(prices.symbol)
        if longest is None or longest.index[-1] < day:
            longest = self.seen[prices.symbol] = close
        later = longest.loc[day:]
        return None if len(later) < 2 else float(later.iloc[1] - later.iloc[0])


class Tails(Remembers):
    """The same as a forecaster, with the newest mean that it was ever fitted to."""

    def fit(self, prices: PriceTable, horizon: int) -> Tails:
        self.opinion(prices, horizon)
        return self

    def forecast(self, prices: PriceTable) -> float:
        return float(self.seen[prices.symbol].iloc[-3])


class Knows:
    """It looks days up in prices of its own, as of files that reach beyond them."""

    def __init__(self, tables: dict[str, pd.Series], horizon: int) -> None:
        self.changes = {name: (close.shift(-horizon) / close - 1) * 100 for name, close in tables.items()}

    def opinion(self, prices: PriceTable, horizon: int) -> float | None:
        change = self.changes[prices.symbol].get(prices.frame.index[-1], np.nan)
        return float(change) / 3 if np.isfinite(change) else None


class Random:
    def opinion(self, prices: PriceTable, horizon: int) -> float:
        return float(np.random.default_rng().normal())


def checked(plugin: object, horizons: tuple[int, ...] = (20, 5)) -> list[Check | OpinionError]:
    return list(check_plugins(TABLES, OpinionPlugins({"mine": plugin}), horizons, seed=1))  # type: ignore[dict-item]


def test_one_that_sees_the_past_alone_is_clean() -> None:
    assert checked(Momentum()) == [Check("plugin_mine", 16, 0)]
    assert_no_future(Momentum(), market())


@pytest.mark.parametrize("group", ["signals", "forecasters"])
def test_one_that_remembers_later_days_is_found(group: str) -> None:
    plugin = Remembers() if group == "signals" else Tails()
    found = list(check_plugins(TABLES, OpinionPlugins(**{group: {"mine": plugin}}), (5,), seed=1))
    assert isinstance(found[0], Check) and not found[0].is_clean and found[0].compared == 16
    assert found[0].example is not None and found[0].example.startswith("M1.NS on 20")
    assert "with later days shown" in found[0].example


def test_one_that_looks_days_up_elsewhere_is_found_by_its_foresight() -> None:
    knows = Knows({table.symbol: table.frame["close"] for table in TABLES}, 5)
    (found,) = checked(knows)
    assert isinstance(found, Check) and found.differing == 16
    assert found.example == "its opinions of 16 days follow what came after (correlation 1.000)"


def test_one_that_answers_by_chance_is_told_to_be_seeded() -> None:
    *errors, found = checked(Random())
    assert [str(error).partition(":")[0] for error in errors] == ["M1.NS", "M2.NS"]
    assert "gave another opinion when asked the same twice; let it depend on the prices alone" in str(errors[0])
    assert found == Check("plugin_mine", 0, 0)


@pytest.mark.parametrize("plugin", [Remembers(), Tails()])
def test_an_author_s_own_test_fails_where_it_sees_the_future(plugin: object) -> None:
    with pytest.raises(AssertionError, match="the plug-in sees the future: MADE-UP on 20"):
        assert_no_future(plugin, market())  # type: ignore[arg-type]


def test_an_author_s_own_test_needs_opinions_that_are_some() -> None:
    class Wrong:
        def opinion(self, prices: PriceTable, horizon: int) -> str:
            return "up"

    with pytest.raises(OpinionError, match="the plug-in checked gave a str"):
        assert_no_future(Wrong(), market())  # type: ignore[arg-type]
