"""A log is read once, seals and all, and by a later run not at all; what the quick way cannot judge goes to `chain`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from log_helpers import prediction, records, run_day
from test_line import LINES

from stockml.core.paths import Home
from stockml.core.records import Prediction
from stockml.core.seals import UNSEALED, canonical
from stockml.prediction_log import index, log_reader
from stockml.prediction_log import line as lines_module
from stockml.prediction_log.chain import Chain, check_chain
from stockml.prediction_log.known_lines import KnownLines
from stockml.prediction_log.line import sealed_in_turn
from stockml.prediction_log.log import PredictionLog
from stockml.prediction_log.typed_line import TypedLine, sealed_form, typed_line

pytestmark = pytest.mark.usefixtures("in_haste")

DAYS = 8
Lines = list[bytes]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Lines:
    """The lines of a log of eight days, some of them verified."""
    home = Home(tmp_path_factory.mktemp("whole"))
    for day in range(DAYS):
        run_day(home, day)
    return home.log.read_bytes().splitlines(keepends=True)


@pytest.fixture(params=["key by key", "typed"], autouse=True)
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways of reading lines; the second one is that of long logs."""
    few = 0 if request.param == "typed" else 1000
    monkeypatch.setattr(lines_module, "_readers", lines_module._Readers(few=few))


def counted(monkeypatch: pytest.MonkeyPatch, module: object, name: str) -> list[str]:
    """A list that grows by each call of a function that is given a path first."""
    calls: list[str] = []
    function = getattr(module, name)

    def count(path: Path, *rest: object) -> object:
        calls.append(path.name)
        return function(path, *rest)

    monkeypatch.setattr(module, name, count)
    return calls


Judged = tuple[list[str], index.Index, Chain]  # the logs that the chain had to read, the index, and what the chain says


@pytest.fixture
def judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Lines], Judged]:
    """Writes a log of these lines and reads it from end to end."""

    def judge(lines: Lines) -> Judged:
        log = tmp_path / "predictions.jsonl"
        log.write_bytes(b"".join(lines))
        calls = counted(monkeypatch, index, "broken_chain")
        return calls, index.read_from_end_to_end(log, KnownLines()), check_chain(log)

    return judge


def bare(line: bytes) -> bytes:
    """A line as earlier versions wrote it, without a seal."""
    record = {key: value for key, value in json.loads(line).items() if key not in ("seal", "outcome_checksum")}
    return json.dumps(record | {"format": 1}).encode().ljust(len(line) - 1) + b"\n"


def rewritten(line: bytes) -> bytes:
    """A line as a tool may leave it that changes no value."""
    return json.dumps(json.loads(line), sort_keys=True, separators=(",", ":")).encode() + b"\n"


def mixed(whole: Lines) -> Lines:
    """A log whose first lines are of an earlier version."""
    parts = [json.loads(line) for line in whole[6:]]
    sealed = sealed_in_turn([Prediction.from_record(part) for part in parts], "0" * 64)
    return [*map(bare, whole[:6]), *(one.to_json().encode() + b"\n" for one in sealed)]


WHOLE: dict[str, Callable[[Lines], Lines]] = {
    "sealed throughout": lambda lines: lines,
    "unsealed above, sealed below": mixed,
    "unsealed throughout": lambda lines: list(map(bare, lines)),
    "blank lines between": lambda lines: [lines[0], b"\n", b"  \n", *lines[1:]],
    "of another tool's form": lambda lines: [
        json.dumps(json.loads(line), indent=None).encode() + b"\n" for line in lines
    ],
    "empty": lambda lines: [],
}


@pytest.mark.parametrize("change", WHOLE.values(), ids=WHOLE)
def test_a_chain_that_is_whole_is_checked_in_the_one_reading(
    judged: Callable[[Lines], Judged], whole: Lines, change: Callable[[Lines], Lines]
) -> None:
    calls, found, chain = judged(change(whole))
    assert not calls and found.known.broken is None and chain.broken == 0
    assert found.scan is not None and not found.scan.problems


def moved(line: bytes) -> bytes:
    return line.replace(b'"seal"', b'"sealed_after": "", "seal"')


def price_changed(line: bytes) -> bytes:
    return line.replace(b'"current_price": ', b'"current_price": 1', 1)


ODD: dict[str, Callable[[Lines], Lines]] = {
    "a price changed": lambda lines: [*lines[:3], price_changed(lines[3]), *lines[4:]],
    "the last price changed": lambda lines: [*lines[:-1], price_changed(lines[-1])],
    "a line gone": lambda lines: lines[:3] + lines[4:],
    "the first line gone": lambda lines: lines[1:],
    "two exchanged": lambda lines: [*lines[:3], lines[4], lines[3], *lines[5:]],
    "a line twice": lambda lines: [*lines[:4], lines[3], *lines[4:]],
    "no JSON": lambda lines: [*lines[:3], b"{" + lines[3], *lines[4:]],
    "no seal among sealed ones": lambda lines: [*lines[:3], bare(lines[3]), *lines[4:]],
    "a seal that is none": lambda lines: [*lines[:3], lines[3].replace(b'"seal": "', b'"seal": "X'), *lines[4:]],
    "a key more": lambda lines: [*lines[:3], lines[3].replace(b'"format"', b'"note": 1, "format"'), *lines[4:]],
    "a key less": lambda lines: [*lines[:3], re.sub(rb'"format": \d, ', b"", lines[3]), *lines[4:]],
    "two on one line": lambda lines: [*lines[:3], lines[3][:-1] + b" " + lines[4], *lines[5:]],
    "no end": lambda lines: [*lines[:-1], lines[-1].rstrip()[:-1]],
    "follows another": lambda lines: [*lines[:3], moved(lines[3]), *lines[4:]],
}


@pytest.mark.parametrize("change", ODD.values(), ids=ODD)
def test_what_is_not_in_order_is_judged_by_the_chain_itself(
    judged: Callable[[Lines], Judged], whole: Lines, change: Callable[[Lines], Lines]
) -> None:
    calls, found, chain = judged(change(whole))
    assert calls == ["predictions.jsonl"] and (found.known.broken is None) == (chain.broken == 0)
    assert not chain.breaks or (found.known.broken or "").startswith(str(chain.breaks[0]))


@pytest.mark.parametrize("shape", ["sealed throughout", "unsealed above, sealed below", "unsealed throughout"])
def test_no_later_run_reads_the_log_whole(
    tmp_path: Path, whole: Lines, shape: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path)
    home.log.parent.mkdir(parents=True)
    home.log.write_bytes(b"".join(WHOLE[shape](whole)))
    calls = counted(monkeypatch, log_reader, "read_from_end_to_end")
    for day in range(DAYS, DAYS + 6):  # which settle lines of before, and append
        run_day(home, day)
        with PredictionLog(home.log).locked() as log:
            log.read()
        if day == DAYS:
            assert set(calls) == {home.log.name}
            calls.clear()
    assert not calls and check_chain(home.log).broken == 0
    assert sum(record["status"] == "verified" for record in records(home.log)) > len(whole) // 2


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_the_quick_form_is_the_canonical_one(line: Prediction) -> None:
    raw = line.to_json().encode()
    typed = typed_line(raw)
    assert typed is not None and typed.sealed_form() == sealed_form(raw) == canonical(raw)


@pytest.mark.parametrize(
    "text", ["[1]", "{}", '{"symbol": "A"}', "\\ud800", '{"symbol": 1', "\xff", "[" * 2000], ids=lambda text: text[:9]
)
def test_of_what_is_no_line_of_ours_there_is_no_quick_form(text: str) -> None:
    assert sealed_form(text.encode("latin-1")) is None


def test_every_field_is_sealed_or_may_change() -> None:
    fields = set(TypedLine.__struct_fields__)
    assert set(prediction().to_record()) - UNSEALED <= fields and fields >= UNSEALED
