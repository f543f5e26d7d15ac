"""Seals of a log: any change of a prediction is found and named; completing and reopening leave all whole."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from log_helpers import AT, outcome, prediction, records, run_day
from tools import needs

from stockml.core.paths import Home
from stockml.core.seals import FIRST, UNSEALED, canonical
from stockml.prediction_log import chain as chain_module
from stockml.prediction_log.chain import Chain, check_chain
from stockml.prediction_log.chain_end import last_seal
from stockml.prediction_log.log import PredictionLog

pytestmark = pytest.mark.usefixtures("in_haste")

DAYS = 9
OUTCOME = {
    *("status", "actual_price", "error_pct", "was_accurate", "verified_at", "naive_error_pct", "outcome_checksum")
}


class Text:
    """A log's bytes, which nobody wants to see in full where a test fails."""

    def __init__(self, content: bytes) -> None:
        self.content = content


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Text:
    """A log of nine days, some of its lines verified."""
    home = Home(tmp_path_factory.mktemp("whole"))
    for day in range(DAYS):
        run_day(home, day)
    return Text(home.log.read_bytes())


@pytest.fixture
def home(tmp_path: Path, whole: Text) -> Home:
    home = Home(tmp_path)
    home.log.parent.mkdir(parents=True)
    home.log.write_bytes(whole.content)
    return home


@pytest.fixture(params=["by json", "by msgspec"])
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways of computing seals; the second one is that of long logs."""
    if request.param == "by msgspec":
        monkeypatch.setattr(chain_module, "FEW_LINES", 0)
    return str(request.param)


def lines_of(home: Home) -> list[bytes]:
    return home.log.read_bytes().split(b"\n")[:-1]


def put(home: Home, lines: list[bytes]) -> Chain:
    home.log.write_bytes(b"\n".join([*lines, b""]))
    return check_chain(home.log)


def changed(line: bytes, **values: Any) -> bytes:
    return json.dumps(json.loads(line) | values).encode()


# ---- what is written -------------------------------------------------------------------------------------------------


def test_every_line_ends_its_prediction_with_a_seal_over_the_one_before_and_the_documented_canonical_form(
    home: Home,
) -> None:
    """Computed here by the words of the documentation alone."""
    previous = "0" * 64
    for line in lines_of(home):
        record = json.loads(line, parse_int=float)
        kept = {key: value for key, value in record.items() if key not in UNSEALED}
        text = json.dumps(kept, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        previous = hashlib.sha256((previous + text).encode()).hexdigest()
        assert record["seal"] == previous
        keys = [key for key in record if key not in OUTCOME]
        assert keys[-2:] == ["distribution", "seal"]
    assert check_chain(home.log) == Chain(lines=18, sealed=18, head=previous)
    assert last_seal(home.log) == previous


def test_the_sealed_fields_are_all_that_verification_never_changes(home: Home) -> None:
    pending = prediction().to_record()
    done = replace(prediction(), outcome=outcome(prediction())).to_record()
    assert all(done[key] == value for key, value in pending.items() if key not in UNSEALED)
    assert not UNSEALED & pending.keys() - {"status"} and {"settled_from", "reopened", "units_factor"} <= UNSEALED


def test_several_lines_of_one_append_follow_one_another_and_the_file_not_the_memory(home: Home) -> None:
    log = PredictionLog(home.log)
    with log.locked():
        log.append([prediction(f"S{number}.NS", 30) for number in range(5)])
        assert len(log.append([prediction("LAST.NS", 30)])) == 1
    assert check_chain(home.log).broken == 0 and check_chain(home.log).sealed == 24


def test_a_verification_leaves_every_seal_and_every_other_byte(home: Home) -> None:
    before = lines_of(home)
    for day in range(DAYS, DAYS + 4):
        run_day(home, day, symbols=())
    after = lines_of(home)
    assert [len(line) for line in after] == [len(line) for line in before] and after != before
    assert [json.loads(line)["seal"] for line in after] == [json.loads(line)["seal"] for line in before]
    assert check_chain(home.log).broken == 0


def test_reopening_and_settling_anew_leave_it_whole(home: Home) -> None:
    log = PredictionLog(home.log)
    for _ in range(3):
        with log.locked():
            ids = [record["id"] for record in records(home.log) if record["status"] != "pending"]
            log.reopen(dict.fromkeys(ids, AT))
            assert check_chain(home.log).broken == 0
            log.settle({line.id: outcome(line) for line in log.read().pending})
        assert check_chain(home.log) == Chain(lines=18, sealed=18, head=last_seal(home.log))


# ---- tools that write the same values --------------------------------------------------------------------------------


@needs("jq")
@pytest.mark.parametrize("options", ["-c .", "-cS ."])
def test_jq_may_write_the_lines_anew(home: Home, options: str, reader: str) -> None:
    text = subprocess.run(["jq", *options.split(), str(home.log)], check=True, capture_output=True).stdout
    assert text != home.log.read_bytes() and b'"magnitude":0.756' in text
    home.log.write_bytes(text)
    assert check_chain(home.log).broken == 0


FORMS: dict[str, Callable[[Any], str]] = {
    "indented": lambda record: json.dumps(record, separators=(" , ", " :\t")),
    "escaped": lambda record: json.dumps(record, ensure_ascii=True),
    "sorted": lambda record: json.dumps(record, sort_keys=True),
    "whole numbers without a point": lambda record: json.dumps(record).replace(".0,", ",").replace(".0}", "}"),
    "whole numbers with one": lambda record: json.dumps(json.loads(json.dumps(record), parse_int=float)),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_the_form_of_the_same_values_plays_no_part(form: Callable[[Any], str], home: Home, reader: str) -> None:
    texts = [form(json.loads(line)).encode() for line in lines_of(home)]
    assert put(home, texts).broken == 0


NUMBERS = st.one_of(st.floats(-1e15, 1e15), st.floats(-1e-3, 1e-3), st.integers(-(10**15), 10**15))


@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(values=st.dictionaries(st.text(max_size=8), NUMBERS, max_size=6))
def test_any_numbers_and_names_are_sealed_alike_by_both_readers(tmp_path_factory: Any, values: Any) -> None:
    home = Home(tmp_path_factory.getbasetemp() / "numbers")
    shutil.rmtree(home.root, ignore_errors=True)
    made = [replace(prediction(day=day), evidence=replace(prediction().evidence, opinions=values)) for day in range(3)]
    with PredictionLog(home.log).locked() as log:
        log.append(made)
    assert check_chain(home.log).broken == 0
    few, chain_module.FEW_LINES = chain_module.FEW_LINES, 0
    try:
        assert check_chain(home.log).broken == 0
    finally:
        chain_module.FEW_LINES = few


# ---- changes that are found ------------------------------------------------------------------------------------------


def paths_in(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path to every value in a prediction's fields that is none of an object or a list."""
    if isinstance(value, dict | list):
        inner = value.items() if isinstance(value, dict) else enumerate(value)
        return [found for key, one in inner for found in paths_in(one, (*path, key))]
    return [path]


def other(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return "x"
    return value + 0.01 if isinstance(value, int | float) else f"{value}x"


def with_another(record: dict[str, Any], path: tuple[Any, ...]) -> bytes:
    place: Any = record
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = other(place[path[-1]])
    return json.dumps(record).encode()


def test_any_other_value_of_any_prediction_field_is_found_and_its_line_named(home: Home, reader: str) -> None:
    lines = lines_of(home)
    for row in (0, 7, 17):
        record = json.loads(lines[row])
        paths = [path for path in paths_in(record) if path[0] not in UNSEALED]
        assert len(paths) > 40
        for path in paths:
            spoilt = with_another(json.loads(lines[row]), path)
            chain = put(home, [*lines[:row], spoilt, *lines[row + 1 :]])
            assert (chain.broken, chain.breaks[0].line) == (1, row + 1), path
    added = put(home, [changed(lines[0], surprise=1), *lines[1:]])
    assert (added.broken, added.breaks[0].line) == (1, 1)


def test_any_missing_prediction_field_is_found(home: Home) -> None:
    lines = lines_of(home)
    record = json.loads(lines[5])
    for key in record.keys() - UNSEALED:
        kept = json.dumps({name: value for name, value in record.items() if name != key}).encode()
        chain = put(home, [*lines[:5], kept, *lines[6:]])
        assert (chain.broken, chain.breaks[0].line) == (1, 6), key


def test_no_outcome_is_a_part_of_the_seal(home: Home, reader: str) -> None:
    lines = lines_of(home)
    assert put(home, [changed(lines[0], actual_price=1.0, verified_at="2027-01-01T00:00:00"), *lines[1:]]).broken == 0


def swapped(lines: list[bytes], row: int) -> list[bytes]:
    lines[row], lines[row + 1] = lines[row + 1], lines[row]
    return lines


def copied(lines: list[bytes], row: int) -> list[bytes]:
    return [*lines[: row + 3], lines[row], *lines[row + 3 :]]


def inserted(lines: list[bytes], row: int) -> list[bytes]:
    return [*lines[: row + 1], prediction("NEW.NS", 3).to_json().encode(), *lines[row + 1 :]]


def forged(lines: list[bytes], row: int) -> list[bytes]:
    """A line put in with a right seal behind the one above: the next one then follows another line than it did."""
    from stockml.prediction_log.line import sealed_in_turn

    (made,) = sealed_in_turn([prediction("NEW.NS", 3)], json.loads(lines[row])["seal"])
    return [*lines[: row + 1], made.to_json().encode(), *lines[row + 1 :]]


def unsealed(lines: list[bytes], row: int) -> list[bytes]:
    record = json.loads(lines[row])
    del record["seal"]
    return [*lines[:row], json.dumps(record).encode(), *lines[row + 1 :]]


def resealed(lines: list[bytes], row: int) -> list[bytes]:
    return [*lines[:row], changed(lines[row], seal="f" * 64), *lines[row + 1 :]]


CHANGES: dict[str, tuple[Callable[[list[bytes], int], list[bytes]], int, str]] = {
    "removed": (lambda lines, row: lines[:row] + lines[row + 1 :], 1, "does not follow"),
    "two removed": (lambda lines, row: lines[:row] + lines[row + 2 :], 1, "does not follow"),
    "swapped": (swapped, 1, "does not follow"),
    "copied": (copied, 4, "does not follow"),
    "inserted without a seal": (inserted, 2, "has no seal"),
    "inserted with a right seal": (forged, 3, "does not follow"),
    "its seal taken out": (unsealed, 1, "has no seal"),
    "another seal": (resealed, 1, "does not follow"),
    "a seal of another kind": (
        lambda lines, row: [*lines[:row], changed(lines[row], seal=5), *lines[row + 1 :]],
        1,
        "has no seal",
    ),
    "damaged": (lambda lines, row: [*lines[:row], lines[row][:-400] + b"\xff", *lines[row + 1 :]], 1, "not JSON"),
    "torn": (lambda lines, row: [*lines[:row], lines[row][:300], *lines[row + 1 :]], 1, "not JSON"),
}


@pytest.mark.parametrize("row", [1, 8, 13])
@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize(("change", "place", "reason"), CHANGES.values(), ids=CHANGES)
def test_each_change_of_lines_is_found_and_its_place_named(
    home: Home, change: Callable[[list[bytes], int], list[bytes]], place: int, reason: str, row: int
) -> None:
    chain = put(home, change(lines_of(home), row))
    assert chain.breaks[0].line == row + place and reason in str(chain.breaks[0]), chain.breaks
    assert chain.broken <= 3 and chain.head == last_seal(home.log)


def test_what_comes_after_a_damaged_line_still_verifies_and_a_line_cut_off_at_the_end_needs_a_witness(
    home: Home,
) -> None:
    lines = lines_of(home)
    assert put(home, [*lines[:4], b"{torn", *lines[5:]]).broken == 2  # the line, and the one that follows what it held
    assert put(home, lines[:-2]).broken == 0


@settings(max_examples=200, suppress_health_check=list(HealthCheck))
@given(at=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_one_flipped_bit_anywhere_in_a_pending_line_is_found(
    whole: Text, tmp_path_factory: pytest.TempPathFactory, at: float, bit: int
) -> None:
    home = Home(tmp_path_factory.getbasetemp() / "flipped")
    home.log.parent.mkdir(parents=True, exist_ok=True)
    lines = whole.content.split(b"\n")[:-1]
    pending = lines[12].rstrip()
    place = int(at * len(pending))
    spoilt = bytearray(lines[12])
    spoilt[place] ^= 1 << bit
    same = json_or_none(bytes(spoilt)) == json.loads(pending)  # a blank became another blank
    is_unsealed = b'"status": "pending"' not in spoilt  # of the status the seal says nothing
    chain = put(home, [*lines[:12], bytes(spoilt), *lines[13:]])
    assert same or is_unsealed or chain.breaks[0].line in (13, 14), bytes(spoilt)


@pytest.mark.parametrize("junk", [b"\xd4", b"\x1b[31m", b"\\u001b", b'\\"'])
def test_an_id_that_is_damaged_is_not_shown(home: Home, junk: bytes, reader: str) -> None:
    lines = lines_of(home)
    spoilt = lines[4].replace(b'"id": "TCS', b'"id": "T' + junk)
    (first, *_) = put(home, [*lines[:4], spoilt, *lines[5:]]).breaks
    assert first.line == 5 and first.text.isprintable() and not first.text.startswith("(")


def json_or_none(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return None


# ---- logs of other origin --------------------------------------------------------------------------------------------


def without_seals(lines: list[bytes]) -> list[bytes]:
    """The lines as an earlier version would have written them."""
    gone = ("format", "seal", "outcome_checksum")
    return [
        json.dumps({key: value for key, value in json.loads(line).items() if key not in gone}).encode()
        for line in lines
    ]


def test_the_chain_begins_after_the_lines_of_an_earlier_version(home: Home, reader: str) -> None:
    put(home, without_seals(lines_of(home)))
    assert check_chain(home.log) == Chain(lines=18, unsealed=18) and last_seal(home.log) == FIRST
    assert PredictionLog(home.log).read().problems == ()
    for day in (DAYS, DAYS + 1):
        run_day(home, day)
    chain = check_chain(home.log)
    assert (chain.unsealed, chain.sealed, chain.broken) == (18, 4, 0)
    assert [record["sealed_after"] for record in records(home.log) if "sealed_after" in record] == [""] * 4


def test_a_log_that_is_not_there_or_empty_has_no_chain(tmp_path: Path) -> None:
    path = tmp_path / "predictions.jsonl"
    assert check_chain(path) == Chain() and last_seal(path) == FIRST
    path.write_bytes(b"\n  \n")
    assert check_chain(path) == Chain() and last_seal(path) == FIRST


# ---- lines that move -------------------------------------------------------------------------------------------------


def test_lines_without_room_move_to_the_end_and_keep_their_places_in_the_chain(home: Home, reader: str) -> None:
    put(home, [line.rstrip() for line in lines_of(home)])
    for day in range(DAYS, DAYS + 8):
        run_day(home, day)
        chain = check_chain(home.log)
        assert chain.broken == 0 and chain.lines == chain.sealed == 18 + 2 * (day - DAYS + 1), chain
    moved = [record["id"] for record in records(home.log) if "sealed_after" in record]
    assert len(moved) == 10 and chain.head == last_seal(home.log)
    assert json.loads(lines_of(home)[-1])["seal"] == chain.head


@pytest.mark.parametrize("seed", range(8))
def test_lines_that_move_one_by_one_in_any_order_keep_theirs(home: Home, seed: int) -> None:
    put(home, [line.rstrip() for line in lines_of(home)])
    log, dice = PredictionLog(home.log), random.Random(seed)
    with log.locked():
        left = {line.id: outcome(line) for line in log.read().pending}
        ids = dice.sample(sorted(left), len(left))
        for id_ in ids:
            log.settle({id_: left[id_]})
            assert check_chain(home.log).broken == 0
            if dice.random() < 0.4:
                log.append([prediction(f"N{id_[:2]}{len(records(home.log))}.NS", 20)])
        log.append([prediction("LAST.NS", 20)])
    chain = check_chain(home.log)
    assert chain.broken == 0 and chain.lines == len(records(home.log))


def test_the_first_line_of_all_may_move_and_one_that_moved_may_be_reopened(home: Home) -> None:
    log = PredictionLog(home.log)
    with log.locked():
        first = records(home.log)[0]["id"]
        log.reopen({first: AT})
    put(home, [line.rstrip() for line in lines_of(home)])
    for _ in range(2):
        with log.locked():
            made = next(line for line in log.read().pending if line.id == first)
            log.settle({first: outcome(made)})
            assert check_chain(home.log).broken == 0
            log.reopen({first: AT})
            assert check_chain(home.log).broken == 0
    assert records(home.log)[-1]["sealed_after"] == FIRST


def test_a_moved_line_that_is_removed_or_doubled_is_found(home: Home) -> None:
    put(home, [line.rstrip() for line in lines_of(home)])
    for day in range(DAYS, DAYS + 3):
        run_day(home, day)
    lines = [line for line in lines_of(home) if line.strip()]
    at = next(row for row, line in enumerate(lines) if b"sealed_after" in line)
    assert put(home, [*lines[:at], *lines[at + 1 :]]).broken == 2  # in its place, and where the next one stands
    assert put(home, [*lines, lines[at]]).broken == 1
    assert put(home, [*lines[:at], changed(lines[at], confidence=0.1), *lines[at + 1 :]]).broken == 1


# ---- what a run says of it -------------------------------------------------------------------------------------------


def test_a_run_goes_on_and_says_so_in_one_sentence(home: Home) -> None:
    run_day(home, DAYS)
    lines = lines_of(home)
    home.log.write_bytes(b"\n".join([changed(lines[0], confidence=0.99), *lines[1:], b""]))
    log = PredictionLog(home.log)
    (problem,) = log.read().problems
    assert str(problem).startswith("the prediction log, line 1: (TCS.NS:2026-01-05:5) does not follow the line before")
    assert (
        log.broken == "line 1 (TCS.NS:2026-01-05:5) does not follow the line before it: one of both was changed, "
        "or lines between them are gone"
    )
    run_day(home, DAYS + 1)
    again = PredictionLog(home.log)
    assert again.read().problems == () and again.broken == log.broken
    assert check_chain(home.log).broken == 1


def test_what_is_told_of_damage_is_not_told_twice(home: Home) -> None:
    run_day(home, DAYS)
    lines = lines_of(home)
    home.log.write_bytes(b"\n".join([*lines[:3], b"{torn", *lines[4:], b""]))
    (problem,) = PredictionLog(home.log).read().problems
    assert "set aside" in str(problem)


def test_a_log_cut_and_taken_as_it_is_goes_on_from_its_last_line(home: Home) -> None:
    run_day(home, DAYS)
    lines = lines_of(home)
    home.log.write_bytes(b"\n".join([*lines[:9], b""]))
    with PredictionLog(home.log, accepts_changes=True).locked() as log:
        log.append([prediction("TCS.NS", 20)])
    assert check_chain(home.log) == Chain(lines=10, sealed=10, head=last_seal(home.log))


def test_canonical_json_of_no_object_is_refused() -> None:
    for raw in (b"[1]", b"1", b"{", b'"\\ud800"', b"\xff"):
        with pytest.raises(ValueError, match=r"."):
            canonical(raw)
    assert canonical(b'{"b": 1, "a": {"d": 1e-5, "c": true}, "status": "x", "seal": "y"}') == (
        b'{"a":{"c":true,"d":1e-05},"b":1.0}'
    )
