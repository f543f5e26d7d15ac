"""Shares of the outcomes of the last 60 sessions, and the band within which chance alone would leave each of them.

Outcomes are not independent: those of overlapping forecasts and those of one day share a market. The band is that of
so many independent ones as vary as much.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from stockml.accuracy.scores import EIGHTY, Score
from stockml.core.installation import TRAIN
from stockml.core.wording import count

SESSIONS = 60
SESSIONS_A_WEEK = 5
# How alike the stocks of one block of sessions are: the correlation of "inside the interval" among them. On 116 real
# stocks of two exchanges over 10 to 26 years, ranges from past moves alone, 0.10 to 0.15 describes how much the
# coverage of 60 sessions varies; a block is as long as the horizon, and no shorter than a week, since misfits last.
ALIKE = 0.15
SHORTEST_BLOCK = 5
TAIL = 0.00135  # of the chance on either side, as beyond three standard deviations: rarely enough to be called about

COVERAGE, CALIBRATION = "coverage", "calibration"


@dataclass(frozen=True, slots=True)
class RecentShare:
    """A share of recent outcomes beside what was promised.

    Attributes
    ----------
    kind : str
        COVERAGE, of the 80 % interval, or CALIBRATION, of the stated probability.
    horizon : int
        In sessions.
    outcomes : int
    promised, found : float
        Shares in 0..1.
    band : tuple of float
        The lowest and the highest share that chance alone leaves.
    """

    kind: str
    horizon: int
    outcomes: int
    promised: float
    found: float
    band: tuple[float, float]

    @property
    def is_outside(self) -> bool:
        """True where chance alone does not explain the share."""
        return not self.band[0] <= self.found <= self.band[1]

    def to_text(self) -> str:
        """One sentence with the remedy."""
        low, high = (f"{edge * 100:.0f}" for edge in self.band)
        ahead = f"{count(self.horizon, 'session')} ahead"
        told = f"the {self.outcomes:,} outcomes of the last {SESSIONS} sessions"
        what = f"80 % intervals {ahead} held {self.found * 100:.1f} % of {told}"
        if self.kind == CALIBRATION:
            what = f"Of {told} {ahead} {self.found * 100:.1f} % were accurate, and {self.promised * 100:.1f} % promised"
        return f"{what}; chance alone would leave {low} to {high} %. Run {TRAIN} to fit them anew."


def recent_shares(weeks: Mapping[str, Score], horizon: int) -> list[RecentShare]:
    """Coverage and calibration at a horizon over the last 60 sessions, counted in whole weeks; empty without outcomes.

    Parameters
    ----------
    weeks : mapping of str to Score
        By the Monday of the target's week, as the record keeps them.
    horizon : int
    """
    known = {monday: score for monday, score in weeks.items() if score.total}
    if not known:
        return []
    first = date.fromisoformat(max(known)) - timedelta(weeks=SESSIONS // SESSIONS_A_WEEK - 1)
    recent = {monday: score for monday, score in known.items() if monday >= first.isoformat()}
    score = sum((found for _, found in sorted(recent.items())), Score())
    independent = independent_outcomes(score.total, len(recent) * SESSIONS_A_WEEK, horizon)
    stated = min(max(score.mean_confidence, 0.0), 1.0)
    return [
        RecentShare(kind, horizon, score.total, promised, found, band(promised, independent))
        for kind, promised, found in (
            (COVERAGE, EIGHTY, score.coverage),
            (CALIBRATION, stated, score.accuracy),
        )
    ]


def independent_outcomes(outcomes: int, sessions: int, horizon: int) -> int:
    """The number of independent outcomes whose share varies as much as that of so many over so many sessions."""
    blocks = sessions / max(horizon, SHORTEST_BLOCK)
    stocks = max(1.0, outcomes / sessions)
    return max(1, min(outcomes, math.floor(blocks / (ALIKE + (1 - ALIKE) / stocks))))


def band(promised: float, independent: int) -> tuple[float, float]:
    """The lowest and the highest share of independent outcomes that a binomial law leaves, but for TAIL on each side.

    Parameters
    ----------
    promised : float
        The probability of each, in 0..1.
    independent : int
        Above 0.
    """
    n = independent
    chances = [math.comb(n, k) * promised**k * (1 - promised) ** (n - k) for k in range(n + 1)]
    low = next(k for k in range(n + 1) if k == n or sum(chances[: k + 1]) > TAIL)
    high = next(k for k in range(n, -1, -1) if k == 0 or sum(chances[k:]) > TAIL)
    return low / n, high / n
