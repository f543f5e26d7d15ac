"""A replay leaves the same bytes as live runs of its days, also when it was killed on the way."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from scripts import BARE, PROJECT, files_under, log_of, predict
from trained import TRAINED

from realtime_predictor import main
from stockml.accuracy.tracker import Feedback
from stockml.core.calendars import calendar_for
from stockml.core.paths import Home
from stockml.core.progress import no_progress
from stockml.data.simulated_market import sample_bars
from stockml.prediction_log.log import PredictionLog
from stockml.replay import walk_forward
from stockml.replay.model_schedule import ModelSchedule, Period, month_starts, periods
from stockml.replay.replay_log import DiskReplayLog
from stockml.replay.walk_forward import ReplayContext, ReplaySettings, days_left
from stockml.signals.learner import Learner

SIM = ("--source", "sample", "--quiet")
TWO = ("--symbols", "SIM-ALPHA", "SIM-BETA")
START = "2026-02-16"  # before the models of the trained home were made, so that they are not used at first


def run(*options: object) -> None:
    assert main([str(option) for option in options]) == 0


def replay(home: Path, end: object, *options: object, start: str = START) -> None:
    run("--replay", start, end, "--home", home, *(options or SIM))


def written(home: Path) -> dict[str, bytes]:
    """The log and what was learned from it."""
    folder = home / "realtime_predictions"
    learned = {name: data for name, data in files_under(folder / "feedback").items() if not name.startswith(".")}
    return {"log": (folder / "predictions.jsonl").read_bytes(), **learned}


def assert_live_runs_agree(home: Path, days: list[date], sessions: list[date], *options: object) -> None:
    """Replay to the eve of each day; then a live run on a copy of the home must leave what the replay leaves."""
    for day in days:
        replay(home, max(before for before in sessions if before < day), *options)
        copy = home.with_name(f"copy-{day}")
        shutil.copytree(home, copy)
        run(*(options or SIM), "--as-of", day, "--home", copy)
        replay(home, day, *options)
        assert written(copy) == written(home), day
        shutil.rmtree(copy)


def test_on_ten_random_days_a_live_run_leaves_the_same_bytes(trained_home: Path) -> None:
    sessions = calendar_for("SIM-ALPHA").sessions_between(date.fromisoformat(START), date(2026, 4, 30))
    days = sorted(random.Random(11).sample(sessions[1:], 10))
    assert_live_runs_agree(trained_home, days, sessions)
    asked = [line["model_trained_at"] for line in log_of(trained_home)]
    assert None in asked and any(asked)
    assert {line["symbol"] for line in log_of(trained_home)} == set(TRAINED)


def test_on_real_prices_with_a_demerger_and_holidays_too(nse_folder: Path, tmp_path: Path) -> None:
    options = ("--source", f"csv:{nse_folder}", "--symbols", "TCS.NS", "TMPV.NS", "INFY.NS", "--quiet")
    sessions = calendar_for("TCS.NS").sessions_between(date.fromisoformat(START), date(2026, 5, 15))
    days = [date(2026, 3, 2), *random.Random(2).sample(sessions[30:], 3)]
    assert_live_runs_agree(tmp_path / "home", sorted(days), sessions, *options)


def test_a_run_on_every_day_leaves_what_one_replay_leaves(tmp_path: Path) -> None:
    for day in calendar_for("SIM-ALPHA").sessions_between(date.fromisoformat(START), date(2026, 2, 27)):
        run(*SIM, *TWO, "--horizons", 5, 1, "--as-of", day, "--home", tmp_path / "live")
    replay(tmp_path / "replay", "2026-02-27", *SIM, *TWO, "--horizons", 5, 1)
    assert written(tmp_path / "live") == written(tmp_path / "replay")


# The predictor, that gets no further than to the call that makes the log longer than so many bytes.
KILLED_AT = """
import os, signal, sys
project, size = sys.argv[1], int(sys.argv[2])
sys.path.insert(0, project)
real = os.pwrite

def pwrite(descriptor, data, at):
    written = real(descriptor, data, at)
    if os.readlink(f"/proc/self/fd/{descriptor}").endswith("predictions.jsonl") and os.fstat(descriptor).st_size > size:
        os.kill(os.getpid(), signal.SIGKILL)
    return written

os.pwrite = pwrite
from realtime_predictor import main
sys.exit(main(sys.argv[3:]))
"""


def test_killed_in_the_middle_and_run_again_it_leaves_the_same_bytes(tmp_path: Path) -> None:
    end = "2026-05-29"
    replay(tmp_path / "whole", end, *SIM, *TWO)
    home = tmp_path / "killed"
    log = home / "realtime_predictions/predictions.jsonl"
    for size in (20_000, 60_000, 100_000):
        command = [sys.executable, "-c", KILLED_AT, PROJECT, size, "--replay", START, end, *SIM, *TWO, "--home", home]
        assert subprocess.run(list(map(str, command)), env=BARE, cwd="/", check=False).returncode == -signal.SIGKILL
    assert size < log.stat().st_size < len(written(tmp_path / "whole")["log"])
    replay(home, end, *SIM, *TWO)
    assert written(home) == written(tmp_path / "whole")


def test_a_month_s_models_are_trained_once_kept_and_asked(tmp_path: Path) -> None:
    options = (*SIM, "--symbols", "SIM-ALPHA", "--retrain", "monthly")
    replay(tmp_path / "whole", "2026-03-05", *options, start="2026-02-26")
    kept = sorted(path.name for path in (tmp_path / "whole/replay").iterdir())
    assert kept == ["2026-02-26", "2026-03-02", "replay.json"]
    asked = [line["model_trained_at"] for line in log_of(tmp_path / "whole")]
    assert asked == ["2026-02-26T16:00:00"] * 2 + ["2026-03-02T16:00:00"] * 4

    home = tmp_path / "resumed"
    replay(home, "2026-02-27", *options, start="2026-02-26")
    shutil.copytree(tmp_path / "whole/replay/2026-03-02", home / "replay/.2026-03-02.new")
    (home / "replay/.2026-03-02.new/ml_training_data/models/SIM-ALPHA/metrics.json").unlink()  # killed while training
    before = files_under(home / "replay/2026-02-26")
    replay(home, "2026-03-05", *options, start="2026-02-26")
    assert written(home) == written(tmp_path / "whole")
    assert files_under(home / "replay/2026-02-26") == before


def test_a_live_run_with_a_month_s_models_leaves_the_same_bytes(trained_home: Path) -> None:
    """The models of a month, kept where a replay keeps them, and the same ones where a live run looks for them."""
    options = (*SIM, *TWO, "--retrain", "monthly")
    shutil.copytree(trained_home / "ml_training_data", trained_home / "replay/2026-03-02/ml_training_data")
    replay(trained_home, "2026-03-05", *options, start="2026-03-02")
    copy = trained_home.with_name("copy")
    shutil.copytree(trained_home, copy)
    run(*SIM, *TWO, "--as-of", "2026-03-06", "--home", copy)
    replay(trained_home, "2026-03-06", *options, start="2026-03-02")
    assert written(copy) == written(trained_home)
    assert {line["model_trained_at"] for line in log_of(copy)} == {"2026-03-02T16:00:00"}


def test_it_refuses_a_home_with_live_predictions(tmp_path: Path) -> None:
    run(*SIM, *TWO, "--as-of", START, "--home", tmp_path)
    before = written(tmp_path)
    refused = predict("--replay", START, "2026-02-20", *SIM, *TWO, "--home", tmp_path)
    assert (refused.code, refused.out) == (2, "")
    assert "holds predictions that no replay made; give the replay another --home" in refused.err
    assert written(tmp_path) == before


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--replay", "2026-02-17", "2026-02-20", *TWO), "a replay whose start is 2026-02-16, not 2026-02-17"),
        (("--replay", START, "2026-02-20", "--symbols", "SIM-ALPHA"), "whose symbols is SIM-ALPHA, SIM-BETA, not"),
        (("--replay", START, "2026-02-20", *TWO, "--horizon", "3"), "a replay whose horizons is 5, not 3"),
        (("--replay", START, "2026-02-20", *TWO, "--retrain", "monthly"), "whose retrain is None, not monthly"),
        (("--replay", START, "2026-02-13", *TWO), "ends before it starts"),
        (("--replay", START, "2999-02-13", *TWO), "has not closed yet"),
        (("--replay", START, "2026-02-20", *TWO, "--as-of", "2026-02-20"), "--replay and --as-of do not go together"),
        (("--replay", START, "2026-02-20", *TWO, "--dry-run"), "--replay and --dry-run do not go together"),
        (("--replay", START, "2026-02-20", *TWO, "--report"), "--replay and --report do not go together"),
    ],
)
def test_what_cannot_be_carried_on_is_refused_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], told: str
) -> None:
    replay(tmp_path, "2026-02-18", *SIM, *TWO)
    before = written(tmp_path)
    assert main([*SIM, *options, "--home", str(tmp_path)]) == 2
    assert told in capsys.readouterr().err
    assert written(tmp_path) == before


def test_retraining_goes_with_a_replay_only() -> None:
    ran = predict(*SIM, *TWO, "--retrain", "monthly")
    assert ran.code == 2 and "--retrain goes with --replay" in ran.err


def test_it_ends_with_the_learning_curve_by_week(tmp_path: Path) -> None:
    options = ("--replay", START, "2026-03-06", "--source", "sample", *TWO, "--home", tmp_path)
    ran = predict(*options)
    assert ran.code == 0
    assert "15 sessions replayed, 30 predictions logged. (simulated market" in ran.out
    weeks = [line.split()[0] for line in ran.out.splitlines() if line.startswith(("2026", "all"))]
    assert weeks == ["2026-02-16", "2026-02-23", "all"]
    told = predict(*options, "--json").json
    assert (told["command"], told["days"], told["logged"], told["simulated"]) == ("replay", 0, 0, True)
    verified = [line for line in log_of(tmp_path) if line["status"] == "verified"]
    assert sum(week["predictions"] for week in told["weeks"]) == len(verified) == told["overall"]["predictions"]
    accurate = sum(line["was_accurate"] for line in verified) / len(verified)
    assert told["overall"]["accuracy"] == pytest.approx(accurate, abs=1e-4)
    ratio = sum(line["error_pct"] for line in verified) / sum(line["naive_error_pct"] for line in verified)
    assert told["overall"]["error_over_no_change"] == pytest.approx(ratio, abs=1e-4)
    assert json.loads((tmp_path / "replay/replay.json").read_text())["end"] == "2026-03-06"
    overall = told["overall"]
    assert f"CRPS {overall['mean_crps_pct']:.3f} % (naive: {overall['mean_naive_crps_pct']:.3f} %), interval" in ran.out
    inside = sum(line["low"] <= line["actual_price"] <= line["high"] for line in verified) / len(verified)
    assert f"80 % intervals hold {inside * 100:.1f} %." in ran.out  # too few outcomes to name a condition
    thirds = [row["predictions"] for row in told["by_condition"] if row["family"] == "volatility"]
    assert sum(thirds) == len(verified)


def test_a_stock_that_has_no_prices_stops_no_other(tmp_path: Path) -> None:
    ran = predict("--replay", START, "2026-02-18", *SIM, "--symbols", "SIM-ALPHA", "SIM-NOBODY", "--home", tmp_path)
    assert ran.code == 1 and "SIM-NOBODY: not in the simulated market" in ran.err
    assert len(log_of(tmp_path)) == 3


@pytest.mark.parametrize("options", [(), ("--retrain", "monthly")], ids=["with what there is", "trained each month"])
def test_where_no_stock_has_prices_that_is_all_it_says(tmp_path: Path, options: tuple[str, ...]) -> None:
    (tmp_path / "prices").mkdir()
    source = ("--source", f"csv:{tmp_path / 'prices'}", "--symbols", "NONE.NS", "--home", tmp_path / "home")
    ran = predict("--replay", START, "2026-03-06", *source, *options)
    assert (ran.code, ran.out) == (3, "14 sessions replayed, 0 predictions logged.\n")
    assert "NONE.NS" in ran.err and len(ran.err.splitlines()) == 1


def test_what_goes_wrong_each_month_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "csv").mkdir()
    sample_bars("SIM-ALPHA", date(2026, 1, 1), date(2026, 3, 9)).to_csv(tmp_path / "csv/SHORT.XY.csv")
    source = ("--source", f"csv:{tmp_path / 'csv'}", "--symbols", "SHORT.XY", "--home", tmp_path / "home")
    ran = predict("--replay", "2026-02-26", "2026-03-05", *source, "--retrain", "monthly")
    assert ran.code == 1 and ran.err.count("daily bars leave") == 1
    assert [path.name for path in sorted((tmp_path / "home/replay").iterdir())][:2] == ["2026-02-26", "2026-03-02"]


def test_only_days_after_the_last_that_was_logged_are_left() -> None:
    settings = ReplaySettings(date(2026, 3, 2), date(2026, 3, 6), ("SIM-ALPHA",), "sample")
    assert days_left(settings, "") == settings.sessions()
    assert days_left(settings, "2026-03-04") == settings.sessions()[3:]


def test_the_days_of_several_exchanges_are_walked_together() -> None:
    settings = ReplaySettings(date(2026, 1, 19), date(2026, 1, 26), ("TCS.NS", "AAPL", "INFY.NS"), "csv")
    days = settings.sessions()
    assert date(2026, 1, 19) in days and date(2026, 1, 26) in days  # a holiday in New York, one in Mumbai
    assert len(days) == 6


def test_models_are_asked_from_the_first_session_of_each_month_on(tmp_path: Path) -> None:
    sessions = calendar_for("TCS.NS").sessions_between(date(2026, 1, 15), date(2026, 3, 31))
    starts = month_starts(sessions)
    assert starts == [sessions[0], date(2026, 2, 2), date(2026, 3, 2)]
    before, first, second, third = periods(sessions[3:], starts, tmp_path)
    assert (before.days, before.folder) == ((), None)
    assert first.days[0] == sessions[3] and first.folder == tmp_path / str(sessions[0])
    assert {day.month for day in second.days} == {2} and {day.month for day in third.days} == {3}


def test_sessions_are_run_as_soon_as_their_models_are_there_and_little_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[date | str | None] = []

    def give_opinions(*_: object) -> Iterator[None]:
        for stock in ("one", "other"):
            ran.append(stock)
            yield

    monkeypatch.setattr(ModelSchedule, "give_opinions", give_opinions)
    monkeypatch.setattr(walk_forward, "analyze_session", lambda clock, *_: (ran.append(clock.as_of), set()))
    monkeypatch.setattr(walk_forward, "step", lambda *_: [])
    monday, tuesday, wednesday = (date(2026, 3, day) for day in (2, 3, 4))
    first, second = tmp_path / "first", tmp_path / "second"
    ahead = [Period((monday, tuesday), monday, first), Period((wednesday,), wednesday, second)]
    home, log = Home(tmp_path), PredictionLog(tmp_path / "realtime_predictions/predictions.jsonl")
    settings = ReplaySettings(monday, wednesday, ("SIM-ALPHA",), "sample")
    context = ReplayContext(home, log, datetime(2026, 4, 1, tzinfo=UTC), 0.0, 1, no_progress)
    with log.locked():
        disk = DiskReplayLog(log, Feedback(home.feedback, Learner))
        walk = walk_forward._Walk(settings, [], context, disk, ModelSchedule([home], 1), ahead, 3)
        then: list[date | str | None] = []
        for folder, of_period in ((None, []), (first, [monday, tuesday]), (second, [wednesday])):
            if folder is not None:
                folder.mkdir()
                then += ["one", "other", *of_period]
            for _ in range(5):
                before = len(ran)
                walk.advance()
                assert len(ran) <= before + 1
            assert ran == then
        walk.finish()
    assert ran == then and walk.done == 3
