"""Heads of the chain in seals.jsonl: one whole line a run, whatever happens to the run; read back however damaged."""

from __future__ import annotations

import errno
import json
import signal
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import log_driver
import pytest
from log_driver import KILL_BEFORE, KILL_MIDWAY, Fault, in_child
from log_helpers import prediction, records, run_day
from waiting import PATIENCE_SECONDS

from stockml.core.paths import Home
from stockml.prediction_log.backup import back_up, unpacked
from stockml.prediction_log.chain import check_chain
from stockml.prediction_log.log import PredictionLog
from stockml.prediction_log.restore import alone, put_in_place, unready_folder
from stockml.prediction_log.seals import Head, Witness, last_witness, witness_path, witnesses
from stockml.storage.redo_journal import Change, _to_bytes

pytestmark = pytest.mark.usefixtures("in_haste")

NOW = datetime(2026, 3, 2, 10, 15, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    for day in range(3):
        run_day(home, day)
        witness(home, NOW + timedelta(days=day))
    return home


def witness(home: Home, at: datetime = NOW, as_of: date | None = None) -> Witness | None:
    with PredictionLog(home.log).locked() as log:
        return log.witness(at, as_of)


def heads(home: Home) -> list[Witness | str]:
    return [found for _, found in witnesses(home.log)]


def assert_each_is_in_the_chain(home: Home) -> None:
    found = [one for one in heads(home) if isinstance(one, Witness)]
    chain = check_chain(home.log, [one.head.seal for one in found])
    assert chain.broken == 0
    assert [chain.places[one.head.seal] for one in found] == [one.head.count for one in found]


def test_a_line_says_when_how_many_which_seal_and_how_wide(home: Home) -> None:
    lines = [json.loads(line) for line in witness_path(home.log).read_text().splitlines()]
    assert [list(line) for line in lines] == [["at", "count", "seal", "bytes"]] * 3
    last = lines[-1]
    assert (last["at"], last["count"], last["bytes"]) == ("2026-03-04T10:15:00Z", 6, home.log.stat().st_size)
    assert last["seal"] == records(home.log)[-1]["seal"]
    assert str(last_witness(home.log).head) == f"6 predictions, head {last['seal'][:16]}"  # type: ignore[union-attr]
    assert_each_is_in_the_chain(home)


def test_the_time_is_in_utc_and_a_past_day_is_said(home: Home) -> None:
    india = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert witness(home, india, date(2026, 2, 2)) == last_witness(home.log)
    last = json.loads(witness_path(home.log).read_text().splitlines()[-1])
    assert (last["at"], last["as_of"]) == ("2026-03-02T10:15:00Z", "2026-02-02")


def test_a_log_without_seals_has_no_head(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.log.parent.mkdir()
    assert PredictionLog(home.log).head() is None and last_witness(home.log) is None
    home.log.write_text(prediction().to_json() + "\n")
    assert witness(home) is None and not witness_path(home.log).exists()


DAMAGED = {
    "no JSON": b"{torn",
    "no object": b"[1]",
    "no time": b'{"at": "today", "count": 1, "seal": "%s", "bytes": 1}' % (b"0" * 64),
    "no seal": b'{"at": "2026-03-02T10:15:00Z", "count": 1, "seal": "x", "bytes": 1}',
    "no count": b'{"at": "2026-03-02T10:15:00Z", "count": true, "seal": "%s", "bytes": 1}' % (b"0" * 64),
    "no UTF-8": b"\xff\xfe",
    "nested without end": b"[" * 3000,
    "no key": b"{}",
}


@pytest.mark.parametrize("line", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_line_is_named_and_the_others_serve(home: Home, line: bytes) -> None:
    path = witness_path(home.log)
    whole = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([whole[0], line + b"\n", *whole[1:]]))
    found = heads(home)
    assert [type(one) for one in found] == [Witness, str, Witness, Witness] and len(str(found[1])) < 200
    path.write_bytes(b"".join(whole) + line)
    assert last_witness(home.log) == found[-1]
    witness(home)
    assert heads(home)[-1] == last_witness(home.log) != found[-1]


def test_killed_or_refused_at_any_call_a_run_leaves_whole_heads_and_the_next_one_goes_on(home: Home) -> None:
    symbols = iter(range(1, 10_000))

    def run() -> None:
        with PredictionLog(home.log).locked() as log:
            log.append([prediction(f"K{next(symbols)}.NS", 9), prediction(f"L{next(symbols)}.NS", 9)])
            log.witness(NOW)

    calls = len(in_child(run)["calls"])
    assert calls > 10
    for what in (KILL_BEFORE, KILL_MIDWAY, errno.ENOSPC):
        for at in range(1, calls + 1):
            next(symbols), next(symbols)
            code = in_child(run, Fault(what, at, lasts=what == errno.ENOSPC))["code"]
            assert code in (-signal.SIGKILL, 0, 3), (what, at)
        run()
        assert all(isinstance(one, Witness) for one in heads(home))
        assert_each_is_in_the_chain(home)


def test_two_runs_at_once_make_one_chain(tmp_path: Path) -> None:
    command = [sys.executable, str(Path(log_driver.__file__)), str(tmp_path), "0", "--runs", "12"]
    waiting = ["--lock-timeout", str(PATIENCE_SECONDS)]
    runs = [subprocess.Popen([*command, *waiting, "--symbols", f"{name}.NS", "BOTH.NS"]) for name in ("ONE", "TWO")]
    assert [run.wait(PATIENCE_SECONDS) for run in runs] == [0, 0]
    home = Home(tmp_path)
    assert check_chain(home.log).sealed == len(records(home.log)) == 36
    witness(home)
    assert_each_is_in_the_chain(home)


def test_what_an_interrupted_run_meant_to_write_down_is_not_lost_to_an_edit(home: Home) -> None:
    path = witness_path(home.log)
    line = Witness("2026-03-09T10:15:00Z", Head(6, records(home.log)[-1]["seal"]), 5).to_json().encode() + b"\n"
    change = Change(path.name, path.stat().st_size, b"", line)
    home.log.with_name(".predictions.journal").write_bytes(_to_bytes([change]))
    path.write_bytes(path.read_bytes() + b"a note of somebody's\n")
    witness(home)
    assert [type(one) for one in heads(home)] == [Witness] * 3 + [str] + [Witness] * 2
    assert_each_is_in_the_chain(home)


def test_a_backup_holds_the_heads_and_a_restore_brings_them_back(home: Home, tmp_path: Path) -> None:
    before = witness_path(home.log).read_bytes()
    with PredictionLog(home.log).locked() as log:
        assert "realtime_predictions/seals.jsonl" in back_up(home, log, tmp_path / "b.zip", NOW)
    run_day(home, 3)
    witness(home)
    with alone(home.log, 60):
        put_in_place(home.log, unpacked(tmp_path / "b.zip", unready_folder(home.log)).names, "now")
    assert witness_path(home.log).read_bytes() == before
    assert_each_is_in_the_chain(home)
