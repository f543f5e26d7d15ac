"""What can be planted in a simulated market for a forecaster to find: a momentum, a reversal, a truth that flips."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

SYMBOLS = tuple(f"SIM-{number:02d}" for number in range(20))
LOOK_BACK = 150  # sessions after which the averages have forgotten


def ema_weights(window: int) -> np.ndarray:
    decay = 1 - 2 / (window + 1)
    weights = decay ** np.arange(LOOK_BACK)[::-1]
    return weights / weights.sum()


MACD_WEIGHTS = ema_weights(12) - ema_weights(26)
WILDER_WEIGHTS = ema_weights(27)  # Wilder's 1/14 is an average over 27


def momentum(closes: np.ndarray) -> float:
    """+1 where MACD is positive, else -1."""
    if len(closes) < LOOK_BACK:
        return 0.0
    return float(np.sign(closes[-LOOK_BACK:] @ MACD_WEIGHTS))


def reversal(closes: np.ndarray) -> float:
    """+1 within five sessions of an RSI below 30, -1 of one above 70."""
    if len(closes) < LOOK_BACK + 6:
        return 0.0
    for back in range(5):
        moves = np.diff(closes[len(closes) - back - LOOK_BACK - 1 : len(closes) - back])
        up, down = np.maximum(moves, 0) @ WILDER_WEIGHTS, np.maximum(-moves, 0) @ WILDER_WEIGHTS
        strength = 100 * up / (up + down)
        if strength > 70 or strength < 30:
            return 1.0 if strength < 30 else -1.0
    return 0.0


@dataclass(frozen=True)
class Truth:
    """A daily return of `size` in the direction of a signal; from `flips_at` sessions on against it."""

    signal: Callable[[np.ndarray], float]
    size: float
    flips_at: int | None = None

    def __call__(self, closes: np.ndarray) -> float:
        turned = self.flips_at is not None and len(closes) >= self.flips_at
        return (-1 if turned else 1) * self.size * self.signal(closes)


# Sizes at which the signal's state explains 10 % of the variance over five sessions.
TRUTHS = {"momentum": (momentum, 0.0025, "macd_positive"), "reversal": (reversal, 0.0145, "oversold")}
