"""Who is told of what went wrong, by real services on the loopback interface; and that no secret is ever seen."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from loopback_service import refusing_port, service
from report_helpers import CLOCK, ended, made_up_home
from scripts import BARE, PROJECT, files_under, predict
from waiting import PATIENCE_SECONDS

import realtime_predictor
import train_models
from stockml.commands import sending
from stockml.commands.notifications import Ending, Letter, concerns_of, letter, run_and_notify
from stockml.core.paths import Home
from stockml.prediction_log.log import PredictionLog
from stockml.reporting.concerns import Concern
from stockml.reporting.status import status

SECRETS = ("hushhush", "s3cretpath", "qu3ryword", "me.myself", "tok3n")
LETTER = Letter("stockml: 1 alarm", "ALARM: <b>all</b> & more\nHome /x")
Sent = list[Letter]


def home_of(folder: Path, *urls: str) -> list[str]:
    """The options of a home whose only stock has no prices, so that each run fails."""
    (folder / "prices").mkdir(parents=True)
    (folder / "stockml.toml").write_text(
        f'source = "csv:prices"\nsymbols = ["NOPE.NS"]\nnotify = {json.dumps(urls or ("json://me.myself:hushhush@h",))}\n'
    )
    return ["--home", str(folder)]


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """The letters of the runs of a test, which all reach everybody."""
    letters: Sent = []

    def send(urls: Sequence[str], told: Letter) -> list[str]:
        letters.append(told)
        return []

    monkeypatch.setattr(sending, "send", send)
    return letters


# ---- whole runs ----


def test_a_failed_run_is_told_once_in_the_words_of_the_status_and_no_secret_is_seen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    with service() as one, service() as other:
        options = home_of(
            home,
            f"json://me.myself:hushhush@127.0.0.1:{one.port}/s3cretpath?qu3ryword=1",
            f"ntfy://me.myself:hushhush@127.0.0.1:{other.port}/tok3n",
        )
        runs = [predict(*options, "-v", "--log-file", home / "log.txt") for _ in range(2)]
    assert [ran.code for ran in runs] == [3, 3]
    (message,), ((path, _, body),) = one.messages, other.requests
    assert path == "/" and json.loads(body)["topic"] == "tok3n" and json.loads(body)["message"] == message["message"]
    assert message["title"] == "stockml: 2 alarms"
    assert realtime_predictor.main([*options, "--status", "--json"]) == 1
    shown = capsys.readouterr().out
    assert len(json.loads(shown)["alarms"]) == 2
    lines = message["message"].splitlines()
    assert lines[0].startswith("ALARM: The last run, at ") and "nothing could be done" in lines[0]
    assert lines[1].startswith("ALARM: NOPE.NS: there is no file") and lines[1][7:] in runs[0].err.splitlines()
    assert lines[2] == f"Home {home}; realtime_predictor.py --status tells all there is."
    seen = b"".join(text for name, text in files_under(home).items() if name != "stockml.toml")
    seen += "".join([shown, *(ran.out + ran.err for ran in runs)]).encode()
    assert not [secret for secret in SECRETS if secret.encode() in seen]
    assert (home / "realtime_predictions/notified.json").stat().st_size > 0


def test_the_url_stands_in_no_list_of_processes(tmp_path: Path) -> None:
    with service(hangs=True) as slow:
        asked = {"urls": [f"json://:hushhush@127.0.0.1:{slow.port}/"], "title": "t", "body": "b", "seconds": 60}
        sender = PROJECT / "stockml/commands/message_sender.py"
        process = subprocess.Popen([sys.executable, "-P", sender], stdin=subprocess.PIPE, env=BARE)
        assert process.stdin is not None
        process.stdin.write(json.dumps(asked).encode())
        process.stdin.close()
        shown = Path(f"/proc/{process.pid}/cmdline").read_bytes() + Path(f"/proc/{process.pid}/environ").read_bytes()
        process.kill()
        process.wait()
    assert b"hushhush" not in shown


# ---- sending ----


def test_what_cannot_be_told_is_a_sentence_each_and_those_that_can_are_told() -> None:
    with service() as good, service(status=500) as bad:
        urls = [
            f"json://me.myself:hushhush@127.0.0.1:{bad.port}/s3cretpath?qu3ryword=1",
            f"json://127.0.0.1:{refusing_port()}/s3cretpath",
            "nosuch://tok3n/hushhush",
            "tgram://tok3n",
            f"json://127.0.0.1:{good.port}/s3cretpath",
        ]
        failed = sending.send(urls, LETTER, seconds=PATIENCE_SECONDS)
    assert len(bad.requests) == 1
    assert [(one["title"], one["message"]) for one in good.messages] == [(LETTER.title, LETTER.body)]
    refused, unknown = "the service did not take it or could not be reached", "apprise knows no such service"
    expected = ((1, "json", refused), (2, "json", refused), (3, "nosuch", unknown), (4, "tgram", unknown))
    starts = [f"notify: entry {number} ({scheme}) could not be told: {why}" for number, scheme, why in expected]
    assert len(failed) == len(starts) and all(map(str.startswith, failed, starts))
    assert not [secret for secret in SECRETS if any(secret in sentence for sentence in failed)]


def test_a_service_that_hangs_holds_nobody_up() -> None:
    with service(hangs=True) as slow:
        url = f"json://127.0.0.1:{slow.port}/s3cretpath?rto=600"
        (sentence,) = sending.send([url], LETTER, seconds=0.3, starting_seconds=PATIENCE_SECONDS)
    assert sentence == "notify: entry 1 (json) could not be told: it had not answered after 0.3 s."


def test_a_process_that_cannot_even_begin_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stuck = tmp_path / "python"
    stuck.write_text("#!/bin/sh\nsleep 600 & wait\n")
    stuck.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(stuck))
    (sentence,) = sending.send(["json://h"], LETTER, seconds=0.1, starting_seconds=0.1)
    assert "had not answered" in sentence


def test_a_service_in_trouble_changes_no_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with service(status=500) as bad:
        options = home_of(tmp_path / "home", f"json://me.myself:hushhush@127.0.0.1:{bad.port}/s3cretpath")
        assert realtime_predictor.main([*options, "-q"]) == 3
    err = capsys.readouterr().err
    assert err.count("notify: entry 1 (json) could not be told") == 1 and "Traceback" not in err
    assert not [secret for secret in SECRETS if secret in err]


@pytest.mark.parametrize(("unreached", "told"), [(2, 2), (1, 1), (0, 1)])
def test_what_reached_nobody_is_told_by_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unreached: int, told: int
) -> None:
    letters: Sent = []

    def send(urls: Sequence[str], one: Letter) -> list[str]:
        letters.append(one)
        return ["notify: no."] * unreached

    monkeypatch.setattr(sending, "send", send)
    options = home_of(tmp_path / "home", "json://a", "json://b")
    assert [realtime_predictor.main(options) for _ in range(2)] == [3, 3]
    assert len(letters) == told


# ---- which runs tell ----


def test_training_tells_what_it_printed(tmp_path: Path, sent: Sent, capsys: pytest.CaptureFixture[str]) -> None:
    options = home_of(tmp_path / "home")
    assert [train_models.main(options) for _ in range(2)] == [3, 3]
    (told,) = sent
    assert "train_models" in train_models.__file__ and "failed with exit code 3" in told.body
    assert all(f"ALARM: {line}" in told.body for line in capsys.readouterr().err.splitlines()[:1])
    assert "apprise" not in sys.modules


SILENT = {
    "--dry-run": ["--dry-run"],
    "--explain": ["--explain", "NOPE.NS"],
    "--status": ["--status"],
    "--report": ["--report"],
    "--replay": ["--replay", "2026-03-02", "2026-03-03"],
    "a past day": ["--as-of", "2026-03-02"],
    "a past day verified": ["--as-of", "2026-03-02", "--verify-only"],
}


@pytest.mark.parametrize("options", SILENT.values(), ids=SILENT)
def test_what_only_looks_tells_nobody(tmp_path: Path, sent: Sent, options: list[str]) -> None:
    home = home_of(tmp_path / "home")
    realtime_predictor.main([*home, *options])
    assert not sent and not (tmp_path / "home/realtime_predictions/notified.json").exists()


def test_a_good_run_and_one_without_notify_tell_nobody(tmp_path: Path, sent: Sent) -> None:
    options = home_of(tmp_path / "home")
    assert realtime_predictor.main([*options, "--verify-only"]) == 0
    (tmp_path / "home/stockml.toml").write_text('source = "csv:prices"\nsymbols = ["NOPE.NS"]\n')
    assert realtime_predictor.main(options) == 3
    assert not sent and not (tmp_path / "home/realtime_predictions/notified.json").exists()


def test_a_run_refused_the_lock_is_told_and_one_that_ended_has_released_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sent: Sent
) -> None:
    options = home_of(tmp_path / "home")
    log = PredictionLog(Home(tmp_path / "home").log)
    with log.locked():
        assert realtime_predictor.main([*options, "--lock-timeout", "1"]) == 3
    (told,) = sent
    assert "failed with exit code 3" in told.body and "another run" in told.body.lower()

    def send(urls: Sequence[str], told: Letter) -> list[str]:
        with log.locked(0):
            sent.append(told)
        return []

    monkeypatch.setattr(sending, "send", send)
    assert realtime_predictor.main(options) == 3 and len(sent) == 2


def test_wrong_usage_is_told_each_time_and_writes_nothing(tmp_path: Path, sent: Sent) -> None:
    options = home_of(tmp_path / "home")
    before = files_under(tmp_path)
    for _ in range(2):
        assert realtime_predictor.main([*options, "--source", "csv:/nowhere/at/all"]) == 2
    assert len(sent) == 2 and "/nowhere/at/all" in sent[0].body and files_under(tmp_path) == before


def _by_a_bug(args: argparse.Namespace) -> int:
    raise LookupError("hushhush")


def _by_ctrl_c(args: argparse.Namespace) -> int:
    raise KeyboardInterrupt


def test_an_error_nobody_has_foreseen_is_told_without_its_words(tmp_path: Path, sent: Sent) -> None:
    args = realtime_predictor.parse_args(home_of(tmp_path / "home"))
    with pytest.raises(LookupError):
        run_and_notify(_by_a_bug, args)
    assert "an error of its own (LookupError)" in sent[0].body and "hushhush" not in sent[0].body
    assert run_and_notify(_by_ctrl_c, args) == 130 and len(sent) == 1


@pytest.mark.parametrize("error", [RuntimeError("hushhush"), OSError(5, "x", "hushhush"), KeyboardInterrupt()])
def test_whatever_goes_wrong_in_telling_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException
) -> None:
    def send(urls: Sequence[str], told: Letter) -> list[str]:
        raise error

    monkeypatch.setattr(sending, "send", send)
    assert realtime_predictor.main([*home_of(tmp_path / "home"), "-q"]) == 3
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("notify: ")]
    assert len(told) == 1 and "hushhush" not in told[0]


@pytest.mark.parametrize(("options", "code"), [([], 3), (["--verify-only"], 0)])
def test_without_apprise_one_sentence_says_how_to_have_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    code: int,
) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)  # type: ignore[arg-type]
    assert realtime_predictor.main([*home_of(tmp_path / "home"), *options]) == code
    err = capsys.readouterr().err
    assert err.count("notify: ") == 1 and "requirements-notify.txt" in err


def test_a_record_of_it_that_cannot_be_written_is_said(
    tmp_path: Path, sent: Sent, capsys: pytest.CaptureFixture[str]
) -> None:
    options = home_of(tmp_path / "home")
    (tmp_path / "home/realtime_predictions/notified.json").mkdir(parents=True)
    assert realtime_predictor.main(options) == 3
    assert len(sent) == 1 and "notify: " in capsys.readouterr().err


# ---- what is told ----


def _state(folder: Path, change: Callable[[Home], object]) -> list[str]:
    home, log = made_up_home(folder, 1, 30)
    change(home)
    state = status(home, log, CLOCK)
    ending = Ending("realtime_predictor.py", datetime(2026, 3, 28, tzinfo=UTC), 1, ["A: no answer; try later"])
    return [concern.text for concern in concerns_of(ending, state, is_recorded=True)]


def test_a_failure_that_the_home_records_is_told_by_its_record_alone(tmp_path: Path) -> None:
    failures = [{"symbol": "A", "kind": "network", "message": "A: no answer; try later"}]
    told = _state(tmp_path / "a", lambda home: ended(home, exit_code=1, failures=failures))
    assert len(told) == 2 and told[0].startswith("The last run, at ") and told[1] == "A: no answer; try later"
    told = _state(tmp_path / "b", ended)
    assert told == [
        "realtime_predictor.py, begun at 2026-03-28T00:00:00Z, failed with exit code 1.",
        "A: no answer; try later",
    ]


def test_a_cause_whose_figures_change_is_the_same_cause() -> None:
    endings = [Ending("x.py", datetime(2026, 3, day, tzinfo=UTC), 3, [f"process {day} holds it"]) for day in (2, 3)]
    first, second = (concerns_of(ending, None, is_recorded=False) for ending in endings)
    assert [one.keys for one in first] == [one.keys for one in second] and first != second


def test_alarms_come_first_and_a_message_is_never_long() -> None:
    notes = [Concern(f"Note {number}. " + "x" * 2000, (str(number),), is_alarm=False) for number in range(40)]
    told = letter([*notes, Concern("It fails.", ("f",))], Home(Path("/h")), is_simulated=True)
    assert told.title == "stockml (simulated market): 1 alarm and 40 notes"
    lines = told.body.splitlines()
    assert lines[0] == "ALARM: It fails." and lines[1].startswith("NOTE: Note 0.")
    assert lines[-2:] == [
        "29 more sentences: see --status.",
        "Home /h; realtime_predictor.py --status tells all there is.",
    ]
    assert len(told.body) < 8000


def test_the_environment_s_services_are_told_too(tmp_path: Path, sent: Sent, monkeypatch: pytest.MonkeyPatch) -> None:
    options = home_of(tmp_path / "home")
    monkeypatch.setenv("STOCKML_NOTIFY", "json://a json://b")
    (tmp_path / "home/stockml.toml").write_text('source = "csv:prices"\nsymbols = ["NOPE.NS"]\n')
    assert realtime_predictor.main(options) == 3 and len(sent) == 1
