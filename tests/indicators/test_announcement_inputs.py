"""Which results are expected on a day, and how much the stock moves on them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from conftest import made_up_prices

from stockml.data.announcements import Announcement
from stockml.data.price_table import PriceTable
from stockml.indicators.announcements import USUAL_REACTION, ExpectedResults, expected_results, reaction

TODAY = date(2026, 4, 20)
LAST_YEAR = [date(2025, 4, 28), date(2025, 7, 28), date(2025, 10, 27), date(2026, 1, 26)]


def days(offset: int) -> date:
    return TODAY + timedelta(days=offset)


def past(*dates: date) -> list[Announcement]:
    return [Announcement(day) for day in dates]


def test_a_known_date_is_expected_from_the_day_it_was_known() -> None:
    known = [Announcement(days(10), None, days(-3))]
    assert expected_results(known, TODAY) == ExpectedResults(days(10), is_known=True)
    assert expected_results(known, days(-4)) is None
    assert expected_results(known, days(10)) is None  # it has come
    assert expected_results([Announcement(days(10))], TODAY) is None  # when it was known, nobody noted
    assert expected_results([Announcement(days(22), None, days(-3))], TODAY) is None  # too far ahead


def test_the_first_of_several_known_dates_counts() -> None:
    known = [Announcement(days(ahead), None, days(-3)) for ahead in (20, 6, 13)]
    assert expected_results(known, TODAY) == ExpectedResults(days(6), is_known=True)


def test_a_date_is_foretold_from_the_same_quarter_of_the_year_before() -> None:
    assert expected_results(past(*LAST_YEAR), TODAY) == ExpectedResults(date(2026, 4, 27), is_known=False)
    assert expected_results(past(*LAST_YEAR), date(2026, 3, 20)) is None
    assert expected_results(past(*LAST_YEAR[1:]), TODAY) is None


@pytest.mark.parametrize("came", [-25, -3, 0])
def test_results_that_have_come_are_not_expected_again(came: int) -> None:
    assert expected_results(past(*LAST_YEAR, days(came)), TODAY) is None


@pytest.mark.parametrize("moved", [12, 40])
def test_a_known_date_stands_for_the_foretold_one(moved: int) -> None:
    announcements = [*past(*LAST_YEAR), Announcement(days(moved), None, TODAY)]
    expected = ExpectedResults(days(moved), is_known=True) if moved == 12 else None
    assert expected_results(announcements, TODAY) == expected


def test_a_past_date_that_was_learned_of_late_counts_from_then_on() -> None:
    late = [Announcement(day, None, days(-1)) for day in LAST_YEAR]
    assert expected_results(late, days(-2)) is None
    assert expected_results(late, days(-1)) is not None
    prices = moving(6.0)
    since = prices.frame.index[350].date()
    known = replace(prices, announcements=tuple(replace(a, first_known_on=since) for a in prices.announcements))
    assert reaction(known, prices.frame.index[349].date()) == USUAL_REACTION
    assert reaction(known, since) == reaction(prices, since) > USUAL_REACTION


def test_late_results_are_expected_for_a_week() -> None:
    assert expected_results(past(*LAST_YEAR), date(2026, 5, 4)) is not None
    assert expected_results(past(*LAST_YEAR), date(2026, 5, 5)) is None


def moving(times: float, since: int = 40) -> PriceTable:
    """Prices whose sessions of results, each quarter, have so many times the usual range."""
    prices = made_up_prices(400)
    frame = prices.frame.copy()
    rows = range(since, 400, 63)
    for row in rows:
        usual = float((frame["high"] / frame["low"]).iloc[row - 20 : row].median())
        frame.iloc[row, 1] = frame["low"].iloc[row] * usual**times
    announcements = tuple(Announcement(frame.index[row].date()) for row in rows)
    return replace(prices, frame=frame, announcements=announcements)


def test_a_reaction_is_that_of_the_stock_s_own_results_shrunk_to_the_usual() -> None:
    calm, wild, wilder = (reaction(moving(times), moving(times).data_through) for times in (1.0, 4.0, 8.0))
    assert calm < USUAL_REACTION < wild < wilder < 8
    prices = made_up_prices(400)
    assert reaction(prices, prices.data_through) == USUAL_REACTION


def test_a_reaction_knows_only_what_had_come() -> None:
    prices = moving(6.0)
    day = prices.frame.index[300].date()
    cut = replace(prices, frame=prices.frame.iloc[:301])
    assert reaction(prices, day) == reaction(cut, day)
    assert reaction(prices, prices.frame.index[39].date()) == USUAL_REACTION
