"""The experts: their settings, and what is known of five-session changes before any outcome."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

# Properties of five-session changes in their scale (Student's t, 5 degrees of freedom), and of stocks in one session.
HUBER = 1.2  # scales; the threshold beyond which an error pulls no harder (Huber 1964)
CURVATURE = 0.716  # the share of outcomes within the threshold
VARIANCE = 0.687  # of outcomes clipped to the threshold
CORRELATION = 0.3  # of two stocks' outcomes in a session; 0.25 to 0.32 on NSE and US stocks


@dataclass(frozen=True, slots=True)
class Expert:
    """Settings of one regression: its prior, its memory, and its part in the fixed share."""

    name: str
    weight_spread: float  # standard deviation of a learned weight about its prior
    drift_spread: float  # of the drift's learned weight, in % at five sessions
    mean_spread: float  # of the average forecast of all signals together, in %; infinite: not restrained
    half_life: float  # of past sessions' influence, in sessions
    share: float  # of the ensemble weight that is redistributed after each session


EXPERTS = (
    Expert("start", weight_spread=1.0, drift_spread=0.3, mean_spread=math.inf, half_life=math.inf, share=0.05),
    Expert("anchored", weight_spread=0.03, drift_spread=3.0, mean_spread=0.05, half_life=math.inf, share=0.85),
    Expert("short", weight_spread=3.0, drift_spread=3.0, mean_spread=0.05, half_life=25.0, share=0.05),
)
START, ANCHORED, SHORT = range(3)
UNTRAINED, TRAINED = range(2)  # stocks without priors from training, and with them
CHANGING = 0.01  # the chance that another expert becomes the best one (Herbster and Warmuth 1998)
SHARES = np.array([1.0 - sum(expert.share for expert in EXPERTS), *(expert.share for expert in EXPERTS)])
DECAYS = np.array([0.5 ** (1 / expert.half_life) for expert in EXPERTS])
DRIFT = 0  # the number of the drift among the signals
LEAST_WEIGHT = 1e-9  # of an expert, whatever the evidence against it
SHARPNESS = 3.0  # power of the ensemble weights: the small weight that the fixed share gives back has no say
TRAINED_ODDS = 3.0  # in favour of the prior-anchored expert for good, where training has found priors
MONTH = 20  # sessions learned from before any expert but the prior-anchored one has a say beside priors from training
MOST_SIGNALS = 100  # of which weights are learned: ours, and those of plug-ins that a log has ever seen
REMEMBERED = 20  # sessions at least, of the experts' past weights
# The ensemble weights before any outcome, naive first: without priors from training the documented rule is all that is
# known. Beside them the start is the expert that leaves them after a handful of outcomes, so it has to earn its weight.
BEGINNINGS = np.array([[0.0, 1.0, 0.0, 0.0], [0.0, 0.05, 0.9, 0.05]])
