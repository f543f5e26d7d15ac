"""Start of a common network: the network of an earlier training that a later one may go on from, and when it may.

The later training estimates shrinkage on its days from `select` on, and is scored on still later ones. So a start is
taken only where all the days that it has seen lie before them; by how much is said here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from stockml.models import lstm
from stockml.models.lstm import Network

# A training goes on from one that was fitted a fortnight earlier or more. So trainings on each day of a month all go on
# from the same one, and the network passes over the same days as often as with one training a month.
LEAST_DAYS_BETWEEN = 14
MOST_DAYS_BETWEEN = 100  # one that is older has been left behind by the market: a new one from nothing replaces it
LEAST_SHARE = 0.5  # of the stocks
MOST_KEPT = 3  # of a kind; a training that is repeated finds the one that it went on from


@dataclass(frozen=True, slots=True)
class Origin:
    """The stocks and days that a common network was fitted on, and the kind of its training.

    Attributes
    ----------
    kind : str
        Digest of the settings, inputs and exchanges.
    fitted_before : datetime64
        It has seen no target of this day or later.
    symbols : tuple of str
    """

    kind: str
    fitted_before: np.datetime64
    symbols: tuple[str, ...]

    def may_go_on_from(self, earlier: Origin) -> bool:
        """True where a training of this origin may begin with the network of an earlier one.

        It may where settings, inputs and exchanges agree, the earlier days end `LEAST_DAYS_BETWEEN` to
        `MOST_DAYS_BETWEEN` before its own, and at least half of its stocks had a part in it.
        """
        return (
            earlier.kind == self.kind
            and self.may_go_on_from_days_before(earlier.fitted_before)
            and earlier._share_among(self.symbols) >= LEAST_SHARE
        )

    def may_go_on_from_days_before(self, fitted_before: np.datetime64) -> bool:
        """True where the days of an earlier network end neither too short nor too long a time before its own."""
        return LEAST_DAYS_BETWEEN <= self._days_after(fitted_before) <= MOST_DAYS_BETWEEN

    def may_follow(self, earlier: Origin) -> bool:
        """False where its network may not be left for later trainings, since it would take the place of a better one.

        So it is where the one that is there was fitted within the last `LEAST_DAYS_BETWEEN` days, or where most of its
        stocks have no part in this one, as when a single stock is trained.
        """
        after = self._days_after(earlier.fitted_before)
        if earlier.kind != self.kind or after > MOST_DAYS_BETWEEN:
            return True
        is_too_soon = 0 < after < LEAST_DAYS_BETWEEN
        return not is_too_soon and self._share_among(earlier.symbols) >= LEAST_SHARE

    def _days_after(self, earlier: np.datetime64) -> int:
        return int((self.fitted_before - earlier).astype("timedelta64[D]").astype(int))

    def _share_among(self, symbols: Sequence[str]) -> float:
        """The share of these symbols that are its own."""
        own = set(self.symbols)
        return sum(symbol in own for symbol in symbols) / max(len(symbols), 1)


@dataclass(frozen=True, slots=True)
class CommonStart:
    """A common network and what it was fitted on."""

    origin: Origin
    network: Network

    @property
    def checksum(self) -> str:
        """SHA-256 of the weights and of what they were fitted on."""
        digest = hashlib.sha256(json.dumps(_plain(self.origin)).encode())
        for weights in self.network.weights:
            digest.update(weights.tobytes())
        return digest.hexdigest()

    def to_record(self) -> dict[str, Any]:
        """The record of it in metrics.json."""
        return {
            "sha256": self.checksum,
            "fitted_before": str(self.origin.fitted_before),
            "stocks": len(self.origin.symbols),
        }


class Starts(Protocol):
    """Place where common networks of earlier trainings are found, and left for later ones."""

    def find(self, origin: Origin) -> CommonStart | None:
        """The newest network that a training of this origin may go on from."""
        ...

    def leave(self, made: CommonStart) -> object:
        """Keep a network for later trainings, where it may be one."""
        ...


class NoStarts:
    """Each training from nothing, and nothing left for another."""

    def find(self, _origin: Origin) -> CommonStart | None:
        """None."""
        return None

    def leave(self, _made: CommonStart) -> None:
        """Keep nothing."""


class StartsAtHand:
    """Starts in memory, such as those of a replay's months so far, the earliest first."""

    def __init__(self, known: Sequence[CommonStart] = ()) -> None:
        self._known: list[CommonStart] = []
        for start in known:
            self.leave(start)

    def find(self, origin: Origin) -> CommonStart | None:
        """See `Starts`."""
        return newest_for(origin, self._known)

    def leave(self, made: CommonStart) -> bool:
        """See `Starts`; true where it is kept."""
        known = [start.origin for start in self._known]
        if not may_be_left(made.origin, known):
            return False
        kept = newest([*known, made.origin])
        self._known = [start for start in [*self._known, made] if start.origin in kept]
        return True


def newest_for(origin: Origin, starts: Sequence[CommonStart]) -> CommonStart | None:
    """The newest of these that a training of this origin may go on from."""
    usable = [start for start in starts if origin.may_go_on_from(start.origin)]
    return max(usable, key=lambda start: start.origin.fitted_before, default=None)


def may_be_left(origin: Origin, known: Sequence[Origin]) -> bool:
    """False where a network of this origin would take the place of a better one among those known."""
    return all(origin.may_follow(other) for other in known)


def newest(origins: Sequence[Origin]) -> list[Origin]:
    """Those to keep: the newest few of each kind, for each day the last."""
    kept: list[Origin] = []
    for kind in {origin.kind for origin in origins}:
        by_day = {origin.fitted_before: origin for origin in origins if origin.kind == kind}
        kept += [by_day[day] for day in sorted(by_day)[-MOST_KEPT:]]
    return kept


def kind_of(settings: dict[str, Any], calendars: Sequence[str]) -> str:
    """Digest of all that must agree: settings of the training, the network's inputs, and the exchanges' calendars."""
    known = {
        "settings": settings,
        "inputs": list(lstm.INPUTS),
        "window_sessions": lstm.WINDOW_SESSIONS,
        "calendars": sorted(set(calendars)),
    }
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:16]


def _plain(origin: Origin) -> list[Any]:
    return [origin.kind, str(origin.fitted_before), list(origin.symbols)]
