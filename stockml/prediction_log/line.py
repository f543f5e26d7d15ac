"""One line of the prediction log as bytes: padded so that it can be completed in place, and checked when it is read."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, Never

from stockml.core.outcomes import EXPIRED, PENDING, VERIFIED, Outcome, Reopened, completed, made_pending
from stockml.core.paths import check_symbol
from stockml.core.record_fields import FARTHEST_SESSIONS
from stockml.core.records import Prediction, record_line
from stockml.core.seals import canonical, seal_of

if TYPE_CHECKING:
    from stockml.prediction_log.typed_line import TypedLine

BLANKS = b" \t\r\n"  # white space in JSON
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_NO_BLANK = re.compile(f"[^{BLANKS.decode()}]")
REASON_BYTES = 200  # room for the reason of an expired line; a longer one is cut
REASON_SHOWN = 160  # characters; a reason may quote a hand-edited value of any length, and loses its middle then

_SOME_TIME = "0000-00-00T00:00:00"
_WIDEST = sys.float_info.max  # 23 characters; the only wider floats are negative, which none of these can be
_LONGEST = (
    Outcome(VERIFIED, _SOME_TIME, _WIDEST, _WIDEST, False, _WIDEST, _WIDEST, _WIDEST, _SOME_TIME[:10], _SOME_TIME),
    Outcome(EXPIRED, _SOME_TIME, reason="." * (REASON_BYTES - 2)),
)
MOST_TIMES = FARTHEST_SESSIONS  # that a line can be reopened: the greatest number that reads back
_LONGEST_NOTE = Reopened(MOST_TIMES, _SOME_TIME, VERIFIED, _SOME_TIME, _WIDEST)
_BARE = {"status": PENDING}
_OUTCOME_BYTES = max(len(record_line(completed(_BARE, one))) for one in _LONGEST) - len(record_line(_BARE))

FEW_LINES = 1000  # read key by key, since importing a quicker reader takes as long as they do

MOST_BRACKETS = 100  # beyond as many a line may be nested too deeply; ours have some ten
DEEPEST = 50  # deeper values could be read, but perhaps not be quoted or written again


class _ConstantError(ValueError):
    pass


def _refuse(constant: str) -> Never:
    raise _ConstantError(f"{constant} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse)


def read_record(raw: bytes) -> dict[str, Any]:
    """The JSON object of a line; ValueError says in plain words what is wrong with it."""
    try:
        record = _DECODER.decode(raw.decode())
        if b"\\u" in raw:
            record_line(record).encode()  # \ud800 alone is no text that could be written again
    except UnicodeError:
        raise ValueError("it is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON ({error.msg} at character {error.pos + 1})") from None
    except _ConstantError:
        raise
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except ValueError:
        raise ValueError("it holds a number that is too long or too large") from None
    if raw.count(b"[") + raw.count(b"{") > MOST_BRACKETS and _is_deeper(record, DEEPEST):
        raise ValueError("it is nested too deeply")
    if not isinstance(record, dict):
        raise ValueError("it is not a JSON object")
    return record


def _is_deeper(value: Any, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels == 0 or any(_is_deeper(one, levels - 1) for one in inner)


class Facts(NamedTuple):
    """The facts about a line that are kept of all lines: which prediction it is, and whether it is settled."""

    symbol: str
    made: str  # data_through
    horizon: int
    target: str
    source: str
    status: str
    ended_at: str | None  # None where it is pending

    @property
    def id(self) -> str:
        """SYMBOL:data_through:horizon."""
        return f"{self.symbol}:{self.made}:{self.horizon}"

    @classmethod
    def of(cls, line: Prediction) -> Facts:
        """The facts about a prediction."""
        ended_at = line.outcome.ended_at if line.outcome else None
        made, horizon = line.data_through, line.prediction_horizon_days
        return cls(line.symbol, made, horizon, line.target_date, line.source, line.status, ended_at)


def read_line(raw: bytes) -> Prediction:
    """The prediction of a line; ValueError says in plain words what is wrong with it."""
    line = _readers.typed(raw)
    return read_by_key(raw) if line is None else line.to_prediction()


def read_facts(raw: bytes) -> Facts:
    """The facts about a line, as strictly checked as by `read_line`, in a third of the time."""
    return read_both(raw)[0]


def read_both(raw: bytes) -> tuple[Facts, TypedLine | None]:
    """The facts about a line, and the line where the quick reader takes it; ValueError as `read_line`."""
    line = _readers.typed(raw)
    if line is None:
        return Facts.of(read_by_key(raw)), None
    made, horizon = line.data_through, int(line.prediction_horizon_days)
    return Facts(line.symbol, made, horizon, line.target_date, line.source, line.status, line.ended_at), line


def read_by_key(raw: bytes) -> Prediction:
    """The prediction of a line, read key by key; ValueError as `read_line`, which needs this where a line is odd."""
    try:
        prediction = Prediction.from_record(read_record(raw))
        check_symbol(prediction.symbol)
    except ValueError as error:
        text = str(error)
        raise ValueError(text if len(text) <= REASON_SHOWN else f"{text[:80]}...{text[-60:]}") from None
    return prediction


@dataclass(slots=True)
class _Readers:
    """The quick reader of lines, imported by the process that reads more than a few."""

    few: int = FEW_LINES
    _typed: Callable[[bytes], TypedLine | None] | None = None

    def typed(self, raw: bytes) -> TypedLine | None:
        """The line, where the quick reader can be had and takes it."""
        if self._typed is None:
            self.few -= 1
            if self.few >= 0:
                return None
            from stockml.prediction_log.typed_line import typed_line

            self._typed = typed_line
        return self._typed(raw)


_readers = _Readers()


def joined_lines(raw: bytes) -> list[tuple[int, int]]:
    """Start and end of each object in a line that holds two or more, with a blank between; else []."""
    text = raw.decode("latin-1")  # one character a byte; what separates objects is ASCII
    starts: list[int] = []
    at = 0
    try:
        while found := _NO_BLANK.search(text, at):
            if starts and found.start() == at:
                return []
            starts.append(found.start())
            at = _DECODER.raw_decode(text, found.start())[1]
    except (ValueError, RecursionError):
        return []
    ends = [start - 1 for start in starts[1:]] + [len(raw)]
    return list(zip(starts, ends, strict=True)) if len(starts) > 1 else []


def sealed_in_turn(predictions: Iterable[Prediction], previous: str) -> list[Prediction]:
    """The predictions with their seals, the first behind the seal given and each behind the one before it."""
    made = []
    for prediction in predictions:
        bare = prediction if prediction.seal is None else replace(prediction, seal=None)
        previous = seal_of(previous, canonical(bare.to_json().encode()))
        made.append(replace(bare, seal=previous))
    return made


def new_line(prediction: Prediction) -> bytes:
    """A prediction's line with room for the longest outcome and reopening, and its line feed.

    ValueError if it does not read back.
    """
    record = prediction.to_record()
    line = record_line(record).encode()
    if read_facts(line).id != prediction.id:
        raise ValueError(f"{prediction.id}: the line would read as another prediction")
    return padded(line, _room(record)) + b"\n"


def padding_for(raw: bytes) -> bytes:
    """The blanks to add to a pending line so that it can be completed in place."""
    return b" " * (_room(read_record(raw)) - len(raw))


def completed_line(raw: bytes, id_: str, outcome: Outcome) -> bytes:
    """The line with its outcome, as long as before, or longer where the room does not suffice.

    Raises
    ------
    ValueError
        Where the line is no longer this id's, is not pending, or could not be written.
    """
    found = read_facts(raw)
    if found.id != id_ or found.ended_at is not None:
        raise ValueError(f"its place now holds {found.id}, which is {found.status}")
    if outcome.reason is not None:
        outcome = replace(outcome, reason=_cut(outcome.reason))
    full = record_line(completed(read_record(raw), outcome)).encode()
    return padded(full, len(raw))


def reopened_line(raw: bytes, id_: str, at: str) -> bytes:
    """The settled line pending again, with a note of its outcome and the time `at`; as long as before where it fits.

    Raises
    ------
    ValueError
        Where the line is no longer this id's, is pending, or was reopened too often.
    """
    line = read_line(raw)
    if line.id != id_ or line.outcome is None:
        raise ValueError(f"its place now holds {line.id}, which is {line.status}")
    times = line.reopened.times + 1 if line.reopened else 1
    note = Reopened(times, at, line.status, line.outcome.ended_at, line.outcome.actual_price)
    full = record_line(made_pending(read_record(raw), note)).encode()
    return padded(full, len(raw))


def padded(line: bytes, width: int) -> bytes:
    """The line filled up with blanks to `width` bytes."""
    return line + b" " * (width - len(line))


def _room(record: dict[str, Any]) -> int:
    """The bytes of a line's object once it is reopened as often as it can be, and has the longest outcome."""
    return len(record_line(made_pending(record, _LONGEST_NOTE)).encode()) + _OUTCOME_BYTES


def _cut(reason: str) -> str:
    """The reason, short enough for the room kept for it once it is written as JSON."""
    short = reason[:REASON_BYTES]
    while len(record_line({"": short}).encode()) - len('{"": ""}') > REASON_BYTES - 2:
        short = short[:-1]
    return short
