"""A clock that stands still, for runs of the scripts inside the test's own process."""

from __future__ import annotations

from datetime import datetime
from typing import Any


def stopped_at(moment: datetime) -> type[datetime]:
    """A datetime class whose present is a moment; to be put in the place of a module's own."""

    class Stopped(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return moment.astimezone(tz)

    return Stopped
