"""The days on which a company publishes its results, as they travel with its prices."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, time


@dataclass(frozen=True, slots=True)
class Announcement:
    """One publication of results, past or expected.

    Attributes
    ----------
    day : date
        Exchange-local.
    at : time, optional
        Exchange-local time of day; None where it is not known.
    first_known_on : date, optional
        The first day at whose close the date was known; None where nobody noted it: then it counts as known
        from `day` on only.
    """

    day: date
    at: time | None = None
    first_known_on: date | None = None


def known_by(announcements: Iterable[Announcement], day: date) -> tuple[Announcement, ...]:
    """Those that were known at the close of a day; one that nobody noted before counts from its own day on."""
    return tuple(one for one in announcements if (one.first_known_on or one.day) <= day)
