"""Events of a stock: sessions of unusual range and volume, their recurrence each quarter, and runs of price limits.

Each day's figures are a function of its last `SESSIONS` sessions alone.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Array = NDArray[np.float64]

USUAL_SESSIONS = 20  # before a session, whose median range and volume are the usual ones
RECENT_SESSIONS = 20
QUARTERS = (63, 126, 189, 251)  # sessions back; 251 are 364 calendar days, the same weekday
COMING_SESSIONS = 5  # that an event may recur in
EITHER_WAY = 4  # sessions by which results come earlier or later; the farther, the less an event counts
SESSIONS = QUARTERS[-1] + EITHER_WAY + USUAL_SESSIONS + 1  # one more: the oldest gap needs the close before it
LEAST_VOLUME, GREATEST = 0.1, 20.0  # times the usual
LEAST_RANGE_PCT = 0.05
VOLUME_SESSIONS = 60  # whose median volume is the usual one
LIMITS_PCT = (2.0, 5.0, 10.0, 20.0)  # customary daily price limits
LIMIT_TOLERANCE_PCT = 0.12  # limits are rounded to the tick
LEAST_LIMIT_PCT = 1.5
LOCKED = 0.1  # a range below so much of the change is that of a session locked at its limit
FADING_SESSIONS = 5
LIMIT_SESSIONS = 2 * FADING_SESSIONS  # that a run depends on; the oldest of them needs the close before it


def relative_volumes(volume: Array, window: int) -> Array:
    """The mean volume of each day's last `window` sessions over the median of its last 60; NaN where unknown.

    Parameters
    ----------
    volume : array, shape (n_days,)
    window : int

    Returns
    -------
    array, shape (n_days,)
    """
    found = np.full(len(volume), np.nan)
    if len(volume) >= VOLUME_SESSIONS:
        usual = np.median(windows(volume, VOLUME_SESSIONS), axis=1)
        recent = windows(volume[VOLUME_SESSIONS - window :], window).mean(axis=1)
        times = recent / np.where(usual > 0, usual, np.nan)
        found[VOLUME_SESSIONS - 1 :] = np.clip(times, LEAST_VOLUME, GREATEST)
    return found


def event_sizes(ranges: Array, volume: Array, rows: NDArray[np.int64] | None = None) -> Array:
    """Log of how many times its usual range and volume each session has, the lesser of the two; at least 0.

    Parameters
    ----------
    ranges : array, shape (n_days,)
        Of `true_ranges`.
    volume : array, shape (n_days,)
        Where none is usual, the range alone counts.
    rows : int array, optional
        The sessions wanted; all by default.

    Returns
    -------
    array, shape (n_days,)
        NaN for the first 21 sessions, and for those not wanted.
    """
    sizes = np.full(len(ranges), np.nan)
    rows = np.arange(len(ranges)) if rows is None else rows
    rows = rows[rows > USUAL_SESSIONS]  # the oldest range lacks its gap
    before = rows[:, None] + np.arange(-USUAL_SESSIONS, 0)
    usual_range = np.maximum(np.median(ranges[before], axis=1), LEAST_RANGE_PCT)
    usual_volume = np.median(volume[before], axis=1)
    times = np.where(usual_volume > 0, volume[rows] / np.where(usual_volume > 0, usual_volume, 1.0), np.inf)
    sizes[rows] = np.log(np.clip(np.minimum(ranges[rows] / usual_range, times), 1.0, GREATEST))
    return sizes


def rows_for_newest(n_days: int) -> NDArray[np.int64]:
    """The sessions whose event sizes tell the newest day's figures.

    Parameters
    ----------
    n_days : int

    Returns
    -------
    int array, shape (n_rows,)
    """
    wide = np.arange(1 - EITHER_WAY, COMING_SESSIONS + EITHER_WAY + 1)
    years = [n_days - 1 - quarter + wide for quarter in QUARTERS]
    rows = np.concatenate([*years, np.arange(n_days - RECENT_SESSIONS, n_days)])
    return rows[rows >= 0]


def greatest_recent(sizes: Array) -> Array:
    """The greatest event of each day's last 20 sessions; NaN where unknown.

    Parameters
    ----------
    sizes : array, shape (n_days,)
        Of `event_sizes`.

    Returns
    -------
    array, shape (n_days,)
    """
    found = np.full(len(sizes), np.nan)
    if len(sizes) >= RECENT_SESSIONS:
        found[RECENT_SESSIONS - 1 :] = windows(sizes, RECENT_SESSIONS).max(axis=1)
    return found


def recurring(sizes: Array, days: int) -> Array:
    """Size of the event that the next five sessions may bring, from those one to four quarters before.

    Parameters
    ----------
    sizes : array, shape (n_days,)
        Of `event_sizes`.
    days : int
        The number of newest days wanted.

    Returns
    -------
    array, shape (days,)
        The mean over the quarters, for the session of the five where it is greatest; NaN without a year of events.
    """
    found = np.full(days, np.nan)
    rows = np.arange(max(SESSIONS - 1, len(sizes) - days), len(sizes))
    if len(rows):
        nearness = 1 - np.abs(np.arange(-EITHER_WAY, EITHER_WAY + 1)) / (EITHER_WAY + 1)
        near = (windows(sizes, len(nearness)) * nearness).max(axis=1)  # its first row is session EITHER_WAY
        coming = np.arange(1, COMING_SESSIONS + 1)[:, None, None] - np.array(QUARTERS)[None, :, None] - EITHER_WAY
        found[days - len(rows) :] = near[rows + coming].mean(axis=1).max(axis=0)
    return found


def limit_runs(low: Array, high: Array, close: Array) -> Array:
    """The number of sessions in a row that closed at a price limit, the same way; it fades over five sessions.

    Parameters
    ----------
    low, high, close : array, shape (n_days,)

    Returns
    -------
    array, shape (n_days,)
        0 to 5.
    """
    before = np.concatenate([close[:1], close[:-1]])
    change = (close / before - 1) * 100
    size = np.abs(change)
    at_end = np.where(change > 0, close >= high * (1 - 5e-4), close <= low * (1 + 5e-4))
    customary = np.min([np.abs(size - limit) for limit in LIMITS_PCT], axis=0) <= LIMIT_TOLERANCE_PCT
    is_locked = (high - low) / before * 100 <= LOCKED * size
    way = np.where(at_end & (size >= LEAST_LIMIT_PCT) & (customary | is_locked), np.sign(change), 0.0)
    runs, is_same = np.zeros(len(way)), way != 0
    for back in range(FADING_SESSIONS):
        is_same = is_same & (_shifted(way, back) == way)
        runs += is_same
    return faded(runs)


def faded(sizes: Array) -> Array:
    """The greatest of each day's last five, each counted the less the older it is.

    Parameters
    ----------
    sizes : array, shape (n_days,)

    Returns
    -------
    array, shape (n_days,)
    """
    return np.asarray(
        np.max([_shifted(sizes, back) * (1 - back / FADING_SESSIONS) for back in range(FADING_SESSIONS)], axis=0)
    )


def _shifted(values: Array, back: int) -> Array:
    return np.concatenate([np.zeros(min(back, len(values))), values[: len(values) - back]])


def windows(values: Array, window: int) -> Array:
    """Each day's last `window` values.

    Parameters
    ----------
    values : array, shape (n_days,)
    window : int

    Returns
    -------
    array, shape (n_days - window + 1, window)

    Notes
    -----
    A contiguous copy: a reduction then adds the same numbers in the same order, however long the table is.
    """
    return values[None, :] if len(values) == window else np.ascontiguousarray(sliding_window_view(values, window))
