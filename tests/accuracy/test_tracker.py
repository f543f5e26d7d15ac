"""feedback/: a function of the verified lines alone, whatever order and however many runs they came in."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from log_helpers import CHECKPOINT, START, Tally, feedback_bytes, outcome, prediction, records, run_day

from stockml.accuracy.conditions import by_condition_of
from stockml.accuracy.scores import by
from stockml.accuracy.tracker import AccuracyTracker, Feedback
from stockml.core.paths import Home
from stockml.core.records import Prediction
from stockml.core.student_t import StudentT
from stockml.prediction_log.log import PredictionLog


@pytest.fixture(scope="module")
def ten_days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = Home(tmp_path_factory.mktemp("ten_days"))
    for day in range(10):
        run_day(home, day)
    return home.root


@pytest.fixture
def home(ten_days: Path, tmp_path: Path) -> Home:
    return Home(Path(shutil.copytree(ten_days, tmp_path / "home")))


def update(home: Home) -> dict[str, bytes]:
    """What --verify-only does when nothing is due."""
    log = PredictionLog(home.log)
    with log.locked():
        Feedback(home.feedback, Tally).update(log)
    return feedback_bytes(home)


def seen(home: Home) -> list[str]:
    return json.loads((home.feedback / "learned.json").read_text())["learner"]["seen"]


def test_scores_say_what_the_log_says(home: Home) -> None:
    scores = json.loads((home.feedback / "accuracy_scores.json").read_text())
    lines = [record for record in records(home.log) if record["status"] == "verified" and record["symbol"] == "TCS.NS"]
    assert len(lines) == 5
    laws = [(StudentT.from_record(line["distribution"]), line) for line in lines]
    laws = [(law, (line["actual_price"] / line["current_price"] - 1) * 100) for law, line in laws]
    naive = [(StudentT(0.0, law.scale_pct, law.degrees), actual) for law, actual in laws]
    by_horizon = scores["TCS.NS"].pop("by_horizon")
    assert by_horizon == {"5": scores["TCS.NS"]}
    assert scores["TCS.NS"] == {
        "total_predictions": 5,
        "accurate_predictions": sum(line["was_accurate"] for line in lines),
        "accuracy": round(sum(line["was_accurate"] for line in lines) / 5, 4),
        "mean_error_pct": round(sum(line["error_pct"] for line in lines) / 5, 4),
        "mean_naive_error_pct": round(sum(line["naive_error_pct"] for line in lines) / 5, 4),
        "direction_hits": sum(
            (line["actual_price"] > line["current_price"]) == (line["predicted_change_pct"] > 0)
            and line["predicted_change_pct"] != 0
            and line["actual_price"] != line["current_price"]
            for line in lines
        ),
        "rises": sum(line["actual_price"] > line["current_price"] for line in lines),
        "mean_crps_pct": round(sum(law.crps_pct(actual) for law, actual in laws) / 5, 4),
        "mean_naive_crps_pct": round(sum(law.crps_pct(actual) for law, actual in naive) / 5, 4),
        "mean_interval_score_pct": round(sum(law.interval_score_pct(actual, 0.8) for law, actual in laws) / 5, 4),
        "mean_naive_interval_score_pct": round(
            sum(law.interval_score_pct(actual, 0.8) for law, actual in naive) / 5, 4
        ),
        "without_distribution": 0,
        "expired_predictions": 0,
        "expired_reasons": {},
    }
    assert list(scores) == ["INFY.NS", "TCS.NS"]


def test_the_record_by_condition_is_that_of_the_lines_without_reading_them_again(home: Home) -> None:
    log = PredictionLog(home.log)
    view, tracker = log.read(), AccuracyTracker(home.feedback)
    kept = tracker.record(view)
    (main,) = kept.horizons.values()
    assert main.conditions == by_condition_of(view.settled) and len(main.conditions) > 3
    assert main.stocks == by(lambda line: line.symbol, view.settled)
    (home.feedback / "learned.json").unlink()
    assert tracker.record(view) == kept


def test_it_comes_back_byte_for_byte_when_deleted(home: Home) -> None:
    before = feedback_bytes(home)
    shutil.rmtree(home.feedback)
    assert update(home) == before
    for checkpoint in home.log.parent.glob(CHECKPOINT):
        checkpoint.unlink()
    shutil.rmtree(home.feedback)
    assert update(home) == before


@pytest.mark.parametrize("name", ["learned.json", "accuracy_scores.json"])
@pytest.mark.parametrize("content", [b"", b"{}", b"not JSON"])
def test_an_edited_file_is_not_believed(home: Home, name: str, content: bytes) -> None:
    before = feedback_bytes(home)
    (home.feedback / name).write_bytes(content)
    assert update(home) == before


def test_deleting_a_line_takes_its_outcome_back(home: Home) -> None:
    gone = seen(home)[3]
    lines = home.log.read_bytes().splitlines(keepends=True)
    home.log.write_bytes(b"".join(line for line in lines if json.loads(line)["id"] != gone))
    expected = [id_ for id_ in seen(home) if id_ != gone]
    update(home)
    assert seen(home) == expected


def test_an_outcome_that_belongs_before_the_last_one_is_folded_in_its_place(home: Home) -> None:
    log = PredictionLog(home.log)
    early, late = prediction("TCS.NS", 7), prediction("INFY.NS", 7)
    with log.locked():
        log.settle({late.id: outcome(late, at="2026-02-01T16:00:00")})
        Feedback(home.feedback, Tally).update(log)
    with log.locked():
        log.settle({early.id: outcome(early, at="2026-01-31T16:00:00")})
        Feedback(home.feedback, Tally).update(log)
    assert seen(home)[-2:] == [early.id, late.id]
    assert [line.id for line in log.read().verified] == seen(home)


def test_a_day_in_the_past_learns_from_that_day_alone_and_leaves_the_folder_to_the_whole_log(home: Home) -> None:
    before = feedback_bytes(home)
    log = PredictionLog(home.log)
    with log.locked():
        view = log.read(as_of=START + timedelta(days=7))
        then = Feedback(home.feedback, Tally).update(log, view)
    known = [record["id"] for record in records(home.log) if record.get("verified_at", "9") < "2026-01-13"]
    assert then.learner.seen == known and len(known) == 6
    assert feedback_bytes(home) == before


def test_what_is_settled_again_as_of_a_past_day_counts_for_that_day_only(home: Home) -> None:
    log = PredictionLog(home.log)
    with log.locked():
        log.settle({(late := prediction("TCS.NS", 5)).id: outcome(late, at="2026-03-01T16:00:00")})
        Feedback(home.feedback, Tally).update(log)
    before = feedback_bytes(home)
    with log.locked():
        view = log.read(as_of=START + timedelta(days=10))
        assert late.id in {line.id for line in view.pending}
        settled = log.settle({late.id: outcome(late)})
        then = Feedback(home.feedback, Tally).update(log, view, settled)
    assert then.learner.seen[-1] == late.id and then.record.score("TCS.NS", 5).total == 6
    assert feedback_bytes(home) == before


def test_a_preview_says_what_an_update_would_and_writes_nothing(home: Home) -> None:
    update(home)
    before = feedback_bytes(home)
    due = prediction("TCS.NS", 5)
    for view in (PredictionLog(home.log).read(), PredictionLog(home.log).read(START + timedelta(days=7))):
        known = Feedback(home.feedback, Tally).preview(view, [replace(due, outcome=outcome(due))])
        assert known.learner.seen == [*(line.id for line in view.verified), due.id]
    assert feedback_bytes(home) == before


def test_what_comes_due_at_once_is_previewed_in_the_order_in_which_it_is_folded(home: Home) -> None:
    log = PredictionLog(home.log)
    view = log.read()
    outcomes = {line.id: outcome(line, at="2026-02-01T16:00:00") for line in view.pending}
    settled = [replace(line, outcome=outcomes[line.id]) for line in view.pending]
    known = Feedback(home.feedback, Tally).preview(view, settled)
    with log.locked():
        log.settle(outcomes)
        assert Feedback(home.feedback, Tally).update(log).learner.seen == known.learner.seen


def test_nothing_new_writes_nothing(home: Home) -> None:
    update(home)
    before = {path: path.stat().st_mtime_ns for path in home.root.rglob("*") if path.is_file()}
    update(home)
    assert {path: path.stat().st_mtime_ns for path in home.root.rglob("*") if path.is_file()} == before


def test_a_line_that_nothing_can_be_learned_from_is_named_and_still_counted(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    class Picky(Tally):
        def learn(self, prediction: Prediction) -> None:
            raise KeyError("daily_volatility_pct")

        @classmethod
        def from_state(cls, state: Mapping[str, Any]) -> Picky:
            return cls()

    shutil.rmtree(home.feedback)
    log = PredictionLog(home.log)
    with log.locked():
        learned = Feedback(home.feedback, Picky).update(log)
    assert learned.record.score("TCS.NS", 5).total == 5 and "nothing can be learned from its line" in caplog.text
    log.path.unlink()
    log.accepts_changes = True
    with log.locked():
        assert Feedback(home.feedback, Picky).update(log).record.horizons == {}
    assert json.loads((home.feedback / "accuracy_scores.json").read_text()) == {}
