"""Whole commands over a log that common tools rewrote or that is no plain file; and the way on with --accept-log."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from scripts import Ran, files_under, log_of, predict
from tools import needs

SYMBOLS = ["SIM-GAMMA", "SIM-ALPHA", "SIM-BETA"]
DAYS = ["2026-03-02", "2026-03-03", "2026-03-04", "2026-03-05", "2026-03-13"]


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home after five days of three stocks."""
    home = tmp_path_factory.mktemp("lived")
    for day in DAYS:
        assert day_of(home, day).code == 0
    return home


@pytest.fixture
def home(lived: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(lived, tmp_path / "home"))


def day_of(home: Path, day: str, *options: str) -> Ran:
    return predict("--source", "sample", "--home", home, "--symbols", *SYMBOLS, "--as-of", day, *options)


def rewrite(home: Path, command: str) -> None:
    subprocess.run(["sh", "-c", command], check=True, cwd=home / "realtime_predictions")


def without_locks(home: Path) -> dict[str, bytes]:
    return {name: content for name, content in files_under(home).items() if ".lock" not in name}


REWRITTEN = {
    "jq .": ("jq . predictions.jsonl > t && mv t predictions.jsonl", "jq -c . predictions.jsonl >"),
    "jq -s": ("jq -s . predictions.jsonl > t && mv t predictions.jsonl", "jq -c '.[]' predictions.jsonl >"),
    "sort": ("sort predictions.jsonl > t && mv t predictions.jsonl", "another order (sorted by symbol)"),
    "tac": ("tac predictions.jsonl > t && mv t predictions.jsonl", "another order (reversed)"),
    "emptied": (": > predictions.jsonl", "is empty, and held 15 predictions"),
    "rotated": ("mv predictions.jsonl predictions.jsonl.1", "is gone, and held 15 predictions"),
    "an older copy": ("head -n 9 predictions.jsonl > t && mv t predictions.jsonl", "the newest 6 are gone"),
}


@needs("jq")
@pytest.mark.parametrize(("command", "words"), REWRITTEN.values(), ids=REWRITTEN)
def test_a_rewritten_log_ends_the_run_with_one_sentence_until_it_is_accepted(
    home: Path, command: str, words: str
) -> None:
    rewrite(home, command)
    before = without_locks(home)
    refused = day_of(home, "2026-03-16")
    assert (refused.code, refused.out) == (3, "") and words in refused.err
    assert refused.err.count("\n") == 1 and "--accept-log" in refused.err
    assert without_locks(home) == before
    accepted = day_of(home, "2026-03-16", "--accept-log")
    assert accepted.code == 0 and accepted.err.count("\n") < 20 and "taken as it is" in accepted.err
    assert {line["symbol"] for line in log_of_lines(home) if line["data_through"] == "2026-03-16"} == set(SYMBOLS)
    assert day_of(home, "2026-03-17").code == 0


def log_of_lines(home: Path) -> list[dict[str, object]]:
    """The log without the blanks in place of lines that were set aside."""
    path = home / "realtime_predictions" / "predictions.jsonl"
    path.write_text("".join(line + "\n" for line in path.read_text().splitlines() if line.strip()))
    return log_of(home)


LOOKING = [["--status"], ["--report"], ["--explain", "SIM-ALPHA"], ["--dry-run"], ["--verify-only"]]


@pytest.mark.parametrize("options", LOOKING, ids=lambda options: options[0])
def test_looking_says_the_same_and_writes_nothing(home: Path, options: list[str]) -> None:
    rewrite(home, "sort predictions.jsonl > t && mv t predictions.jsonl")
    before = without_locks(home)
    refused = predict("--source", "sample", "--home", home, "--as-of", "2026-03-16", *options)
    assert (refused.code, refused.out) == (3, "") and "another order" in refused.err and refused.err.count("\n") == 1
    assert without_locks(home) == before


def test_there_may_be_nothing_to_accept(home: Path, tmp_path: Path) -> None:
    accepted = day_of(home, "2026-03-16", "--accept-log")
    assert accepted.code == 0 and "taken as it is" not in accepted.err
    assert day_of(tmp_path / "new", "2026-03-16", "--accept-log").code == 0


@pytest.mark.parametrize("key", ["id", "status", "signals"])
def test_a_damaged_key_costs_one_line_and_stops_nothing(home: Path, key: str) -> None:
    rewrite(home, f"""sed -i '5s/"{key}": /"x{key}": /' predictions.jsonl""")
    assert day_of(home, "2026-03-16", "--status").code in (0, 1)
    done = day_of(home, "2026-03-16")
    assert done.code == 1 and f"line 5: the key '{key}' is missing: set aside" in done.err


def fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def link(path: Path, to: str) -> None:
    path.unlink()
    path.symlink_to(to)


ODD = {
    "a FIFO": (fifo, "is a FIFO"),
    "a device without end": (lambda path: link(path, "/dev/zero"), "is a device"),
    "the null device": (lambda path: link(path, "/dev/null"), "is a device"),
    "a link to nothing": (lambda path: link(path, "nowhere"), "is a link to nowhere"),
    "NULs": (lambda path: os.truncate(path, 200_000_000), "line 16 is longer than 1,048,576 bytes"),
}


@pytest.mark.parametrize("name", ODD)
def test_a_log_that_is_no_plain_file_is_refused_at_once_and_leaves_no_journal(home: Path, name: str) -> None:
    path = home / "realtime_predictions" / "predictions.jsonl"
    content = path.read_bytes()
    ODD[name][0](path)
    for options in ([], ["--status"]):
        refused = day_of(home, "2026-03-16", *options)
        assert (refused.code, refused.out) == (3, "") and ODD[name][1] in refused.err and refused.err.count("\n") == 1
    path.unlink()
    path.write_bytes(content)
    assert day_of(home, "2026-03-16").code == 0
