"""A bundle's metrics.json decoded: what the program asks of it checked field by field, the rest as it stands."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from stockml.core.paths import SYMBOL_RULE, is_symbol
from stockml.core.record_fields import FARTHEST_SESSIONS, time_text
from stockml.storage.decoding import Name, Number, check_day, converted, decoded, decoded_object

MOST_BYTES = 1 << 20  # ours have some 10,000
MOST_FEATURES = 1000
LONGEST_WINDOW = 1000  # sessions

_Names = Annotated[list[Name], Meta(max_length=MOST_FEATURES)]
_Error = Annotated[float, Meta(ge=0, le=1e6)] | None | UnsetType  # in %


class _Symbol(Struct):
    symbol: str

    def __post_init__(self) -> None:
        if not is_symbol(self.symbol):
            raise ValueError(f"has {self.symbol[:60]!r} for symbol, not {SYMBOL_RULE}")


class _Source(Struct):
    source: Name


class _Metrics(_Symbol):
    trained_at: str
    data_through: date
    horizon_days: Annotated[int, Meta(ge=1, le=FARTHEST_SESSIONS)]
    features: _Names
    inputs: _Names
    window_sessions: Annotated[int, Meta(ge=1, le=LONGEST_WINDOW)]
    priors: dict[str, Any]
    sha256: dict[Name, str]
    source: Name | UnsetType = UNSET
    lstm_mae: _Error = UNSET
    xgb_mae: _Error = UNSET
    ensemble_mae: _Error = UNSET
    naive_mae: _Error = UNSET
    spread_pct: Number | UnsetType = UNSET

    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            time_text("", self.trained_at)
        except ValueError:
            raise ValueError(
                f"has {self.trained_at[:60]!r} for trained_at, not a time like 2026-02-01T12:30:00"
            ) from None
        check_day("trained_at", date.fromisoformat(self.trained_at[:10]))
        check_day("data_through", self.data_through)


def metrics_of(content: bytes) -> dict[str, Any]:
    """The object of a metrics.json.

    Raises
    ------
    DecodingError
        Where a value that forecasts or reports are made from is missing or cannot be; the text goes after the name.
    """
    metrics = decoded_object(content, MOST_BYTES)
    converted(_Metrics, metrics)
    return metrics


def symbol_in(content: bytes) -> str:
    """The symbol that a metrics.json names; DecodingError where it is none."""
    return decoded(_Symbol, content, MOST_BYTES).symbol


def source_in(content: bytes) -> str:
    """The kind of source that the prices of a metrics.json came from; DecodingError where it names none."""
    return decoded(_Source, content, MOST_BYTES).source
