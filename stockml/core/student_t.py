"""The forecast distribution of a change: Student's t about a forecast, with its quantiles, probabilities and scores.

Standard library only, so that a log can be read and audited without NumPy.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from stockml.core import record_fields as field

LAW = "student_t"
GREATEST_DEGREES = 100  # beyond, it is the normal law for all that prices can tell


@dataclass(frozen=True, slots=True)
class StudentT:
    """Student's t: the distribution of a change in %.

    Attributes
    ----------
    location_pct : float
        Its median: the forecast.
    scale_pct : float
        Above 0.
    degrees : int
        Of freedom, 2 to 100.
    """

    location_pct: float
    scale_pct: float
    degrees: int

    def below(self, change_pct: float) -> float:
        """The probability of a change below this one, in 0..1."""
        return _below((change_pct - self.location_pct) / self.scale_pct, self.degrees)

    def quantile_pct(self, share: float) -> float:
        """The change that so large a share of outcomes stays below, `share` between 0 and 1."""
        return self.location_pct + self.scale_pct * _quantile(share, self.degrees)

    def interval_pct(self, share: float) -> tuple[float, float]:
        """The lowest and the highest change of the central interval that holds so large a share of outcomes."""
        half = self.scale_pct * _quantile(0.5 + share / 2, self.degrees)
        return self.location_pct - half, self.location_pct + half

    def crps_pct(self, actual_pct: float) -> float:
        """The continuous ranked probability score of an outcome, in %: the lower, the better.

        Notes
        -----
        Closed form of Jordan, Krueger and Lerch (2019). With no spread it is the absolute error.
        """
        n, z = self.degrees, (actual_pct - self.location_pct) / self.scale_pct
        score = z * (2 * _below(z, n) - 1) + 2 * _density(z, n) * (n + z * z) / (n - 1) - _spread(n)
        return self.scale_pct * score

    def interval_score_pct(self, actual_pct: float, share: float) -> float:
        """The interval score of an outcome, in %: the central interval's width, and its misses (Winkler 1972)."""
        low, high = self.interval_pct(share)
        return high - low + 2 / (1 - share) * max(low - actual_pct, actual_pct - high, 0.0)

    def to_record(self) -> dict[str, Any]:
        """Its JSON object in the log."""
        return {
            "law": LAW,
            "degrees": self.degrees,
            "location_pct": self.location_pct,
            "scale_pct": self.scale_pct,
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> StudentT:
        """The distribution of a JSON object; ValueError names the key that is missing or wrong."""
        values = field.fields("distribution", record)
        if values["law"] != LAW:
            raise ValueError(f"distribution: law is {values['law']!r}, not {LAW!r}")
        degrees = field.positive_int("degrees", values["degrees"])
        if not 2 <= degrees <= GREATEST_DEGREES:
            raise ValueError(f"distribution: degrees is {degrees!r}, not 2 to {GREATEST_DEGREES}")
        location = field.number("location_pct", values["location_pct"])
        return cls(location, field.positive("scale_pct", values["scale_pct"]), degrees)


def _below(z: float, degrees: int) -> float:
    """The distribution function for a whole number of degrees (Abramowitz and Stegun 26.7.3 and 26.7.4)."""
    angle = math.atan2(z, math.sqrt(degrees))
    sine, square = math.sin(angle), math.cos(angle) ** 2
    is_odd = degrees % 2
    term = math.cos(angle) if is_odd else 1.0
    total = term if degrees > 1 else 0.0
    for k in range(3 if is_odd else 2, degrees - 1, 2):
        term *= square * (k - 1) / k
        total += term
    share = (angle + sine * total) * 2 / math.pi if is_odd else sine * total
    return 0.5 + share / 2


@lru_cache
def _spread(degrees: int) -> float:
    """Half the mean distance of two draws."""
    return 2 * math.sqrt(degrees) / (degrees - 1) * _beta(0.5, degrees - 0.5) / _beta(0.5, degrees / 2) ** 2


def _density(z: float, degrees: int) -> float:
    return math.exp(-(degrees + 1) / 2 * math.log1p(z * z / degrees)) / (math.sqrt(degrees) * _beta(0.5, degrees / 2))


@lru_cache
def _quantile(share: float, degrees: int) -> float:
    """The inverse of the distribution function, by bisection."""
    if not 0 < share < 1:
        raise ValueError(f"{share!r} is no share between 0 and 1")
    if share < 0.5:
        return -_quantile(1 - share, degrees)
    low, high = 0.0, 1.0
    while _below(high, degrees) < share and high < 1e9:
        low, high = high, 2 * high
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if _below(middle, degrees) < share else (low, middle)
    return (low + high) / 2


@lru_cache
@lru_cache
def _beta(a: float, b: float) -> float:
    return math.exp(math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b))
