"""The audit's checks on values: dates by heads, heads in the chain, files of feedback/ beside what the log makes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from log_helpers import Tally, prediction, run_day

from stockml.accuracy.audit import Check, Heads, check_dates, check_kept, check_seals, check_witnesses, first_difference
from stockml.accuracy.tracker import Feedback
from stockml.core.paths import Home
from stockml.prediction_log.log import PredictionLog
from stockml.prediction_log.seals import witness_path

pytestmark = pytest.mark.usefixtures("in_haste")

DAYS = 6


def at(day: float) -> datetime:
    """A moment so many days after the first line's day, at 17:00."""
    return datetime(2026, 1, 5, 17, tzinfo=UTC) + timedelta(days=day)


def closes_at(_symbol: str, day: str) -> datetime:
    return datetime.fromisoformat(f"{day}T15:30:00+05:30")


def witness(home: Home, day: float, **how: Any) -> None:
    with PredictionLog(home.log).locked() as log:
        log.witness(at(day), **how)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    for day in range(DAYS):
        run_day(home, day)
        witness(home, day)
    return home


def dates(home: Home) -> Check:
    return check_dates(home.log, Heads.of(home.log), closes_at)


def test_each_line_of_a_daily_record_is_proved_to_precede_its_target_s_close(home: Home) -> None:
    found = dates(home)
    assert (found.proved, found.disagreements, found.unproved) == (
        "12 predictions made before the target's close",
        0,
        [],
    )
    assert check_witnesses(Heads.of(home.log)).proved.startswith(
        "6 heads in the chain, written down from 2026-01-05T17"
    )


def test_a_line_put_in_after_its_target_s_close_is_found_though_its_seal_is_right(home: Home) -> None:
    with PredictionLog(home.log).locked() as log:
        log.append([prediction("LATE.NS", 0)])  # its target's close was on day 5 at 10:00 UTC
        log.witness(at(6))
    found = dates(home)
    assert check_seals(Heads.of(home.log)).disagreements == 0
    assert found.disagreements == 1 and found.first is not None
    assert found.first.startswith(
        "line 13 (LATE.NS:2026-01-05:5) was made after its target's close: at 2026-01-10T17:00:00Z"
    )


def test_what_no_head_dates_is_said_to_be_unproved(home: Home) -> None:
    run_day(home, DAYS)
    assert dates(home).unproved == [
        "2 predictions not followed by a head yet: that they were made before the target's close."
    ]
    witness(home, 40)
    assert dates(home).unproved == [
        "2 predictions first followed by a head after the target's close: that they were made before it."
    ]
    assert dates(home).disagreements == 0


def test_a_run_of_a_past_day_proves_nothing_and_is_no_disagreement(home: Home) -> None:
    with PredictionLog(home.log).locked() as log:
        log.append([prediction("PAST.NS", 0)])
        log.witness(at(30), as_of=at(0).date())
    found = dates(home)
    assert found.disagreements == 0 and found.unproved == [
        "1 prediction made by a run with --as-of, whose head is later than the target's close."
    ]


def test_without_any_head_nothing_is_dated(home: Home) -> None:
    witness_path(home.log).unlink()
    found = check_witnesses(Heads.of(home.log))
    assert found.disagreements == 0 and "no head was ever written down" in found.unproved[0]
    assert dates(home).unproved[0].startswith("12 predictions not followed by a head yet")


def lines_of(home: Home) -> list[bytes]:
    return home.log.read_bytes().splitlines(keepends=True)


CHANGES = {
    "cut": (lambda lines: lines[:-3], 2, "is not in the log: its line was taken out or changed"),
    "all of it another log": (lambda lines: [prediction("X.NS").to_json().encode() + b"\n"], 6, "is not in the log"),
    "a line removed": (
        lambda lines: [*lines[:4], *lines[5:]],
        4,
        "was behind 6 predictions and is behind 5 now: lines before it are gone",
    ),
    "a line put in": (
        lambda lines: [*lines[:1], prediction("X.NS").to_json().encode() + b"\n", *lines[1:]],
        6,
        "and is behind 3 now: lines were put in before it",
    ),
    "chained anew": (None, 6, "is not in the log"),
}


@pytest.mark.parametrize(("change", "number", "text"), CHANGES.values(), ids=CHANGES)
def test_heads_that_are_not_in_their_places_are_told(home: Home, change: Any, number: int, text: str) -> None:
    if change is None:  # forged with care: every line sealed again behind another first one
        made = [prediction("X.NS", day) for day in range(12)]
        home.log.unlink()
        with PredictionLog(home.log, accepts_changes=True).locked() as log:
            log.append(made)
    else:
        home.log.write_bytes(b"".join(change(lines_of(home))))
    found = check_witnesses(Heads.of(home.log))
    assert found.disagreements == number and text in str(found.first), found
    if change is None:
        assert check_seals(Heads.of(home.log)).disagreements == 0


def test_a_damaged_line_of_heads_proves_nothing(home: Home) -> None:
    path = witness_path(home.log)
    path.write_bytes(b"{torn\n" + path.read_bytes())
    found = check_witnesses(Heads.of(home.log))
    assert found.unproved == ["line 1 of seals.jsonl is not JSON."] and found.disagreements == 0


# ---- feedback/ ----


def kept(home: Home) -> dict[str, Check]:
    found = Feedback(home.feedback, Tally).refolded(PredictionLog(home.log).read())
    return {name: check_kept(name, *values) for name, values in found.items()}


def test_what_was_learned_is_folded_again(home: Home) -> None:
    run_day(home, DAYS)
    assert {check.proved for check in kept(home).values()} == {"as folded again from the log"}
    assert set(kept(home)) == {"learned.json", "accuracy_scores.json"}


EDITS = {
    "learned.json": (
        lambda values: values["learner"]["seen"].__setitem__(1, "X"),
        'learner.seen.1 is "X", and the log',
    ),
    "accuracy_scores.json": (
        lambda values: values["TCS.NS"].__setitem__("total_predictions", 9),
        "TCS.NS.total_predictions is 9, and the log makes 2",
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edited_or_missing_file_is_told(home: Home, name: str) -> None:
    run_day(home, DAYS)
    path, (edit, words) = home.feedback / name, EDITS[name]
    values = json.loads(path.read_bytes())
    edit(values)
    path.write_text(json.dumps(values))
    (wrong,) = [check for check in kept(home).values() if check.first]
    assert words in str(wrong.first)
    path.write_text("{torn")
    assert kept(home)[name].unproved and not kept(home)[name].first
    path.unlink()
    assert kept(home)[name].unproved and not kept(home)[name].first


def test_a_difference_is_named_by_its_path_and_the_last_digits_of_another_processor_are_none() -> None:
    assert first_difference({"a": [1, {"b": 2.0}]}, {"a": [1, {"b": 2}]}) is None
    assert first_difference({"a": 0.1 + 0.2}, {"a": 0.3}) is None
    assert first_difference({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}) == ("a.1.b", 2, 3)
    assert first_difference({"a": 1}, {}) == ("a", 1, None)
    assert first_difference([1], [1, 2]) == ("", [1], [1, 2])
    assert first_difference({"a": "x"}, {"a": "y"}) == ("a", "x", "y")
