"""The head that each run prints, writes down and hands to --witness; the documented recipes, run as they stand."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from scripts import PROJECT, Ran, log_of, predict
from tools import need

from stockml.commands.witness import failure_of
from stockml.prediction_log.seals import Head, Witness

SIM = ("--source", "sample", "--symbols", "SIM-ALPHA")
DAY, NEXT_DAY = "2026-03-02", "2026-03-03"
RECIPES = re.findall(r"^\./realtime_predictor\.py --witness '(.*)'$", (PROJECT / "docs/auditing.md").read_text(), re.M)
WITNESS = Witness("2026-03-02T10:15:00Z", Head(12, "ab" * 32), 5000)


def run(home: Path, *options: object, day: str = DAY, **env: str) -> Ran:
    return predict(*SIM, "--home", home, "--as-of", day, *options, env={"HOME": str(home), **env})


def heads(home: Path) -> list[dict[str, Any]]:
    text = (home / "realtime_predictions/seals.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def test_each_run_prints_the_head_and_writes_it_down(tmp_path: Path) -> None:
    for number, day in enumerate((DAY, NEXT_DAY), start=1):
        ran = run(tmp_path, day=day)
        seal = log_of(tmp_path)[-1]["seal"]
        noun = "prediction" if number == 1 else "predictions"
        assert ran.out.splitlines()[-1] == f"Sealed: {number} {noun}, head {seal[:16]}."
        last = heads(tmp_path)[-1]
        assert (last["count"], last["seal"], last["as_of"]) == (number, seal, day) and len(heads(tmp_path)) == number
        written = datetime.fromisoformat(last["at"])
        assert abs((datetime.now(UTC) - written).total_seconds()) < 3600
    verified = run(tmp_path, "--verify-only", day=NEXT_DAY)
    assert verified.out.splitlines()[-1].startswith("Sealed: 2 predictions") and len(heads(tmp_path)) == 3


def test_json_holds_it_and_a_quiet_run_prints_nothing(tmp_path: Path) -> None:
    assert run(tmp_path, "--json").json["head"] == heads(tmp_path)[-1]
    assert run(tmp_path, "-q").out == "" and len(heads(tmp_path)) == 2


@pytest.mark.parametrize("option", [["--dry-run"], ["--explain", "SIM-ALPHA"]])
def test_what_writes_nothing_seals_nothing(tmp_path: Path, option: list[str]) -> None:
    run(tmp_path)
    assert "Sealed" not in run(tmp_path, *option, day=NEXT_DAY).out and len(heads(tmp_path)) == 1
    assert run(tmp_path, *option, "--json", day=NEXT_DAY).json["head"] is None


def test_nothing_is_sealed_where_there_is_no_prediction(tmp_path: Path) -> None:
    ran = run(tmp_path, "--verify-only", "--witness", "echo never > never")
    assert (ran.code, "Sealed" in ran.out) == (0, False)
    assert not (tmp_path / "realtime_predictions/seals.jsonl").exists()


def test_status_and_report_show_it(tmp_path: Path) -> None:
    run(tmp_path)
    told = predict("--source", "sample", "--home", tmp_path, "--status", "--report")
    head = heads(tmp_path)[-1]
    shown = f"1 prediction, head {head['seal'][:16]}; written down {head['at']}"
    assert f"Seals         {shown}" in told.out
    assert shown in (tmp_path / "realtime_predictions/report.html").read_text()
    status = predict("--source", "sample", "--home", tmp_path, "--status", "--json").json
    assert status["head"] == {"count": 1, "seal": head["seal"]} and status["witnessed_at"] == head["at"]
    assert status["broken_seals"] is None


def test_a_broken_chain_is_told_once_by_the_run_and_again_by_status_and_predicting_goes_on(tmp_path: Path) -> None:
    for day in (DAY, NEXT_DAY):
        run(tmp_path, day=day)
    log = tmp_path / "realtime_predictions/predictions.jsonl"
    log.write_text(log.read_text().replace('"market_regime": "', '"market_regime": "not ', 1))
    ran = run(tmp_path, day="2026-03-04")
    assert ran.code == 0 and len(log_of(tmp_path)) == 3
    assert ran.err.count("does not follow the line before it") == 1 and "--audit tells more" in ran.err
    assert "does not follow" not in run(tmp_path, day="2026-03-05").err
    told = predict("--source", "sample", "--home", tmp_path, "--status").out
    assert "broken: line 1 (SIM-ALPHA:2026-03-02:5) does not follow" in told


# ---- the command -----------------------------------------------------------------------------------------------------


def test_the_command_has_the_head_on_stdin_and_in_its_environment(tmp_path: Path) -> None:
    words = '"$STOCKML_COUNT $STOCKML_SEAL $STOCKML_AT"'
    command = f'cat > "$HOME/line"; echo {words} > "$HOME/words"; echo spoken; echo murmured >&2'
    ran = run(tmp_path, "--witness", command)
    head = heads(tmp_path)[-1]
    assert (ran.code, "spoken" in ran.out, "murmured" in ran.err) == (0, False, False)
    assert json.loads((tmp_path / "line").read_text()) == head
    assert (tmp_path / "words").read_text() == f"{head['count']} {head['seal']} {head['at']}\n"


FAILING = {
    "exit 3": "ended with exit code 3",
    "echo first >&2; echo 'no such\tplace' >&2; exit 1": "ended with exit code 1 (no such?place)",
    "nothing-of-this-name": "ended with exit code 127 (",
    "kill -9 $$": "ended with exit code -9",
    "'": "ended with exit code 2 (",
    "printf '\\377\\033[31m' ; false": "ended with exit code 1 (",
}


@pytest.mark.parametrize(("command", "why"), FAILING.items(), ids=range(len(FAILING)))
def test_its_failure_is_one_sentence_and_exit_code_1_and_nothing_is_lost(
    tmp_path: Path, command: str, why: str
) -> None:
    ran = run(tmp_path, "--witness", command)
    assert ran.code == 1 and ran.err.count("--witness") == 1 and f"--witness: the command {why}" in ran.err
    assert "\x1b" not in ran.err and "saved, correct the command and run again" in ran.err
    assert len(log_of(tmp_path)) == len(heads(tmp_path)) == 1 and "Sealed: 1 prediction" in ran.out
    status = predict("--source", "sample", "--home", tmp_path, "--status", "--as-of", DAY)
    assert status.code == 1 and "--witness: the command" in status.out
    again = run(tmp_path, "--witness", "true", "--json")
    assert again.code == again.json["exit_code"] == 0


def test_json_holds_its_failure(tmp_path: Path) -> None:
    told = run(tmp_path, "--witness", "false", "--json").json
    assert told["exit_code"] == 1
    assert [(one["symbol"], one["kind"]) for one in told["failures"]] == [("", "witness")]


def test_one_that_does_not_end_is_stopped_with_all_it_started(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    began = time.monotonic()
    why = failure_of(f"(sleep 1; sleep 1; touch {mark}) & sleep 600", WITNESS, timeout=0.3)
    assert why == "had not ended after 0.3 s and was stopped" and time.monotonic() - began < 60
    time.sleep(2.5)
    assert not mark.exists()


def test_one_that_reads_nothing_and_one_that_prints_much_do_no_harm() -> None:
    assert failure_of("true", WITNESS) is None
    assert failure_of("head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2", WITNESS) is None


def test_nothing_of_the_head_is_text_of_the_command(tmp_path: Path) -> None:
    """It stands in the environment and on stdin: whatever it held, the shell would not run it."""
    odd = Witness("$(touch x)", Head(1, "`touch y`; touch z"), 1)
    assert failure_of(f'cd {tmp_path}; echo "$STOCKML_SEAL" $STOCKML_AT > told', odd) is None
    assert [path.name for path in tmp_path.iterdir()] == ["told"]


def test_it_runs_without_the_log_s_lock(tmp_path: Path) -> None:
    script = PROJECT / "realtime_predictor.py"
    command = f"{script} --source sample --home {tmp_path} --backup {tmp_path}/b.zip --lock-timeout 5 -q"
    assert run(tmp_path, "--witness", command).code == 0 and (tmp_path / "b.zip").exists()


WRONG = {
    "an empty command": (["--witness", " "], "names no command"),
    "with --status": (["--witness", "true", "--status"], "--witness and --status do not go together"),
    "with --dry-run": (["--witness", "true", "--dry-run"], "--witness and --dry-run do not go together"),
    "with --audit": (["--witness", "true", "--audit"], "--witness and --audit do not go together"),
    "with --replay": (["--witness", "true", "--replay", DAY, NEXT_DAY], "--witness and --replay"),
}


@pytest.mark.parametrize(("options", "text"), WRONG.values(), ids=WRONG)
def test_where_it_makes_no_sense_it_is_refused(tmp_path: Path, options: list[str], text: str) -> None:
    ran = predict("--source", "sample", "--home", tmp_path, *options)
    assert ran.code == 2 and text in ran.err and not list(tmp_path.iterdir())


# ---- the recipes -----------------------------------------------------------------------------------------------------

OTS = """#!/bin/sh
[ "$1" = stamp ] && [ -s "$2" ] || exit 9
[ ! -e "$2.ots" ] || { echo "$2.ots exists already" >&2; exit 1; }
sha256sum < "$2" > "$2.ots"
"""
MAIL = """#!/bin/sh
[ "$1" = -s ] || exit 9
{ echo "To: $3"; echo "Subject: $2"; echo; cat; } >> "$HOME/mails"
"""


@pytest.fixture
def at_home(tmp_path: Path) -> Path:
    """A home with a folder for heads, and programs of the names that the recipes use."""
    (tmp_path / "heads").mkdir()
    (tmp_path / "bin").mkdir()
    for name, text in (("ots", OTS), ("mail", MAIL)):
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    return tmp_path


def followed(home: Path, recipe: str) -> list[dict[str, Any]]:
    """The heads of two days' runs with a recipe, which went well."""
    path = f"{home / 'bin'}:{os.environ['PATH']}"
    for day in (DAY, NEXT_DAY):
        ran = run(home, "--witness", recipe, day=day, PATH=path)
        assert ran.code == 0, ran.err
        time.sleep(1.1)  # heads are told apart by their seconds
    return heads(home)


def recipe_with(word: str) -> str:
    (found,) = [recipe for recipe in RECIPES if word in recipe]
    return found


def test_the_recipe_for_opentimestamps_leaves_a_stamped_file_a_run(at_home: Path) -> None:
    found = followed(at_home, recipe_with("ots stamp"))
    for head in found:
        file = at_home / "heads" / f"{head['at']}.json"
        assert json.loads(file.read_text()) == head and Path(f"{file}.ots").exists()


def test_the_recipe_for_git_leaves_a_commit_a_run(at_home: Path) -> None:
    need("git")
    folder = at_home / "heads"
    (at_home / ".gitconfig").write_text("[user]\nname = N\nemail = n@example.org\n")
    subprocess.run(
        ["git", "init", "-q"], cwd=folder, check=True, env={"HOME": str(at_home), "PATH": os.environ["PATH"]}
    )
    found = followed(at_home, recipe_with("git commit"))
    told = subprocess.run(["git", "log", "--format=%s"], cwd=folder, check=True, capture_output=True, text=True).stdout
    assert told.splitlines() == [f"{head['count']} {head['seal']}" for head in reversed(found)]
    assert [json.loads(line) for line in (folder / "heads.jsonl").read_text().splitlines()] == found


def test_the_recipe_for_mail_sends_one_a_run(at_home: Path) -> None:
    found = followed(at_home, recipe_with("mail -s"))
    mails = (at_home / "mails").read_text()
    for head in found:
        assert f"Subject: {head['count']} predictions, {head['seal']}" in mails and json.dumps(head) in mails
    assert len(RECIPES) == 3
