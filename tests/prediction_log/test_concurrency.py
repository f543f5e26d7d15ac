"""Several runs at once, and people watching: the lock, `tail -f predictions.jsonl | jq -c .`, and calls as seen."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import log_driver
import pytest
from log_driver import KILL_IN_APPEND, Fault, Victims
from log_helpers import INDEX, Tally, feedback_bytes, outcome, prediction, records, run_day
from tools import need, needs
from waiting import PATIENCE_SECONDS, wait_until

from stockml.accuracy.tracker import Feedback
from stockml.core.paths import Home
from stockml.prediction_log.log import LockTimeout, PredictionLog
from stockml.storage import tail_file

DRIVER = [sys.executable, str(Path(log_driver.__file__))]
HOLDER = (
    "import sys; from pathlib import Path; from stockml.prediction_log.log import PredictionLog\n"
    "with PredictionLog(Path(sys.argv[1])).locked(): print('held', flush=True); sys.stdin.read()"
)

HOG = """
import sys, time; from pathlib import Path; from stockml.prediction_log.log import PredictionLog
while True:
    with PredictionLog(Path(sys.argv[1])).locked(): print(end='.', flush=True); time.sleep(0.2)
"""
ROOT = Path(log_driver.__file__).parents[1]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setattr(tail_file, "TAIL_PAUSE_SECONDS", 0.0)
    return Home(tmp_path / "home")


@pytest.fixture(scope="module")
def victims() -> Iterator[Victims]:
    with closing(Victims()) as victims:
        yield victims


def hold(home: Home) -> subprocess.Popen[str]:
    """Another process that holds the lock."""
    command = [sys.executable, "-c", HOLDER, str(home.log)]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    return holder


def test_8_processes_of_25_runs_each_leave_every_prediction_once(home: Home) -> None:
    days = range(25)
    workers = [
        subprocess.Popen(
            [
                *DRIVER,
                str(home.root),
                "0",
                "--runs",
                "25",
                "--shuffle",
                str(worker),
                "--lock-timeout",
                str(PATIENCE_SECONDS),
                "--symbols",
                "TCS.NS",
                f"OWN{worker}.NS",
            ],
            stderr=subprocess.PIPE,
            text=True,
        )
        for worker in range(8)
    ]
    said = [worker.communicate()[1] for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * 8, said
    assert f"waiting up to {PATIENCE_SECONDS} s" in "".join(said)
    symbols = ["TCS.NS", *(f"OWN{worker}.NS" for worker in range(8))]
    ids = [record["id"] for record in records(home.log)]
    assert sorted(ids) == sorted(prediction(symbol, day).id for symbol in symbols for day in days)
    log = PredictionLog(home.log)
    verified = list(log.read().verified)
    assert len(verified) > 100 and all(line.outcome == outcome(line) for line in verified)
    before = feedback_bytes(home)
    shutil.rmtree(home.feedback)
    with log.locked():
        Feedback(home.feedback, Tally).update(log)
    assert feedback_bytes(home) == before


def test_a_run_that_gives_up_exits_3_and_has_changed_nothing(home: Home) -> None:
    run_day(home, 0)
    holder = hold(home)
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in home.root.rglob("*") if path.is_file()}
    run = subprocess.run(
        [*DRIVER, str(home.root), "1", "--lock-timeout", "0.2"], check=False, capture_output=True, text=True
    )
    after = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in home.root.rglob("*") if path.is_file()}
    holder.kill()
    holder.communicate()
    assert run.returncode == 3 and "waiting up to 0.2 s" in run.stderr and "nothing was changed" in run.stderr
    assert after == before


def test_runs_that_begin_again_at_once_starve_nobody(home: Home) -> None:
    """A run that ends and begins again before others have looked must let those through that waited longer."""
    log = PredictionLog(home.log)
    hogs = [
        subprocess.Popen([sys.executable, "-c", HOG, str(home.log)], cwd=ROOT, stdout=subprocess.PIPE) for _ in range(3)
    ]
    try:
        for hog in hogs:
            assert hog.stdout is not None and hog.stdout.read(1) == b"."
        for _ in range(3):
            with log.locked(PATIENCE_SECONDS):  # thousands of turns of the others
                pass
    finally:
        for hog in hogs:
            hog.kill()
            hog.communicate()


def test_a_lock_left_by_a_killed_process_holds_nobody_up(home: Home) -> None:
    holder = hold(home)
    with pytest.raises(LockTimeout), PredictionLog(home.log).locked(0):
        raise AssertionError("two runs held the lock at once")
    holder.kill()
    holder.communicate()
    assert run_day(home, 0, lock_timeout=0)


def test_the_second_waits_and_works_on_what_the_first_left(home: Home) -> None:
    log = PredictionLog(home.log)
    with log.locked():
        second = subprocess.Popen([*DRIVER, str(home.root), "0"], stderr=subprocess.PIPE, text=True)
        assert second.stderr is not None and "waiting" in second.stderr.readline()
        log.append([prediction("TCS.NS", 0)])
    second.communicate()
    assert second.returncode == 0
    assert [record["symbol"] for record in records(home.log)] == ["TCS.NS", "INFY.NS"]


@needs("tail", "jq")
def test_tail_and_jq_show_each_prediction_once_and_whole(home: Home, tmp_path: Path, victims: Victims) -> None:
    for day in range(4):
        run_day(home, day)
    shown = tmp_path / "shown"
    with shown.open("wb") as out:
        tail = subprocess.Popen(["tail", "-f", str(home.log)], stdout=subprocess.PIPE)
        jq = subprocess.Popen(["jq", "-c", "--unbuffered", "."], stdin=tail.stdout, stdout=out)
        assert tail.stdout is not None
        tail.stdout.close()  # jq alone reads it
        wait_for(shown, 8)
        for day in range(4, 12):  # verifies from day 5 on
            assert victims.run(home, day, Fault(KILL_IN_APPEND, 0))["code"] == -signal.SIGKILL
            run_day(home, day)
        wait_for(shown, 24)
        tail.terminate()
        assert tail.wait() is not None and jq.wait() == 0
    seen = [json.loads(line) for line in shown.read_text().splitlines()]
    assert [record["id"] for record in seen] == [record["id"] for record in records(home.log)]
    assert all(record["status"] == "pending" for record in seen) and len(seen) == 24
    assert sum(record["status"] == "verified" for record in records(home.log)) == 14


def wait_for(shown: Path, lines: int) -> None:
    wait_until(lambda: shown.read_bytes().count(b"\n") >= lines, f"line {lines}")


FULL_DISK = """
mount -t tmpfs -o size=128k none "$1" || exit 77
for day in $(seq 0 99); do "$2" "$3" "$1" "$day" || { echo "$day $?"; break; }; done
mount -o remount,size=9m "$1"
"$2" "$3" "$1" "$day" && cp -r "$1" "$4"
"""


def test_a_disk_that_is_really_full_costs_nothing(home: Home, tmp_path: Path) -> None:
    disk, after = tmp_path / "disk", tmp_path / "after"
    disk.mkdir()
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", FULL_DISK, "sh", disk, *DRIVER, after]
    need("unshare")
    run = subprocess.run([str(part) for part in command], check=False, capture_output=True, text=True)
    if "unshare" in run.stderr or run.returncode == 77:
        pytest.skip(f"no small disk can be made here: {run.stderr.strip()}")
    assert run.returncode == 0 and "No space left on device" in run.stderr and "free some space" in run.stderr
    full_on, code = map(int, run.stdout.split())
    assert code == 3 and full_on > 5
    for day in range(full_on + 1):
        run_day(home, day)
    assert Home(after).log.read_bytes() == home.log.read_bytes()
    assert feedback_bytes(Home(after)) == feedback_bytes(home)


CHANGES = {
    "openat": "open", "pwrite64": "pwrite", "fsync": "fsync", "ftruncate": "ftruncate", "rename": "rename",
    "renameat2": "exchange", "unlink": "unlink", "mkdir": "mkdir",
}  # fmt: skip
ALSO = (
    "write,writev,pwritev,pwritev2,fdatasync,truncate,fallocate,link,linkat,symlinkat,renameat,unlinkat,mkdirat,rmdir"
)


@needs("strace")
@pytest.mark.parametrize("call", ["fsync", "rename", "pwrite64"])  # the last by SQLite, too
def test_killed_from_outside_at_each_call_in_turn(home: Home, tmp_path: Path, call: str) -> None:
    for day in range(6):
        run_day(home, day)
    calm = Home(Path(shutil.copytree(home.root, tmp_path / "calm")))
    run_day(calm, 6)
    killed = 0
    while True:
        victim = Home(Path(shutil.copytree(home.root, tmp_path / f"{killed}")))
        inject = f"inject={call}:signal=KILL:when={killed + 1}"
        command = ["strace", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", inject, *DRIVER, str(victim.root)]
        code = subprocess.run([*command, "6"], check=False).returncode
        if code == 0:
            break
        assert code == -signal.SIGKILL
        killed += 1
        run_day(victim, 6)
        assert victim.log.read_bytes() == calm.log.read_bytes(), f"{call} {killed}"
        assert feedback_bytes(victim) == feedback_bytes(calm), f"{call} {killed}"
    assert killed > 3


@needs("strace")
def test_the_calls_that_the_crash_tests_count_are_those_that_the_system_sees(
    home: Home, tmp_path: Path, victims: Victims
) -> None:
    for day in range(6):
        run_day(home, day)
    copies = [Home(Path(shutil.copytree(home.root, tmp_path / "copies" / name))) for name in ("seen", "counted")]
    for copy in copies:
        with PredictionLog(copy.log).locked():
            pass  # the index is made anew, since the log is another file
    trace = tmp_path / "trace"
    options = ["-y", "-e", f"trace={','.join(CHANGES)},{ALSO}", "-o", str(trace)]
    subprocess.run(["strace", *options, *DRIVER, str(copies[0].root), "6"], check=True)
    seen = []
    for line in trace.read_text().splitlines():
        name = re.match(r"(\w+)\(", line)
        is_sql = INDEX in line and "pwrite" in line  # counted by statement, not by page
        if name and str(copies[0].root) in line and not is_sql and (name[1] != "openat" or "O_CREAT" in line):
            seen.append(CHANGES.get(name[1], name[1]))
    counted = [name for name in victims.run(copies[1], 6, None)["calls"] if name != "sql"]
    assert seen == ["rename" if name == "replace" else name for name in counted] and len(seen) > 30
