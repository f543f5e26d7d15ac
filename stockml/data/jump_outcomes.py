"""Outcomes of a jump: newer bars wait, older ones are dropped, a break is kept, or the table is refused."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import pandas as pd

from stockml.data.findings import DROPPED, NOTED, Checked, Finding, PriceError, bars, days, drop
from stockml.data.neighbour_checks import PHANTOM_RUN
from stockml.data.price_jumps import Fault, find_demergers, find_faults, find_news, find_payouts

# The sessions that must be free of faults for a symbol to be used: all that a day's features look at. A fault
# before them costs the history behind it and no more, so that an error of 2005 never stops a run of today.
SOUND_SESSIONS = 250
UNCONFIRMED = PHANTOM_RUN  # a jump so near the end may be a phantom whose way back is still to come


def settle_jumps(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[Finding], tuple[date, ...]]:
    """The part of the table that is one series, with what was found.

    Parameters
    ----------
    frame : DataFrame, shape (n_rows, 6)

    Returns
    -------
    frame : DataFrame, shape (n_days, 6)
    findings : list of Finding
    breaks : tuple of date
        First bars after a long gap or a demerger, ascending.

    Raises
    ------
    PriceError
        Where the newest SOUND_SESSIONS bars are not one series; the message names the day, the jump and what to do.
    """
    faults = find_faults(frame)
    frame, findings = _drop_unconfirmed(frame, faults)
    if findings:
        faults = find_faults(frame)
    old = [fault for fault in faults if len(frame) - fault.row >= SOUND_SESSIONS]
    recent = [fault for fault in faults if len(frame) - fault.row < SOUND_SESSIONS]
    noted = _note_gaps(frame, recent)
    gaps = [day for finding in noted for day in finding.dates]
    findings += noted
    if old:
        frame, found = _cut_before(frame, old[-1])
        findings += found
    found, demergers = find_demergers(frame)
    findings += found + find_news(frame) + find_payouts(frame)
    return frame, findings, tuple(sorted({*gaps, *demergers}))


def _note_gaps(frame: pd.DataFrame, recent: Sequence[Fault]) -> list[Finding]:
    """Findings on long gaps; PriceError where a fault is an error in the prices."""
    dates = days(frame.index[[fault.row for fault in recent]])
    for fault, day in zip(recent, dates, strict=True):
        if fault.is_wrong:
            raise PriceError(fault.kind, f"on {day} {fault.text}; download the full history again")
    return [
        Finding(fault.kind, NOTED, (day,), f"before {day} {fault.text}")
        for fault, day in zip(recent, dates, strict=True)
    ]


def _drop_unconfirmed(frame: pd.DataFrame, faults: Sequence[Fault]) -> Checked:
    """Drop the newest bars after a jump of unit or a split that the next days may still take back or adjust."""
    rows = [fault.row for fault in faults if fault.is_wrong and len(frame) - fault.row <= UNCONFIRMED]
    if not rows:
        return frame, []
    bad = frame.index >= frame.index[rows[0]]
    return drop(frame, bad, "unconfirmed_jump", "after a jump that no later session confirms dropped")


def _cut_before(frame: pd.DataFrame, fault: Fault) -> Checked:
    dates = days(frame.index[: fault.row])
    text = f"{bars(dates)} dropped: on {frame.index[fault.row].date()} {fault.text}"
    return frame.iloc[fault.row :], [Finding(fault.kind, DROPPED, dates, text)]
