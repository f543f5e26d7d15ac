"""Expected results of a stock's newest session, as its line in the log tells them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from stockml.core.calendars import calendar_for
from stockml.core.results_expected import ResultsExpected
from stockml.indicators.announcements import DAYS_AHEAD, REACTION, expected_results

if TYPE_CHECKING:
    from stockml.data.price_table import PriceTable


def results_ahead(prices: PriceTable, inputs: Mapping[str, float]) -> ResultsExpected | None:
    """The results that the confidence inputs of a table's newest session allow for; None where they allow for none.

    Parameters
    ----------
    prices : PriceTable
        With announcements.
    inputs : mapping of str to float
        The session's row of `confidence_table`.
    """
    if DAYS_AHEAD not in inputs:
        return None
    today, close = prices.data_through, calendar_for(prices.symbol).close
    if any(one.day == today and (one.at is None or one.at >= close) for one in prices.announcements):
        return ResultsExpected(
            today.isoformat(), is_known=True, moves_times=inputs[REACTION]
        )  # they move the next session
    expected = expected_results(prices.announcements, today)
    if expected is None:
        return None
    return ResultsExpected(expected.day.isoformat(), is_known=expected.is_known, moves_times=inputs[REACTION])
