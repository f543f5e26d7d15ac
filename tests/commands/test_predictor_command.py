"""The predictor as a process: what it writes, prints and returns, on the simulated market and on CSV files."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from scripts import BARE, PROJECT, files_under, log_of, predict

from stockml.data.simulated_market import SAMPLE_SYMBOLS, sample_bars

SIM = ("--source", "sample")
ALPHA = ("--symbols", "SIM-ALPHA")
DAY, NEXT_DAY, TARGET = "2026-03-02", "2026-03-03", "2026-03-09"


@pytest.fixture
def csv_folder(tmp_path: Path) -> Path:
    """Two companies' prices as CSV files, under names without a calendar of their own."""
    folder = tmp_path / "csv"
    folder.mkdir()
    for symbol in SAMPLE_SYMBOLS[:2]:
        from datetime import date

        bars = sample_bars(symbol, date(2024, 1, 1), date(2026, 4, 30))
        bars.to_csv(folder / f"{symbol}.csv")
    return folder


def test_a_day_is_predicted_verified_and_learned_from(tmp_path: Path) -> None:
    made = predict(*SIM, "--home", tmp_path, "--as-of", DAY)
    assert (made.code, len(log_of(tmp_path))) == (0, 10)
    settled = predict(*SIM, "--home", tmp_path, "--as-of", TARGET, "--verify-only")
    assert settled.code == 0, settled.err
    lines = log_of(tmp_path)
    assert {line["status"] for line in lines} == {"verified"}
    assert {line["verified_at"] for line in lines} == {f"{TARGET}T16:00:00"}
    scores = json.loads((tmp_path / "realtime_predictions/feedback/accuracy_scores.json").read_text())
    assert {symbol: score["total_predictions"] for symbol, score in scores.items()} == dict.fromkeys(SAMPLE_SYMBOLS, 1)


def test_every_line_can_be_audited_from_itself(tmp_path: Path) -> None:
    predict(*SIM, "--home", tmp_path, "--as-of", DAY)
    for line in log_of(tmp_path):
        change = 5 * line["magnitude"] * sum(weight for _, weight in line["signals"])
        assert line["predicted_change_pct"] == pytest.approx(change, abs=0.01)
        assert line["predicted_price"] == pytest.approx(line["current_price"] * (1 + change / 100), rel=1e-5)
        assert line["path"][-1] == line["predicted_price"] and len(line["path"]) == 5
        assert line["low"] < line["predicted_price"] < line["high"]
        assert 0 < line["confidence"] < 1
        assert line["id"] == f"{line['symbol']}:{line['data_through']}:5"
        assert line["target_date"] == TARGET


def test_a_line_has_the_documented_keys_in_the_documented_order(tmp_path: Path) -> None:
    predict(*SIM, *ALPHA, "--home", tmp_path, "--as-of", DAY)
    documented = (
        *("symbol", "prediction_date", "current_price", "predicted_price", "predicted_change_pct", "confidence"),
        *("prediction_horizon_days", "target_date", "market_regime", "signals", "status"),
        *("format", "id", "data_through", "magnitude", "low", "high", "path", "evidence", "source", "currency"),
        *("model_trained_at", "distribution", "seal"),
    )
    assert tuple(log_of(tmp_path)[0]) == documented
    predict(*SIM, "--home", tmp_path, "--as-of", TARGET, "--verify")
    at = documented.index("status") + 1
    settled = ("actual_price", "error_pct", "was_accurate", "verified_at")
    assert tuple(log_of(tmp_path)[0]) == (
        *documented[:at],
        *settled,
        *documented[at:],
        *("naive_error_pct", "settled_from", "settled_at", "outcome_checksum"),
    )


def test_a_second_run_adds_nothing(tmp_path: Path) -> None:
    predict(*SIM, "--home", tmp_path, "--as-of", DAY)
    before = files_under(tmp_path / "realtime_predictions")
    again = predict(*SIM, "--home", tmp_path, "--as-of", DAY)
    assert again.code == 0 and "0 logged, 10 there already" in again.out
    after = files_under(tmp_path / "realtime_predictions")
    assert [name for name in before if before[name] != after[name]] == ["last_run.json", "seals.jsonl"]


def test_the_same_inputs_give_the_same_lines(tmp_path: Path) -> None:
    for home, seed in (("a", "1"), ("b", "2")):
        for day in (DAY, NEXT_DAY, TARGET, "2026-03-10"):
            predict(*SIM, "--home", tmp_path / home, "--as-of", day, env={"PYTHONHASHSEED": seed})
    assert files_under(tmp_path / "a" / "realtime_predictions/feedback") == files_under(
        tmp_path / "b" / "realtime_predictions/feedback"
    )
    assert log_of(tmp_path / "a") == log_of(tmp_path / "b")


def test_deleted_feedback_comes_back_byte_for_byte(tmp_path: Path) -> None:
    for day in (DAY, NEXT_DAY, TARGET, "2026-03-10"):
        predict(*SIM, "--home", tmp_path, "--as-of", day)
    folder = tmp_path / "realtime_predictions/feedback"
    before = files_under(folder)
    for path in folder.iterdir():
        path.unlink()
    assert predict(*SIM, "--home", tmp_path, "--as-of", "2026-03-10", "--verify-only").code == 0
    assert files_under(folder) == before


def test_dry_run_and_explain_write_nothing(tmp_path: Path) -> None:
    dry = predict(*SIM, *ALPHA, "--home", tmp_path, "--as-of", DAY, "--dry-run")
    told = predict(*SIM, "--home", tmp_path, "--as-of", DAY, "--explain", "SIM-ALPHA")
    assert (dry.code, told.code) == (0, 0)
    assert not (tmp_path / "realtime_predictions").exists()
    for step in ("1. ANALYZE", "2. PLAN", "3. PREDICT", "4. ACT", "5. LEARN"):
        assert step in told.out


def test_a_dry_run_claims_nothing_of_the_log(tmp_path: Path) -> None:
    dry = predict(*SIM, *ALPHA, "--home", tmp_path, "--as-of", DAY, "--dry-run")
    assert "there already" not in dry.out and "Nothing is logged by a dry run." in dry.out


@pytest.mark.parametrize("days", [2, 40, 3000])
def test_a_day_to_come_is_refused_and_today_is_not(tmp_path: Path, days: int) -> None:
    today = datetime.now(UTC).date()
    ahead = predict(*SIM, *ALPHA, "--home", tmp_path, "--as-of", today + timedelta(days=days))
    assert ahead.code == 2 and f"--as-of {today + timedelta(days=days)}: is still to come" in ahead.err
    assert not list(tmp_path.iterdir())
    assert predict(*SIM, *ALPHA, "--home", tmp_path, "--as-of", today).code == 0


def test_everything_simulated_says_so(tmp_path: Path) -> None:
    assert "simulated" in predict(*SIM, *ALPHA, "--home", tmp_path, "--as-of", DAY).out
    assert "simulated" in predict(*SIM, "--home", tmp_path, "--as-of", DAY, "--explain", "SIM-ALPHA").out
    assert predict(*SIM, *ALPHA, "--home", tmp_path, "--as-of", DAY, "--json").json["simulated"] is True
    assert "simulated" in predict(*SIM, "--home", tmp_path, "--as-of", TARGET, "--verify-only").out


def test_simulated_lines_never_share_a_home_with_others(tmp_path: Path, csv_folder: Path) -> None:
    predict(*SIM, *ALPHA, "--home", tmp_path, "--as-of", DAY)
    real = predict("--source", f"csv:{csv_folder}", *ALPHA, "--home", tmp_path, "--as-of", DAY)
    assert real.code == 2 and "never share a home" in real.err
    assert len(log_of(tmp_path)) == 1


def test_a_line_is_settled_only_from_the_kind_of_source_that_made_it(tmp_path: Path, csv_folder: Path) -> None:
    predict("--source", f"csv:{csv_folder}", *ALPHA, "--home", tmp_path, "--as-of", DAY)
    before = log_of(tmp_path)
    assert predict("--source", "yahoo", "--home", tmp_path, "--as-of", TARGET, "--verify-only").code == 0
    assert log_of(tmp_path) == before


def test_as_of_equals_a_table_cut_at_that_day(tmp_path: Path, csv_folder: Path) -> None:
    cut = tmp_path / "cut"
    cut.mkdir()
    for path in csv_folder.iterdir():
        header, *rows = path.read_text().splitlines()
        (cut / path.name).write_text("\n".join([header, *(row for row in rows if row[:10] <= TARGET)]) + "\n")
    for home, folder in (("whole", csv_folder), ("cut", cut)):
        for day in (DAY, TARGET):
            options = ("--source", f"csv:{folder}", "--symbols", *SAMPLE_SYMBOLS[:2], "--home", tmp_path / home)
            assert predict(*options, "--as-of", day).code == 0
    assert log_of(tmp_path / "whole") == log_of(tmp_path / "cut")


def test_as_of_is_blind_to_later_lines_and_outcomes_and_leaves_them_alone(tmp_path: Path) -> None:
    """A day acted on again, in a home that has gone on since, against one that has not."""
    plain, later = tmp_path / "plain", tmp_path / "later"
    both = ("--symbols", "SIM-ALPHA", "SIM-BETA")
    for home in (plain, later):
        for day in (DAY, NEXT_DAY):
            predict(*SIM, *ALPHA, "--home", home, "--as-of", day)
    for day in ("2026-03-11", "2026-03-20", "2026-03-27"):  # settles the first two lines, later than TARGET
        predict(*SIM, *ALPHA, "--home", later, "--as-of", day)
    before = log_of(later)
    for home in (plain, later):
        predict(*SIM, *both, "--home", home, "--as-of", TARGET)
    after = log_of(later)
    assert after[: len(before)] == before
    assert without_seals(after[len(before) :]) == without_seals(log_of(plain)[2:]) and len(log_of(plain)) == 4


def without_seals(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The lines without what depends on those before them."""
    return [{key: value for key, value in line.items() if key != "seal"} for line in lines]


def test_a_horizon_of_its_own_is_learned_from_apart(tmp_path: Path) -> None:
    for horizon in (1, 5, 9):
        assert predict(*SIM, *ALPHA, "--home", tmp_path, "--as-of", DAY, "--horizon", horizon).code == 0
    lines = log_of(tmp_path)
    assert [len(line["path"]) for line in lines] == [1, 5, 9]
    assert [line["magnitude"] for line in lines] == pytest.approx([(n / 5) ** 0.5 for n in (1, 5, 9)], abs=1e-4)


def test_nothing_due_and_nothing_to_do_is_no_failure(tmp_path: Path) -> None:
    ran = predict(*SIM, "--home", tmp_path, "--verify-only")
    assert (ran.code, ran.out, ran.err) == (0, "Nothing is due.\n", "")


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--symbols", "../../x"), 2, "'../../x' is not a symbol"),
        (("--symbols", "A B"), 2, "'A B' is not a symbol"),
        (("--symbols", "AB.CD", "AB_CD"), 2, "AB.CD and AB_CD would share the folder AB_CD"),
        (("--symbols", "SIM-NOBODY"), 3, "SIM-NOBODY: not in the simulated market"),
        (("--symbols", "SIM-NOBODY", "SIM-ALPHA"), 1, "SIM-NOBODY: not in the simulated market"),
        (("--symbols-file", "/proc/nonexistent/list"), 2, "/proc/nonexistent/list: cannot be read"),
        (("--source", "sample:x"), 2, "'sample:x' is none of yahoo, csv:DIR and sample"),
        (("--source", "csv:/proc/nonexistent"), 2, "'csv:/proc/nonexistent' names no folder"),
        (("--source", f"csv:/{'x' * 300}"), 2, "cannot be looked at (File name too long); name another folder"),
        (("--horizon", "0"), 2, "'0' is not a whole number above 0"),
        (("--horizon", "1001"), 2, "'1001' is above 1,000"),
        (("--horizon", "9" * 30), 2, "is above 1,000"),
        (("--as-of", "yesterday"), 2, "'yesterday' is not a day"),
        (("--as-of", "0001-01-01"), 2, "'0001-01-01' is not a day since 1900"),
        (("--as-of", "20260302"), 2, "'20260302' is not a day since 1900; write it as YYYY-MM-DD"),
        (("--status", "--verify"), 2, "--status and --verify-only do not go together"),
        (("--status", "--explain", "SIM-ALPHA"), 2, "--status and --explain do not go together"),
        (("--openmetrics", "/proc/nonexistent/a.prom"), 2, "--openmetrics goes with --status"),
        (
            ("--status", "--openmetrics", "/proc/nonexistent/a.prom"),
            2,
            "/proc/nonexistent/a.prom: its folder is not there",
        ),
        (("--status", "--openmetrics", "/etc/passwd"), 2, "/etc/passwd: holds no metrics, and would be replaced"),
        (("--status", "--openmetrics", "/"), 2, "/: is a folder, where a plain file is needed"),
        (("--report", "--dry-run"), 2, "--report and --dry-run do not go together"),
        (("--self-check", "--status"), 2, "--self-check and --status do not go together"),
        (("--explain", "../x"), 2, "'../x' is not a symbol"),
        (("--explain", "SIM-ALPHA:2026-03-02:5"), 2, "the log has no prediction of SIM-ALPHA; correct the symbol"),
        (("--log-file", "/proc/nonexistent/log"), 2, "/proc/nonexistent/log: cannot be written"),
    ],
)
def test_wrong_input_gets_one_plain_sentence(tmp_path: Path, options: tuple[str, ...], code: int, words: str) -> None:
    ran = predict("--source", "sample", "--home", tmp_path, "--as-of", DAY, *options)
    assert ran.code == code
    assert words in ran.err and "Traceback" not in ran.err
    if code == 2:
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "cannot be read as CSV"),
        (b"Date,Close\n2026-01-02,1\n", "SIM-ALPHA"),
        (b"\xff\xfe\x00 not a table", "SIM-ALPHA"),
        (b"Date,Open,High,Low,Close,Volume\n2026-01-02,1,1,1,1,1\n", "SIM-ALPHA"),
    ],
)
def test_a_malformed_file_fails_its_own_symbol_only(
    tmp_path: Path, csv_folder: Path, content: bytes, words: str
) -> None:
    (csv_folder / "SIM-ALPHA.csv").write_bytes(content)
    options = ("--source", f"csv:{csv_folder}", "--symbols", "SIM-ALPHA", "SIM-BETA", "--home", tmp_path / "home")
    ran = predict(*options, "--as-of", DAY)
    assert ran.code == 1 and words in ran.err and "Traceback" not in ran.err
    assert [line["symbol"] for line in log_of(tmp_path / "home")] == ["SIM-BETA"]


def test_where_no_stock_could_be_predicted_nothing_is_said_of_what_is_due(tmp_path: Path) -> None:
    ran = predict(*SIM, "--symbols", "SIM-NOBODY", "--home", tmp_path, "--as-of", DAY)
    assert (ran.code, ran.out) == (3, "Nothing could be predicted.\n")


def test_where_nothing_due_could_be_looked_up_it_is_not_said_that_nothing_is_due(
    tmp_path: Path, csv_folder: Path
) -> None:
    options = ("--source", f"csv:{csv_folder}", "--symbols", "SIM-ALPHA", "--home", tmp_path / "home")
    assert predict(*options, "--as-of", "2026-02-10").code == 0
    (csv_folder / "SIM-ALPHA.csv").unlink()
    ran = predict(*options, "--as-of", DAY, "--verify-only")
    assert ran.code in {1, 3} and "Nothing is due" not in ran.out and "SIM-ALPHA" in ran.err


@pytest.mark.parametrize("factor", [1e14, 1e-18])
def test_absurd_prices_fail_their_own_symbol_only(tmp_path: Path, csv_folder: Path, factor: float) -> None:
    import pandas as pd

    bars = pd.read_csv(csv_folder / "SIM-ALPHA.csv", index_col="Date")
    prices = ["Open", "High", "Low", "Close", "Adj Close"]
    (bars.assign(**{name: bars[name] * factor for name in prices})).to_csv(csv_folder / "SIM-ALPHA.csv")
    options = ("--source", f"csv:{csv_folder}", "--symbols", "SIM-ALPHA", "SIM-BETA", "--home", tmp_path / "home")
    ran = predict(*options, "--as-of", DAY)
    assert ran.code == 1 and "SIM-ALPHA" in ran.err and "Traceback" not in ran.err
    assert [line["symbol"] for line in log_of(tmp_path / "home")] == ["SIM-BETA"]


def test_interrupted_while_it_loads_its_libraries_it_says_no_more(tmp_path: Path) -> None:
    (tmp_path / "argparse.py").write_text("raise KeyboardInterrupt\n")
    ran = predict("--help", env={"PYTHONPATH": str(tmp_path)})
    assert (ran.code, ran.out, ran.err) == (-signal.SIGINT, "", "Interrupted.\n")


@pytest.mark.parametrize("option", ["--home", "--source"])
def test_a_folder_whose_name_is_no_text_is_refused(tmp_path: Path, option: str) -> None:
    folder = os.fsdecode(os.fsencode(tmp_path) + b"/\xff")
    Path(folder).mkdir()
    ran = predict(*SIM, "--home", tmp_path, option, f"csv:{folder}" if option == "--source" else folder)
    assert ran.code == 2 and "is not valid UTF-8" in ran.err and "Traceback" not in ran.err
    assert [path.name for path in tmp_path.rglob("*")] == [Path(folder).name]


def test_a_folder_that_cannot_be_made_ends_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    ran = predict(*SIM, *ALPHA, "--home", tmp_path / "file", "--as-of", DAY)
    assert ran.code == 3 and "a file stands where a folder is needed" in ran.err and "Traceback" not in ran.err


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_read_only_home_ends_in_a_sentence(tmp_path: Path) -> None:
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    ran = predict(*SIM, *ALPHA, "--home", tmp_path, "--as-of", DAY)
    assert ran.code == 3 and "no right to write there" in ran.err


def test_home_may_come_from_the_environment(tmp_path: Path) -> None:
    predict(*SIM, *ALPHA, "--as-of", DAY, env={"STOCKML_HOME": str(tmp_path)})
    assert len(log_of(tmp_path)) == 1


def test_messages_go_to_a_log_file_too(tmp_path: Path) -> None:
    predict(*SIM, "--symbols", "SIM-NOBODY", "--home", tmp_path, "--log-file", tmp_path / "log", "--quiet")
    assert "ERROR SIM-NOBODY: not in the simulated market" in (tmp_path / "log").read_text()


def test_the_log_file_rotates_at_a_megabyte_and_five_are_kept(tmp_path: Path) -> None:
    log = tmp_path / "log"
    for number in range(7):
        log.write_bytes(b"%d" % number + b"x" * 999_990)
        predict(*SIM, "--symbols", "SIM-NOBODY", "--home", tmp_path, "--log-file", log, "--quiet")
    assert log.read_text().count("SIM-NOBODY") == 1 and log.stat().st_size < 1000
    kept = [tmp_path / f"log.{number}" for number in range(1, 6)]
    assert [path.read_bytes()[:1] for path in kept] == [b"6", b"5", b"4", b"3", b"2"]
    assert not (tmp_path / "log.6").exists()


def in_shell(home: Path, *options: str, then: str) -> subprocess.CompletedProcess[str]:
    """A run of the predictor in a shell, its output sent elsewhere; where to is said last."""
    command = f"{PROJECT}/realtime_predictor.py --source sample --home {home} --as-of {DAY} {' '.join(options)} {then}"
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, env=BARE, check=False
    )


@pytest.mark.parametrize(
    "options", [(), ("--json",), ("--explain", "SIM-ALPHA"), ("--status",), ("--status", "--json")]
)
@pytest.mark.parametrize("reader", ["| head -n 1", "| true"])
def test_a_reader_that_leaves_is_no_failure(tmp_path: Path, options: tuple[str, ...], reader: str) -> None:
    done = in_shell(tmp_path, *options, then=reader)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr and "Broken" not in done.stderr


@pytest.mark.parametrize("options", [(), ("--json",), ("--status",), ("--status", "--json")])
def test_output_that_cannot_be_written_ends_in_a_plain_sentence(tmp_path: Path, options: tuple[str, ...]) -> None:
    done = in_shell(tmp_path, *options, then="> /dev/full")
    said, is_logged = done.stderr.splitlines()[-1], "--status" not in options
    what = "10 predictions are logged" if is_logged else "what was finished is saved"
    assert said == f"stdout: cannot be written (No space left on device); {what}"
    assert done.returncode == (1 if is_logged else 3)
    if is_logged:
        assert len(log_of(tmp_path)) == 10


@pytest.mark.parametrize("stream", [">&-", "2>&-"])
def test_a_run_without_stdout_or_stderr_does_its_work(tmp_path: Path, stream: str) -> None:
    assert in_shell(tmp_path, then=stream).returncode == 0
    assert len(log_of(tmp_path)) == 10


def test_the_page_is_renewed_by_a_run_and_written_where_asked(tmp_path: Path) -> None:
    predict(*SIM, *ALPHA, "--home", tmp_path, "--as-of", DAY)
    page = tmp_path / "realtime_predictions/report.html"
    assert "SIM-ALPHA" in page.read_text()
    page.unlink()
    asked = predict(*SIM, "--home", tmp_path, "--as-of", DAY, "--report", tmp_path / "page.html")
    assert asked.code == 0 and "page.html" in asked.out
    assert "SIM-ALPHA" in (tmp_path / "page.html").read_text() and not page.exists()
    assert predict(*SIM, "--home", tmp_path, "--as-of", DAY, "--report").code == 0 and page.exists()


def test_status_tells_what_waits_and_calls_for_help_when_something_is_late(tmp_path: Path) -> None:
    predict(*SIM, *ALPHA, "--home", tmp_path, "--as-of", DAY)
    calm = predict(*SIM, "--home", tmp_path, "--as-of", NEXT_DAY, "--status")
    assert calm.code == 0 and "1 pending, 0 of them due, 0 overdue" in calm.out
    late = predict(*SIM, "--home", tmp_path, "--as-of", "2026-05-04", "--status", "--json")
    assert late.code == 1 and late.json["overdue"] == [f"SIM-ALPHA:{DAY}:5"] and late.json["alarms"]
