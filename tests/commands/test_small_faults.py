"""What a run survives, refuses or tells, each in one plain sentence."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scripts import BARE, PROJECT, Ran, files_under, log_of, predict, train
from trained import TRAINED, TRAINED_AS_OF
from waiting import PATIENCE_SECONDS, wait_until

SIM = ("--source", "sample", "--symbols", "SIM-ALPHA", "SIM-BETA")
DAY, NEXT = "2026-03-02", "2026-03-03"


def home_of(folder: Path) -> Path:
    """A home with two predictions."""
    assert predict(*SIM, "--home", folder, "--as-of", DAY).code == 0
    return folder


# ---- --report ----


@pytest.mark.parametrize(
    "name", ["realtime_predictions/predictions.jsonl", "realtime_predictions/last_run.json", "notes.html", "a.csv"]
)
def test_the_report_replaces_no_file_that_is_none(tmp_path: Path, name: str) -> None:
    home = home_of(tmp_path)
    if not (home / name).exists():
        (home / name).write_text("<!doctype html><title>My notes</title>")
    before = files_under(home)
    ran = predict(*SIM, "--home", home, "--as-of", DAY, "--report", home / name)
    assert ran.code == 2 and f"{home / name}: is no report" in ran.err and len(ran.err.splitlines()) == 1
    assert files_under(home) == before


@pytest.mark.parametrize("put", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("nowhere")])
def test_nor_what_is_no_file_at_all(tmp_path: Path, put: Callable[[Path], object]) -> None:
    home, path = home_of(tmp_path / "home"), tmp_path / "page.html"
    put(path)
    ran = predict(*SIM, "--home", home, "--as-of", DAY, "--report", path)
    assert ran.code == 3 and f"{path}: " in ran.err and len(ran.err.splitlines()) == 1


def test_a_report_and_an_empty_file_are_replaced(tmp_path: Path) -> None:
    home, path = home_of(tmp_path / "home"), tmp_path / "page.html"
    path.touch()
    for _ in range(2):
        assert predict(*SIM, "--home", home, "--as-of", DAY, "--report", path).code == 0
        assert "SIM-ALPHA" in path.read_text()


# ---- lines set aside ----


def test_a_line_set_aside_is_told_by_a_quiet_run_and_a_quiet_status(tmp_path: Path) -> None:
    home = home_of(tmp_path)
    log = home / "realtime_predictions/predictions.jsonl"
    log.write_text(log.read_text().replace('"id": ', '"ie": ', 1))
    told = "he prediction log, line 1: the key 'id' is missing: set aside"
    options = (*SIM, "--home", home, "--as-of", NEXT, "--quiet")
    before = predict(*options, "--status")
    assert before.code == 1 and told in before.err and before.out == ""
    for option in ((), ("--verify-only",)):
        ran = predict(*options, *option)
        assert (ran.code, told in ran.err) == ((1, True) if not option else (0, False))
        if not option:
            assert told in predict(*options, "--status").err
    first = next(line for line in log.read_text().splitlines() if line.strip())
    assert json.loads(first)["symbol"] == "SIM-BETA"


# ---- signals ----


def ended(command: tuple[object, ...], is_ready: Callable[[], bool], *, group: bool = False) -> Ran:
    """A script sent SIGTERM, alone or with all its processes, once it is so far."""
    words = [str(PROJECT / str(command[0])), *map(str, command[1:])]
    process = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=BARE, cwd="/", start_new_session=True
    )
    wait_until(is_ready, "the run")
    (os.killpg if group else os.kill)(process.pid, signal.SIGTERM)
    out, err = process.communicate(timeout=PATIENCE_SECONDS)
    return Ran(process.returncode, out, err)


def last_run(home: Path) -> dict[str, Any]:
    return json.loads((home / "realtime_predictions/last_run.json").read_text())


def test_a_prediction_ended_by_sigterm_leaves_a_record(tmp_path: Path) -> None:
    path, fifo = tmp_path / "realtime_predictions/last_run.json", tmp_path / "realtime_predictions/report.html"
    code = (
        "import sys, time\n"
        "def late(event, args):\n"
        "    if event == 'open' and str(args[0]).endswith('page.css'):\n"
        "        time.sleep(600)\n"
        "sys.addaudithook(late)\n"
    )
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(code)
    words = [str(PROJECT / "realtime_predictor.py"), *SIM, "--home", str(tmp_path), "--as-of", DAY]
    process = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=BARE | {"PYTHONPATH": str(site)}, cwd="/"
    )
    wait_until(lambda: path.exists() and last_run(tmp_path)["ended_at"] is not None, "the report")
    process.send_signal(signal.SIGTERM)
    err = process.communicate(timeout=PATIENCE_SECONDS)[1]
    assert process.returncode == 143 and err.splitlines()[-1] == "Ended by SIGTERM; what was finished is saved."
    told = last_run(tmp_path)
    assert (told["exit_code"], told["logged"]) == (143, 2) and told["ended_at"] is not None
    assert not fifo.exists() and len(log_of(tmp_path)) == 2
    state = predict(*SIM, "--home", tmp_path, "--as-of", DAY, "--status")
    assert state.code == 1 and "was ended by SIGTERM: 2 logged" in state.out


@pytest.mark.parametrize("group", [False, True], ids=["alone", "with its helpers"])
def test_a_training_ended_by_sigterm_keeps_what_is_done_and_leaves_nothing_else(tmp_path: Path, group: bool) -> None:
    models = tmp_path / "ml_training_data/models"
    names = ("SIM-ALPHA", "SIM-BETA", "SIM-GAMMA", "SIM-DELTA", "SIM-EPSILON", "SIM-ZETA")
    command = ("train_models.py", "--source", "sample", "--symbols", *names, "--as-of", TRAINED_AS_OF, "--jobs", 1)
    ran = ended((*command, "--home", tmp_path), lambda: len([*models.glob("SIM-*")]) > 1, group=group)
    assert (ran.code, ran.err) == (143, "Ended by SIGTERM; what was finished is saved.\n")
    (session,) = (tmp_path / "ml_training_data/metrics").iterdir()
    told = json.loads(session.read_text())
    done, left = [model["symbol"] for model in told["models"]], [failure["symbol"] for failure in told["failures"]]
    assert sorted([*done, *left]) == sorted(names) and done and told["exit_code"] == 143
    assert {failure["kind"] for failure in told["failures"]} <= {"interrupted"}


@pytest.mark.parametrize(
    ("day", "again"),
    [(TRAINED_AS_OF, "run the same again."), ("2026-03-03", "run the same again with --only-stale 1.")],
    ids=["models of the same day", "older models"],
)
def test_the_remedy_of_a_training_that_was_ended_trains_those_left(trained_home: Path, day: str, again: str) -> None:
    def trained() -> set[int]:
        return {path.stat().st_mtime_ns for path in trained_home.glob("ml_training_data/models/*/fast.bin")}

    before = trained()
    options = ("--source", "sample", "--symbols", *TRAINED, "--as-of", day, "--fresh", "--jobs", 1)
    ran = ended(("train_models.py", *options, "--home", trained_home), lambda: not trained() >= before)
    assert ran.code == 143
    *_, session = sorted((trained_home / "ml_training_data/metrics").iterdir())
    failures = json.loads(session.read_text())["failures"]
    assert failures and all(failure["message"].endswith(again) for failure in failures)


# ---- a system without room for locks ----


@pytest.mark.skipif(os.getuid() != 0, reason="only root may mount")
def test_with_a_read_only_dev_shm_training_goes_on_in_one_process(tmp_path: Path) -> None:
    words = " ".join([str(PROJECT / "train_models.py"), *SIM, "--as-of", TRAINED_AS_OF, "--home", str(tmp_path / "a")])
    inside = f"mount -t tmpfs -o ro none /dev/shm 2>/dev/null || exit 77; exec {words}"
    ran = subprocess.run(["unshare", "-m", "sh", "-c", inside], capture_output=True, text=True, env=BARE, check=False)
    if ran.returncode == 77 or "unshare" in ran.stderr:
        pytest.skip("nothing can be mounted here")
    told = "No further process can be started (Read-only file system); all is done in this one.\n"
    assert (ran.returncode, ran.stderr) == (0, told)
    assert train(*SIM, "--as-of", TRAINED_AS_OF, "--home", tmp_path / "b").code == 0
    alone, usual = (files_under(tmp_path / name / "ml_training_data/models") for name in "ab")
    assert alone == usual


# ---- a limit of processes, and so of threads ----


@pytest.mark.skipif(os.getuid() != 0 or not shutil.which("setpriv"), reason="needs setpriv, and root who may use it")
@pytest.mark.parametrize("processes", [1, 4, 8])
def test_a_user_who_may_have_no_more_processes_gets_the_same_models(
    tmp_path: Path, trained_home: Path, processes: int
) -> None:
    reads_all = "+dac_read_search,+dac_override"  # as root does, whose processes are not limited
    user = ("--reuid", 40_000 + os.getpid(), "--clear-groups", "--inh-caps", reads_all, "--ambient-caps", reads_all)
    words = [
        sys.executable,
        PROJECT / "train_models.py",
        *SIM,
        "--symbols",
        *TRAINED,
        "--as-of",
        TRAINED_AS_OF,
        "--home",
        tmp_path,
    ]
    command = list(map(str, ["setpriv", *user, "prlimit", f"--nproc={processes}", *words, "--jobs", 4]))
    ran = subprocess.run(command, capture_output=True, text=True, env=BARE, check=False)
    if ran.stderr.startswith("setpriv: "):
        pytest.skip(ran.stderr.strip())
    assert ran.returncode == 0, ran.stderr
    assert "all is done in this one.\n" in ran.stderr
    models = (files_under(home / "ml_training_data/models") for home in (tmp_path, trained_home))
    assert next(models) == next(models)


# ---- Python's own words ----


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("SIM.csv", b"\xff\xfe\x00"),
        ("SIM.csv", b"Date,Open,High,Low,Close,Volume\n2026-01-02,1,1,1,1,1\n" + b"\0"),
        ("SIM.csv", b'Date,Open,High,Low,Close,Volume\n"2026-01-02,1,1,1,1,1\n'),
        ("SIM.csv", b"Date,Open,High,Low,Close,Volume\n" + b"x" * 200_000 + b"\n"),
        ("exchanges.csv", b"\xff\xfe"),
        ("exchanges.csv", b"SIM," + b"x" * 200_000),
        ("symbols.txt", b"\xff\xfe\xff"),
        ("symbols.txt", b"x" * 200_000),
    ],
)
def test_no_message_holds_words_of_python(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / "SIM.csv").write_text("Date,Open,High,Low,Close,Volume\n")
    (tmp_path / "symbols.txt").write_text("SIM\n")
    (tmp_path / name).write_bytes(content)
    options = ("--source", f"csv:{tmp_path}", "--symbols-file", tmp_path / "symbols.txt", "--home", tmp_path / "home")
    ran = predict(*options)
    assert ran.code in (2, 3) and ran.err
    for word in ("codec", "Errno", "Error", "tokenizing", "field larger", "position", "Traceback", "byte 0x", "NUL"):
        assert word not in ran.err, ran.err
