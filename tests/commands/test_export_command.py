"""Whole commands: --export and what chooses its lines; what it refuses; and that nothing is lost, whatever happens."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import jsonschema
import pandas as pd
import pytest
from log_helpers import outcome, prediction
from scripts import BARE, PROJECT, Ran, files_under, log_of, predict
from waiting import PATIENCE_SECONDS

from stockml.core.paths import Home
from stockml.prediction_log.log import PredictionLog

ENDINGS = (".csv", ".parquet", ".xlsx", ".sqlite")


def write_home(root: Path, days: int = 6, symbols: tuple[str, ...] = ("TCS.NS", "INFY.NS")) -> Path:
    """A home with lines of two horizons, those of the first half verified."""
    with PredictionLog(Home(root).log).locked() as log:
        made = [prediction(name, day, horizon=of) for day in range(days) for name in symbols for of in (5, 20)]
        log.append(made)
        log.settle({line.id: outcome(line, at="2026-02-20T16:00:00") for line in made[: len(made) // 2]})
    return root


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return write_home(tmp_path / "home")


def export(home: Path, path: object, *options: object) -> Ran:
    return predict("--home", home, "--export", path, *options)


def ids_in(path: Path) -> list[str]:
    if path.suffix == ".sqlite":
        with closing(sqlite3.connect(path)) as database:
            return [id_ for (id_,) in database.execute("SELECT id FROM predictions ORDER BY rowid")]
    read = {".csv": pd.read_csv, ".parquet": pd.read_parquet, ".xlsx": pd.read_excel}[path.suffix]
    return list(read(path)["id"])


def ids_of(home: Path) -> list[str]:
    return [line["id"] for line in log_of(home)]


@pytest.mark.parametrize("ending", [*ENDINGS, ".CSV"])
def test_the_ending_chooses_the_kind_and_every_line_is_there(home: Path, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"record{ending}"
    before = files_under(home)
    done = export(home, path)
    assert (done.code, done.err) == (0, "")
    assert done.out == f"{path}: 24 predictions from 2026-01-05 to 2026-01-10\n"
    assert ids_in(path if ending != ".CSV" else path.rename(tmp_path / "record.csv")) == ids_of(home)
    assert files_under(home) == before and len(list(tmp_path.iterdir())) == 2


def test_quiet_says_nothing_and_json_follows_the_schema(home: Path, tmp_path: Path) -> None:
    assert export(home, tmp_path / "a.csv", "--quiet") == Ran(0, "", "")
    told = export(home, tmp_path / "b.csv", "--json").json
    schema = json.loads((PROJECT / "docs/json-schema.json").read_text())
    jsonschema.validate(told, schema, cls=jsonschema.Draft202012Validator)
    assert (told["command"], told["export"], told["predictions"]) == ("export", str(tmp_path / "b.csv"), 24)
    assert (told["first"], told["last"], told["left_out"]) == ("2026-01-05", "2026-01-10", 0)


def test_a_simulated_record_is_said_to_be_one(tmp_path: Path) -> None:
    sample = ("--source", "sample", "--home", tmp_path / "home")
    assert predict(*sample, "--symbols", "SIM-ALPHA", "--as-of", "2026-03-02").code == 0
    done = predict(*sample, "--export", tmp_path / "record.csv")
    assert done.out.endswith("record.csv: 1 simulated prediction from 2026-03-02 to 2026-03-02\n")
    assert list(pd.read_csv(tmp_path / "record.csv")["source"]) == ["sample"]
    unnamed = export(tmp_path / "home", tmp_path / "record2.csv")  # an export asks for no prices
    assert unnamed == Ran(0, done.out.replace("record.csv", "record2.csv"), "")


# ---- which lines ----

CHOICES = {
    "one symbol": (["--symbols", "tcs.ns"], lambda line: line["symbol"] == "TCS.NS"),
    "two with a comma": (["--symbols", "TCS.NS,INFY.NS"], lambda _: True),
    "a horizon": (["--horizon", 20], lambda line: line["prediction_horizon_days"] == 20),
    "the usual horizon": (["--horizon", 5], lambda line: line["prediction_horizon_days"] == 5),
    "since a day": (["--since", "2026-01-08"], lambda line: line["data_through"] >= "2026-01-08"),
    "until a day": (["--as-of", "2026-01-07"], lambda line: line["data_through"] <= "2026-01-07"),
    "all of them": (
        ["--symbols", "INFY.NS", "--horizon", 5, "--since", "2026-01-06", "--as-of", "2026-01-09"],
        lambda line: line["id"] in [f"INFY.NS:2026-01-0{day}:5" for day in (6, 7, 8, 9)],
    ),
}


@pytest.mark.parametrize("name", CHOICES)
def test_options_choose_the_lines(home: Path, tmp_path: Path, name: str) -> None:
    options, is_chosen = CHOICES[name]
    done = export(home, tmp_path / "record.parquet", *options)
    assert (done.code, done.err) == (0, "")
    assert ids_in(tmp_path / "record.parquet") == [line["id"] for line in log_of(home) if is_chosen(line)]


def test_symbols_of_a_file_choose_too(home: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("# mine\ninfy.ns\n")
    assert export(home, tmp_path / "record.csv", "--symbols-file", tmp_path / "mine.txt").code == 0
    assert {id_.split(":")[0] for id_ in ids_in(tmp_path / "record.csv")} == {"INFY.NS"}


def test_on_a_past_day_a_later_outcome_is_not_known(home: Path, tmp_path: Path) -> None:
    for day, known in (("2026-02-19", 0), ("2026-02-20", 12)):
        assert export(home, tmp_path / "record.csv", "--as-of", day, "--force").code == 0
        assert pd.read_csv(tmp_path / "record.csv")["actual_price"].notna().sum() == known


def test_a_symbol_that_is_not_in_the_log_is_named_and_the_others_are_written(home: Path, tmp_path: Path) -> None:
    done = export(home, tmp_path / "record.csv", "--symbols", "TCS.NS", "INFY.BO", "--json")
    assert done.code == 1 and done.err == "INFY.BO: not in the log; did you mean INFY.NS?\n"
    assert done.json["failures"][0]["symbol"] == "INFY.BO" and len(ids_in(tmp_path / "record.csv")) == 12


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--symbols", "SBIN.NS"), "SBIN.NS: not in the log"),
        (("--symbols", "TCS"), "TCS: not in the log; did you mean TCS.NS?"),
        (("--since", "2026-02-01"), "no prediction of the log is of that choice"),
        (("--horizon", "7"), "no prediction of the log is of that choice"),
        (("--as-of", "2025-12-31"), "no prediction of the log is of that choice"),
    ],
)
def test_where_nothing_is_chosen_nothing_is_written(
    home: Path, tmp_path: Path, options: tuple[str, ...], words: str
) -> None:
    path = tmp_path / "record.csv"
    path.write_text("old")
    refused = export(home, path, "--force", *options)
    assert (refused.code, refused.out, refused.err.count("\n")) == (3, "", 1) and words in refused.err
    assert "nothing was written" in refused.err and path.read_text() == "old"


# ---- what is refused ----


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("record.txt", "the ending '.txt' names no kind of table; write .csv, .parquet, .xlsx or .sqlite"),
        ("record.xls", "the ending '.xls' names no kind of table"),
        ("record.csv.gz", "the ending '.gz' names no kind of table"),
        ("record", "its name has no ending, which names no kind of table"),
        ("none/record.csv", "there is no folder"),
        ("there.csv", "is there already; name another file, or add --force to replace it"),
        ("folder.csv", "is there already and no plain file"),
        ("pipe.csv", "is there already and no plain file"),
        ("nowhere.csv", "is there already and no plain file"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused_in_one_sentence(
    home: Path, tmp_path: Path, name: str, words: str
) -> None:
    (tmp_path / "there.csv").write_text("old")
    (tmp_path / "folder.csv").mkdir()
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "nowhere.csv").symlink_to(tmp_path / "gone")
    before = sorted(path.name for path in tmp_path.iterdir())
    for force in ((), ("--force",)):
        if force and name == "there.csv":
            continue
        refused = export(home, tmp_path / name, *force)
        assert (refused.code, refused.out, refused.err.count("\n")) == (2, "", 1) and words in refused.err
    assert sorted(path.name for path in tmp_path.iterdir()) == before and (tmp_path / "there.csv").read_text() == "old"


def test_force_replaces_the_file_and_a_link_but_not_what_the_link_leads_to(home: Path, tmp_path: Path) -> None:
    (tmp_path / "there.csv").write_text("old" * 99_999)
    assert export(home, tmp_path / "there.csv", "--force").code == 0 and len(ids_in(tmp_path / "there.csv")) == 24
    log = home / "realtime_predictions/predictions.jsonl"
    whole = log.read_bytes()
    (tmp_path / "link.csv").symlink_to(log)
    assert export(home, tmp_path / "link.csv").code == 2
    assert export(home, tmp_path / "link.csv", "--force").code == 0
    assert log.read_bytes() == whole and len(ids_in(tmp_path / "link.csv")) == 24


@pytest.mark.parametrize(
    "other",
    [
        *(("--verify-only",), ("--status",), ("--report",), ("--explain", "TCS.NS"), ("--dry-run",), ("--offline",)),
        *(("--replay", "2026-01-05", "2026-01-06"), ("--self-check",), ("--reopen", "TCS.NS:2026-01-05:5")),
        *(("--backup", "b.zip"), ("--restore", "b.zip"), ("--exchange", "XBOM")),
    ],
    ids=lambda other: other[0],
)
def test_options_that_do_not_go_together_are_refused(home: Path, tmp_path: Path, other: tuple[str, ...]) -> None:
    refused = export(home, tmp_path / "record.csv", *other)
    assert refused.code == 2 and f"--export and {other[0]} do not go together" in refused.err


@pytest.mark.parametrize(("option", "name"), [(("--since", "2026-01-05"), "--since"), (("--force",), "--force")])
def test_what_chooses_goes_with_export_alone(home: Path, option: tuple[str, ...], name: str) -> None:
    refused = predict("--home", home, "--verify-only", *option)
    assert refused.code == 2 and f"{name} goes with --export" in refused.err


@pytest.mark.parametrize("log", [None, b"", b"\n  \n"])
def test_a_home_without_a_prediction_has_nothing_to_export(tmp_path: Path, log: bytes | None) -> None:
    path = Home(tmp_path / "home").log
    if log is not None:
        path.parent.mkdir(parents=True)
        path.write_bytes(log)
    refused = export(tmp_path / "home", tmp_path / "record.csv")
    assert (refused.code, refused.out, refused.err.count("\n")) == (3, "", 1)
    assert "there is no prediction to export yet" in refused.err and not (tmp_path / "record.csv").exists()


def test_a_log_that_was_changed_as_a_whole_is_not_exported_unless_it_is_accepted(home: Path, tmp_path: Path) -> None:
    log = Home(home).log
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:6]))
    refused = export(home, tmp_path / "record.csv")
    assert (refused.code, refused.err.count("\n")) == (3, 1) and not (tmp_path / "record.csv").exists()
    assert export(home, tmp_path / "record.csv", "--accept-log").code == 0
    assert len(ids_in(tmp_path / "record.csv")) == 6


@pytest.mark.parametrize("ending", ENDINGS)
def test_damaged_lines_are_left_out_and_named(home: Path, tmp_path: Path, ending: str) -> None:
    log = Home(home).log
    lines = log.read_bytes().split(b"\n")
    whole = ids_of(home)
    lines[3], lines[7] = lines[3][:100], b"not a line"
    log.write_bytes(b"\n".join(lines))
    before = files_under(home)
    done = export(home, tmp_path / f"record{ending}")
    assert done.code == 1 and "line 4: it is not JSON" in done.err and "line 8: it is not JSON" in done.err
    assert done.err.count("left out; the next run sets it aside") == done.err.count("\n") == 2
    assert ids_in(tmp_path / f"record{ending}") == [id_ for at, id_ in enumerate(whole) if at not in (3, 7)]
    assert files_under(home) == before


def test_a_training_time_that_is_none_is_told(home: Path, tmp_path: Path) -> None:
    with PredictionLog(Home(home).log).locked() as log:
        log.append([replace(prediction("SBIN.NS", 9), model_trained_at="last spring")])
    done = export(home, tmp_path / "record.csv")
    assert (done.code, done.err) == (0, "1 model_trained_at: no time, so the column is empty there\n")


def test_more_names_than_columns_are_refused_but_by_sqlite(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with PredictionLog(Home(home).log).locked() as log:
        made = prediction()
        names = {f"signal_{number}": 0.5 for number in range(5_001)}
        log.append([replace(made, evidence=replace(made.evidence, opinions=names))])
    for ending in (".csv", ".parquet", ".xlsx"):
        refused = export(home, tmp_path / f"record{ending}")
        assert refused.code == 2 and "write a .sqlite instead" in refused.err
    assert export(home, tmp_path / "record.sqlite").code == 0


SMALL_SHEETS = """
import runpy, sys
from stockml.commands import export_command
export_command.MOST_XLSX_ROWS = 23
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def patched(code: str, home: Path, path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run --export in a process whose modules the code changes first."""
    argv = ["realtime_predictor.py", "--home", str(home), "--export", str(path), *options]
    return subprocess.run(
        [sys.executable, "-c", f"import sys; sys.argv = {argv!r}\n{code}"],
        capture_output=True,
        text=True,
        env=BARE,
        cwd=PROJECT,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


def test_more_rows_than_a_sheet_has_are_refused_with_a_way_out(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "record.xlsx"
    refused = patched(SMALL_SHEETS, home, path)
    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (2, "", 1) and not path.exists()
    assert f"{path}: 24 predictions are more than the 23 rows of a sheet; write a .parquet instead" in refused.stderr
    assert patched(SMALL_SHEETS, home, path, "--since", "2026-01-06").returncode == 0


# ---- interruptions ----


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_disk_that_is_full_leaves_the_old_file_and_is_told(tmp_path: Path, ending: str) -> None:
    home = write_home(tmp_path / "home", days=60)
    (tmp_path / "out").mkdir()
    path = tmp_path / "out" / f"record{ending}"
    path.write_text("old")
    script = f"ulimit -f 8; exec {PROJECT}/realtime_predictor.py --home {home} --export {path} --force"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, env=BARE, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (3, "", 1)
    assert done.stderr.startswith(f"{path}: cannot write the file")
    assert path.read_text() == "old" and list(path.parent.iterdir()) == [path]


KILLED = """
import os, runpy, signal, sys
from stockml.reporting import flat_rows
real, rows = flat_rows.row_of, []
def row_of(line):
    rows.append(line)
    if len(rows) == 100:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(line)
flat_rows.row_of = row_of
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_kill_while_writing_leaves_the_old_file_and_the_next_export_is_whole(tmp_path: Path, ending: str) -> None:
    home = write_home(tmp_path / "home", days=60)
    (tmp_path / "out").mkdir()
    path = tmp_path / "out" / f"record{ending}"
    path.write_text("old")
    done = patched(KILLED, home, path, "--force")
    assert done.returncode == -signal.SIGKILL and path.read_text() == "old"
    assert export(home, path, "--force").code == 0
    assert len(ids_in(path)) == 240 and list(path.parent.iterdir()) == [path]


def test_an_export_waits_for_no_run_and_keeps_none_waiting(home: Path, tmp_path: Path) -> None:
    with PredictionLog(Home(home).log).locked():
        done = export(home, tmp_path / "record.csv", "--lock-timeout", 1)
    assert (done.code, len(ids_in(tmp_path / "record.csv"))) == (0, 24)
