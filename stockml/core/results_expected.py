"""Results that a prediction was made ahead of, as its line in the log tells them; standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stockml.core import record_fields as field

KEY = "results_expected"


@dataclass(frozen=True, slots=True)
class ResultsExpected:
    """The day on which a company is expected to publish results, and how much its price moves then.

    Attributes
    ----------
    day : str
        YYYY-MM-DD; that of the last session used where they were published after its close.
    is_known : bool
        False for a day foretold from last year's.
    moves_times : float
        The session's range, in those of a usual one, by the stock's past results.
    """

    day: str
    is_known: bool
    moves_times: float

    def to_record(self) -> dict[str, Any]:
        """The JSON object."""
        return {"date": self.day, "known": self.is_known, "moves_times": self.moves_times}

    def text(self, data_through: str, target_date: str) -> str:
        """It in words, seen from the last session used and the one whose close is predicted, as YYYY-MM-DD."""
        when = f"expected on {self.day}"
        if self.day <= data_through:
            when = f"published on {self.day}" if self.is_known else f"overdue since {self.day}"
        source = "" if self.is_known else " (foretold from last year's)"
        beyond = ", after the close that is predicted" if self.day > target_date else ""
        return f"results {when}{source}, moves then {self.moves_times:.1f} times the usual{beyond}"


def results_record(expected: ResultsExpected | None) -> dict[str, Any]:
    """The key of a line's evidence; none where nothing is expected."""
    return {} if expected is None else {KEY: expected.to_record()}


def read_results(evidence: Mapping[str, Any]) -> ResultsExpected | None:
    """The results that a line's evidence tells of, None where of none; ValueError for the wrong form."""
    if KEY not in evidence:
        return None
    found = field.fields(KEY, evidence[KEY])
    times = field.number("moves_times", found["moves_times"])
    if times <= 0:
        raise ValueError(f"moves_times is {times!r}, not a number above 0")
    return ResultsExpected(
        day=field.day_text("date", found["date"]),
        is_known=field.flag("known", found["known"]),
        moves_times=times,
    )
