"""The quick reader of lines takes what we write, and nothing that reading key by key refuses or reads otherwise."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_line import JSON, LINES, ODD

from stockml.core.records import Prediction
from stockml.prediction_log import line as lines
from stockml.prediction_log.line import FEW_LINES, Facts, new_line, read_by_key, read_facts, read_line
from stockml.prediction_log.typed_line import typed_line


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading as in a process that has read more than a few lines."""
    monkeypatch.setattr(lines, "_readers", lines._Readers(few=0))


def agrees(raw: bytes) -> bool:
    """True if both readers are of one mind about a line; the quick one may leave it to the other."""
    try:
        by_key = read_by_key(raw)
    except ValueError:
        return typed_line(raw) is None
    typed = typed_line(raw)
    return typed is None or repr(typed.to_prediction()) == repr(by_key)


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_it_takes_every_line_that_we_write(line: Prediction) -> None:
    for raw in (line.to_json().encode(), new_line(line), line.to_json().encode() + b"   \r"):
        typed = typed_line(raw)
        assert typed is not None and typed.to_prediction() == line == read_by_key(raw)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_the_facts_are_the_same_from_both(line: Prediction) -> None:
    raw = line.to_json().encode()
    odd = raw.replace(b'"symbol"', b'"note": 1, "symbol"')
    assert typed_line(odd) is None
    assert read_facts(raw) == read_facts(odd) == Facts.of(line)
    assert read_facts(raw).id == line.id and read_line(raw) == read_line(odd) == line


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_any_odd_or_missing_value_leaves_both_of_one_mind(line: Prediction) -> None:
    record = line.to_record()
    objects = [(name, record[name]) for name in ("evidence", "distribution", "reopened") if name in record]
    for key in record:
        assert agrees(json.dumps({name: value for name, value in record.items() if name != key}).encode()), key
    for odd in [*ODD, 5.0, 1e16, -0.0, 1e-16, "2026-02-30", "2026-W01-1T10:00:00", [["a", True]], [1, "x"]]:
        for key in record:
            assert agrees(json.dumps({**record, key: odd}).encode()), (key, odd)
        for name, inner in objects:
            for key in inner:
                assert agrees(json.dumps({**record, name: {**inner, key: odd}}).encode()), (name, key, odd)


SPOILT = {
    "a NaN": (b'"magnitude": 0.756', b'"magnitude": NaN'),
    "an infinity": (b'"magnitude": 0.756', b'"magnitude": 1e999'),
    "a plus sign": (b'"magnitude": 0', b'"magnitude": +0'),
    "leading zeros": (b'"magnitude": 0', b'"magnitude": 00'),
    "no digit before the point": (b'"magnitude": 0.', b'"magnitude": .'),
    "no digit after it": (b'"magnitude": 0.756', b'"magnitude": 0.'),
    "a control character": (b"bullish", b"bull\x01ish"),
    "a NUL": (b"bullish", b"bull\x00ish"),
    "half a surrogate": (b"bullish", rb"bull\ud800"),
    "a whole surrogate pair": (b"bullish", rb"bull\ud83d\ude00"),
    "an encoded surrogate": (b"bullish", b"bull\xed\xa0\x80"),
    "an overlong character": (b"bullish", b"bull\xc0\x80"),
    "an escaped key": (b'"magnitude"', rb'"m\u0061gnitude"'),
    "an unknown escape": (b"bullish", rb"bull\x"),
    "a value twice": (b'"magnitude": 0.756', b'"magnitude": "x", "magnitude": 0.756'),
    "a value twice, the last one wrong": (b'"magnitude": 0.756', b'"magnitude": 0.756, "magnitude": "x"'),
    "an unknown key that cannot be written again": (b'"magnitude"', rb'"note": "\ud800", "magnitude"'),
    "an unknown key nested too deeply": (b'"magnitude"', b'"a": ' + b"[" * 200 + b"]" * 200 + b', "magnitude"'),
    "a comma too many": (b', "magnitude"', b',, "magnitude"'),
    "a byte order mark": (b"{", b"\xef\xbb\xbf{"),
    "a form feed behind it": (b"}}", b"}}\x0c"),
    "a horizon in decimals": (b'days": 5', b'days": 5.0'),
    "a format in decimals": (b'"format": 2', b'"format": 2.0'),
    "a newer format": (b'"format": 2', b'"format": 3'),
    "an earlier format": (b'"format": 2', b'"format": 1'),
    "no checksum of the outcome": (b'"outcome_checksum"', b'"outcome_check"'),
    "another checksum": (b'"outcome_checksum": "', b'"outcome_checksum": "0'),
    "a checksum that is none": (b'"outcome_checksum": ', b'"outcome_checksum": null, "was": '),
    "another error": (b'"error_pct": ', b'"error_pct": 1'),
    "another time": (b'T16:00:00"', b'T16:00:01"'),
    "another reason": (b"no bar came", b"no car came"),
    "a price that does not follow": (b'"current_price": 3', b'"current_price": 2'),
    "a target before the day it was made from": (b'"target_date": "2026', b'"target_date": "2025'),
    "another id": (b'"id": "TCS', b'"id": "TCX'),
    "a symbol out of the folder": (b"TCS.NS", b"../../TCS"),
    "a day before all prices": (b"2026-01-05", b"1026-01-05"),
    "an outcome left in a pending line": (b'"status": "verified"', b'"status": "pending"'),
    "an unknown status": (b'"status": "', b'"status": "was '),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new"), SPOILT.values(), ids=SPOILT)
def test_both_are_of_one_mind_about_a_spoilt_line(old: bytes, new: bytes) -> None:
    changed = [raw.replace(old, new) for raw in (line.to_json().encode() for line in LINES.values())]
    assert any(raw != line.to_json().encode() for raw, line in zip(changed, LINES.values(), strict=True))
    assert all(map(agrees, changed))


@settings(max_examples=1000)
@given(
    line=st.sampled_from(list(LINES.values())),
    changes=st.dictionaries(st.sampled_from(list(LINES["reopened"].to_record())), JSON),
)
def test_both_are_of_one_mind_about_any_values(line: Prediction, changes: dict[str, Any]) -> None:
    assert agrees(json.dumps({**line.to_record(), **changes}).encode())


@settings(max_examples=2000)
@given(
    line=st.sampled_from([line.to_json().encode() for line in LINES.values()]),
    where=st.floats(0, 1),
    length=st.integers(0, 3),
    junk=st.one_of(st.binary(max_size=3), st.sampled_from([b"0", b"9", b".", b"-", b"e", b'"', b"\\", b"null", b"["])),
)
def test_both_are_of_one_mind_about_any_damage(line: bytes, where: float, length: int, junk: bytes) -> None:
    at = int(where * len(line))
    assert agrees(line[:at] + junk + line[at + length :])


def test_every_number_is_read_alike() -> None:
    record = LINES["pending"].to_record() | {"path": [0.1 + 0.2, 1e-300, 5e-324, 123456789012345.67, 1 / 3, -0.0, 7]}
    assert agrees(json.dumps(record).encode()) and typed_line(json.dumps(record).encode()) is not None


def test_a_process_that_reads_a_few_lines_does_not_import_it() -> None:
    code = (
        "import sys; from stockml.prediction_log import line; raw = sys.stdin.buffer.read()\n"
        f"for _ in range({FEW_LINES}): line.read_line(raw)\n"
        "few = 'msgspec' in sys.modules; line.read_line(raw); print(few, 'msgspec' in sys.modules)"
    )
    raw = LINES["verified"].to_json().encode()
    said = subprocess.run([sys.executable, "-c", code], input=raw, check=True, capture_output=True).stdout
    assert said.split() == [b"False", b"True"]
