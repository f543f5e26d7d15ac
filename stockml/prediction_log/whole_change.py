"""A log that was changed as a whole: recognised, told in one sentence with the way back, and left alone.

A tool that rewrites the file (jq, sort, logrotate, an older copy) is one event, not a thousand damaged lines. It is one
where

- nothing is left of lines that were known, or fewer than LEAST_LEFT of them,
- the newest lines are missing, MOST_CUT or more, without any damage in their place,
- fewer than LEAST_IN_ORDER of the lines stand in the order of their days, or
- most of the file is in another form that holds predictions, or nothing in it is one.

Where nothing is known of the lines before, only the last kind is seen, and a log that is missing beside its rotated
copy; one sorted by symbol or reversed is read, with a notice.

Anything less is an edit: damaged lines are set aside, deleted ones are counted.
"""

from __future__ import annotations

import json
import re
import shlex
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

from stockml.prediction_log.known_lines import KnownLines
from stockml.prediction_log.line import BLANKS, BYTE_ORDER_MARK
from stockml.prediction_log.scan import Scan
from stockml.storage.files import StorageError, storage
from stockml.storage.plain_files import open_plain, plain_status

LEAST_LEFT = 0.5  # of the known lines
LEAST_IN_ORDER = 0.75  # of those left; two stocks sorted by name keep just over a half
MOST_CUT = 2  # lines; a single one may have been deleted by hand
HEAD_BYTES = 1 << 20  # more than the longest line

_ROTATED = re.compile(r"[.-](\d|\d{8}(-\d+)?)(\.gz)?")  # as logrotate names them
_COPY = re.compile(rf"{_ROTATED.pattern}|\.(bak|old|orig|save|gz)|~")


class LogChanged(StorageError):  # noqa: N818
    """The log was changed as a whole; nothing was written."""


class _Form(NamedTuple):
    """Another form of a log, and the command that prints it as lines again."""

    text: str
    command: str


_PRETTY = _Form("no longer holds one line a prediction (as after jq .)", "jq -c . {log}")
_ARRAY = _Form("holds one JSON array instead of a line a prediction (as after jq -s)", "jq -c '.[]' {log}")
_UTF16 = _Form("is text in UTF-16 instead of UTF-8", "iconv -f {code} -t UTF-8 {log}")
_GZIP = _Form("is compressed", "zcat < {log}")
_BACKUP = "bring the log back from a backup"
_ODD_ORDERS = ("sorted by symbol", "reversed")  # which no series of runs leaves
_BY_DATE = "jq -sc 'sort_by(.prediction_date)[]' {log}"


def whole_change(path: Path, known: KnownLines, found: Scan) -> str | None:
    """The sentence about a log that was changed as a whole, with the way back; None where it was not."""
    what, way_back = _form(path, found) or _absence(path, known, found) or _difference(path, known, found) or ("", "")
    if not what:
        return None
    return f"{path}: {what}; nothing was changed: {way_back}, or take the log as it is with --accept-log"


def smaller_change(path: Path, known: KnownLines, found: Scan) -> str | None:
    """The notice about known lines that are gone, or an order that no series of runs leaves; None without either."""
    gone = known.count - found.known.count - len(found.set_aside)
    if gone > 0:
        return f"{gone} of the {known.count} known predictions are gone from it, and count no longer"
    met = found.known.sample()
    if known.count or _order(met) not in _ODD_ORDERS:
        return None
    disorder = _disorder(path, sorted(met, key=_day), met)  # read all the same: nobody knows of another order
    return disorder and ", which does no harm; ".join(disorder)


def _form(path: Path, found: Scan) -> tuple[str, str] | None:
    """The other form that most of the file is in."""
    if len(found.set_aside) <= found.known.count:
        return None
    with storage(path, "read the log"), open_plain(path) as file:
        form = _recognised(file.read(HEAD_BYTES))
    return None if form is None else (form.text, f"put it right by {_rewritten(path, form.command)}")


def _recognised(head: bytes) -> _Form | None:
    if head.startswith(b"\x1f\x8b"):
        return _GZIP
    for code, is_one in (
        ("UTF-16", head[:2] in (b"\xff\xfe", b"\xfe\xff")),
        ("UTF-16LE", head[:1] == b"{" and head[1:40:2].strip(b"\0") == b""),
        ("UTF-16BE", head[1:2] == b"{" and head[0:40:2].strip(b"\0") == b""),
    ):
        if is_one:
            return _UTF16._replace(command=_UTF16.command.replace("{code}", code))
    text = head.removeprefix(BYTE_ORDER_MARK).strip(BLANKS).decode("latin-1")
    is_array = text.startswith("[")
    start = len(text) - len(text.removeprefix("[").lstrip())
    try:
        first, end = json.JSONDecoder().raw_decode(text, start)
    except (ValueError, RecursionError):
        return None
    if not isinstance(first, dict) or "symbol" not in first:
        return None
    return _ARRAY if is_array else _PRETTY if "\n" in text[start:end] else None


def _absence(path: Path, known: KnownLines, found: Scan) -> tuple[str, str] | None:
    """A log without any prediction."""
    if found.known.count or (found.set_aside and known.count):
        return None
    if found.set_aside:  # a single damaged line is no event, also where it is alone
        return (f"holds no prediction at all ({_reason(found)})", _BACKUP) if len(found.set_aside) > 1 else None
    copies = [other for other in path.parent.glob(f"{path.name}*") if _COPY.fullmatch(other.name[len(path.name) :])]
    what = "is empty" if plain_status(path) else "is gone"
    if known.count:
        return f"{what}, and held {known.count} predictions", _bring_back(path, copies)
    rotated = [other for other in copies if _ROTATED.fullmatch(other.name[len(path.name) :])]
    return (f"{what}, while {rotated[0].name} lies beside it", _bring_back(path, rotated)) if rotated else None


def _bring_back(path: Path, copies: Sequence[Path]) -> str:
    if not copies:
        return _BACKUP
    newest = max(copies, key=lambda other: other.stat().st_mtime_ns)
    how = "zcat {} > {}" if newest.name.endswith(".gz") else "mv {} {}"
    command = how.format(shlex.quote(str(newest)), shlex.quote(str(path)))
    return f"bring it back by {command} and let nothing rotate it"


def _difference(path: Path, known: KnownLines, found: Scan) -> tuple[str, str] | None:
    """Known lines that are no longer in the log, or in another order."""
    if not known.count:
        return None
    there = set(found.met)
    share = known.share(there.__contains__)
    sample = known.sample()
    cut = _missing_at_end(sample, there)
    is_cut = cut >= MOST_CUT and len(found.set_aside) < cut < len(sample)
    gone = max(known.count - found.known.count, cut, round(known.count * (1 - share)))
    if share < LEAST_LEFT and gone >= MOST_CUT and not is_cut:
        return _mostly_gone(known, found, gone), _BACKUP
    if is_cut:
        return f"ends early: of its {known.count} predictions the newest {gone} are gone", _BACKUP
    return _disorder(path, sample, found.met)


def _disorder(path: Path, sample: Sequence[str], met: Sequence[str]) -> tuple[str, str] | None:
    """Ids met in another order than the sample's."""
    in_order = _in_order(sample, met)
    if len(met) - in_order < MOST_CUT or in_order >= LEAST_IN_ORDER * len(met):
        return None
    way_back = f"put them back in the order of their days by {_rewritten(path, _BY_DATE)}"
    return f"holds its predictions in another order ({_order(met)})", way_back


def _mostly_gone(known: KnownLines, found: Scan, gone: int) -> str:
    what = f"{gone} of its {known.count} predictions are no longer there"
    if found.set_aside:
        return f"{what} ({_reason(found)})"
    other = found.known.count - (known.count - gone)
    return f"{what}, and {other} others are, as if it were the log of another home" if other > 0 else what


def _reason(found: Scan) -> str:
    problem = found.set_aside[0][0]
    return f"line {problem.line}: {problem.text.removesuffix(': set aside')}"


def _missing_at_end(sample: Sequence[str], there: Iterable[str]) -> int:
    last = next((at for at in range(len(sample), 0, -1) if sample[at - 1] in there), 0)
    return len(sample) - last


def _in_order(sample: Sequence[str], met: Sequence[str]) -> int:
    """The number of ids met that stand in the sample's order.

    Neighbours of one day may stand in any order: that is how the way back leaves them.
    """
    rank = dict(zip(sample, accumulate(map(_is_new_day, ["", *sample], sample)), strict=True))
    ends: list[int] = []  # the last rank of the best ascending run of each length
    for id_ in met:
        at = bisect_right(ends, rank[id_])
        ends[at : at + 1] = [rank[id_]]
    return len(ends)


def _is_new_day(before: str, id_: str) -> int:
    return int(not before or _day(before) != _day(id_))


def _order(met: Sequence[str]) -> str:
    symbols = [id_.rsplit(":", 2)[0] for id_ in met]
    if symbols in (sorted(symbols), sorted(symbols, reverse=True)) and len(set(symbols)) > 1:
        return _ODD_ORDERS[0]
    days = [_day(id_) for id_ in met]
    return _ODD_ORDERS[1] if days == sorted(days, reverse=True) else "shuffled, or sorted by something else"


def _day(id_: str) -> str:
    return id_.rsplit(":", 2)[1]


def _rewritten(path: Path, command: str) -> str:
    """A command line that puts what `command` prints in the log's place."""
    new = path.with_suffix(".new").name
    return f"cd {shlex.quote(str(path.parent))} && {command.format(log=path.name)} > {new} && mv {new} {path.name}"
