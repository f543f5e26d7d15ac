"""A simulated market: daily bars of companies that do not exist, without network and the same on every machine.

A bar is a function of the seed, the symbol and its date: a day once seen never changes, and each weekday adds one
bar. Nothing can be forecast in it beyond what regimes give away, unless `MarketSettings.drift` plants something.
"""

from __future__ import annotations

import functools
import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stockml.data.announcements import Announcement

SAMPLE_SYMBOLS = (
    *("SIM-ALPHA", "SIM-BETA", "SIM-GAMMA", "SIM-DELTA", "SIM-EPSILON"),
    *("SIM-ZETA", "SIM-ETA", "SIM-THETA", "SIM-IOTA", "SIM-KAPPA"),
)
CURRENCY = "SIM"

# Ex-dates with the dividend as a fraction of the last close. All lie in the past, so that no adjusted close changes.
DIVIDENDS = MappingProxyType(
    {
        "SIM-ALPHA": ((date(2019, 6, 14), 0.021), (date(2022, 6, 17), 0.024), (date(2025, 6, 13), 0.019)),
        "SIM-DELTA": ((date(2020, 9, 11), 0.035), (date(2024, 9, 13), 0.031)),
    }
)
# Shares for each old one from that day on. Prices before are divided and volumes multiplied by it, as Yahoo does:
# what is left to see of it is the finer step between old prices.
SPLITS = MappingProxyType({"SIM-GAMMA": (date(2021, 8, 20), 4)})

Floats = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class MarketSettings:
    """Settings of a simulated market; the defaults are those of the embedded sample.

    `drift` plants something to be found: it is given a company's closes so far, shape (n_past_days,), oldest
    first, and returns the expected return of the day to come, as a fraction. Without `has_regimes` the rest
    is a fair game: no drift, though volatility still clusters.

    Examples
    --------
    A market that takes back half of each move the day after, for its first two thousand days:

    >>> def reversal(closes):
    ...     return -0.5 * (closes[-1] / closes[-2] - 1) if 1 < len(closes) < 2000 else 0.0
    >>> settings = MarketSettings(seed=1, symbols=("SIM-A",), has_regimes=False, drift=reversal)
    >>> moves = sample_bars("SIM-A", date(2015, 1, 1), date(2026, 12, 31), settings=settings)["Close"].pct_change()
    >>> bool(moves[:2000].autocorr(1) < -0.4 and abs(moves[2000:].autocorr(1)) < 0.1)
    True
    """

    seed: int = 20150101
    symbols: tuple[str, ...] = SAMPLE_SYMBOLS
    first_day: date = date(2015, 1, 1)
    has_regimes: bool = True
    drift: Callable[[Floats], float] | None = None


SAMPLE_MARKET = MarketSettings()


def sample_bars(symbol: str, start: date, end: date, *, settings: MarketSettings = SAMPLE_MARKET) -> pd.DataFrame:
    """The daily bars of one simulated company from `start` to `end`, both inclusive.

    Parameters
    ----------
    symbol : str
        One of `settings.symbols`; ValueError for another.
    start, end : date
        Nothing is simulated before `settings.first_day`; the frame is empty where `end` is before `start`.
    settings : MarketSettings
        The market; the embedded sample if left out.

    Returns
    -------
    pd.DataFrame, shape (n_weekdays, 6)
        Indexed by `Date`, in Yahoo's form: prices adjusted for splits, `Adj Close` for dividends too.
    """
    if symbol not in settings.symbols:
        raise ValueError(f"{symbol} is not simulated; choose from {', '.join(settings.symbols)}")
    whole = _company(settings, symbol, max(end, settings.first_day).year)
    return whole.loc[pd.Timestamp(start) : pd.Timestamp(end)]


def sample_announcements(
    symbol: str, through: date, *, settings: MarketSettings = SAMPLE_MARKET
) -> tuple[Announcement, ...]:
    """The days on which a simulated company publishes results, about four a year, up to some weeks after `through`.

    They are the days on which its own volatility is planned to be higher, whatever the prices did then. Each is
    announced KNOWN_DAYS_AHEAD before.

    Parameters
    ----------
    symbol : str
        One of `settings.symbols`.
    through : date
    settings : MarketSettings
    """
    end = max(through, settings.first_day) + KNOWN_DAYS_AHEAD
    days = _weekdays(settings, end.year)
    news = days[_has_news(_Chance(settings, symbol, len(days)))]
    return tuple(Announcement(day, first_known_on=day - KNOWN_DAYS_AHEAD) for at in news if (day := at.date()) <= end)


@functools.lru_cache(maxsize=64)
def _company(settings: MarketSettings, symbol: str, last_year: int) -> pd.DataFrame:
    """Every bar of a company from the first day to the end of a year: whole years, to be asked for again."""
    days = _weekdays(settings, last_year)
    chance = _Chance(settings, symbol, len(days))
    character = _Character.of(settings, symbol)
    moves, volatility = _moves(character, chance, _market(settings, last_year))
    for ex_day, fraction in DIVIDENDS.get(symbol, ()):
        moves[days == pd.Timestamp(ex_day)] += math.log1p(-fraction)
    closes = _closes(character.first_close, moves, settings.drift)
    bars = _bars(closes, volatility, chance)
    bars["Volume"] *= character.shares_a_day
    return _as_quoted(symbol, bars.set_axis(days))


def _weekdays(settings: MarketSettings, last_year: int) -> pd.DatetimeIndex:
    return pd.bdate_range(settings.first_day, date(last_year, 12, 31), name="Date")


class _Chance:
    """Random numbers of one name: a row a day, so that more days leave the earlier rows as they are.

    Raw Philox output is the same in every version of numpy, which its normal variates need not be.
    """

    def __init__(self, settings: MarketSettings, name: str, n_days: int) -> None:
        raw = np.random.Philox(key=_key(settings, name)).random_raw(n_days * 8).reshape(n_days, 8)
        uniform = ((raw >> np.uint64(11)) + 0.5) / 2.0**53  # (n_days, 8), strictly between 0 and 1
        radius, angle = np.sqrt(-2 * np.log(uniform[:, :3])), 2 * np.pi * uniform[:, 3:6]  # Box and Muller
        self.normal = np.hstack([radius * np.cos(angle), radius * np.sin(angle)])  # (n_days, 6)
        self.uniform = uniform[:, 6:]  # (n_days, 2)


def _key(settings: MarketSettings, name: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{settings.seed}/{name}".encode()).digest()[:16])


@dataclass(frozen=True, slots=True)
class _Character:
    """Parameters that tell one company from another."""

    first_close: float
    beta: float  # how much of the market's move it makes
    own_volatility: float  # daily, besides the market's
    shares_a_day: float

    @classmethod
    def of(cls, settings: MarketSettings, symbol: str) -> _Character:
        price, beta, volatility, shares = _Chance(settings, f"{symbol}/character", 1).normal[0, :4]
        return cls(
            first_close=float(240 * math.exp(0.7 * np.clip(price, -2, 2))),  # 60 to 970
            beta=float(1 + 0.2 * np.clip(beta, -2, 2)),
            own_volatility=float(0.0125 * math.exp(0.2 * np.clip(volatility, -2, 2))),
            shares_a_day=float(1.5e6 * math.exp(0.8 * np.clip(shares, -2, 2))),
        )


# Regimes of the whole market: bull, bear, sideways, volatile.
_REGIME_DRIFT = (0.0012, -0.0010, 0.0003, 0.0003)  # expected daily return
_REGIME_VOLATILITY = (0.85, 1.15, 0.75, 1.9)
_NEXT_REGIME = ((2, 2, 3, 1), (2, 3, 0, 0), (0, 0, 1, 3), (1, 2, 0, 2))  # equally likely, when one ends
_REGIME_ENDS = 1 / 60  # about a quarter
_MARKET_VOLATILITY = 0.008  # daily

# Volatility remembers: a variance of 1 on average, raised by large shocks and more by losses.
_SHOCK, _LOSS, _MEMORY = 0.08, 0.08, 0.85
_ANCHOR = 1 - _SHOCK - _LOSS / 2 - _MEMORY


def _clustered(shocks: Floats) -> Floats:
    """The relative volatility of each day, driven by the shocks of the days before; 1 on average."""
    variance, path = 1.0, np.empty(len(shocks))
    for day, shock in enumerate(shocks.tolist()):
        path[day] = variance
        reaction = _SHOCK + (_LOSS if shock < 0 else 0.0)
        variance = _ANCHOR + (_MEMORY + reaction * shock * shock) * variance
    return np.sqrt(path)


@functools.lru_cache(maxsize=16)
def _market(settings: MarketSettings, last_year: int) -> tuple[Floats, Floats]:
    """The common factor: its return and its volatility, each of shape (n_days,)."""
    chance = _Chance(settings, "market", len(_weekdays(settings, last_year)))
    volatility = _MARKET_VOLATILITY * _clustered(chance.normal[:, 0])
    moves = np.zeros_like(volatility)
    if settings.has_regimes:
        regimes = _regimes(chance.uniform)
        volatility = volatility * np.take(_REGIME_VOLATILITY, regimes)
        moves = np.take(_REGIME_DRIFT, regimes)
    return moves + volatility * chance.normal[:, 0], volatility


def _regimes(uniform: Floats) -> list[int]:
    regime, path = 0, []
    for ends, follows in uniform.tolist():
        if ends < _REGIME_ENDS:
            regime = _NEXT_REGIME[regime][int(4 * follows)]
        path.append(regime)
    return path


_NEWS = 1 / 60  # about quarterly there is news about the company alone: its results
KNOWN_DAYS_AHEAD = timedelta(days=14)  # from when on its day is known


def _has_news(chance: _Chance) -> NDArray[np.bool_]:
    """The days on which a company publishes its results; shape (n_days,)."""
    return np.asarray(chance.uniform[:, 0] < _NEWS)


def _moves(character: _Character, chance: _Chance, market: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    """A company's logarithmic moves and their volatility, each of shape (n_days,)."""
    market_move, market_volatility = market
    own_volatility = character.own_volatility * _clustered(chance.normal[:, 0])
    own_volatility[_has_news(chance)] *= 2.5
    volatility = np.hypot(character.beta * market_volatility, own_volatility)
    # half the variance taken off: the price, not its logarithm, is then a fair game
    return character.beta * market_move + own_volatility * chance.normal[:, 0] - volatility**2 / 2, volatility


def _closes(first_close: float, moves: Floats, drift: Callable[[Floats], float] | None) -> Floats:
    """Closes before rounding, beginning with the one before the first day: shape (n_days + 1,)."""
    if drift is None:
        return np.asarray(first_close * np.exp(np.concatenate([[0.0], np.cumsum(moves)])))
    closes = np.full(len(moves) + 1, first_close)
    for day, move in enumerate(moves.tolist(), start=1):
        closes[day] = closes[day - 1] * math.exp(move) * (1 + drift(closes[:day]))
    return closes


def _bars(closes: Floats, volatility: Floats, chance: _Chance) -> pd.DataFrame:
    """Bars around the closes: a gap overnight, a range beyond open and close, a volume that goes with the range.

    Prices are not rounded yet, and `Volume` is relative, about 1.
    """
    before, close = closes[:-1], closes[1:]
    open_ = before * np.exp(0.3 * np.log(close / before) + 0.35 * volatility * chance.normal[:, 1])
    high = np.maximum(open_, close) * np.exp(0.45 * volatility * np.abs(chance.normal[:, 2]))
    low = np.minimum(open_, close) * np.exp(-0.45 * volatility * np.abs(chance.normal[:, 3]))
    spread = np.log(high / low) / 0.025  # relative to a usual day
    volume = np.maximum(spread, 0.1) ** 0.7 * np.exp(0.25 * chance.normal[:, 4])
    return pd.DataFrame({"Open": open_, "High": high, "Low": low, "Close": close, "Volume": volume})


def _as_quoted(symbol: str, bars: pd.DataFrame) -> pd.DataFrame:
    """The bars in Yahoo's form: steps of 0.01, finer before a split; an adjusted close; whole shares."""
    ratio = pd.Series(1.0, index=bars.index)
    if symbol in SPLITS:
        split_day, shares = SPLITS[symbol]
        ratio[bars.index < pd.Timestamp(split_day)] = shares
    prices = bars.drop(columns="Volume").mul(ratio, axis=0).round(2).clip(lower=0.01).div(ratio, axis=0)
    dividends = pd.Series(1.0, index=bars.index)
    for ex_day, fraction in DIVIDENDS.get(symbol, ()):
        dividends[bars.index < pd.Timestamp(ex_day)] *= 1 - fraction
    prices["Adj Close"] = (prices["Close"] * dividends).round(6)
    prices["Volume"] = bars["Volume"].round().astype("int64")
    return prices
