"""Every line of the log in the file's order, whatever became of it, and without writing anything."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from log_helpers import outcome, prediction, records, run_day

from stockml.core.outcomes import EXPIRED, Outcome
from stockml.core.paths import Home
from stockml.core.records import Prediction
from stockml.prediction_log import every_line as module
from stockml.prediction_log.every_line import every_line
from stockml.prediction_log.log import PredictionLog
from stockml.storage.files import StorageError


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Lines of five days; some are settled, one of them as expired."""
    home = Home(tmp_path)
    for day in (0, 1, 2, 8, 9):
        run_day(home, day)
    with PredictionLog(home.log).locked() as log:
        log.settle({"TCS.NS:2026-01-13:5": Outcome(EXPIRED, "2026-01-20T10:00:00", reason="no bar came")})
    return home


def test_the_lines_come_in_the_files_order_and_again_at_each_reading(home: Home) -> None:
    lines = every_line(PredictionLog(home.log))
    in_file = [Prediction.from_record(record) for record in records(home.log)]
    assert list(lines) == in_file == list(lines)
    assert len(lines.places) == 10 and {line.status for line in lines} == {"pending", "verified", "expired"}
    assert (lines.problems, lines.left_out) == ((), 0)


def test_without_a_log_there_are_none_and_none_is_made(tmp_path: Path) -> None:
    home = Home(tmp_path / "none")
    assert list(every_line(PredictionLog(home.log))) == [] and not home.root.exists()


DAMAGE = {
    "cut": lambda line: line[:200],
    "no JSON": lambda line: b"x" + line,
    "a key gone": lambda line: line.replace(b'"confidence":', b'"confidense":'),
    "a second line of an id": lambda line: line + b"\n" + line,
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damaged_lines_are_left_out_and_told_and_stay_in_the_log(home: Home, name: str) -> None:
    lines = home.log.read_bytes().split(b"\n")
    lines[4] = DAMAGE[name](lines[4])
    home.log.write_bytes(b"\n".join(lines))
    before = {path: path.read_bytes() for path in home.root.rglob("*") if path.is_file()}
    found = every_line(PredictionLog(home.log))
    assert len(list(found)) == (10 if name.startswith("a second") else 9) and found.left_out == 1
    (problem,) = found.problems
    assert str(problem).startswith(f"the prediction log, line {6 if name.startswith('a second') else 5}: ")
    assert str(problem).endswith("left out; the next run sets it aside")
    assert {path: path.read_bytes() for path in home.root.rglob("*") if path.is_file()} == before


REPAIRED = {
    "two lines joined": lambda lines: [*lines[:2], lines[2].rstrip() + b" " + lines[3].rstrip(), *lines[4:]],
    "a foreign line end": lambda lines: [*lines[:5], lines[5] + b"\r", *lines[6:]],
    "a byte order mark": lambda lines: [b"\xef\xbb\xbf" + lines[0], *lines[1:]],
    "the last one cut": lambda lines: [*lines[:-2], lines[-2].partition(b', "distribution"')[0]],
    "the last line feed gone": lambda lines: lines[:-1],
}


@pytest.mark.parametrize("name", REPAIRED)
def test_what_a_run_would_put_right_is_not_left_out(home: Home, name: str) -> None:
    whole = list(every_line(PredictionLog(home.log)))
    home.log.write_bytes(b"\n".join(REPAIRED[name](home.log.read_bytes().split(b"\n"))))
    found = every_line(PredictionLog(home.log))
    assert found.left_out == 0 and len(found.problems) == 1
    if name == "the last one cut":
        assert [line.id for line in found] == [line.id for line in whole]
    else:
        assert list(found) == whole


def test_blank_lines_are_none(home: Home) -> None:
    whole = list(every_line(PredictionLog(home.log)))
    home.log.write_bytes(b"\n" + home.log.read_bytes().replace(b"\n", b"\n   \n\n"))
    assert list(every_line(PredictionLog(home.log))) == whole


def test_a_line_that_is_completed_meanwhile_is_read_when_it_is_whole(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = every_line(PredictionLog(home.log))
    whole = home.log.read_bytes()
    at = lines.places[3]
    home.log.write_bytes(whole[: at + 40] + b"\0" * 100 + whole[at + 140 :])
    monkeypatch.setattr(module, "pause", lambda _seconds: home.log.write_bytes(whole))
    assert len(list(lines)) == 10


def test_a_line_that_is_gone_meanwhile_ends_the_reading_with_a_sentence(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = every_line(PredictionLog(home.log))
    home.log.write_bytes(b" " * len(home.log.read_bytes()))
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.0)
    with pytest.raises(StorageError, match="was edited while it was read; run again"):
        list(lines)


def test_lines_of_a_run_that_came_meanwhile_are_not_among_them(home: Home) -> None:
    lines = every_line(PredictionLog(home.log))
    run_day(home, 20)  # settles what is due, and appends
    assert len(list(lines)) == 10
    made = prediction(day=8)
    assert replace(made, outcome=outcome(made)) not in lines  # it had expired
    assert "pending" not in {line.status for line in lines}
