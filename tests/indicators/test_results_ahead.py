"""The results ahead of a stock's newest session, as its line tells them."""

from dataclasses import replace
from datetime import date, time, timedelta

import pytest
from made_up_bars import market

from stockml.core.results_expected import ResultsExpected
from stockml.data.announcements import Announcement
from stockml.data.price_table import check_prices
from stockml.indicators.announcements import DAYS_AHEAD, REACTION
from stockml.indicators.confidence_inputs import confidence_inputs
from stockml.indicators.results_ahead import results_ahead

LAST = market().index[-1].date()
KNOWN = LAST - timedelta(3)


def told(*announcements: Announcement) -> ResultsExpected | None:
    table = check_prices("AAPL", market())
    table = replace(table, announcements=announcements)
    return results_ahead(table, confidence_inputs(table, table.data_through))


@pytest.mark.parametrize(
    ("announcement", "day", "known"),
    [
        (Announcement(LAST + timedelta(4), None, KNOWN), LAST + timedelta(4), True),
        (Announcement(LAST + timedelta(18), time(8, 0), KNOWN), LAST + timedelta(18), True),
        (Announcement(LAST + timedelta(5) - timedelta(364)), LAST + timedelta(5), False),
        (Announcement(LAST - timedelta(2) - timedelta(364)), LAST - timedelta(2), False),
        (Announcement(LAST, time(16, 30)), LAST, True),
        (Announcement(LAST), LAST, True),
    ],
)
def test_what_is_expected_is_told_with_how_much_the_stock_moves(announcement, day, known):
    found = told(announcement)
    assert (found.day, found.is_known) == (day.isoformat(), known)
    assert 1 <= found.moves_times <= 10


@pytest.mark.parametrize(
    "announcements",
    [
        (),
        (Announcement(LAST + timedelta(4)),),  # nobody noted when it was known
        (Announcement(LAST + timedelta(4), None, LAST + timedelta(1)),),
        (Announcement(LAST, time(8, 0)),),
        (Announcement(LAST - timedelta(30)),),
    ],
)
def test_nothing_is_told_where_nothing_is_expected(announcements):
    assert told(*announcements) is None


def test_the_figure_is_the_one_that_the_confidence_was_computed_from():
    table = check_prices("AAPL", market())
    table = replace(table, announcements=(Announcement(date(2026, 1, 1), None, KNOWN),))
    assert results_ahead(table, {DAYS_AHEAD: 3.0, REACTION: 2.5}) is None
    table = replace(table, announcements=(Announcement(LAST + timedelta(3), None, KNOWN),))
    assert results_ahead(table, {DAYS_AHEAD: 3.0, REACTION: 2.5}).moves_times == 2.5
