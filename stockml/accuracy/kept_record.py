"""The state of feedback as it stands in learned.json, in values that folding a log can have left."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from msgspec import Meta, Struct, defstruct

from stockml.accuracy.scores import SUMS
from stockml.storage.decoding import Count, Name, Text, check_day

MOST_BYTES = 1 << 28  # ours have 2,000 bytes a stock
GREATEST_SUM = 1e60  # of squares of numbers within their bounds, over all lines that a log can have

_Sum = Annotated[float, Meta(ge=0, le=GREATEST_SUM)]


def _check_score(score: Any) -> None:
    """ValueError for more hits than predictions."""
    for name in ("accurate", "direction_hits", "naive_accurate", "rises", "inside", "distributed"):
        if getattr(score, name) > score.total:
            raise ValueError(f"has {getattr(score, name)} for {name}, of {score.total} predictions")


_Score = defstruct(
    "_Score",
    [*((name, _Sum) for name in SUMS), ("expired", dict[Text, Count])],
    namespace={"__post_init__": _check_score},
    array_like=True,
    gc=False,
    forbid_unknown_fields=True,
)


class KeptHorizon(Struct, forbid_unknown_fields=True):
    """The sums of one horizon."""

    stocks: dict[Name, _Score]  # type: ignore[valid-type]
    weeks: dict[date, _Score]  # type: ignore[valid-type]
    conditions: dict[Name, dict[Name, _Score]]  # type: ignore[valid-type]
    stated: dict[str, tuple[Count, Count]]

    def __post_init__(self) -> None:
        for week in self.weeks:
            check_day("a week", week)
        for confidence, (number, hits) in self.stated.items():
            if not (0 <= float(confidence) <= 1 and hits <= number):
                raise ValueError(f"has {hits} hits of {number} for the confidence {confidence[:60]}")


class KeptState(Struct, forbid_unknown_fields=True):
    """The fields of learned.json; what the learner keeps is its own."""

    version: int
    main_horizon: int | None  # that accuracy_scores.json is written by
    record: dict[str, Any]
    learner: dict[str, Any]


KeptRecord = dict[Annotated[str, Meta(pattern=r"^[1-9]\d{0,6}\Z")], KeptHorizon]
