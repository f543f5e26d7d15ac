"""What is asked of a source and what it answers: settings and date range in, raw bars or a failure per symbol out.

Plain values without a library, so that every part of the data room can speak of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from stockml.core.failures import Failure
from stockml.core.progress import Progress, no_progress

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class FetchSettings:
    """How hard the source is asked, if at all, and who is told how far it is.

    Waiting doubles from `first_wait_s` on, and some chance is added so that threads do not come back all at once.
    """

    threads: int = 4
    timeout_s: float = 15.0  # for each request; Yahoo answers within one second
    first_wait_s: float = 2.0
    longest_wait_s: float = 60.0
    offline: bool = False  # the store alone serves, however old it is
    tell: Progress = no_progress


PATIENT = FetchSettings()


@dataclass(frozen=True, slots=True)
class DateRange:
    """The days one symbol's table may hold."""

    start: date  # surely before the first session that is needed
    limit: date  # the last day whose bar is complete and may be seen
    expected: date  # the last session that should be there
    is_past: bool  # acting as on a past day: what came later is as if not there, so nothing to speak of


@dataclass(frozen=True, slots=True, eq=False)
class RawBars:
    """A symbol's bars as the source gave them; `notes` are kinds and texts about how they came."""

    frame: pd.DataFrame
    currency: str | None
    notes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Feed:
    """Bars or a failure for each symbol, and how many charts Yahoo was asked for."""

    bars: Mapping[str, RawBars]
    failures: Mapping[str, Failure]
    requests: Mapping[str, int] = field(default_factory=dict)
