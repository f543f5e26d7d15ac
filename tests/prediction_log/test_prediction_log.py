"""The log: one line a prediction, completed in place, each id once, and the same after any restart."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from log_helpers import CHECKPOINT, START, feedback_bytes, outcome, prediction, records, run_day

from stockml.core.outcomes import EXPIRED, Outcome
from stockml.core.paths import Home
from stockml.core.records import Prediction
from stockml.prediction_log.log import PredictionLog


@pytest.fixture
def log(tmp_path: Path) -> PredictionLog:
    return PredictionLog(tmp_path / "realtime_predictions" / "predictions.jsonl")


def append(log: PredictionLog, *predictions: Prediction) -> list[Prediction]:
    with log.locked():
        return bare(log.append(predictions))


def bare(lines: Iterable[Prediction]) -> list[Prediction]:
    """The predictions without their seals."""
    return [replace(line, seal=None) for line in lines]


def settle(log: PredictionLog, *predictions: Prediction) -> None:
    with log.locked():
        log.settle({line.id: outcome(line) for line in predictions})


def offsets(path: Path) -> dict[str, int]:
    """Where each line begins, by id."""
    found, at = {}, 0
    for line in path.read_bytes().splitlines(keepends=True):
        if line.strip():
            found[json.loads(line)["id"]] = at
        at += len(line)
    return found


def test_looking_at_a_log_that_is_not_there_creates_nothing(log: PredictionLog, tmp_path: Path) -> None:
    assert log.pending() == [] and log.kinds() == set() and list(log.read().verified) == []
    assert list(tmp_path.iterdir()) == []


def test_a_prediction_read_back_equals_the_one_written(log: PredictionLog) -> None:
    made = [prediction(), prediction("INFY.NS", 1, horizon=3)]
    assert append(log, *made) == made
    assert bare(log.pending()) == made and log.kinds() == {"csv"}


def test_one_line_an_id(log: PredictionLog) -> None:
    append(log, prediction(day=3))
    before = log.path.read_bytes()
    assert append(log, prediction(day=3), prediction(day=3)) == []
    assert log.path.read_bytes() == before
    assert [line.id for line in append(log, prediction(day=3), prediction(day=2))] == [prediction(day=2).id]
    settle(log, prediction(day=2))
    assert append(log, prediction(day=2)) == []


def test_settling_changes_that_line_alone_in_the_same_file(log: PredictionLog) -> None:
    made = [prediction(day=day) for day in range(5)]
    append(log, *made)
    before, where, inode = log.path.read_bytes(), offsets(log.path), log.path.stat().st_ino
    settle(log, made[1], made[3])
    after = log.path.read_bytes()
    assert offsets(log.path) == where and log.path.stat().st_ino == inode and len(after) == len(before)
    changed = {
        number
        for number, pair in enumerate(zip(before.split(b"\n"), after.split(b"\n"), strict=True))
        if pair[0] != pair[1]
    }
    assert changed == {1, 3}
    assert [line.id for line in log.pending()] == [made[0].id, made[2].id, made[4].id]
    assert bare(log.read().verified) == [replace(line, outcome=outcome(line)) for line in (made[1], made[3])]


def test_the_longest_outcomes_fit_in_the_room_that_was_kept(log: PredictionLog) -> None:
    made, actual = prediction(day=1), 1.2345678901234567e-9
    errors = [abs(actual - price) / actual * 100 for price in (made.predicted_price, made.current_price)]
    at = "2026-01-11T16:00:00"
    widest = Outcome("verified", at, actual, errors[0], False, errors[1], actual, actual, at[:10], at)
    gone = Outcome(EXPIRED, "2026-01-10T16:00:00", reason='no bar for "TCS.NS" \\ in भारत\n' * 40)
    append(log, prediction(day=1), prediction(day=2))
    before = offsets(log.path)
    with log.locked():
        settled = log.settle({prediction(day=1).id: widest, prediction(day=2).id: gone})
    assert offsets(log.path) == before and log.pending() == []
    assert settled.done[0].outcome == widest
    reason = settled.done[1].outcome.reason if settled.done[1].outcome else None
    assert reason and gone.reason and gone.reason.startswith(reason) and len(reason) > 100


def test_settling_twice_or_something_unknown_changes_nothing(log: PredictionLog) -> None:
    append(log, prediction())
    settle(log, prediction())
    before = log.path.read_bytes()
    with log.locked():
        other = replace(outcome(prediction()), actual_price=1.0)
        assert log.settle({prediction().id: other, "X:2026-01-01:5": other}).done == ()
    assert log.path.read_bytes() == before


def test_a_line_that_somebody_stripped_of_its_room_moves_to_the_end_and_no_other_moves(log: PredictionLog) -> None:
    made = [prediction(day=day) for day in range(3)]
    append(log, *made)
    lines = log.path.read_bytes().split(b"\n")
    log.path.write_bytes(b"\n".join([lines[0], lines[1].rstrip(), lines[2], b""]))
    where = offsets(log.path)
    settle(log, made[1])
    after = offsets(log.path)
    assert {id_: after[id_] for id_ in (made[0].id, made[2].id)} == {
        made[0].id: where[made[0].id],
        made[2].id: where[made[2].id],
    }
    assert [record["id"] for record in records(log.path)] == [made[0].id, made[2].id, made[1].id]
    assert bare(log.read().verified) == [replace(made[1], outcome=outcome(made[1]))]


def test_keys_that_somebody_added_by_hand_stay(log: PredictionLog) -> None:
    append(log, prediction())
    log.path.write_bytes(log.path.read_bytes().replace(b'"magnitude"', b'"note": "looks odd", "magnitude"'))
    settle(log, prediction())
    assert records(log.path)[0]["note"] == "looks odd" and records(log.path)[0]["status"] == "verified"


def test_a_line_that_could_not_be_written_again_stays_pending_and_is_named(
    log: PredictionLog, caplog: pytest.LogCaptureFixture
) -> None:
    append(log, prediction(day=1), prediction(day=2))
    log.path.write_bytes(log.path.read_bytes().replace(b'"magnitude"', b'"note": 1e999, "magnitude"', 1))
    settle(log, prediction(day=1), prediction(day=2))
    assert f"{prediction(day=1).id}: its line cannot be completed" in caplog.text
    assert bare(log.pending()) == [prediction(day=1)] and b'"note": 1e999' in log.path.read_bytes()


def test_a_line_edited_while_a_run_works_is_left_alone(log: PredictionLog, caplog: pytest.LogCaptureFixture) -> None:
    append(log, prediction(day=1), prediction(day=3))
    with log.locked():
        log.read()
        edited = log.path.read_bytes().replace(b'"id": "TCS.NS:2026-01-06', b'"id": "TCS.NS:2026-01-07', 1)
        log.path.write_bytes(edited.replace(b'"data_through": "2026-01-06', b'"data_through": "2026-01-07', 1))
        settled = log.settle({line.id: outcome(line) for line in (prediction(day=1), prediction(day=3))})
    assert [line.id for line in settled.done] == [prediction(day=3).id]
    assert "its place now holds TCS.NS:2026-01-07:5" in caplog.text
    assert not log.path.with_name(CHECKPOINT).exists()  # the next run reads the whole log
    assert [line.id for line in log.pending()] == ["TCS.NS:2026-01-07:5"]


def test_a_second_look_needs_no_second_reading(log: PredictionLog, monkeypatch: pytest.MonkeyPatch) -> None:
    append(log, prediction(day=1))
    append(log, prediction(day=2))
    monkeypatch.setattr("stockml.prediction_log.index.scan", lambda *given: pytest.fail("the whole log was read"))
    assert [line.id for line in log.pending()] == [prediction(day=1).id, prediction(day=2).id]
    settle(log, prediction(day=1))
    append(log, prediction(day=3), prediction(day=3))
    assert [line.id for line in log.pending()] == [prediction(day=2).id, prediction(day=3).id]


def test_a_checkpoint_that_does_not_tell_the_truth_is_found_out(log: PredictionLog) -> None:
    append(log, prediction(day=1), prediction(day=2))
    status = log.path.stat()
    lines = log.path.read_bytes().splitlines(keepends=True)
    with log.path.open("r+b") as file:
        file.write(lines[1] + lines[0])
    import os

    os.utime(log.path, ns=(status.st_atime_ns, status.st_mtime_ns))
    with log.locked():
        assert {line.id for line in log.read().pending} == {prediction(day=1).id, prediction(day=2).id}
        assert len(log.settle({prediction(day=1).id: outcome(prediction(day=1))}).done) == 1
    assert [record["status"] for record in records(log.path)] == ["pending", "verified"]


def test_a_day_in_the_past_shows_the_log_as_it_was_and_rewrites_nothing_later(log: PredictionLog) -> None:
    early, late = prediction(day=0), prediction(day=9)
    append(log, early, late)
    with log.locked():
        log.settle({early.id: outcome(early, at="2026-01-20T16:00:00")})
    before = log.path.read_bytes()
    with log.locked():
        view = log.read(as_of=START + timedelta(days=6))
        assert view.is_partial and bare(view.pending) == [early] and list(view.verified) == []
        settled = log.settle({early.id: outcome(early)})
    assert settled.done == () and bare(settled.left) == [replace(early, outcome=outcome(early))]
    assert log.path.read_bytes() == before
    with log.locked():
        view = log.read(as_of=date(2026, 1, 20))
        assert not view.is_partial and bare(view.pending) == [late] and len(list(view.verified)) == 1


def test_what_was_made_in_the_past_of_the_log_joins_it(log: PredictionLog) -> None:
    append(log, prediction(day=9))
    with log.locked():
        log.read(as_of=START + timedelta(days=2))
        assert bare(log.append([prediction(day=2)])) == [prediction(day=2)]
    assert len(log.pending()) == 2


def test_a_nan_is_never_written(log: PredictionLog) -> None:
    with log.locked(), pytest.raises(ValueError):
        log.append([prediction(), replace(prediction(day=1), magnitude=float("nan"))])
    assert not log.path.exists()


def test_days_in_a_row_are_the_same_with_and_without_checkpoints(tmp_path: Path) -> None:
    quick, slow = Home(tmp_path / "quick"), Home(tmp_path / "slow")
    for day in range(12):
        assert run_day(quick, day) == run_day(slow, day)
        for path in slow.log.parent.glob(CHECKPOINT):
            path.unlink()
    assert quick.log.read_bytes() == slow.log.read_bytes()
    assert feedback_bytes(quick) == feedback_bytes(slow)
