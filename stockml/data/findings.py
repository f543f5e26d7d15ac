"""Findings of the price checks: bars dropped, things noted, tables refused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

DROPPED, NOTED = "dropped", "noted"

Mask = NDArray[np.bool_]


class PriceError(ValueError):
    """A table that cannot be trusted; `kind` says in a word what is wrong with it."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Finding:
    """Bars that a check dropped, or something that it noted."""

    kind: str
    action: str  # dropped or noted
    dates: tuple[date, ...]  # oldest first
    text: str
    undated: int = 0  # bars that name no day

    @property
    def count(self) -> int:
        """The number of bars, dated or not."""
        return len(self.dates) + self.undated

    def summary(self) -> dict[str, str | int | None]:
        """The finding as plain values for a report: how many bars, the first and the last of them."""
        first, last = (self.dates[0].isoformat(), self.dates[-1].isoformat()) if self.dates else (None, None)
        return {
            "kind": self.kind,
            "action": self.action,
            "count": self.count,
            "first": first,
            "last": last,
            "text": self.text,
        }


Checked = tuple[pd.DataFrame, list[Finding]]


def days(index: pd.Index) -> tuple[date, ...]:
    """The index as plain dates."""
    return tuple(pd.DatetimeIndex(index).date)


def bars(dates: tuple[date, ...]) -> str:
    """The number of bars and their days, in words."""
    if len(dates) == 1:
        return f"1 bar ({dates[0]})"
    return f"{len(dates)} bars ({dates[0]} to {dates[-1]})"


def drop(frame: pd.DataFrame, bad: Mask, kind: str, text: str) -> Checked:
    """Drop bars, and say so.

    Parameters
    ----------
    frame : DataFrame, shape (n_days, n_columns)
        Bars, the day as index.
    bad : array of bool, shape (n_days,)
        True for the bars to drop.
    kind, text : str
        For the finding; the text follows the number of bars.

    Returns
    -------
    frame : DataFrame
        The frame itself where no bar is bad.
    findings : list of Finding
        Empty where no bar is bad.
    """
    found = dropped(frame, bad, kind, text)
    return (frame[~bad], found) if found else (frame, [])


def dropped(frame: pd.DataFrame, bad: Mask, kind: str, text: str) -> list[Finding]:
    """The finding that `drop` has, in a list; empty where no bar is bad.

    Parameters
    ----------
    frame : DataFrame, shape (n_days, n_columns)
    bad : array of bool, shape (n_days,)
    kind, text : str
        As of `drop`.
    """
    if not bad.any():
        return []
    dates = days(frame.index[bad])
    return [Finding(kind, DROPPED, dates, f"{bars(dates)} {text}")]
