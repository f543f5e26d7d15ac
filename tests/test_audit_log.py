"""examples/audit_log.py, which shares nothing with the program: it agrees with it on whole logs and on changed ones."""

from __future__ import annotations

import ast
import json
import random
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from log_helpers import prediction, run_day
from scripts import BARE, PROJECT, Ran, predict

from stockml.core.paths import Home
from stockml.prediction_log.chain import check_chain
from stockml.prediction_log.log import PredictionLog

SCRIPT = PROJECT / "examples" / "audit_log.py"
DAYS = 8


def audit(*words: object) -> Ran:
    command = [sys.executable, "-I", "-S", str(SCRIPT), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, env=BARE, cwd="/", check=False)
    return Ran(done.returncode, done.stdout, done.stderr)


def witness(home: Home, day: int) -> None:
    with PredictionLog(home.log).locked() as log:
        log.witness(datetime(2026, 1, 5 + day, 20, tzinfo=UTC))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A log of eight days with its heads: it began without seals, and in the middle it lost the room of its lines."""
    home = Home(tmp_path_factory.mktemp("whole"))
    for day in range(DAYS):
        run_day(home, day)
        witness(home, day)
        if day == 1:
            lines = [json.loads(line) for line in home.log.read_bytes().splitlines()]
            bare = [{key: value for key, value in line.items() if key != "seal"} for line in lines]
            home.log.write_text("".join(json.dumps(line) + "\n" for line in bare))
            home.log.with_name("seals.jsonl").unlink()
        if day == 4:
            text = home.log.read_bytes()
            home.log.write_bytes(b"".join(line.rstrip() + b"\n" for line in text.splitlines() if line.strip()))
    return home


@pytest.fixture
def log(tmp_path: Path, whole: Home) -> Path:
    for name in ("predictions.jsonl", "seals.jsonl"):
        (tmp_path / name).write_bytes(whole.log.with_name(name).read_bytes())
    return tmp_path / "predictions.jsonl"


def test_it_is_short_and_needs_the_standard_library_alone() -> None:
    text = SCRIPT.read_text()
    assert len(text.splitlines()) <= 120
    imported = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([alias.name for alias in node.names] if isinstance(node, ast.Import) else [str(node.module)])
    }
    assert imported <= set(sys.stdlib_module_names)


def test_a_whole_log_with_its_heads(log: Path) -> None:
    text = log.read_text()
    assert '"sealed_after": ""' in text and text.count('"sealed_after": "') > 2 and text.count('"verified"') > 5
    ran = audit(log)
    assert (ran.code, ran.err) == (0, "")
    assert "16 lines, 4 of them before the chain" in ran.out and "whole, and holds every head" in ran.out


def test_a_log_of_whole_runs(tmp_path: Path) -> None:
    for day in ("2026-03-02", "2026-03-03", "2026-03-09"):
        options = ("--source", "sample", "--symbols", "SIM-ALPHA", "SIM-BETA", "--home", tmp_path, "-q")
        assert predict(*options, "--as-of", day).code == 0
    path = tmp_path / "realtime_predictions/predictions.jsonl"
    assert audit(path).code == 0 and len((path.parent / "seals.jsonl").read_text().splitlines()) == 3


def lines_of(log: Path) -> list[bytes]:
    return [line for line in log.read_bytes().split(b"\n") if line.strip()]


def put(log: Path, lines: list[bytes]) -> None:
    log.write_bytes(b"\n".join([*lines, b""]))


def spoilt(line: bytes, dice: random.Random) -> bytes:
    record = json.loads(line)
    key = dice.choice(["confidence", "predicted_price", "target_date", "prediction_date", "symbol", "evidence", "path"])
    record[key] = {"evidence": {}, "path": []}.get(key, 1)
    return json.dumps(record).encode()


CHANGES: dict[str, Callable[[list[bytes], int, random.Random], list[bytes]]] = {
    "changed": lambda lines, row, dice: [*lines[:row], spoilt(lines[row], dice), *lines[row + 1 :]],
    "removed": lambda lines, row, dice: [*lines[:row], *lines[row + 1 :]],
    "copied": lambda lines, row, dice: [*lines[: row + 2], lines[row], *lines[row + 2 :]],
    "swapped": lambda lines, row, dice: [*lines[:row], lines[row + 1], lines[row], *lines[row + 2 :]],
    "inserted": lambda lines, row, dice: [*lines[:row], prediction("X.NS").to_json().encode(), *lines[row:]],
    "damaged": lambda lines, row, dice: [*lines[:row], lines[row][:200], *lines[row + 1 :]],
    "cut": lambda lines, row, dice: lines[: -(1 + row % 3)],
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_each_change_is_found_as_the_program_finds_it(log: Path, change: Callable[..., list[bytes]]) -> None:
    lines, dice = lines_of(log), random.Random(3)
    sealed = [row for row, line in enumerate(lines[:-1]) if b'"seal"' in line and b'"sealed_after"' not in line]
    for row in sealed[1:]:
        if change is CHANGES["swapped"] and b'"sealed_after"' in lines[row + 1]:
            continue  # a line that moved has its place in the chain wherever it stands
        put(log, change(lines, row, dice))
        ran, chain = audit(log), check_chain(log)
        assert ran.code == 1 and not ran.err, ran
        if change is not CHANGES["cut"]:
            assert f"breaks at line {chain.breaks[0].line} " in ran.out, (chain, ran.out)
        else:
            assert "is not in the log" in ran.out


def test_a_copy_of_the_heads_that_was_kept_elsewhere_may_be_named(log: Path, tmp_path: Path) -> None:
    kept = tmp_path / "elsewhere.txt"
    kept.write_bytes(log.with_name("seals.jsonl").read_bytes())
    log.with_name("seals.jsonl").write_text("")
    put(log, lines_of(log)[:-1])
    assert audit(log).code == 0
    ran = audit(log, kept)
    assert ran.code == 1 and "elsewhere.txt" in ran.out


ODD: dict[str, Any] = {
    "no lines": b"",
    "no seals": b'{"a": 1}\n',
    "no JSON": b"\xff\xfe\n",
}


@pytest.mark.parametrize("content", ODD.values(), ids=ODD)
def test_what_cannot_be_checked_is_said_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(content)
    ran = audit(path)
    assert ran.code == 2 and len(ran.out.splitlines()) == 1 and not ran.err


def test_a_missing_log_and_wrong_usage(tmp_path: Path) -> None:
    assert audit(tmp_path / "nothing.jsonl").code == 2 and audit().code == 2


def test_odd_heads_are_named(log: Path) -> None:
    log.with_name("seals.jsonl").write_text('{"seal": [], "count": "x"}\n[1]\nnothing\n')
    ran = audit(log)
    assert ran.code == 1 and ran.out.count("is not in the log") == 3 and not ran.err
