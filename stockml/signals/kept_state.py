"""State of the learner and priors of a training as they are read back, in values that learning can have left."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

from stockml.core.record_fields import FARTHEST_SESSIONS
from stockml.signals.experts import EXPERTS, MOST_SIGNALS
from stockml.storage.decoding import Count, Name

GREATEST_SUM = 1e60  # of squares of numbers within their bounds, over all lines that a log can have
GREATEST_TRUST = 10.0  # the prior of a learned weight; 1 takes a forecast at face value
GREATEST_MAGNITUDE = 10.0
GREATEST_ODDS = 100.0  # of a shift of log odds
GREATEST_WIDENING = 8.0  # of the log of an interval's width

Sum = Annotated[float, Meta(ge=-GREATEST_SUM, le=GREATEST_SUM)]
_Sums = Annotated[list[Sum], Meta(max_length=MOST_SIGNALS)]
_Share = Annotated[float, Meta(ge=0, le=1.000001)]
_Positive = Annotated[float, Meta(ge=0, le=GREATEST_SUM)]
_Odds = Annotated[float, Meta(ge=-GREATEST_ODDS, le=GREATEST_ODDS)]
_Widening = Annotated[float, Meta(ge=-GREATEST_WIDENING, le=GREATEST_WIDENING)]
_Day = Annotated[str, Meta(max_length=10)]
_Rows = Annotated[list[_Sums], Meta(min_length=len(EXPERTS), max_length=len(EXPERTS))]
_Track = tuple[Count, _Odds, _Widening]


class _HitRate(Struct, forbid_unknown_fields=True, gc=False):
    count: Count
    accurate: Count

    def __post_init__(self) -> None:
        if self.accurate > self.count:
            raise ValueError(f"has {self.accurate} accurate predictions of {self.count}")


class _Stock(Struct, forbid_unknown_fields=True, gc=False):
    accuracy: _HitRate
    own: dict[Name, tuple[_Positive, Sum]]


class _Council(Struct, forbid_unknown_fields=True):
    horizon: int
    starts: _Sums
    sessions: Count
    latest: _Day
    beliefs: tuple[tuple[_Share, _Share, _Share, _Share], tuple[_Share, _Share, _Share, _Share]]
    usual: _Sums
    products: tuple[list[_Sums], list[_Sums]]
    pulls: _Rows
    history: Annotated[list[tuple[_Day, _Rows]], Meta(min_length=1)]

    def is_of(self, signals: int) -> bool:
        """True if every array is of so many signals."""
        square = all(len(rows) == signals and _are_of(signals, rows) for rows in self.products)
        past = all(_are_of(signals, weights) for _, weights in self.history)
        return square and past and _are_of(signals, (self.starts, self.usual, *self.pulls))


class _Session(Struct, forbid_unknown_fields=True):
    made_on: _Day
    known_on: _Day
    is_evidence: bool
    trusts: _Rows
    count: Annotated[int, Meta(ge=1, le=10**9)]
    opinions: _Sums
    once: _Sums
    products: list[_Sums]
    pulls: _Rows
    pull_once: Annotated[list[Sum], Meta(min_length=len(EXPERTS), max_length=len(EXPERTS))]
    losses: Annotated[list[Sum], Meta(min_length=len(EXPERTS) + 1, max_length=len(EXPERTS) + 1)]
    held_once: Annotated[list[Sum], Meta(min_length=len(EXPERTS) + 1, max_length=len(EXPERTS) + 1)]

    def is_of(self, signals: int) -> bool:
        """True if every array is of so many signals."""
        rows = (self.opinions, self.once, *self.trusts, *self.products, *self.pulls)
        return len(self.products) == signals and _are_of(signals, rows)


class _Calibration(Struct, forbid_unknown_fields=True):
    pool: _Track
    stocks: dict[Name, _Track]


class _Horizon(Struct, forbid_unknown_fields=True):
    families: Annotated[list[Name], Meta(min_length=1, max_length=MOST_SIGNALS)]
    council: _Council
    session: _Session | None
    accuracy: _HitRate
    stocks: dict[Name, _Stock]
    calibration: _Calibration

    def __post_init__(self) -> None:
        signals = len(self.families)
        if len(set(self.families)) != signals:
            raise ValueError("names a signal twice")
        if not self.council.is_of(signals) or (self.session is not None and not self.session.is_of(signals)):
            raise ValueError(f"has arrays of other sizes than its {signals} signals")


class KeptLearner(Struct, forbid_unknown_fields=True):
    """A learner's state as it stands in learned.json."""

    version: int
    horizons: dict[Annotated[str, Meta(pattern=r"^[1-9]\d{0,6}\Z")], _Horizon]

    def __post_init__(self) -> None:
        for horizon, known in self.horizons.items():
            if int(horizon) > FARTHEST_SESSIONS or known.council.horizon != int(horizon):
                raise ValueError(f"has {known.council.horizon} for the horizon {horizon}")


class _StockPrior(Struct, forbid_unknown_fields=True):
    shift: _Odds = 0.0
    outcomes: Annotated[float, Meta(ge=0, le=1e9)] = 0.0


class KeptPriors(Struct):
    """A stock's priors in its metrics.json, beside what they came from; older bundles have no scale model."""

    trusts: dict[Name, Annotated[float, Meta(ge=-GREATEST_TRUST, le=GREATEST_TRUST)]]
    magnitude: Annotated[float, Meta(ge=0, le=GREATEST_MAGNITUDE)] | None
    habit: _StockPrior
    scale_model: dict[str, Any] | None = None


def _are_of(size: int, rows: Any) -> bool:
    return all(len(row) == size for row in rows)
