"""Signals of one day: the regime, the rules that hold and the models' forecasts, each as an opinion in %.

An opinion is a forecast of the change at the target, before weighting. Weights are left to the learner.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from stockml.core.records import STRONG_SIGNAL_PCT

SESSIONS_OF_RULES = 5  # the horizon for which the rules' weights are stated

RULE_WEIGHTS = {
    "overbought": -0.3,
    "oversold": 0.3,
    "macd_positive": 0.2,
    "golden_cross": 0.4,
    "death_cross": -0.4,
    "regime_bullish": 0.3,
}
DRIFT = "drift"
DRIFT_OPINION_PCT = 1.0  # a unit: the drift's learned weight is then the drift itself, in % at the target

BULLISH, BEARISH, VOLATILE, SIDEWAYS = "bullish", "bearish", "volatile", "sideways"


@dataclass(frozen=True, slots=True)
class ModelForecast:
    """One stock's models on one day: the path in % at each session ahead, and the change at the target."""

    horizon: int  # sessions the models were trained for
    lstm_path_pct: tuple[float, ...]  # (horizon,)
    xgb_pct: float
    pattern: int  # -1 where the history is too short
    pattern_unusual: float  # share of training windows closer to their pattern, 0..1
    pattern_pct: float


def regime(change_20: float, volatility_20: float) -> str:
    """Market state over 20 sessions: volatile above 35 % a year, else by a change of 5 %.

    Parameters
    ----------
    change_20 : float
        Relative change of the close over 20 sessions, a fraction.
    volatility_20 : float
        Annualised standard deviation of daily returns, a fraction.

    Returns
    -------
    str
        volatile, bullish, bearish or sideways; sideways where the history is too short.
    """
    if volatility_20 > 0.35:
        return VOLATILE
    if change_20 >= 0.05:
        return BULLISH
    if change_20 <= -0.05:
        return BEARISH
    return SIDEWAYS


def rule_opinions(day: Mapping[str, float]) -> dict[str, float]:
    """The rules that hold on a day, each with its opinion in %.

    Parameters
    ----------
    day : mapping
        A row of `features.indicator_table`; with NaN no comparison holds.

    Returns
    -------
    dict
        Name of the rule -> the change in % it stands for at five sessions.
    """
    close, sma50, sma200 = day["close"], day["sma50"], day["sma200"]
    holds = {
        "overbought": day["rsi"] > 70,
        "oversold": day["rsi"] < 30,
        "macd_positive": day["macd"] > 0,
        "golden_cross": close > sma50 > sma200,
        "death_cross": close < sma50 < sma200,
        "regime_bullish": regime(day["change_20"], day["volatility_20"]) == BULLISH,
    }
    return {name: RULE_WEIGHTS[name] * STRONG_SIGNAL_PCT for name, fires in holds.items() if fires}


def opinions(day: Mapping[str, float], forecast: ModelForecast | None, horizon: int) -> dict[str, float]:
    """Every opinion of a day: the rules that hold, the drift, and the models'.

    Parameters
    ----------
    day : mapping
        A row of `features.indicator_table`.
    forecast : ModelForecast, optional
        Left out beyond the horizon it was trained for. XGBoost and the pattern forecast only that horizon; a shorter
        one gets its share of the change.
    horizon : int
        Sessions ahead.

    Returns
    -------
    dict
        Name of the signal -> forecast of the change in % at the horizon, to 6 decimals.
    """
    heard = {**rule_opinions(day), DRIFT: DRIFT_OPINION_PCT * horizon / SESSIONS_OF_RULES}
    if forecast is not None and horizon <= forecast.horizon:
        share = horizon / forecast.horizon
        heard["lstm"] = forecast.lstm_path_pct[horizon - 1]
        heard["xgb"] = forecast.xgb_pct * share
        if forecast.pattern >= 0:
            heard[f"pattern_{forecast.pattern}"] = forecast.pattern_pct * share
    return {name: round(value, 6) for name, value in heard.items() if math.isfinite(value)}


def predicted_change_pct(weights: Mapping[str, float], magnitude: float) -> float:
    """The sum of the weights times 5 %, shrunk by the magnitude; to 4 decimals."""
    return round(STRONG_SIGNAL_PCT * magnitude * math.fsum(weights.values()), 4)


def path_pct(change_pct: float, horizon: int, forecast: ModelForecast | None, lstm_share: float) -> list[float]:
    """The predicted path: a straight line, bent by the LSTM's own path in proportion to its share.

    Parameters
    ----------
    change_pct : float
        The predicted change at the target, in %.
    horizon : int
        Sessions to the target.
    forecast : ModelForecast, optional
    lstm_share : float
        The learned weight of the LSTM times the magnitude.

    Returns
    -------
    list, shape (horizon,)
        Changes in % at each session, the last one `change_pct`.
    """
    line = [change_pct * step / horizon for step in range(1, horizon + 1)]
    if forecast is None or horizon > forecast.horizon:
        return line
    end = forecast.lstm_path_pct[horizon - 1]
    bend = [forecast.lstm_path_pct[step - 1] - end * step / horizon for step in range(1, horizon + 1)]
    return [straight + lstm_share * off for straight, off in zip(line, bend, strict=True)]
