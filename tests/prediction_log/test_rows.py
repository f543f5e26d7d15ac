"""The index of the log's lines: it says what the log says; deleted, stale, foreign or damaged it is made anew."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from log_helpers import CHECKPOINT, INDEX, Tally, feedback_bytes, outcome, prediction, records, run_day

from stockml.accuracy.tracker import Feedback
from stockml.core.outcomes import EXPIRED, VERIFIED, Outcome
from stockml.core.paths import Home
from stockml.prediction_log.index import Stamp
from stockml.prediction_log.log import PredictionLog
from stockml.prediction_log.places import place
from stockml.prediction_log.rows import Rows, RowsChanged
from stockml.storage.files import StorageError, sealed

pytestmark = pytest.mark.usefixtures("in_haste")

TODAY = 9


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A log of nine days, some of its lines settled, one of them expired."""
    home = Home(tmp_path / "home")
    for day in range(TODAY):
        run_day(home, day)
    with PredictionLog(home.log).locked() as log:
        made = prediction("INFY.NS", 5)
        log.settle({made.id: Outcome(EXPIRED, "2026-01-14T16:00:00", reason="no bar came")})
        Feedback(home.feedback, Tally).update(log)
    return home


def state_of(home: Home) -> dict[str, bytes]:
    return feedback_bytes(home) | {"log": home.log.read_bytes()}


def after_a_day(home: Home, spoil: Callable[[Home], object] = lambda home: None) -> dict[str, bytes]:
    """What a copy of the home holds after the index was spoilt and another day went by."""
    copy = Home(Path(shutil.copytree(home.root, home.root.with_name("copy"))))
    with PredictionLog(copy.log).locked():
        pass  # of the copy the index knows nothing yet
    spoil(copy)
    run_day(copy, TODAY)
    state = state_of(copy)
    shutil.rmtree(copy.root)
    return state


def agree(home: Home) -> None:
    """Let the checkpoint name the index as it is now, as if we had left it so."""
    path = home.log.with_name(CHECKPOINT)
    values = json.loads(path.read_bytes().partition(b"\n")[2])
    values["rows"] = Stamp.of(home.log.with_name(INDEX))
    path.write_bytes(sealed(json.dumps(values).encode()))


def changed(statement: str) -> Callable[[Home], None]:
    """A change of the index that the checkpoint agrees with."""

    def spoil(home: Home) -> None:
        with closing(sqlite3.connect(home.log.with_name(INDEX))) as file:
            file.executescript(statement)
        agree(home)

    return spoil


def test_it_holds_a_row_a_line(home: Home) -> None:
    with closing(sqlite3.connect(home.log.with_name(INDEX))) as file:
        found = file.execute(
            "SELECT id, at, width, symbol, horizon, made, state FROM predictions ORDER BY at"
        ).fetchall()
    states, text = {"pending": 0, "verified": 1, "expired": 2}, home.log.read_bytes()
    assert [(id_, symbol, horizon, str(made), state) for id_, _, _, symbol, horizon, made, state in found] == [
        (line["id"], line["symbol"], line["prediction_horizon_days"], line["data_through"].replace("-", ""),
         states[line["status"]])
        for line in records(home.log)
    ]  # fmt: skip
    assert [text[at : at + width + 1] for _, at, width, *_ in found] == text.splitlines(keepends=True)


def test_what_it_answers_is_the_same_when_it_was_kept_and_when_it_was_made_anew(home: Home) -> None:
    def answers(log: PredictionLog) -> list[object]:
        days = [f"2026-01-{day:02d}" for day in range(1, 20)]
        return [
            list(log.settled()),
            list(log.settled(VERIFIED)),
            list(log.settled(EXPIRED)),
            log._asked(lambda rows: rows.newest(3)),
            log.latest,
            [log._asked(lambda rows, day=day: rows.settled_after(day)) for day in days],
            [log._has("TCS.NS", 5, day) for day in days],
            log._asked(Rows.last_settled),
        ]

    kept = answers(PredictionLog(home.log))
    home.log.with_name(INDEX).unlink()
    assert answers(PredictionLog(home.log)) == kept
    assert not home.log.with_name(INDEX).exists()  # nothing is written without the lock
    assert len(PredictionLog(home.log).settled(EXPIRED)) == 1
    text = home.log.read_bytes()
    assert all(text[place(key) :].startswith(b'{"symbol"') for key in PredictionLog(home.log).settled())


SPOILT: dict[str, Callable[[Home], object]] = {
    "deleted": lambda home: home.log.with_name(INDEX).unlink(),
    "empty": lambda home: home.log.with_name(INDEX).write_bytes(b""),
    "no database": lambda home: home.log.with_name(INDEX).write_bytes(b"junk" * 2000),
    "cut": lambda home: os.truncate(home.log.with_name(INDEX), 5000),
    "cut, and agreed to": lambda home: (os.truncate(home.log.with_name(INDEX), 5000), agree(home)),
    "zeros in its middle, and agreed to": lambda home: (zeros(home.log.with_name(INDEX)), agree(home)),
    "of another version": changed("DROP VIEW predictions; DROP TABLE lines; CREATE TABLE lines (a)"),
    "without series": changed("DELETE FROM series"),
    "texts for places": changed("UPDATE lines SET width = 'wide' WHERE state = 0"),
    "places beyond the file": changed("UPDATE lines SET width = 99999999 WHERE state = 0"),
    "places of other lines": changed("UPDATE lines SET at = at + 7 WHERE state = 0"),
    "a text for a time": changed("UPDATE lines SET settled = 'noon' WHERE state > 0"),
}


def zeros(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(bytes(12_000))


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_whatever_became_of_it_the_next_run_is_the_same(home: Home, spoil: Callable[[Home], object]) -> None:
    assert after_a_day(home, spoil) == after_a_day(home)


def test_the_index_of_another_log_is_not_taken_for_this_ones(home: Home, tmp_path: Path) -> None:
    other = Home(tmp_path / "other")
    for day in range(4):
        run_day(other, day, ("ITC.NS",))

    def foreign(copy: Home) -> None:
        shutil.copy(other.log.with_name(INDEX), copy.log.with_name(INDEX))

    assert after_a_day(home, foreign) == after_a_day(home)
    assert after_a_day(home, lambda copy: (foreign(copy), agree(copy))) == after_a_day(home)


def test_a_settled_line_that_it_has_in_a_wrong_place_is_found_out_when_feedback_is_folded_again(home: Home) -> None:
    def spoil(copy: Home) -> None:
        changed("UPDATE lines SET at = at + 7 WHERE state > 0")(copy)
        shutil.rmtree(copy.feedback)

    with pytest.raises(StorageError, match="run again"):
        after_a_day(home, spoil)
    copy = Home(home.root.with_name("copy"))
    run_day(copy, TODAY)
    assert state_of(copy)["log"].count(b'"verified"') > 0


def test_a_reader_that_meets_a_change_is_told(home: Home) -> None:
    rows = Rows.of(home.log.with_name(INDEX))
    view = PredictionLog(home.log).read()
    assert rows.has("TCS.NS", 5, "2026-01-05") and "TCS.NS:2026-01-05:5" in view.ids
    run_day(home, TODAY)
    with pytest.raises(RowsChanged, match="run again"):
        rows.has("TCS.NS", 5, "2026-01-05")
    assert "TCS.NS:2026-01-05:5" in view.ids  # which looks at the log again first


def test_a_reader_in_the_middle_of_an_answer_does_not_stop_a_run(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stockml.prediction_log.rows.PATIENCE_SECONDS", 0.05)
    with closing(sqlite3.connect(home.log.with_name(INDEX), isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM lines").fetchone()
        run_day(home, TODAY)
    assert len(records(home.log)) == 2 * TODAY + 2
    run_day(home, TODAY + 1)
    assert len(records(home.log)) == 2 * TODAY + 4 and home.log.with_name(CHECKPOINT).exists()


def test_a_folder_that_may_only_be_read_is_read(home: Home) -> None:
    if os.getuid() == 0:
        pytest.skip("root may write anywhere")
    home.log.parent.chmod(0o500)
    try:
        assert PredictionLog(home.log).pending()
    finally:
        home.log.parent.chmod(0o700)


def test_settling_a_line_in_time_order_keeps_the_keys_in_order(home: Home) -> None:
    with PredictionLog(home.log).locked() as log:
        made = prediction("TCS.NS", 6)
        log.settle({made.id: outcome(made, at="2026-01-02T16:00:00")})
        keys = log.settled()
        assert list(keys) == sorted(keys) == keys[:] and keys[-1] == max(keys)
        assert place(keys[0]) == log._asked(lambda rows: rows.newest(99))[11]


# What was learned stays where the settled lines did ----------------------------------------------------------------


def learned_again(home: Home, monkeypatch: pytest.MonkeyPatch) -> int:
    """The number of outcomes that the next run learns from."""
    seen: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(Tally, "learn", lambda tally, line: seen.append(line.id))
        with PredictionLog(home.log).locked() as log:
            Feedback(home.feedback, Tally).update(log)
    return len(seen)


def test_a_full_reading_of_the_same_outcomes_learns_nothing_again(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    before = feedback_bytes(home)
    home.log.touch()
    assert learned_again(home, monkeypatch) == 0
    home.log.with_name(INDEX).unlink()
    assert learned_again(home, monkeypatch) == 0
    copied = home.log.read_bytes()
    home.log.unlink()
    home.log.write_bytes(copied + prediction("NEW.NS", 3).to_json().encode() + b"\n")  # a pending line, by hand
    assert learned_again(home, monkeypatch) == 0
    assert feedback_bytes(home) == before


OTHER_OUTCOMES: dict[str, Callable[[bytes], bytes]] = {
    "another price": lambda text: text.replace(b'"actual_price": ', b'"actual_price": 1', 1),
    "another key": lambda text: text.replace(b'"was_accurate"', b'"note": 1, "was_accurate"', 1),
    "a line that is gone": lambda text: text[text.index(b"\n") + 1 :],
    "a line in another place": lambda text: b"\n" + text,
}


@pytest.mark.parametrize("change", OTHER_OUTCOMES.values(), ids=OTHER_OUTCOMES)
def test_other_outcomes_are_learned_anew(
    home: Home, change: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    home.log.write_bytes(change(home.log.read_bytes()))
    assert learned_again(home, monkeypatch) >= len(PredictionLog(home.log).settled(VERIFIED)) > 5


def test_feedback_that_somebody_edited_is_learned_anew_also_after_a_full_reading(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.log.touch()
    with (home.feedback / "learned.json").open("a") as file:
        file.write(" ")
    assert learned_again(home, monkeypatch) > 5


def test_a_reopened_line_is_no_part_of_the_fingerprint(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with PredictionLog(home.log).locked() as log:
        log.reopen({prediction("TCS.NS", 0).id: "2026-03-01T10:00:00"})
        Feedback(home.feedback, Tally).update(log)
    home.log.touch()
    assert learned_again(home, monkeypatch) == 0
