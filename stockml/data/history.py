"""History: beside the table that a run asks for, all older bars that the source has at hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from stockml.core.failures import FetchError
from stockml.data.request import EARLIEST, DateRange

if TYPE_CHECKING:
    from stockml.data.price_table import PriceTable


def with_history(table: Callable[[DateRange], PriceTable], span: DateRange, most: int) -> PriceTable:
    """The table of a span, and in its `history` that of the bars at hand up to the span's limit.

    Parameters
    ----------
    table : callable
        The checked table of a span; raises FetchError where there is none.
    span : DateRange
    most : int
        Bars of the history, the newest; 0 for none.

    Returns
    -------
    PriceTable
        Without a history where the older bars cannot be used, or are no more.

    Raises
    ------
    FetchError
        Where the prices of the span cannot be used.
    """
    found = table(span)
    if most <= len(found.frame):
        return found
    try:
        history = table(replace(span, start=EARLIEST))
    except FetchError:
        return found
    frame = history.frame
    if len(frame) <= len(found.frame):
        return found
    if len(frame) > most:
        frame = frame.iloc[-most:].set_axis(frame.index[-most:].copy(deep=True)).copy()  # a view would hold them all
    return replace(found, history=replace(history, frame=frame, findings=()))
