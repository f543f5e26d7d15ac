"""A second opinion on the log: every outcome worked out anew from the prices, by the documented rules alone.

It shares no code with the settling, on purpose: an error has to be made twice, and alike, to go unnoticed. The rules
are those of docs/accuracy.md; what they leave to a number is a constant here, stated again. Standard library only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from stockml.accuracy.counting_bars import Bar, Judged, is_weekday, judge

Line = Mapping[str, Any]

LAST_DAYS = 30  # a later bar serves so long, and the line ends once the source reaches so far
LATER_BARS = 5
SAME, RATIO, LEAST_SPLIT = 1e-4, 1e-3, 1.2
CENT = 0.01
ACCURATE_PCT = 5.0
REST_DAYS = 7  # a run on a day without a session writes the close of the last one


def _never(_day: str) -> bool:
    return False


@dataclass(frozen=True)
class Stock:
    """One stock as the source has it.

    Attributes
    ----------
    bars : sequence of Bar
        Shape (n_bars,), in any order; of a day that is given twice the last one holds.
    reach : str
        The last day (YYYY-MM-DD) that the source speaks of: it was asked for it, or has a bar of it in this market.
    currency : str or None
    is_session, is_provisional : callable
        Tell of a day whether the calendar has a session, and whether its holidays are not known yet.
    came : callable
        Tells of a day whether a stock of the market has a bar of it that counts.
    """

    bars: tuple[Bar, ...]
    reach: str
    currency: str | None = None
    is_session: Callable[[str], bool] = is_weekday
    is_provisional: Callable[[str], bool] = _never
    came: Callable[[str], bool] = _never


@dataclass(frozen=True)
class Right:
    """The right state of a line, and why; the bar, the price and the units where it is to be verified."""

    status: str
    why: str
    day: str | None = None
    actual: float | None = None
    factor: float | None = None
    corrected: float | None = None
    within: float = 0.0  # how far the log's rounding may take the actual price,
    rescaling: float = 0.0  # and how far that of a table that was rescaled since


@dataclass(frozen=True)
class Difference:
    """A line whose logged state is not the right one: `kind` is status, bar, price, units, sums or early."""

    id: str
    kind: str
    sentence: str

    @property
    def is_by_prices(self) -> bool:
        """False where the line contradicts itself, whatever the prices."""
        return self.kind not in ("sums", "early")


def differences(
    lines: Iterable[Line],
    stocks: Mapping[str, Stock],
    on: str,
    then: Callable[[Line], Stock | None] | None = None,
    *,
    are_fresh: bool = False,
) -> list[Difference]:
    """Every line of the log that does not say what the prices say.

    A source changes bars afterwards, and a verified line is for ever. Where `then` still has the bars of the evening
    on which a line was settled, a line that is right by them is right. By today's bars alone a later split is no
    difference: prices are compared in the line's units, as closely as the rounding of both tables allows.

    Parameters
    ----------
    lines : iterable of mapping
        The log's JSON objects.
    stocks : mapping of str to Stock
        Today's, by symbol; a line of no such symbol is left out.
    on : str
        The last completed session: a target up to it is due.
    then : callable, optional
        A settled line's stock as the source had it when the line was settled, None where nobody knows.
    are_fresh : bool
        True where the lines were settled by these very bars, so that the units logged must agree as well.

    Returns
    -------
    list of Difference
        In the order of the lines, at most one of each.
    """
    found: list[Difference] = []
    judged = {symbol: _judged(stock) for symbol, stock in stocks.items()}
    for line in lines:
        symbol = line["symbol"]
        if symbol not in stocks or (line["status"] == "pending" and line["target_date"] > on):
            continue
        difference = _difference(line, stocks[symbol], judged[symbol], is_fresh=are_fresh)
        if difference is not None and difference.is_by_prices and then and line["status"] != "pending":
            stock = then(line)
            difference = _difference(line, stock, _judged(stock), is_fresh=True) if stock else difference
        found += [difference] if difference else []
    return found


def _judged(stock: Stock) -> Judged:
    return judge(stock.bars, stock.is_session)


def _difference(line: Line, stock: Stock, bars: Judged, *, is_fresh: bool) -> Difference | None:
    name, status = line["id"], line["status"]
    if wrong := _contradiction(line):
        return Difference(name, *wrong)
    right = right_state(line, stock, bars)
    if status != right.status:
        return Difference(name, "status", f"{name} is {status}, and {right.status} is right: {right.why}.")
    if status != "verified":
        return None
    if line.get("settled_from") != right.day:
        text = f"{name} was settled from {line.get('settled_from')}, and {right.why} is the one that counts."
        return Difference(name, "bar", text)
    assert right.actual is not None
    within = right.within if is_fresh else right.within + right.rescaling
    if abs(line["actual_price"] - right.actual) > within:
        text = f"{name} has an actual price of {line['actual_price']:g}, and {right.why} makes {right.actual:g}."
        return Difference(name, "price", text)
    return _other_units(line, right) if is_fresh else None


def _other_units(line: Line, right: Right) -> Difference | None:
    name = line["id"]
    for key, value in (("units_factor", right.factor), ("current_price_corrected", right.corrected)):
        logged = line.get(key)
        if (logged is None) != (value is None) or not math.isclose(logged or 1, value or 1, rel_tol=1e-5, abs_tol=CENT):
            return Difference(name, "units", f"{name} has {key} {logged}, and {value} is right.")
    return None


def _contradiction(line: Line) -> tuple[str, str] | None:
    """Kind and sentence of what a settled line says against itself, whatever the prices."""
    name, target = line["id"], line["target_date"]
    if line["status"] == "expired":
        if line["expired_at"][:10] < _later(target, LAST_DAYS - REST_DAYS):
            return "early", f"{name} expired on {line['expired_at'][:10]}, before {LAST_DAYS} days after {target}."
        return None
    if line["status"] != "verified":
        return None
    if not target <= (line.get("settled_from") or target) <= line["verified_at"][:10]:
        text = f"{name} was settled from {line['settled_from']}, not between {target} and {line['verified_at'][:10]}."
        return "early", text
    actual = line["actual_price"]
    for key, price in (("error_pct", line["predicted_price"]), ("naive_error_pct", line["current_price"])):
        error = abs(actual - price) / actual * 100
        if abs(line[key] - error) > 1e-4:
            return "sums", f"{name} has {key} {line[key]:g}, and {price:g} against {actual:g} makes {error:.4f}."
    if line["was_accurate"] != (line["error_pct"] < ACCURATE_PCT):
        return (
            "sums",
            f"{name} is {'a hit' if line['was_accurate'] else 'a miss'} with an error of {line['error_pct']:g} %.",
        )
    return None


def right_state(line: Line, stock: Stock, bars: Judged) -> Right:
    """The state that the rules give one due line; `bars` are those of the stock, judged."""
    start, planned = line["data_through"], line["target_date"]
    last = _later(planned, LAST_DAYS)
    is_over = stock.reach >= last
    target = _target(line, stock, last)
    if target is None and not is_over:
        return Right("pending", f"not all sessions from {start} to {planned} have come")
    target = target or planned
    bar = next((bar for bar in bars.certain if target <= bar.day <= last), None)
    if bar is not None and not bar.day == target == planned:
        later = sum(other.day > target for other in bars.certain)
        if later < LATER_BARS and not is_over:
            return Right("pending", f"the bar of {target} may still come")
    if bar is None:
        is_open = bars.open_since is not None and bars.open_since <= last
        ended = is_over and not is_open
        return Right("expired" if ended else "pending", f"no bar from {target} to {last} can settle it")
    unsettled = Right("expired" if is_over else "pending", "")
    began = bars.closes.get(start)
    if began is None:
        return _because(unsettled, f"the source has no close of {start}, which it was made from")
    step = next((day for day in bars.rescaled if start < day <= bar.day), None)
    if step is not None:
        return _because(unsettled, f"the prices change units on {step}")
    return _verified(line, stock, bar, began) or _because(unsettled, f"the close of {start} is {began:g} today")


def _target(line: Line, stock: Stock, last: str) -> str | None:
    """The session that is the line's horizon away: by the calendar, or where that is provisional by what came."""
    first, planned = date.fromisoformat(line["data_through"]) + timedelta(days=1), line["target_date"]
    days = [(first + timedelta(days=n)).isoformat() for n in range((date.fromisoformat(last) - first).days + 1)]
    sessions = [day for day in days if stock.is_session(day)]
    if not any(stock.is_provisional(day) for day in sessions if day <= planned):
        return str(planned)
    came = [day for day in sessions if day <= stock.reach and stock.came(day)]
    horizon = line["prediction_horizon_days"]
    return came[horizon - 1] if len(came) >= horizon else None


def _because(right: Right, why: str) -> Right:
    return Right(right.status, why)


def _verified(line: Line, stock: Stock, bar: Bar, began: float) -> Right | None:
    """The outcome from a bar, in the line's units; None where the units cannot be told."""
    logged, why = line["current_price"], f"the close of {bar.day}, {bar.close:g},"
    ratio = logged / began
    size = max(ratio, 1 / ratio)
    half = _half_a_digit(line["actual_price"] if line.get("actual_price") else bar.close)
    if size - 1 <= SAME or abs(ratio - 1) <= SAME:
        return Right("verified", why, bar.day, bar.close, within=half)
    is_renamed = bool(stock.currency and line.get("currency")) and stock.currency != line["currency"]
    rounding = CENT / 2 / min(logged, began)
    if is_renamed or _is_split(size, max(RATIO, rounding)):
        actual = bar.close * ratio
        rescaling = actual * CENT * (1 / began + 1 / bar.close)
        return Right("verified", why, bar.day, actual, factor=ratio, within=half, rescaling=rescaling)
    if size < LEAST_SPLIT:
        return Right("verified", why, bar.day, bar.close, corrected=began, within=half)
    return None


def _is_split(size: float, within: float) -> bool:
    """True for new shares per old: 6:5 and more of up to ten old ones, whole numbers to 100, powers of ten."""
    if size < LEAST_SPLIT - RATIO:
        return False
    whole = [round(size)] if size <= 100.5 else [10 ** round(math.log10(size))]
    ratios = [float(number) for number in whole if number > 1]
    if size < 6:
        ratios += [round(size * old) / old for old in range(2, 11)]
    return any(abs(size / ratio - 1) <= within for ratio in ratios if ratio > 1)


def _half_a_digit(price: float) -> float:
    """Half a unit of the last digit that the log keeps: six digits, and never fewer than two decimals."""
    decimals = max(2, 5 - math.floor(math.log10(price)))
    return 0.5000001 * float(10**-decimals)


def _later(day: str, days: int) -> str:
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()
