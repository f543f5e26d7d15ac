"""--audit as a command: what it proves of real runs, each planted lie, and logs that are none; it changes nothing."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from made_up_bars import market
from scripts import PROJECT, Ran, files_under, log_of, predict
from tools import need

from stockml.commands import witness
from stockml.core.outcome_checksum import outcome_checksum

DAYS = [date(2026, 3, 2) + timedelta(days=number) for number in (0, 1, 2, 3, 4, 7, 8, 9, 10, 11)]
SIM = ("--source", "sample", "--symbols", "SIM-ALPHA", "SIM-BETA")


def audit(home: Path, *options: object, source: str = "sample", **how: Any) -> Ran:
    return predict("--source", source, "--home", home, "--audit", *options, **how)


def checks(home: Path, *options: object, **how: Any) -> dict[str, dict[str, Any]]:
    return {check["name"]: check for check in audit(home, "--json", *options, **how).json["checks"]}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home of ten evenings' runs, each at its own time, by the clock of the machine."""
    need("faketime")
    home = tmp_path_factory.mktemp("live") / "home"
    for day in DAYS:
        evening = datetime(day.year, day.month, day.day, 22, tzinfo=UTC)
        ran = predict(*SIM, "--home", home, "-q", at=evening)
        assert (ran.code, ran.err.count("no trained model")) == (0, 0), ran.err
    return home


@pytest.fixture
def home(live: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(live, tmp_path / "home"))


def log_path(home: Path) -> Path:
    return home / "realtime_predictions/predictions.jsonl"


def edited(home: Path, change: Callable[[list[dict[str, Any]]], object]) -> None:
    """Change the log's objects by hand, as whoever wants to look better would."""
    lines = log_of(home)
    change(lines)
    log_path(home).write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_all_of_an_honest_record_is_proved_and_nothing_is_written(home: Path) -> None:
    before = files_under(home)
    ran = audit(home)
    lines = log_of(home)
    settled = [line for line in lines if line["status"] != "pending"]
    assert ran.code == 0 and not ran.err, ran
    assert ran.out.splitlines()[0].endswith(f"{len(lines)} predictions, head {lines[-1]['seal'][:16]}")
    for text in (
        f"seals     {len(lines)} lines sealed, each behind the one before it",
        f"heads     {len(DAYS)} heads in the chain, written down from 2026-03-02T22:",
        f"dates     {len(lines)} predictions made before the target's close",
        f"outcomes  {len(settled)} outcomes worked out anew from the prices, as logged",
        "learned   as folded again from the log",
        "scores    as folded again from the log",
        "as the copies of them that are kept elsewhere",
    ):
        assert text in ran.out
    assert "not proved" not in ran.out and "disagree" not in ran.out and len(settled) > 5
    after = files_under(home)
    assert after == before
    assert audit(home, "-q").out == ""


def test_json_follows_the_schema(home: Path) -> None:
    told = audit(home, "--json").json
    schema = json.loads((PROJECT / "docs/json-schema.json").read_text())
    jsonschema.validate(told, schema, cls=jsonschema.Draft202012Validator)
    assert told["command"] == "audit" and told["head"]["seal"] == log_of(home)[-1]["seal"] and told["exit_code"] == 0


def another_price(lines: list[dict[str, Any]]) -> None:
    """An outcome made up, with errors that fit it."""
    line = next(line for line in lines if line["status"] == "verified")
    actual = round(line["predicted_price"] * 1.001, 2)
    errors = {key: round(abs(actual - line[of]) / actual * 100, 4) for key, of in ERRORS.items()}
    line.update(actual_price=actual, was_accurate=True, **errors)
    line["outcome_checksum"] = outcome_checksum(line)


ERRORS = {"error_pct": "predicted_price", "naive_error_pct": "current_price"}
LIES: dict[str, tuple[Callable[[list[dict[str, Any]]], object], dict[str, str]]] = {
    "a better forecast": (
        lambda lines: lines[2].update(predicted_price=lines[2]["predicted_price"] * 1.01),
        {
            "seals": "line 3 (SIM-ALPHA:2026-03-03:5) does not follow the line before it",
            "outcomes": "line 3: predicted_price is ",
        },
    ),
    "a better outcome": (another_price, {"outcomes": "has an actual price of"}),
    "a bad one removed": (
        lambda lines: lines.pop(4),
        {"seals": "line 5 (SIM-BETA:2026-03-04:5) does not follow", "heads": "lines before it are gone"},
    ),
    "another confidence, settled lines alone": (
        lambda lines: lines[0].update(confidence=0.99),
        {"seals": "line 1 (SIM-ALPHA:2026-03-02:5) does not follow"},
    ),
    "an error rounded down": (
        lambda lines: lines[0].update(error_pct=lines[0]["error_pct"] - 0.2),
        {"outcomes": "line 1: its outcome is not as it was written: outcome_checksum is "},
    ),
}


@pytest.mark.parametrize(("lie", "told"), LIES.values(), ids=LIES)
def test_each_lie_is_told_by_its_check_and_ends_with_exit_code_1(
    home: Path, lie: Callable[[list[dict[str, Any]]], object], told: dict[str, str]
) -> None:
    edited(home, lie)
    ran = audit(home, "--json")
    assert ran.code == ran.json["exit_code"] == 1
    found = {check["name"]: check for check in ran.json["checks"]}
    for name, text in told.items():
        assert found[name]["disagreements"] >= 1 and text in found[name]["first"], found[name]
    for name in {"seals", "heads", "dates", "outcomes"} - set(told):
        assert found[name]["disagreements"] == 0, found[name]
    quiet = audit(home, "-q")
    assert quiet.code == 1 and quiet.out == "" and all(f"{name}: " in quiet.err for name in told)


def test_a_forecast_made_after_the_fact_is_told_though_its_chain_is_right(home: Path) -> None:
    """Whoever has this program can seal what they like; the heads say when it was not there yet."""
    from stockml.prediction_log.log import PredictionLog

    log = PredictionLog(log_path(home))
    with log.locked():
        first = next(iter(log.read().verified))
        log.append([replace(first, symbol="SIM-GAMMA", outcome=None, seal=None)])
        log.witness(datetime(2026, 3, 14, tzinfo=UTC))
    found = checks(home)
    assert found["seals"]["disagreements"] == found["heads"]["disagreements"] == 0
    assert "was made after its target's close" in found["dates"]["first"]


def test_scores_edited_by_hand_are_told(home: Path) -> None:
    path = home / "realtime_predictions/feedback/accuracy_scores.json"
    values = json.loads(path.read_text())
    values["SIM-ALPHA"]["accurate_predictions"] += 1
    path.write_text(json.dumps(values))
    found = checks(home)
    assert "SIM-ALPHA.accurate_predictions is" in found["scores"]["first"] and not found["learned"]["first"]
    predict("--source", "sample", "--home", home, "--verify-only", "-q")
    assert checks(home)["scores"]["disagreements"] == 0


def test_a_log_cut_by_lines_that_nobody_knows_of_is_told_by_its_heads(home: Path) -> None:
    for path in log_path(home).parent.glob(".predictions.*"):
        path.unlink()  # as in a copy without hidden files
    edited(home, lambda lines: lines.__delitem__(slice(-4, None)))
    found = checks(home)
    assert found["seals"]["disagreements"] == 0 and found["heads"]["disagreements"] == 2
    assert "is not in the log: its line was taken out or changed" in found["heads"]["first"]


def test_a_log_whose_cut_is_known_is_one_sentence_until_it_is_accepted(home: Path) -> None:
    edited(home, lambda lines: lines.__delitem__(slice(-4, None)))
    ran = audit(home)
    assert (ran.code, ran.out) == (3, "") and "ends early" in ran.err and ran.err.count("\n") == 1
    accepted = audit(home, "--accept-log")
    assert accepted.code == 1 and "is not in the log" in accepted.out


def foreign(home: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    predict("--source", "sample", "--symbols", "SIM-IOTA", "--home", other, "--as-of", "2026-03-02", "-q")
    shutil.copy(log_path(other), log_path(home))


def test_the_log_of_another_home_is_told(home: Path, tmp_path: Path) -> None:
    foreign(home, tmp_path)
    ran = audit(home)
    assert ran.code == 3 and "no longer there" in ran.err and ran.err.count("\n") == 1
    for path in log_path(home).parent.glob(".predictions.*"):
        path.unlink()
    ran = audit(home)
    assert ran.code == 1 and "or it is the log of another home" in ran.out


def test_a_damaged_line_is_named_and_nothing_is_set_aside(home: Path) -> None:
    lines = log_path(home).read_bytes().split(b"\n")
    log_path(home).write_bytes(b"\n".join([*lines[:4], lines[4][:300], *lines[5:]]))
    before = files_under(home)
    ran = audit(home)
    assert ran.code == 1 and "the first: line 5 is not JSON any more" in ran.out and "Traceback" not in ran.err
    assert files_under(home) == before


def test_lines_of_an_earlier_version_are_said_to_have_no_seal(home: Path) -> None:
    gone = ("format", "seal", "outcome_checksum")
    edited(home, lambda lines: [line.pop(key, None) for line in lines for key in gone])
    (home / "realtime_predictions/seals.jsonl").unlink()
    ran = audit(home)
    lines = len(log_of(home))
    assert ran.code == 0, ran
    assert f"not proved: {lines} lines of an earlier version without a seal" in ran.out
    assert "outcomes worked out anew from the prices, as logged" in ran.out


NOTHING: dict[str, tuple[Callable[[Path], object], str]] = {
    "no home": (lambda home: None, "there is no prediction log to audit yet"),
    "an empty log": (lambda home: log_path(home).write_bytes(b""), "holds no prediction, so there is nothing to audit"),
    "blanks": (lambda home: log_path(home).write_bytes(b" \n\n"), "holds no prediction, so there is nothing to audit"),
    "a folder": (lambda home: log_path(home).mkdir(), "is a folder, where a plain file is needed"),
    "a FIFO": (lambda home: os.mkfifo(log_path(home)), "is a FIFO, where a plain file is needed"),
    "another file": (lambda home: log_path(home).write_text("a\nb\nc\n"), "holds no prediction at all"),
}


@pytest.mark.parametrize(("make", "words"), NOTHING.values(), ids=NOTHING)
def test_where_there_is_nothing_to_audit_one_sentence_says_so(
    tmp_path: Path, make: Callable[[Path], object], words: str
) -> None:
    log_path(tmp_path).parent.mkdir(parents=True)
    make(tmp_path)
    ran = audit(tmp_path)
    assert (ran.code, ran.out) == (3, "") and words in ran.err and ran.err.count("\n") == 1


def test_a_run_that_was_cut_short_is_to_be_finished_first(home: Path) -> None:
    log_path(home).with_name(".predictions.journal").write_text("unfinished")
    ran = audit(home)
    assert ran.code == 3 and "an interrupted run left a change unfinished" in ran.err


@pytest.mark.parametrize("option", [["--as-of", "2026-03-05"], ["--verify-only"], ["--dry-run"], ["--status"]])
def test_beside_other_commands_it_is_refused(home: Path, option: list[str]) -> None:
    ran = audit(home, *option)
    assert ran.code == 2 and "--audit and" in ran.err and "do not go together" in ran.err


# ---- replays, past days, other sources -------------------------------------------------------------------------------


def test_a_replay_is_sealed_too_and_its_dates_prove_nothing(tmp_path: Path) -> None:
    assert predict(*SIM, "--home", tmp_path, "--replay", "2026-03-02", "2026-03-13", "-q").code == 0
    found = checks(tmp_path)
    assert found["seals"]["proved"].startswith("20 lines sealed") and not any(one["first"] for one in found.values())
    assert "a replay makes its predictions long after their targets" in found["dates"]["unproved"][0]


def test_a_replay_and_runs_on_each_of_its_days_seal_alike(tmp_path: Path) -> None:
    days = ("2026-03-02", "2026-03-03", "2026-03-04")
    predict(*SIM, "--home", tmp_path / "one", "--replay", days[0], days[-1], "-q")
    for day in days:
        predict(*SIM, "--home", tmp_path / "other", "--as-of", day, "-q")
    one, other = (log_of(tmp_path / name) for name in ("one", "other"))
    assert [line["seal"] for line in one] == [line["seal"] for line in other] and len(one) == 6


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A home of runs on past days, and beside it the folder of CSV files that they read."""
    folder = tmp_path / "csv"
    folder.mkdir()
    for seed, symbol in enumerate(("A.NS", "B.NS")):
        market(seed=seed).to_csv(folder / f"{symbol}.csv")
    for day in ("2025-06-02", "2025-06-03", "2025-06-12"):
        ran = predict(
            "--source", f"csv:{folder}", "--home", tmp_path / "home", "--as-of", day, "--symbols", *STOCKS, "-q"
        )
        assert ran.code == 0, ran.err
    return tmp_path


STOCKS = ("A.NS", "B.NS")


def test_outcomes_are_held_against_the_files_as_they_are_today(shop: Path) -> None:
    source, home = f"csv:{shop / 'csv'}", shop / "home"
    assert checks(home, source=source)["outcomes"]["proved"].startswith("4 outcomes worked out anew")
    target = next(line["target_date"] for line in log_of(home) if line["symbol"] == "A.NS")
    path = shop / "csv/A.NS.csv"
    rows = path.read_text().splitlines()
    at = next(number for number, row in enumerate(rows) if row.startswith(target))
    cells = rows[at].split(",")
    cells[4] = str(float(cells[2]) * 0.999)  # another close, below that day's high
    path.write_text("\n".join([*rows[:at], ",".join(cells), *rows[at + 1 :], ""]))
    ran = audit(home, source=source)
    assert ran.code == 1 and "A.NS:2025-06-02:5 has an actual price of" in ran.out
    assert "Or the source has changed its prices since." in ran.out


def test_outcomes_without_prices_are_said_to_be_unproved_and_are_no_failure(shop: Path) -> None:
    home = shop / "home"
    (shop / "csv/B.NS.csv").unlink()
    found = audit(home, "--json", source=f"csv:{shop / 'csv'}").json
    (outcomes,) = [check for check in found["checks"] if check["name"] == "outcomes"]
    assert found["exit_code"] == 0 and outcomes["proved"].startswith("2 outcomes")
    assert outcomes["unproved"][0].startswith("2 outcomes of B.NS: there is no file")
    other = checks(home, "--offline", source="yahoo")["outcomes"]
    assert other["unproved"] == ["4 outcomes from another source: name it with --source csv."] and not other["proved"]
    one = checks(home, "--symbols", "A.NS", source=f"csv:{shop / 'csv'}")["outcomes"]
    assert one["unproved"] == ["2 outcomes of stocks that --symbols leaves out."]


def test_yahoo_is_asked_for_nothing_that_the_cache_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import pandas as pd
    from asking import AT_ONCE, listing
    from fake_yahoo import FakeYahoo, redirected
    from stopped_clock import stopped_at

    import realtime_predictor
    from stockml.data import request

    monkeypatch.setattr(request, "FetchSettings", lambda **options: replace(AT_ONCE, **options))

    def on(day: str, *options: str) -> int:
        yahoo.today = date.fromisoformat(day)
        now = pd.Timestamp(f"{day} 17:00", tz="Asia/Kolkata").to_pydatetime()
        monkeypatch.setattr(realtime_predictor, "datetime", stopped_at(now))
        monkeypatch.setattr(witness, "datetime", stopped_at(now))
        capsys.readouterr()
        return realtime_predictor.main(["--home", str(tmp_path), "--json", "-q", *options])

    with FakeYahoo(date(2026, 6, 23)) as yahoo, redirected(yahoo):
        yahoo.listings["TCS.NS"] = listing(seed=1)
        for day in ("2026-06-23", "2026-06-24", "2026-07-01", "2026-07-02"):
            assert on(day, "--symbols", "TCS.NS") == 0
        asked = yahoo.charts()
        assert on("2026-07-20", "--audit") == 0 and yahoo.charts() == asked
        found = {check["name"]: check for check in json.loads(capsys.readouterr().out)["checks"]}
        assert found["outcomes"]["proved"].startswith("2 outcomes worked out anew")
        assert found["dates"]["proved"] == "4 predictions made before the target's close"
