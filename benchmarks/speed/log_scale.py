"""What a log of a million lines costs: read whole, a run that settles 500 predictions or adds 500, and the report.

python benchmarks/speed/log_scale.py [--lines 10000 1000000] [--stocks 500] [--before REVISION]

It takes some minutes, and 3 KB of disk a line. The version of that revision does the same on the same logs, as far as
it can, and its figures are printed beside these. Seconds are those of the clock; how many times as long a run
takes in the longer log is counted in seconds of a core, which other processes disturb less.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import astuple, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from timing import PROJECT, PYTHON, Usage, usage_of, verdict
from versions import checked_out

from stockml.core.outcomes import VERIFIED, Outcome
from stockml.core.paths import Home
from stockml.core.records import Evidence, Prediction, Signal
from stockml.core.seals import FIRST, canonical, seal_of
from stockml.core.student_t import StudentT
from stockml.prediction_log.line import new_line

if TYPE_CHECKING:
    from stockml.prediction_log.log import PredictionLog

FIRST_DAY = date(2000, 1, 3)
HORIZON = 5  # weekdays, on which currencies trade: no exchange has to be found by the days of 500 files
ROUNDS, WHOLE_RUNS = 5, 3
SLOWER = 1.2
MEGABYTES, READING_MEGABYTES = 300, 250
READING_SECONDS, REPORT_SECONDS = 40, 3
FULL_READINGS = ("first reading, learning from all", "full reading, nothing new to learn")
NAMES = ("overbought", "macd_positive", "golden_cross", "death_cross", "regime_bullish", "lstm", "xgb", "pattern_1")


def weekday(number: int) -> date:
    """The weekdays from FIRST_DAY on, counted from 0."""
    return FIRST_DAY + timedelta(days=number // 5 * 7 + number % 5)


def symbols(stocks: int) -> list[str]:
    return [f"N{number:03d}=X" for number in range(stocks)]


def close(symbol: str, day: int) -> float:
    """A made-up price of a weekday."""
    return round(100 + int(symbol[1:4]) + 10 * ((day * 37 + int(symbol[1:4]) * 11) % 101) / 101, 2)


def made(symbol: str, day: int) -> Prediction:
    """The prediction made on a weekday."""
    price = close(symbol, day)
    change = round((day * 13 % 21 - 10) * 0.1, 2)
    predicted = round(price * (1 + change / 100), 2)
    opinions = {name: round((day * 7 + number * 3) % 19 * 0.1 - 0.9, 4) for number, name in enumerate(NAMES)}
    return Prediction(
        symbol, f"{weekday(day)}T16:00:00", price, predicted, change, 0.75, HORIZON, str(weekday(day + HORIZON)),
        "sideways", (Signal("macd_positive", 0.2), Signal("lstm", round(change / 5 - 0.2, 4))), str(weekday(day)), 1.0,
        round(predicted * 0.97, 2), round(predicted * 1.03, 2), (predicted,) * HORIZON,
        Evidence(opinions, {"daily_volatility_pct": 1.5, "horizon_volatility_pct": 3.35, "ticks": 250.0}),
        "csv", None, None, distribution=StudentT(change, 3.2145, 5), model_scale_pct=3.1024,
    )  # fmt: skip


def came_true(line: Prediction) -> Outcome:
    """What the made-up prices say of it."""
    weeks, day = divmod((date.fromisoformat(line.target_date) - FIRST_DAY).days, 7)
    actual = close(line.symbol, weeks * 5 + day)
    error, naive = (
        round(abs(actual - guess) / actual * 100, 2) for guess in (line.predicted_price, line.current_price)
    )
    return Outcome(VERIFIED, f"{line.target_date}T16:00:00", actual, error, error < 5, naive)


def lines(stocks: int, days: int) -> Iterator[bytes]:
    """A sealed log in which all is settled: every stock's prediction of each day, as long as one of them."""
    seal = FIRST
    for day in range(days):
        width = len(new_line(replace(made("N000=X", day), seal=seal)))
        for symbol in symbols(stocks):
            line = made(symbol, day)
            seal = seal_of(seal, canonical(line.to_json().encode()))
            actual = close(symbol, day + HORIZON)
            error = round(abs(actual - line.predicted_price) / actual * 100, 2)
            naive = round(abs(actual - line.current_price) / actual * 100, 2)
            outcome = Outcome(VERIFIED, f"{weekday(day + HORIZON)}T16:00:00", actual, error, error < 5, naive)
            yield replace(line, outcome=outcome, seal=seal).to_json().encode().ljust(width - 1) + b"\n"


def build(home: Home, stocks: int, count: int) -> int:
    """Write the log; returns the first weekday that is not in it."""
    days = count // stocks
    home.log.parent.mkdir(parents=True)
    with home.log.open("wb") as file:
        for line in lines(stocks, days):
            file.write(line)
    return days


def work(home: Home, what: str, day: int, stocks: int) -> None:
    """One run of the part of the predictor that has to do with the log."""
    from stockml.accuracy.tracker import Feedback
    from stockml.prediction_log.log import PredictionLog, Settled
    from stockml.signals.learner import Learner

    log = PredictionLog(home.log)
    if what == "report":
        return report(home, log, day)
    assert log.kinds() == {"csv"}
    log.pending()
    with log.locked():
        view = log.read()
        done = Settled()
        if what == "settle":
            done = log.settle({line.id: came_true(line) for line in view.pending})
            assert len(done.done) == stocks
        Feedback(home.feedback, Learner).update(log, view, done)
        if what == "append":
            assert len(log.append(made(symbol, day) for symbol in symbols(stocks))) == stocks
    return None


def report(home: Home, log: PredictionLog, day: int) -> None:
    """Renew the HTML report, as a run does at its end."""
    from stockml.core.clock import Clock
    from stockml.reporting.page import write_report
    from stockml.reporting.status import status

    clock = Clock(datetime.combine(weekday(day), time(20), UTC))
    write_report(home, log, clock, status(home, log, clock), is_simulated=False)


def prices(folder: Path, stocks: int, first: int, last: int) -> None:
    """A CSV file a stock for a span of weekdays."""
    folder.mkdir()
    for symbol in symbols(stocks):
        rows = ["Date,Open,High,Low,Close,Volume"]
        for day in range(first, last):
            price = close(symbol, day)
            rows.append(f"{weekday(day)},{price},{price + 1},{price - 1},{price},{1000 + day}")
        (folder / f"{symbol}.csv").write_text("\n".join(rows) + "\n")


def log_runs(home: Home, stocks: int, day: int, project: Path = PROJECT) -> dict[str, list[Usage]]:
    """Each kind of run on a log, by a version; `day` is the first that is not in it."""
    me = [PYTHON, project / "benchmarks" / "speed" / Path(__file__).name, "--home", home.root, "--stocks", stocks]
    taken = {}
    for what in FULL_READINGS:
        home.log.touch()  # so that no index agrees with it
        taken[what] = [usage_of([*me, "--work", "read", "--day", day])]
    for number in range(ROUNDS):
        for what in ("append", "settle"):
            taken.setdefault(what, []).append(usage_of([*me, "--work", what, "--day", day + number]))
    if project == PROJECT:
        taken["report"] = [usage_of([*me, "--work", "report", "--day", day + ROUNDS]) for _ in range(ROUNDS)]
    return taken


def commands(root: Path, home: Home, stocks: int, day: int) -> dict[str, list[Usage]]:
    """The predictor's daily run and the verification of what it predicted, several times; `day` is the first one's."""
    folder, named = root / f"{home.root.name}-prices", root / "symbols.txt"
    prices(folder, stocks, day - 320, day + WHOLE_RUNS * (HORIZON + 1))
    named.write_text("\n".join(symbols(stocks)))
    predictor = [PROJECT / "realtime_predictor.py", "--source", f"csv:{folder}", "--home", home.root, "--quiet"]
    taken: dict[str, list[Usage]] = {"daily run, whole command": [], "verify, whole command": []}
    for first in range(day, day + WHOLE_RUNS * (HORIZON + 1), HORIZON + 1):
        daily = ["--symbols-file", named, "--as-of", weekday(first)]
        verify = ["--verify-only", "--as-of", weekday(first + HORIZON)]
        for used, options in zip(taken.values(), (daily, verify), strict=True):
            used.append(usage_of([*predictor, *options]))
    return taken


def runs(root: Path, stocks: int, count: int, before: Path | None) -> dict[str, Usage]:
    """Median seconds and greatest megabytes of each kind of run on a log of so many lines."""
    home = Home(root / f"{count}")
    day = build(home, stocks, count)
    taken = {}
    if before is not None:
        old = Home(root / f"{count}-before")
        shutil.copytree(home.root, old.root)
        taken = {f"{what}, before": used for what, used in log_runs(old, stocks, day, before).items()}
        shutil.rmtree(old.root)
    taken |= log_runs(home, stocks, day)
    # after all that is in the log: an earlier day would have to be learned for by itself
    taken |= commands(root, home, stocks, day + ROUNDS + HORIZON)
    return {what: _typical(each) for what, each in taken.items()}


def _typical(used: Sequence[Usage]) -> Usage:
    seconds, cpu = (median(values) for values in ([u.seconds for u in used], [u.cpu_seconds for u in used]))
    return Usage(seconds, cpu, max(u.megabytes for u in used))


def judge(what: str, many: Mapping[str, Usage], in_few: Usage, few_lines: int, many_lines: int) -> None:
    """Print a kind of run's figures beside their targets."""
    used, lines = many[what], f"{many_lines:,} lines"
    then = many.get(f"{what}, before")
    beside = f" (before: {then.seconds:.2f} s, {then.megabytes:.0f} MB)" if then else ""
    is_reading = what in FULL_READINGS
    if is_reading or what == "report":
        limit = READING_SECONDS * many_lines / 1_000_000 if is_reading else REPORT_SECONDS
        print(verdict(f"{what}: {lines}, {used.cpu_seconds:.1f} s of a core{beside}", used.seconds, limit))
    else:
        times = used.cpu_seconds / in_few.cpu_seconds
        print(verdict(f"{what}: {lines} beside {few_lines:,}{beside}", times, SLOWER, "times"))
    limit = READING_MEGABYTES if is_reading else MEGABYTES
    print(verdict(f"{what}: memory at {lines}", used.megabytes, limit, "MB"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, nargs=2, default=[10_000, 1_000_000])
    parser.add_argument("--stocks", type=int, default=500)
    parser.add_argument("--before", metavar="REVISION", help="another version, to be compared with")
    parser.add_argument("--work", choices=["read", "append", "settle", "report"], help=argparse.SUPPRESS)
    parser.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--day", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        return work(Home(args.home), args.work, args.day, args.stocks)
    with tempfile.TemporaryDirectory(prefix="log_scale") as root, ExitStack() as stack:
        before = stack.enter_context(checked_out(args.before)) if args.before else None
        few, many = (runs(Path(root), args.stocks, count, before) for count in args.lines)
    for count, run in zip(args.lines, (few, many), strict=True):
        print(json.dumps({str(count): {what: astuple(used) for what, used in run.items()}}, indent=1))
    for what in many:
        if not what.endswith(", before"):
            judge(what, many, few[what], *args.lines)
    return None


if __name__ == "__main__":
    main()
