"""A log changed as a whole is told in one sentence and left alone; an edit is an edit."""

from __future__ import annotations

import json
import random
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from log_helpers import Tally, feedback_bytes, prediction, records, run_day
from tools import needs

from stockml.accuracy.tracker import Feedback
from stockml.core.paths import Home
from stockml.prediction_log.index import VERSION, Index, Stamp
from stockml.prediction_log.kept_files import kept_index
from stockml.prediction_log.known_lines import MOST_NEWEST, MOST_SPREAD, KnownLines
from stockml.prediction_log.log import LogChanged, PredictionLog
from stockml.prediction_log.places import LONGEST_LINE
from stockml.prediction_log.rows import Rows
from stockml.prediction_log.scan import MOST_SET_ASIDE
from stockml.storage.files import StorageError

pytestmark = pytest.mark.usefixtures("in_haste")

SYMBOLS = ("TCS.NS", "INFY.NS", "RELIANCE.NS")
DAYS = 8
COUNT = DAYS * len(SYMBOLS)

Change = Callable[[list[bytes]], list[bytes]]  # of the log's lines, without their line feeds


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a home after eight days of three stocks."""
    home = Home(tmp_path_factory.mktemp("made"))
    for day in range(DAYS):
        run_day(home, day, SYMBOLS)
    return {path.name: path.read_bytes() for path in home.log.parent.iterdir() if path.is_file()}


@pytest.fixture
def home(tmp_path: Path, made: dict[str, bytes]) -> Home:
    home = Home(tmp_path)
    home.log.parent.mkdir(parents=True)
    for name, content in made.items():
        (home.log.parent / name).write_bytes(content)
    return home


def state(home: Home) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in home.log.parent.iterdir() if path.is_file()}


def change(home: Home, how: Change) -> None:
    lines = home.log.read_bytes().split(b"\n")[:-1]
    home.log.write_bytes(b"".join(line + b"\n" for line in how(lines)))


def told(home: Home) -> str:
    """The one sentence with which looking, checking and running refuse a log, all alike; nothing is changed."""
    before = state(home)
    log = PredictionLog(home.log)
    texts = []
    for act in (log.check, log.read, log.pending, lambda: run_day(home, DAYS, SYMBOLS)):
        with pytest.raises(LogChanged) as refused:
            act()
        texts.append(str(refused.value))
    assert len(set(texts)) == 1 and "\n" not in texts[0] and "--accept-log" in texts[0] and len(texts[0]) < 800
    assert {name: content for name, content in state(home).items() if ".lock" not in name} == {
        name: content for name, content in before.items() if ".lock" not in name
    }
    return texts[0]


def accept(home: Home) -> None:
    log = PredictionLog(home.log, accepts_changes=True)
    with log.locked():
        Feedback(home.feedback, Tally).update(log, log.read(), log.settle({}))


def pretty(lines: list[bytes]) -> list[bytes]:
    return [json.dumps(json.loads(line), indent=2).encode() for line in lines]


def another_home(lines: list[bytes]) -> list[bytes]:
    return [line.replace(b"TCS", b"WIPRO").replace(b"INFY", b"SBIN").replace(b"RELI", b"DELI") for line in lines]


def shuffled(lines: list[bytes]) -> list[bytes]:
    return random.Random(1).sample(lines, len(lines))


def without_key(lines: list[bytes]) -> list[bytes]:
    return [line.replace(b'"evidence"', b'"proof"') for line in lines]


UTF16 = "is text in UTF-16"
CHANGES: dict[str, tuple[Change, str]] = {
    "pretty-printed": (pretty, "no longer holds one line a prediction.*jq -c . "),
    "pretty-printed with tabs": (
        lambda lines: [json.dumps(json.loads(line), indent="\t").encode() for line in lines],
        "no longer holds one line a prediction.*jq -c . ",
    ),
    "pretty-printed, with new lines behind": (
        lambda lines: pretty(lines) + [prediction("NEW.NS", day).to_json().encode() for day in range(3)],
        "no longer holds one line a prediction.*jq -c . ",
    ),
    "an array": (lambda lines: [b"[", b",\n".join(pretty(lines)), b"]"], r"holds one JSON array.*jq -c '.\[\]'"),
    "an array in one line": (lambda lines: [b"[" + b",".join(lines) + b"]"], r"holds one JSON array.*jq -c '.\[\]'"),
    "an array, a line each": (lambda lines: [b"[" + b",\n".join(lines) + b"]"], r"holds one JSON array.*jq -c '.\[\]'"),
    "sorted": (sorted, r"in another order \(sorted by symbol\).*sort_by\(.prediction_date\)"),
    "sorted backwards": (lambda lines: sorted(lines, reverse=True), "in another order"),
    "reversed": (lambda lines: lines[::-1], r"in another order \(reversed\)"),
    "shuffled": (shuffled, r"in another order \(shuffled"),
    "UTF-16": (lambda lines: [b"\n".join(lines).decode().encode("utf-16")], UTF16),
    "UTF-16 without a mark": (lambda lines: [b"\n".join(lines).decode().encode("utf-16-le")], "iconv -f UTF-16LE"),
    "UTF-16 of another machine": (lambda lines: [b"\n".join(lines).decode().encode("utf-16-be")], "iconv -f UTF-16BE"),
    "of another home": (another_home, f"{COUNT} others are, as if it were the log of another home"),
    "halved": (lambda lines: lines[: COUNT // 2], f"ends early: of its {COUNT} .* the newest {COUNT // 2} are gone"),
    "cut within a line": (lambda lines: [*lines[:10], lines[10][:300]], "ends early: .* newest 14 are gone"),
    "of last week": (lambda lines: lines[:-6], "ends early: .* newest 6 are gone"),
    "one stock of three": (lambda lines: lines[1::3], f"16 of its {COUNT} predictions are no longer there"),
    "without a key": (without_key, "no longer there .line 1: the key 'evidence' is missing"),
    "ids alone": (lambda lines: [json.loads(line)["id"].encode() for line in lines], "it is not JSON"),
    "NULs": (lambda lines: [bytes(len(line)) for line in lines], "it is not JSON"),
    "emptied": (lambda lines: [], f"is empty, and held {COUNT} predictions"),
    "blank": (lambda lines: [b" " * 80 for line in lines], f"is empty, and held {COUNT} predictions"),
}


@pytest.mark.parametrize(("how", "words"), CHANGES.values(), ids=CHANGES)
def test_a_log_changed_as_a_whole_is_one_sentence_and_left_alone_until_it_is_accepted(
    home: Home, how: Change, words: str
) -> None:
    change(home, how)
    assert re.search(words, told(home))
    accept(home)
    if home.log.exists():
        home.log.touch()  # all is read again, and compared with what was accepted
    assert PredictionLog(home.log).read().problems == ()
    assert run_day(home, DAYS, SYMBOLS) == [prediction(symbol, DAYS).id for symbol in SYMBOLS]


@pytest.mark.parametrize("name", ["sorted", "reversed", "halved", "of another home"])
def test_what_was_learned_is_learned_again_from_a_log_that_was_accepted(home: Home, tmp_path: Path, name: str) -> None:
    change(home, CHANGES[name][0])
    alone = Home(tmp_path / "alone")
    alone.log.parent.mkdir(parents=True)
    alone.log.write_bytes(home.log.read_bytes())
    for one in (home, alone):
        accept(one)
    assert feedback_bytes(home) == feedback_bytes(alone)


def compact(lines: list[bytes]) -> list[bytes]:
    return [json.dumps(json.loads(line), separators=(",", ":")).encode() for line in lines]


HONEST: dict[str, Change] = {
    "nothing": lambda lines: lines,
    "a value edited": lambda lines: [line.replace(b"bullish", b"bearish") for line in lines],
    "a line made longer": lambda lines: [lines[0].replace(b"{", b'{"note": "odd", ', 1), *lines[1:]],
    "lines appended": lambda lines: [*lines, *(prediction("X.NS", day).to_json().encode() for day in range(3))],
    "lines put first": lambda lines: [prediction("X.NS", 1).to_json().encode(), *lines],
    "a line deleted": lambda lines: lines[:3] + lines[4:],
    "the last line deleted": lambda lines: lines[:-1],
    "a third deleted": lambda lines: lines[:8] + lines[16:],
    "two lines damaged": lambda lines: [*lines[:-2], b"{", b"garbage"],
    "garbage behind": lambda lines: [*lines, b"\x00\xff garbage", b"{}"],
    "a line moved": lambda lines: [*lines[1:], lines[0]],
    "written again by jq -c": compact,
    "keys sorted": lambda lines: [json.dumps(json.loads(line), sort_keys=True).encode() for line in lines],
    "windows line ends": lambda lines: [line + b"\r" for line in lines],
    "each day sorted": lambda lines: [line for at in range(0, COUNT, 3) for line in sorted(lines[at : at + 3])],
    "doubled": lambda lines: lines + lines,
}


@pytest.mark.parametrize("how", HONEST.values(), ids=HONEST)
def test_an_edit_is_no_event_and_at_most_a_few_notices(home: Home, how: Change) -> None:
    change(home, how)
    problems = PredictionLog(home.log).read().problems
    assert len(problems) <= 10
    run_day(home, DAYS, SYMBOLS)
    assert PredictionLog(home.log).read().problems == ()


@pytest.mark.parametrize(("gone", "words"), [(1, "1 of the 24"), (3, "3 of the 24"), (8, "8 of the 24")])
def test_deleted_lines_are_counted(home: Home, gone: int, words: str) -> None:
    change(home, lambda lines: lines[:2] + lines[2 + gone :])
    (problem,) = PredictionLog(home.log).read().problems
    assert str(problem).startswith(f"the prediction log: {words} known predictions are gone")


ROTATED = {
    "numbered": ("predictions.jsonl.1", "mv "),
    "dated": ("predictions.jsonl-20261126", "mv "),
    "dated and compressed": ("predictions.jsonl-20261126.gz", "zcat "),
}


@pytest.mark.parametrize(("name", "command"), ROTATED.values(), ids=ROTATED)
@pytest.mark.parametrize("is_created", [False, True], ids=["gone", "emptied"])
@pytest.mark.parametrize("is_known", [False, True], ids=["unknown", "known"])
def test_a_rotated_log_is_told_with_the_way_back(
    home: Home, name: str, command: str, is_created: bool, is_known: bool
) -> None:
    home.log.rename(home.log.with_name(name))
    if is_created:
        home.log.touch()
    if not is_known:
        forget(home)
    text = told(home)
    assert ("is empty" if is_created else "is gone") in text and f"{command}{home.log.with_name(name)} " in text


@pytest.mark.parametrize("name", ["predictions.jsonl.bak", "predictions.jsonl~", "predictions.jsonl.old"])
def test_a_copy_beside_a_log_that_is_gone_is_named_where_there_was_one(home: Home, name: str) -> None:
    home.log.rename(home.log.with_name(name))
    assert name in told(home)
    forget(home)
    assert len(run_day(home, DAYS, SYMBOLS)) == 3


def forget(home: Home) -> None:
    """Delete what is known of the log, as a backup without hidden files does."""
    for path in home.log.parent.glob(".predictions.*.json"):
        path.unlink()


SEEN = ["pretty-printed", "an array", "an array in one line", "UTF-16", "UTF-16 without a mark"]
ORDERS = ["sorted", "sorted backwards", "reversed"]


@pytest.mark.parametrize("name", SEEN)
def test_some_changes_are_seen_without_any_knowledge(home: Home, name: str) -> None:
    forget(home)
    change(home, CHANGES[name][0])
    assert re.search(CHANGES[name][1], told(home))


@pytest.mark.parametrize("name", ORDERS)
def test_an_odd_order_of_lines_that_were_never_known_is_a_notice(home: Home, name: str) -> None:
    forget(home)
    change(home, CHANGES[name][0])
    (problem,) = PredictionLog(home.log).read().problems
    assert "in another order" in str(problem) and "sort_by(.prediction_date)" in str(problem)
    run_day(home, DAYS, SYMBOLS)
    assert PredictionLog(home.log).read().problems == ()


@pytest.mark.parametrize("is_between", [False, True], ids=["in between", "after"])
def test_the_lines_stay_known_through_a_run_that_was_killed(home: Home, is_between: bool) -> None:
    with pytest.raises(KeyboardInterrupt), PredictionLog(home.log).locked() as log:
        log.append([prediction("NEW.NS", 1)])
        raise KeyboardInterrupt
    assert not home.log.with_name(".predictions.checkpoint.json").exists()
    if is_between:
        PredictionLog(home.log).read()
    home.log.unlink()
    assert f"is gone, and held {COUNT} predictions" in told(home)


def test_lines_that_moved_to_the_end_are_in_order_there(home: Home) -> None:
    change(home, lambda lines: [line.rstrip() for line in lines])  # without room for an outcome
    for day in range(DAYS, DAYS + 6):
        run_day(home, day, SYMBOLS)
    lines = home.log.read_bytes().split(b"\n")
    home.log.write_bytes(b"\n".join([b'{"note": 1, ' + lines[-2][1:], *lines[:-2], b""]))  # any edit: all is read again
    (problem,) = PredictionLog(home.log).read().problems
    assert "does not follow the line before it" in str(problem)  # that is all: the order is no other one


@needs("jq")
@pytest.mark.parametrize(
    "name", ["pretty-printed", "an array", "an array in one line", "sorted", "reversed", "shuffled"]
)
def test_the_way_back_that_is_named_leads_back(home: Home, name: str) -> None:
    before = {record["id"]: record for record in records(home.log)}
    change(home, CHANGES[name][0])
    (command,) = re.findall(r" by (cd .*?), or take", told(home))
    subprocess.run(["sh", "-c", command], check=True)
    problems = [str(problem) for problem in PredictionLog(home.log).read().problems]
    if name in ("sorted", "reversed", "shuffled"):  # lines of one day stand in another order than they were sealed in
        assert len(problems) == 1 and "does not follow the line before it" in problems.pop()
    assert problems == []
    assert {record["id"]: record for record in records(home.log)} == before
    run_day(home, DAYS, SYMBOLS)


@pytest.mark.parametrize("count", [1, MOST_SPREAD, MOST_SPREAD + 1, 10_000])
def test_a_sample_of_any_log_is_small_and_in_order(count: int) -> None:
    known = KnownLines()
    for number in range(count):
        known.add(f"A:2026-01-05:{number:05}")
    sample = known.sample()
    assert known.count == count and sample == sorted(sample) and sample[-1] == f"A:2026-01-05:{count - 1:05}"
    assert min(count, MOST_SPREAD // 2) <= len(sample) <= MOST_SPREAD + MOST_NEWEST
    index = Index(Stamp(0, 0, 0), Rows.new(), known=known).to_json(Stamp(0, 0, 0))
    kept = kept_index(json.dumps(index).encode(), VERSION)
    assert kept is not None and kept.known_lines() == known


ENDLESS = {
    "NULs": (bytes(LONGEST_LINE + 1), "line 25 is longer than 1,048,576 bytes"),
    "one line": (b"x" * (LONGEST_LINE + 1) + b"\n", "line 25 is longer than 1,048,576 bytes"),
    "lines": (b"y\n" * (MOST_SET_ASIDE + 2), "more than 100,000 of its lines are no predictions"),
}


@pytest.mark.parametrize(("junk", "words"), ENDLESS.values(), ids=ENDLESS)
def test_a_file_without_end_is_refused(home: Home, junk: bytes, words: str) -> None:
    with home.log.open("ab") as file:
        file.write(junk)
    for accepts in (False, True):
        with pytest.raises(StorageError, match=words):
            PredictionLog(home.log, accepts_changes=accepts).kinds()
    assert not home.log.with_name("predictions.rejected.jsonl").exists()
