"""Damaged logs: the run names the line, carries on, and keeps every byte; never a traceback, never a loss."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from log_helpers import CHECKPOINT, INDEX, START, Tally, feedback_bytes, outcome, prediction, records, run_day
from tools import needs

from stockml.accuracy.tracker import Feedback
from stockml.core.paths import Home
from stockml.core.records import Prediction
from stockml.prediction_log.index import VERSION
from stockml.prediction_log.line import read_line
from stockml.prediction_log.log import LogChanged, PredictionLog, View
from stockml.signals.learner import Learner
from stockml.storage.files import sealed
from stockml.storage.redo_journal import Change, _to_bytes

pytestmark = pytest.mark.usefixtures("in_haste")

TODAY = 9


class Text:
    """A log's bytes, which nobody wants to see in full where a test fails."""

    def __init__(self, content: bytes) -> None:
        self.content = content


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Text:
    """A log of nine days, some of its lines verified."""
    home = Home(tmp_path_factory.mktemp("whole"))
    for day in range(TODAY):
        run_day(home, day)
    return Text(home.log.read_bytes())


@pytest.fixture
def home(tmp_path: Path, whole: Text) -> Home:
    home = Home(tmp_path)
    home.log.parent.mkdir(parents=True)
    home.log.write_bytes(whole.content)
    return home


def run(home: Home, learner: type[Any] = Tally, *, accepts_changes: bool = False) -> View:
    """Today's run; the log as it was met."""
    log = PredictionLog(home.log, accepts_changes=accepts_changes)
    with log.locked():
        view = log.read()
        today = str(START + timedelta(days=TODAY))
        settled = log.settle({line.id: outcome(line) for line in view.pending if line.target_date <= today})
        Feedback(home.feedback, learner).update(log, view, settled)
        log.append([prediction("TCS.NS", TODAY), prediction("INFY.NS", TODAY)])
    return view


def rejected(home: Home) -> bytes:
    path = home.log.with_name("predictions.rejected.jsonl")
    return path.read_bytes() if path.exists() else b""


def edit(home: Home, change: Callable[[list[bytes]], None]) -> list[bytes]:
    """Edit the log's lines by hand; returns them as they were."""
    lines = home.log.read_bytes().split(b"\n")[:-1]
    before = list(lines)
    change(lines)
    home.log.write_bytes(b"\n".join([*lines, b""]))
    return before


def ids(home: Home) -> list[str]:
    return [record["id"] for record in records(home.log)]


def without(key: str) -> Callable[[bytes], bytes]:
    def strip(line: bytes) -> bytes:
        return json.dumps({name: value for name, value in json.loads(line).items() if name != key}).encode()

    return strip


SPOILT: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "cut": (lambda line: line[:300], "it is not JSON"),
    "a NaN": (lambda line: line.replace(b'"magnitude": 0.756', b'"magnitude": NaN'), "NaN is not JSON"),
    "an infinity": (lambda line: line.replace(b'"magnitude": 0.756', b'"magnitude": 1e999'), "not a number within"),
    "a huge number": (lambda line: line.replace(b"0.756", b"9" * 400), "not a number within"),
    "a plus sign": (lambda line: line.replace(b'"magnitude": ', b'"magnitude": +'), "it is not JSON"),
    "invalid UTF-8": (lambda line: line.replace(b"bullish", b"bull\xff\xfe"), "it is not UTF-8"),
    "half a surrogate": (lambda line: line.replace(b"bullish", rb"bull\ud800"), "it is not UTF-8"),
    "UTF-16": (lambda line: line.decode().encode("utf-16"), "it is not UTF-8"),
    "no object": (lambda line: b'["TCS.NS", 1]', "it is not a JSON object"),
    "nested without end": (lambda line: b"[" * 100_000, "nested too deeply"),
    "NULs": (lambda line: bytes(len(line)), "it is not JSON"),
    "a damaged key": (lambda line: line.replace(b'"id": ', b'"ie": '), "the key 'id' is missing"),
    "a damaged key of the outcome": (
        lambda line: line.replace(b'"status": "', b'"status": "verified", "statu": "', 1).replace(b"_at", b"_ta"),
        "is missing",
    ),
    "an older schema": (without("evidence"), "the key 'evidence' is missing"),
    "SPEC's keys alone": (lambda line: json.dumps(dict(list(json.loads(line).items())[:11])).encode(), "is missing"),
    "a negative price": (lambda line: line.replace(b'"current_price": ', b'"current_price": -'), "a price is above 0"),
    "a wrong status": (lambda line: line.replace(b'"status": "', b'"status": "was '), "status is"),
    "another symbol": (lambda line: line.replace(b'"symbol": "', b'"symbol": "X'), "its id is"),
    "a symbol out of the folder": (lambda line: line.replace(b"TCS.NS", b"../../TCS"), "is not a symbol"),
    "a day that is none": (
        lambda line: line.replace(b'"target_date": "2026-0', b'"target_date": "2026-2'),
        "not a date",
    ),
    "a day before all prices": (
        lambda line: re.sub(
            rb"TCS.NS:[-0-9]+", b"TCS.NS:0001-01-01", re.sub(rb"(data_through\": \")[-0-9]+", rb"\g<1>0001-01-01", line)
        ),
        "before 1900-01-01",
    ),
    "an endless horizon": (
        lambda line: line.replace(b'days": 5', b'days": 5' + b"0" * 300).replace(b':5"', b":5" + b"0" * 300 + b'"'),
        "above 1,000,000",
    ),
    "a list for a number": (lambda line: line.replace(b'"confidence": 0.75', b'"confidence": [1]'), "not a number"),
    "a text for evidence": (lambda line: line.replace(b'"opinions": {', b'"opinions": "x", "other": {'), "wrong form"),
}


@pytest.mark.parametrize("row", [0, 16], ids=["verified", "pending"])
@pytest.mark.parametrize(("spoil", "reason"), SPOILT.values(), ids=SPOILT)
def test_a_spoilt_line_is_named_set_aside_and_kept(
    home: Home, spoil: Callable[[bytes], bytes], reason: str, row: int
) -> None:
    before = edit(home, lambda lines: lines.__setitem__(row, spoil(lines[row])))
    spoilt = spoil(before[row])
    assert spoilt != before[row]
    at = home.log.read_bytes().index(before[row + 1])
    view = run(home)
    (problem,) = view.problems
    assert (
        problem.line == row + 1 and reason in str(problem) and "set aside" in str(problem) and len(str(problem)) < 400
    )
    assert spoilt + b"\n" in rejected(home)
    assert json.loads(rejected(home).split(b"\n")[0])["line"] == row + 1
    gone = json.loads(before[row])["id"]
    assert ids(home) == [id_ for id_ in (json.loads(line)["id"] for line in before) if id_ != gone] + [
        prediction("TCS.NS", TODAY).id,
        prediction("INFY.NS", TODAY).id,
    ]
    assert home.log.read_bytes()[at:].startswith(before[row + 1][:300])
    assert run(home).problems == ()


def test_a_line_doubled_counts_once(home: Home) -> None:
    edit(home, lambda lines: lines.insert(5, lines[0]))
    view = run(home)
    assert [str(problem) for problem in view.problems] == [
        "the prediction log, line 6: is a second line of TCS.NS:2026-01-05:5; the first counts: set aside"
    ]
    assert ids(home).count("TCS.NS:2026-01-05:5") == 1 and len(ids(home)) == 20


def test_of_a_line_doubled_the_one_with_an_outcome_is_kept(home: Home) -> None:
    verified = run_and_restore(home)
    edit(home, lambda lines: lines.append(verified))
    run(home)
    assert ids(home).count(prediction("TCS.NS", 4).id) == 1
    assert b'"pending"' in rejected(home) and len(ids(home)) == 20


def run_and_restore(home: Home) -> bytes:
    """The line of TCS.NS of day 4, verified, while the log has it pending."""
    made = prediction("TCS.NS", 4)
    return replace(made, outcome=outcome(made)).to_json().encode()


@pytest.mark.parametrize("cut", [1, 2, 40, 250], ids=lambda cut: f"{cut} bytes")
def test_a_cut_that_took_only_blanks_is_repaired(home: Home, cut: int) -> None:
    whole = home.log.read_bytes()
    home.log.write_bytes(whole[:-cut])
    (problem,) = PredictionLog(home.log).read().problems
    assert "nothing is written" in str(problem) and home.log.read_bytes() == whole[:-cut]
    (problem,) = run(home).problems
    assert problem.line == 18 and "put back" in str(problem)
    assert ids(home)[17] == prediction("INFY.NS", TODAY - 1).id and rejected(home) == b""
    assert home.log.read_bytes().index(b'{"symbol": "TCS.NS", "prediction_date": "2026-01-14') == len(whole)


def test_a_cut_that_took_the_brace_is_repaired_and_one_that_took_more_is_set_aside(home: Home) -> None:
    whole = home.log.read_bytes()
    end = len(whole.rstrip())
    home.log.write_bytes(whole[: end - 1])
    assert "put back" in str(run(home).problems[0]) and len(ids(home)) == 20 and rejected(home) == b""
    home.log.write_bytes(whole[: end - 2])
    home.log.with_name(CHECKPOINT).unlink()  # or the two newer lines would be missed
    assert "set aside" in str(run(home).problems[0]) and len(ids(home)) == 19
    assert whole[whole.rindex(b'{"symbol"') : end - 2] + b"\n" in rejected(home)


def test_a_brace_that_somebody_put_back_before_an_interrupted_repair_could_costs_nothing(home: Home) -> None:
    whole = home.log.read_bytes()
    end = len(whole.rstrip())
    journal = home.log.with_name(".predictions.journal")
    journal.write_bytes(_to_bytes([Change(home.log.name, end - 1, b"", whole[end - 1 :])]))
    home.log.write_bytes(whole[:end] + b"\n")  # by hand, and without the blanks that follow
    run(home)
    assert len(ids(home)) == 20 and rejected(home) == b"" and not list(home.log.parent.glob(".predictions.journal*"))


def test_lines_joined_by_hand_are_parted(home: Home) -> None:
    before = home.log.read_bytes().split(b"\n")
    home.log.write_bytes(b"\n".join([*before[:12], b"".join(before[12:15]), *before[15:]]))
    view = run(home)
    assert [str(problem) for problem in view.problems] == [
        "the prediction log, line 13: holds 3 lines, which are parted again"
    ]
    assert len(ids(home)) == 20 and rejected(home) == b""


def test_a_byte_order_mark_and_windows_line_ends_cost_nothing(home: Home) -> None:
    text = home.log.read_bytes()
    home.log.write_bytes(b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n"))
    problems = [str(problem) for problem in run(home).problems]
    assert "line 1: starts with a byte order mark" in problems[0] and len(problems) == 2
    assert problems[1].endswith("line 1: and 17 others end in CR LF, which does no harm and is left as it is")
    assert len(ids(home)) == 20 and rejected(home) == b"" and run(home).problems == ()


def test_a_log_wrong_throughout_is_kept_and_named_in_bounds(home: Home) -> None:
    spoilt = b"\n".join(b"%d" % n for n in range(3000))
    home.log.write_bytes(spoilt)
    with pytest.raises(LogChanged, match="holds no prediction at all"):
        run(home)
    view = run(home, accepts_changes=True)
    assert len(view.problems) == 10 and "other lines are not as they were written" in str(view.problems[-1])
    kept = rejected(home)
    assert all(line in kept for line in spoilt.split(b"\n")) and len(ids(home)) == 2


def test_what_an_interrupted_run_meant_to_write_is_not_lost_to_an_edit(home: Home) -> None:
    whole = home.log.read_bytes()
    lines = whole.splitlines(keepends=True)
    new = prediction("NEW.NS", 3)
    due = prediction("TCS.NS", 8)
    at = whole.index(lines[16])
    done = replace(due, outcome=outcome(due)).to_json().encode()
    changes = [
        Change("predictions.rejected.jsonl", 7, b"", b"set aside\n"),
        Change(home.log.name, at, lines[16][:-1], done.ljust(len(lines[16]) - 1)),
        Change(home.log.name, len(whole), b"", new.to_json().encode() + b"\n"),
    ]
    home.log.with_name(".predictions.journal").write_bytes(_to_bytes(changes))
    home.log.write_bytes(b"".join(lines[4:]))  # somebody deletes four lines before the next run
    run(home)
    found = {record["id"]: record["status"] for record in records(home.log)}
    assert found[new.id] == "verified" and found[due.id] == "verified" and len(found) == 17
    assert rejected(home) == b"set aside\n" and not list(home.log.parent.glob(".predictions.journal*"))


@needs("jq")
def test_the_documented_commands_work_on_a_log_that_was_damaged(home: Home) -> None:
    edit(home, lambda lines: lines.__setitem__(slice(3, 5), [b"\xef\xbb\xbf" + lines[3], b"{torn"]))
    run(home)
    count = f"cat {home.log} | jq -r .symbol | sort | uniq -c"
    mean = (
        f"""cat {home.log} | jq -r 'select(.status=="verified") | "\\(.symbol) \\(.error_pct)"' | """
        "awk '{sum[$1]+=$2; count[$1]++} END {for (s in sum) print s, sum[s]/count[s]}'"
    )
    counted, meant = (
        subprocess.run(["bash", "-o", "pipefail", "-c", command], check=True, capture_output=True, text=True).stdout
        for command in (count, mean)
    )
    assert {line.split()[1]: int(line.split()[0]) for line in counted.splitlines()} == {"INFY.NS": 10, "TCS.NS": 9}
    scores = json.loads((home.feedback / "accuracy_scores.json").read_text())
    assert {line.split()[0]: round(float(line.split()[1]), 3) for line in meant.splitlines()} == {
        symbol: pytest.approx(score["mean_error_pct"], abs=1e-3) for symbol, score in scores.items()
    }


# Any damage at all ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Damage:
    """One thing that can happen to a file, somewhere in it."""

    kind: str
    where: float  # as a fraction of the file
    length: int
    junk: bytes

    def __call__(self, text: bytes) -> bytes:
        at = int(self.where * len(text))
        if self.kind == "cut":
            return text[:at]
        if self.kind == "drop":
            return text[:at] + text[at + self.length :]
        if self.kind == "write":
            return text[:at] + self.junk + text[at + len(self.junk) :]
        if self.kind == "insert":
            return text[:at] + self.junk + text[at:]
        if self.kind == "mark":
            return b"\xef\xbb\xbf" + text
        if self.kind == "crlf":
            return text.replace(b"\n", b"\r\n")
        if self.kind == "strip":
            return b"\n".join(line.rstrip() for line in text.split(b"\n"))
        return b"\n".join(self._edited(text.split(b"\n")))

    def _edited(self, lines: list[bytes]) -> list[bytes]:
        row = min(int(self.where * len(lines)), len(lines) - 1)
        if self.kind == "join":
            lines[row : row + 2] = [b"".join(lines[row : row + 2])]
        elif self.kind == "double":
            lines.insert(row, lines[self.length % len(lines)])
        elif self.kind == "move":
            lines.append(lines.pop(row))
        elif self.kind == "blank":
            lines[row] = b" " * self.length
        elif self.kind == "set back":
            lines[row] = lines[row].replace(b'"verified"', b'"pending"')
        else:
            with suppress(ValueError, AttributeError, RecursionError):  # no JSON object any more
                lines[row] = SPOILT[self.kind][0](lines[row])
        return lines


KINDS = ["cut", "drop", "write", "insert", "mark", "crlf", "strip", "join", "double", "move", "blank", "set back"]
JUNK = st.one_of(st.binary(min_size=1, max_size=40), st.sampled_from([b"\n", b"}", b"NaN", bytes(20), b"{}", b"}\n{"]))
DAMAGES = st.builds(Damage, st.sampled_from([*KINDS, *SPOILT]), st.floats(0, 1), st.integers(1, 3000), JUNK)


def lost(text: bytes, home: Home) -> list[bytes]:
    """What of a damaged text is neither in the log, perhaps completed, nor set aside byte for byte."""
    kept, aside = {record["id"]: record for record in records(home.log)}, rejected(home)
    return [
        piece
        for line in text.split(b"\n")
        if line.strip() and line + b"\n" not in aside
        for piece in pieces(line.removeprefix(b"\xef\xbb\xbf"))
        if piece not in aside and not is_kept(piece, kept)
    ]


def pieces(line: bytes) -> Iterator[bytes]:
    """The JSON values in a line, and what is left where there is none."""
    text, at = line.decode("latin-1"), 0
    while text[at:].strip():
        try:
            end = json.JSONDecoder().raw_decode(text, at + len(text[at:]) - len(text[at:].lstrip()))[1]
        except (ValueError, RecursionError):
            end = len(text)
        yield line[at:end].strip()
        at = end


def is_kept(piece: bytes, kept: dict[str, dict[str, Any]]) -> bool:
    made = None
    for text in (piece, piece + b"}"):  # a cut that took no more than the last brace is put back
        with suppress(ValueError):
            made = made or read_line(text)
    if made is None:
        return False
    if made.id not in kept:
        return False
    there = Prediction.from_record(kept[made.id])
    return there == made or (made.outcome is None and replace(there, outcome=None) == made)


def new_home(tmp_path_factory: pytest.TempPathFactory, text: bytes) -> Home:
    """A home with this log, in the place of the last one."""
    home = Home(tmp_path_factory.getbasetemp() / "example")
    shutil.rmtree(home.root, ignore_errors=True)
    home.log.parent.mkdir(parents=True)
    home.log.write_bytes(text)
    return home


@settings(max_examples=1000, suppress_health_check=list(HealthCheck))
@given(damages=st.lists(DAMAGES, min_size=1, max_size=3))
@example(damages=[Damage("cut", 0.6490488039525789, 1, b"")])  # just before a closing brace
@example(damages=[Damage("a huge number", 0.5, 1, b""), Damage("cut", 0.4724166701449145, 1, b"")])  # between two
def test_no_damage_is_a_traceback_or_a_loss(
    whole: Text, tmp_path_factory: pytest.TempPathFactory, damages: list[Damage]
) -> None:
    text = whole.content
    for damage in damages:
        text = damage(text)
    home = new_home(tmp_path_factory, text)
    run(home, accepts_changes=True)
    assert len(ids(home)) == len(set(ids(home)))
    assert [piece[:80] for piece in lost(text, home)] == []
    state = state_of(home)
    assert run(home).problems == ()
    shutil.rmtree(home.feedback)
    home.log.with_name(CHECKPOINT).unlink()
    run(home)
    assert [name for name, content in state_of(home).items() if content != state.get(name)] == []


def state_of(home: Home) -> dict[str, bytes]:
    return feedback_bytes(home) | {"log": home.log.read_bytes(), "rejected": rejected(home)}


OURS = [CHECKPOINT, INDEX, ".predictions.journal", ".predictions.journal.left", "feedback/learned.json",
        "feedback/accuracy_scores.json"]  # fmt: skip
OTHER = st.one_of(st.binary(max_size=30), st.sampled_from([b"{}", b"null", b"[1]", b'{"version": 1}', b"1e999"]))


@settings(max_examples=200, suppress_health_check=list(HealthCheck))
@given(name=st.sampled_from(OURS), junk=OTHER, where=st.floats(0, 1))
def test_damaged_files_of_our_own_making_cost_nothing(
    whole: Text, tmp_path_factory: pytest.TempPathFactory, name: str, junk: bytes, where: float
) -> None:
    home = new_home(tmp_path_factory, whole.content)
    run(home)
    state = state_of(home)
    path = home.log.parent / name
    text = path.read_bytes() if path.exists() else b""
    cut = int(where * len(text))
    path.write_bytes(junk if where == 1 else text[:cut] + junk + text[cut + len(junk) :])
    run(home)
    assert [name for name, content in state_of(home).items() if content != state.get(name)] == []


SHAPES: dict[str, Any] = {
    "no version": {},
    "no fields": {"version": VERSION},
    "a list": [VERSION],
    "known lines of another shape": {"known": {"count": "many"}},
    "the state of another index": {"rows": [1, 2, 3]},
    "a text for the state of the index": {"rows": "x"},
    "a number for kinds": {"kinds": 1},
}


@pytest.mark.parametrize("changes", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("is_stale", [False, True], ids=["of this log", "of another"])
def test_a_checkpoint_with_a_right_checksum_and_a_wrong_shape_costs_nothing(
    home: Home, changes: Any, is_stale: bool
) -> None:
    run(home)
    before = state_of(home)
    path = home.log.with_name(CHECKPOINT)
    right = json.loads(path.read_bytes().partition(b"\n")[2])
    wrong = right | changes if isinstance(changes, dict) and set(changes) & set(right) - {"version"} else changes
    path.write_bytes(sealed(json.dumps(wrong).encode()))
    if is_stale:
        home.log.touch()
    run(home)
    assert [name for name, content in state_of(home).items() if content != before.get(name)] == []


WILD = {"opinions": {"lstm": 1e308, "x": -1e308}, "confidence_inputs": {"ticks": 1e-308}}
VALUES = st.one_of(st.floats(), st.integers(), st.sampled_from([1e-300, 1e300, -1e300, 0, [], WILD, {}]))
KEYS = ["current_price", "predicted_price", "predicted_change_pct", "confidence", "actual_price", "error_pct",
        "naive_error_pct", "magnitude", "evidence", "signals"]  # fmt: skip


@settings(max_examples=200, suppress_health_check=list(HealthCheck))
@given(values=st.dictionaries(st.sampled_from(KEYS), VALUES, min_size=1, max_size=4))
def test_the_real_learner_takes_any_line_that_the_log_takes(
    whole: Text, tmp_path_factory: pytest.TempPathFactory, values: dict[str, Any]
) -> None:
    lines = whole.content.split(b"\n")
    lines[2] = json.dumps(json.loads(lines[2]) | values).encode()
    home = new_home(tmp_path_factory, b"\n".join(lines))
    run(home, Learner)
    state = state_of(home)
    shutil.rmtree(home.feedback)
    run(home, Learner)
    assert [name for name, content in state_of(home).items() if content != state.get(name)] == []
