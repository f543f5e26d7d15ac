"""Settled lines made pending again: in place, noted, unlearned, all or none; and as whole commands."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from log_helpers import AT, START, Tally, feedback_bytes, prediction, records, run_day, settled_ids

from stockml.accuracy.tracker import Feedback
from stockml.core.outcomes import EXPIRED, Outcome, Reopened
from stockml.core.paths import Home
from stockml.core.records import Prediction
from stockml.prediction_log.log import PredictionLog

DAYS = 12


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    for day in range(DAYS):
        run_day(home, day)
    return home


def reopen(home: Home, *ids: str, at: str = AT) -> list[Prediction]:
    log = PredictionLog(home.log)
    with log.locked():
        done = log.reopen(dict.fromkeys(ids, at))
        Feedback(home.feedback, Tally).update(log)
    return done


def places(home: Home) -> dict[str, tuple[int, int]]:
    found, at = {}, 0
    for line in home.log.read_bytes().splitlines(keepends=True):
        found[json.loads(line)["id"]] = (at, len(line))
        at += len(line)
    return found


def expire(home: Home, id_: str, reason: str) -> None:
    log = PredictionLog(home.log)
    with log.locked():
        log.settle({id_: Outcome(EXPIRED, AT, reason=reason)})
        Feedback(home.feedback, Tally).update(log)


def test_the_line_keeps_its_place_and_the_others_their_bytes(home: Home) -> None:
    before, where = home.log.read_bytes().splitlines(), places(home)
    id_ = settled_ids(home)[3]
    (line,) = reopen(home, id_)
    assert line.status == "pending" and places(home) == where
    after = home.log.read_bytes().splitlines()
    assert [json.loads(new)["id"] for old, new in zip(before, after, strict=True) if old != new] == [id_]
    was = json.loads(before[3])
    assert line.reopened == Reopened(1, AT, "verified", was["verified_at"], was["actual_price"])


def test_it_is_unlearned_and_the_next_run_settles_it_as_before(home: Home) -> None:
    ids = settled_ids(home)
    reopen(home, ids[0], ids[2])
    state = json.loads((home.feedback / "learned.json").read_bytes())
    assert state["learner"]["seen"] == [id_ for id_ in ids if id_ not in (ids[0], ids[2])]
    kept = feedback_bytes(home)
    for path in home.feedback.iterdir():
        path.unlink()
    log = PredictionLog(home.log)
    with log.locked():
        Feedback(home.feedback, Tally).update(log)
    assert feedback_bytes(home) == kept
    where = places(home)
    run_day(home, DAYS)
    assert {id_: place for id_, place in places(home).items() if id_ in where} == where
    found = {record["id"]: record for record in records(home.log)}
    assert found[ids[0]]["status"] == "verified" and found[ids[0]]["reopened"]["times"] == 1


def test_feedback_after_reopening_and_settling_is_that_of_a_log_never_reopened(home: Home, tmp_path: Path) -> None:
    calm = Home(tmp_path / "calm")
    for day in range(DAYS + 1):
        run_day(calm, day)
    reopen(home, settled_ids(home)[1])
    run_day(home, DAYS)
    assert feedback_bytes(home) == feedback_bytes(calm)


@pytest.mark.parametrize("reason", ["no bar came", "." * 500, "\u20b9" * 300])
def test_an_expired_line_can_be_reopened_and_expire_again(home: Home, reason: str) -> None:
    id_ = records(home.log)[-1]["id"]
    where = places(home)
    for times in (1, 2, 3):
        expire(home, id_, reason)
        (line,) = reopen(home, id_)
        assert line.reopened == Reopened(times, AT, "expired", AT) and places(home) == where
    assert PredictionLog(home.log).read().pending[-1].id == id_


def test_there_is_room_for_the_longest_outcome_after_the_longest_note(home: Home) -> None:
    id_ = settled_ids(home)[0]
    where = places(home)
    (line,) = reopen(home, id_)
    great = 123456789012345.67
    errors = [abs(great - price) / great * 100 for price in (line.predicted_price, line.current_price)]
    log = PredictionLog(home.log)
    longest = Outcome("verified", AT, great, errors[0], False, errors[1], great, great, AT[:10], AT)
    with log.locked():
        (done,) = log.settle({id_: longest}).done
    assert done.outcome == longest and places(home) == where


def test_a_line_without_room_moves_to_the_end_and_is_not_lost(home: Home) -> None:
    lines = home.log.read_bytes().splitlines(keepends=True)
    id_ = json.loads(lines[2])["id"]
    lines[2] = lines[2].rstrip() + b"\n"
    home.log.write_bytes(b"".join(lines))
    reopen(home, id_)
    run_day(home, DAYS)
    assert sorted(record["id"] for record in records(home.log)) == sorted(set(places_of(home)))
    found = {record["id"]: record for record in records(home.log)}
    assert found[id_]["status"] == "verified" and found[id_]["reopened"]["status"] == "verified"


def places_of(home: Home) -> list[str]:
    return [record["id"] for record in records(home.log)]


def test_all_or_none(home: Home) -> None:
    before = home.log.read_bytes()
    good = settled_ids(home)[0]
    for bad in (prediction(day=DAYS - 1).id, "TCS.NS:1999-01-01:5", "nonsense"):
        with pytest.raises(ValueError, match=f"{bad} cannot be reopened"):
            reopen(home, good, bad)
    assert home.log.read_bytes() == before


def test_the_index_follows_without_a_full_reading(home: Home) -> None:
    ids = settled_ids(home)
    reopen(home, *ids)
    kept = PredictionLog(home.log)
    assert [line.id for line in kept.read().pending] == places_of(home)
    assert kept.read(START).is_partial and kept._index is not None and kept._index.last_settled == ""
    home.log.with_name(".predictions.checkpoint.json").unlink()
    assert [line.id for line in PredictionLog(home.log).read().pending] == places_of(home)


@pytest.mark.parametrize("found", [3, 7, 1_000_000])
def test_a_line_of_a_newer_version_is_refused_as_that(home: Home, found: int) -> None:
    home.log.write_bytes(home.log.read_bytes().replace(b'"format": 2,', f'"format": {found},'.encode(), 1))
    problems = PredictionLog(home.log).read().problems
    assert len(problems) == 1 and f"its format is {found}, which a newer version wrote" in problems[0].text


@pytest.mark.parametrize("found", ['"1"', "0", "1.5", "null", "true"])
def test_a_format_that_is_no_number_is_named(home: Home, found: str) -> None:
    home.log.write_bytes(home.log.read_bytes().replace(b'"format": 2,', f'"format": {found},'.encode(), 1))
    (problem,) = PredictionLog(home.log).read().problems
    assert problem.text.startswith("format is ") and "not a whole number above 0" in problem.text


def test_a_line_without_a_format_is_of_the_first(home: Home) -> None:
    text = re.sub(rb', "(seal|outcome_checksum)": "\w+"', b"", home.log.read_bytes().replace(b'"format": 2, ', b""))
    home.log.write_bytes(text)  # as an earlier version left it
    view = PredictionLog(home.log).read()
    assert not view.problems and len(view.pending) + len(list(view.settled)) == 2 * DAYS
