"""Raw closes beside adjusted ones: splits cost no session, and what a company paid out is no split."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_up_bars import N_DAYS, market, paid_out, unadjusted

from stockml.data.price_table import PriceTable, check_prices

PRICES = ["open", "high", "low", "close"]
NEWEST = N_DAYS - 60


def check(raw: pd.DataFrame) -> PriceTable:
    return check_prices("TCS.NS", raw)


def assert_same_prices(table: PriceTable, other: PriceTable) -> None:
    pd.testing.assert_frame_equal(table.frame, other.frame, check_freq=False, rtol=1e-12)


def kinds(table: PriceTable) -> list[str]:
    return [finding.kind for finding in table.findings]


@pytest.mark.parametrize("row", [1, 100, NEWEST, N_DAYS - 5, N_DAYS - 2, N_DAYS - 1])
@pytest.mark.parametrize(
    ("ratio", "words"),
    [(2, "2:1"), (3 / 2, "3:2"), (10, "10:1"), (0.1, "1:10"), (6 / 5, "6:5"), (5, "5:1"), (0.8, "4:5")],
)
def test_a_split_that_adj_close_tells_of_costs_no_session(ratio: float, words: str, row: int) -> None:
    table = check(unadjusted(market(), row, ratio))
    assert_same_prices(table, check(market()))
    assert kinds(table) == ["raw_split"] and table.breaks == ()
    day = market().index[row].date()
    assert table.findings[0].text == (
        f"the closes are not adjusted for a split of {words} on {day}, as Adj Close shows: bars before it rescaled"
    )


@pytest.mark.parametrize("decimals", [2, 4])
@pytest.mark.parametrize("ratio", [2, 3 / 2, 10, 0.1, 4 / 3])
def test_prices_rounded_to_cents_show_it_too(ratio: float, decimals: int) -> None:
    raw = unadjusted(market(level=40.0), 200, ratio).round(decimals)
    assert kinds(check(raw)) == ["raw_split"]


@pytest.mark.parametrize(("first", "second"), [(2, 3 / 2), (10, 0.1), (3 / 2, 3 / 2), (0.05, 2)])
def test_two_in_one_table_are_both_undone(first: float, second: float) -> None:
    table = check(unadjusted(unadjusted(market(), 120, first), 300, second))
    assert_same_prices(table, check(market()))
    assert kinds(table) == ["raw_split", "raw_split"]


@pytest.mark.parametrize(
    ("ratio", "kept"), [(2, 0.995), (2, 0.96), (3 / 2, 0.993), (10, 0.97), (0.1, 0.99), (5, 0.999), (0.5, 0.97)]
)
@pytest.mark.parametrize("apart", [0, 1, 30])
def test_a_dividend_beside_a_split_stays_in_the_adjusted_closes(ratio: float, kept: float, apart: int) -> None:
    paid = paid_out(market(), 200 + apart, kept)
    table = check(unadjusted(paid, 200, ratio))
    assert_same_prices(table, check(paid))
    assert kinds(table) == ["raw_split"]


@pytest.mark.parametrize("row", [50, NEWEST, N_DAYS - 4, N_DAYS - 1])
@pytest.mark.parametrize("kept", [0.83, 0.85, 0.77, 0.7, 0.62, 0.45])
def test_a_spin_off_or_special_dividend_is_no_split_and_no_bar_is_lost(kept: float, row: int) -> None:
    raw = paid_out(market(), row, kept)
    table = check(raw)
    assert len(table.frame) == N_DAYS and kinds(table) == ["payout"] and table.breaks == ()
    np.testing.assert_array_equal(table.frame["close"], raw["Close"])
    (finding,) = table.findings
    assert finding.dates == (raw.index[row].date(),) and "spin-off or special dividend" in finding.text


@pytest.mark.parametrize("kept", [0.99, 0.95, 0.91])
def test_an_ordinary_dividend_is_not_worth_a_word(kept: float) -> None:
    assert kinds(check(paid_out(market(), 300, kept))) == []


@pytest.mark.parametrize("ratio", [2, 3 / 2, 10])
def test_a_split_that_adj_close_does_not_know_either_is_still_a_fault(ratio: float) -> None:
    raw = unadjusted(market(), 100, ratio)
    raw["Adj Close"] = raw["Close"]
    assert set(kinds(check(raw))) <= {"unadjusted_split", "unit_jump"} and len(check(raw).frame) == N_DAYS - 100


@pytest.mark.parametrize("lost", [np.nan, 0.0, -1.0])
def test_a_bar_without_an_adjusted_close_hides_no_split_of_the_next_day(lost: float) -> None:
    raw = unadjusted(market(), 200, 2.0)
    raw.iloc[199, 4] = lost
    table = check(raw)
    assert "raw_split" in kinds(table) and len(table.frame) == N_DAYS - 1
    assert_same_prices(table, check(market().drop(raw.index[199])))


@pytest.mark.parametrize(("symbol", "ratio", "back"), [("TCS.NS", 2, 300), ("INFY.NS", 3 / 2, 40), ("ITC.NS", 10, 3)])
def test_real_tables_made_raw_again_are_what_they_were(nse_folder: Path, symbol: str, ratio: float, back: int) -> None:
    real = pd.read_csv(nse_folder / f"{symbol}.csv", index_col="Date").iloc[-800:]
    whole, raw = check_prices(symbol, real), check_prices(symbol, unadjusted(real, len(real) - back, ratio))
    assert_same_prices(raw, whole)
    assert [kind for kind in kinds(raw) if kind not in kinds(whole)] == ["raw_split"]
