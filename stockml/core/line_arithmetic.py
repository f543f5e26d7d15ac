"""A line's figures beside each other: what does not follow from the others, or cannot be, was not written by us.

Within the rounding of the figures that are logged, two decimals at least. Standard library only.
"""

from __future__ import annotations

ACCURATE_BELOW_PCT = 5.0  # SPEC: a prediction is accurate when its error is below 5 %
ANEW = '; with "status": "pending" it is settled anew'  # the remedy where an outcome is damaged

_ROUNDED = 0.005_001  # by writing two decimals
_PRICE_ROUNDED = 6e-5  # of a price, by rounding the change in % to two decimals, and the price to six digits
_LAST_DIGITS = 1e-9  # of a sum of floats, whoever computes it


def prediction_fault(current: float, predicted: float, change_pct: float) -> str | None:
    """The fault of a predicted price beside its change in %; None where it follows.

    Parameters
    ----------
    current, predicted : float
        Prices above 0.
    change_pct : float
    """
    expected = current * (1 + change_pct / 100)
    if abs(predicted - expected) <= _ROUNDED + _PRICE_ROUNDED * (current + predicted):
        return None
    return (
        f"predicted_price is {predicted!r}, but current_price {current!r} and predicted_change_pct {change_pct!r} make "
        f"{expected:.6g}"
    )


def dates_fault(data_through: str, target_date: str) -> str | None:
    """The fault of a target that is not after the last day used, both YYYY-MM-DD; None where it is."""
    if data_through < target_date:
        return None
    return f"target_date is {target_date}, which is not after data_through, {data_through}"


def outcome_fault(
    prices: tuple[float, float, float], errors_pct: tuple[float, float], *, is_accurate: bool
) -> str | None:
    """The fault of the errors of a verified line beside its prices; None where they follow.

    Parameters
    ----------
    prices : tuple of three floats
        Current, predicted and actual, above 0.
    errors_pct : tuple of two floats
        Of the predicted price, and of the current one.
    is_accurate : bool
        As logged.
    """
    current, predicted, actual = prices
    error_pct, naive_pct = errors_pct
    expected = abs(actual - predicted) / actual * 100
    if abs(error_pct - expected) > _ROUNDED + _LAST_DIGITS * expected:
        return f"error_pct is {error_pct!r}, but its prices make {expected:.6g}{ANEW}"
    expected = abs(actual - current) / actual * 100
    if abs(naive_pct - expected) > _ROUNDED + _LAST_DIGITS * expected:
        return f"naive_error_pct is {naive_pct!r}, but its prices make {expected:.6g}{ANEW}"
    if is_accurate != (error_pct < ACCURATE_BELOW_PCT) and abs(error_pct - ACCURATE_BELOW_PCT) > _ROUNDED:
        return f"was_accurate is {str(is_accurate).lower()}, but error_pct is {error_pct!r}{ANEW}"
    return None
