"""One target for each reader: a real file of its kind, how to change it, and everything that is done with what is read.

A further file is a further entry in TARGETS: a function that makes a `Target` in an empty folder.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from conftest import made_up_prices
from fake_yahoo import Listing
from hypothesis import strategies as st
from log_helpers import AT, outcome, prediction, run_day
from made_up_bars import market
from made_up_models import made_up_metrics, made_up_models
from mutations import Content, Recipe, other_bytes, other_file, other_json, other_lines, other_sealed, other_table

from stockml.accuracy.tracker import Feedback
from stockml.commands.exits import UsageError
from stockml.commands.settings_reader import read_settings
from stockml.core.clock import Clock
from stockml.core.failures import FetchError
from stockml.core.paths import Home
from stockml.data import announcement_store, exchange_book, quarantine
from stockml.data.csv_files import read_csv
from stockml.data.fetch import checked, source_bars
from stockml.data.request import DateRange, RawBars
from stockml.models.bundle import ModelError
from stockml.models.bundle_store import (
    FAST_FILE,
    METRICS_FILE,
    MODEL_FILES,
    bundle_folder,
    load_bundle,
    read_metrics,
    save_bundle,
    trained_symbols,
)
from stockml.prediction_log.log import LogChanged, PredictionLog
from stockml.prediction_log.restore import finish_restore
from stockml.prediction_log.seals import last_witness, witness_path, witnesses
from stockml.reporting import concerns, notified
from stockml.reporting.last_run import LastRun, last_run_path, read_last_run
from stockml.signals.engine import add_market, analyze, plan, predict, view_of
from stockml.signals.learner import Learner
from stockml.storage.archive import ArchiveError, read_archive, write_archive
from stockml.storage.files import StorageError, sealed, unsealed
from stockml.storage.redo_journal import Change, Journal, _to_bytes
from stockml.trainers.common_start import CommonStart, Origin
from stockml.trainers.lstm_trainer import fresh_network
from stockml.trainers.start_store import KeptStarts

SYMBOL = "MADE.NS"
SPAN = DateRange(date(2024, 1, 1), date(2026, 12, 31), date(2025, 7, 11), False)


@dataclass(frozen=True, slots=True)
class Target:
    """A reader: a real file, the contents to read, how to read one from the home, and its own refusals."""

    home: Path
    whole: bytes
    contents: st.SearchStrategy[bytes] | st.SearchStrategy[Recipe]
    read: Callable[[bytes], object]
    refusals: tuple[type[Exception], ...] = ()


# ---- prices ----


def csv_table(folder: Path) -> Target:
    bars = market(60)
    content = bars.reset_index().to_csv(index=False, float_format="%.4f").encode()

    def read(changed: bytes) -> None:
        (folder / f"{SYMBOL}.csv").write_bytes(changed)
        raw = read_csv(SYMBOL, folder, ZoneInfo("Asia/Kolkata"))
        source_bars(SYMBOL, raw, SPAN)
        checked(SYMBOL, raw, "csv", SPAN)

    return Target(folder, content, other_table(content), read, (FetchError,))


class _Response:
    """As much of an HTTP response as yfinance looks at."""

    status_code = 200
    url = ""
    headers: dict[str, str] = {}  # noqa: RUF012 - never changed
    cookies: dict[str, str] = {}  # noqa: RUF012

    def __init__(self, content: bytes) -> None:
        self.content = content

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", "replace")

    def json(self) -> Any:
        return json.loads(self.text)

    def raise_for_status(self) -> None:
        """It is fine."""


def forget_yahoo() -> None:
    """Have yfinance open its cache of time zones anew: the folder it lay in may be gone."""
    if "yfinance" in sys.modules:
        sys.modules["yfinance"].cache._TzCacheManager._tz_cache = None


def yahoo_chart(folder: Path) -> Target:
    from curl_cffi.requests import Session

    from stockml.data.yahoo_client import Client, quiet

    traded = Listing(market(40).drop(columns="Adj Close"), dividends={date(2024, 1, 22): 1.5}, closes="15:30")
    chart = traded.splitting(date(2024, 1, 15), 2.0).chart(SYMBOL, {}, date(2024, 2, 20))
    forget_yahoo()
    home = Home(folder)
    with quiet():
        client = Client(home, 5.0)
        client.know_time_zones({SYMBOL: "Asia/Kolkata"})

    def read(changed: bytes) -> None:
        with pytest.MonkeyPatch.context() as patch, quiet():
            patch.setattr(Session, "request", lambda *_, **__: _Response(changed))
            answer = client.ask(SYMBOL, date(2024, 1, 1))
        raw = RawBars(answer.frame, answer.currency, answer.notes, listing=answer.listing)
        source_bars(SYMBOL, raw, SPAN)
        checked(SYMBOL, raw, "yahoo", SPAN)

    content = json.dumps(chart).encode()
    return Target(folder, content, other_file(content), read, (FetchError,))


# ---- the log ----


def _logged(folder: Path) -> Home:
    """A home with six lines, of which some are settled, and a learner that learned from them."""
    home = Home(folder)
    for day in range(3):
        run_day(home, day)
    log = PredictionLog(home.log)
    with log.locked():
        view = log.read()
        due = {line.id: outcome(line, at=AT) for line in view.pending[:4]}
        Feedback(home.feedback, Learner).update(log, view, log.settle(due))
        log.witness(datetime(2026, 3, 1, 12, tzinfo=UTC))
    return home


@contextmanager
def _as_it_was(folder: Path, files: dict[str, bytes]) -> Iterator[None]:
    """The record's files put back, each with the time that it had, and all others taken away."""
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        if str(path.relative_to(folder)) not in files:
            path.unlink()
    for name, content in files.items():
        path = folder / name
        if not path.is_file() or path.read_bytes() != content:
            path.unlink(missing_ok=True)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    yield


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _asked(home: Home) -> int:
    """What a run asks the index of its log, and changes in it; the number of its lines."""
    log = PredictionLog(home.log, accepts_changes=True)
    log.read()
    with log.locked(5.0):
        view = log.read()
        log.settle({line.id: outcome(line, at=AT) for line in view.pending[:1]})
        assert log.unfolded or not view.pending
        list(view.verified)
        log.newest(view, 5)
        log.expired(date(2026, 3, 2))
        log.read(date(2026, 1, 6))
        return log.count


def _used(home: Home) -> int:
    """All that a run does with its log; the number of its lines."""
    log = PredictionLog(home.log, accepts_changes=True)
    log.read()
    last_witness(home.log)
    with log.locked(5.0):
        view = log.read()
        due = {line.id: outcome(line, at=AT) for line in view.pending[:2]}
        learned = Feedback(home.feedback, Learner).update(log, view, log.settle(due))
        _weighed(learned.learner)
        learned.record.to_scores()
        log.append([prediction("NEW.NS", 9)])
        return log.count


def _weighed(learner: Learner) -> None:
    """What a prediction asks of the learner."""
    for symbol in ("TCS.NS", SYMBOL):
        weighing = learner.weigh(symbol, 5, {"lstm": 2.0, "macd_positive": 1.0, "drift": 0.06})
        assert abs(weighing.change_pct) <= 91, weighing
        learner.confidence(symbol, 5, {"daily_volatility_pct": 1.3}, weighing.change_pct)


def log_lines(folder: Path) -> Target:
    home = _logged(folder)
    files = _files(folder)
    name = str(home.log.relative_to(folder))

    def read(changed: bytes) -> None:
        with _as_it_was(folder, files):
            home.log.write_bytes(changed)
            _used(home)

    return Target(folder, files[name], other_lines(files[name], other_file), read, (StorageError, LogChanged))


def index(folder: Path) -> Target:
    """The checkpoint behind a right checksum, with the stamps of the files as they are: only so it is believed."""
    home = _logged(folder)
    files = _files(folder)
    path = home.log.with_name(".predictions.checkpoint.json")
    values = json.loads(unsealed(path.read_bytes()) or b"")
    lines = PredictionLog(home.log).count

    def stamp(of: Path) -> list[int]:
        status = of.stat()
        return [status.st_size, status.st_mtime_ns, status.st_ino]

    def read(changed: bytes) -> None:
        with _as_it_was(folder, files):
            now = {"stamp": home.log, "rows": home.log.with_name(".predictions.index.sqlite")}
            for name, of in now.items():
                changed = changed.replace(json.dumps(values[name]).encode(), json.dumps(stamp(of)).encode())
            path.write_bytes(sealed(changed))
            assert _asked(home) >= lines

    content = json.dumps(values).encode()
    return Target(folder, content, other_file(content), read, (StorageError,))


def rows(folder: Path) -> Target:
    """The index's database, damaged, behind a checkpoint that says it is as it was left."""
    home = _logged(folder)
    files = _files(folder)
    path, database = (home.log.with_name(f".predictions.{name}") for name in ("checkpoint.json", "index.sqlite"))
    values = json.loads(unsealed(path.read_bytes()) or b"")

    def read(changed: bytes) -> None:
        with _as_it_was(folder, files):
            database.write_bytes(changed)
            for name, of in (("stamp", home.log), ("rows", database)):
                status = of.stat()
                values[name] = [status.st_size, status.st_mtime_ns, status.st_ino]
            path.write_bytes(sealed(json.dumps(values).encode()))
            _asked(home)

    return Target(folder, database.read_bytes(), other_bytes(Content(database.read_bytes())), read, (StorageError,))


def journal(folder: Path) -> Target:
    log = folder / "realtime_predictions" / "predictions.jsonl"
    log.parent.mkdir()
    old = b"one line\nanother line\n"
    content = _to_bytes([Change(log.name, 0, b"one", b"two"), Change(log.name, len(old), b"", b"a third\n")])

    def read(changed: bytes) -> None:
        with _as_it_was(folder, {str(log.relative_to(folder)): old}):
            found = Journal(log.with_name(".predictions.journal"))
            found.path.write_bytes(changed)
            found.replay()
            found.left()
            assert not found.path.exists() and log.stat().st_size < 1 << 20

    return Target(folder, content, other_sealed(content), read, (StorageError,))


def heads(folder: Path) -> Target:
    home = _logged(folder)
    path = witness_path(home.log)
    content = path.read_bytes() * 3

    def read(changed: bytes) -> None:
        path.write_bytes(changed)
        list(witnesses(home.log))
        last_witness(home.log)

    return Target(folder, content, other_lines(content, other_file), read, (StorageError,))


def restore_plan(folder: Path) -> Target:
    log = Home(folder).log
    name = str(log.relative_to(folder))
    content = sealed(json.dumps({"names": [name], "aside": "before-restore-20260301-120000"}).encode())

    def read(changed: bytes) -> None:
        with _as_it_was(folder, {name: b"the old log\n"}):
            staging = log.with_name(".restore")
            (staging / log.parent.name).mkdir(parents=True, exist_ok=True)
            (staging / name).write_bytes(b"the new log\n")
            (staging / "plan.json").write_bytes(changed)
            finish_restore(log)

    return Target(folder, content, other_sealed(content), read, (StorageError,))


def archive(folder: Path) -> Target:
    source, path = folder / "source", folder / "backup.zip"
    source.write_bytes(b"a line of the log\n" * 50)
    write_archive(path, {"log": source}, {"format": 1, "made_at": "2026-03-01T12:00:00Z"})

    def read(changed: bytes) -> None:
        path.write_bytes(changed)
        read_archive(path, ("log",))

    return Target(folder, path.read_bytes(), other_bytes(path.read_bytes()), read, (StorageError, ArchiveError))


# ---- what was learned ----


def feedback(folder: Path) -> Target:
    """learned.json with its digest noted in a checkpoint behind a right checksum: only so it is believed."""
    home = _logged(folder)
    files = _files(folder)
    path = home.log.with_name(".predictions.checkpoint.json")
    values = json.loads(unsealed(path.read_bytes()) or b"")
    learned, scores = home.feedback / "learned.json", home.feedback / "accuracy_scores.json"

    def read(changed: bytes) -> None:
        with _as_it_was(folder, files):
            learned.write_bytes(changed)
            for name, of in (("stamp", home.log), ("rows", home.log.with_name(".predictions.index.sqlite"))):
                status = of.stat()
                values[name] = [status.st_size, status.st_mtime_ns, status.st_ino]
            values["folded"][1] = hashlib.sha256(changed + scores.read_bytes()).hexdigest()
            path.write_bytes(sealed(json.dumps(values).encode()))
            log = PredictionLog(home.log)
            tracker = Feedback(home.feedback, Learner)
            record = tracker.record(log.read())
            record.to_scores()
            for known in record.horizons.values():
                for score in known.conditions.values():
                    score.to_record()
            with log.locked(5.0):
                tracker.kept(log)
                _weighed(tracker.update(log).learner)

    return Target(folder, learned.read_bytes(), other_file(learned.read_bytes()), read, (StorageError,))


# ---- models ----


def _trained(folder: Path) -> tuple[Home, dict[str, bytes], Callable[[], None]]:
    """A home with a bundle, its files, and all that a run does with it."""
    home, long = Home(folder), made_up_prices(700)
    table, contents = long.last(320), made_up_models(long, 0)
    contents = {**dict.fromkeys(MODEL_FILES, b"not read"), FAST_FILE: contents[FAST_FILE]}
    save_bundle(home, made_up_metrics(table) | {"priors": _PRIORS, "naive_mae": 1.5, "source": "csv"}, contents, "")
    clock = Clock(datetime(2026, 6, 30, 20, tzinfo=UTC))

    def use() -> None:
        from stockml.reporting.page_sections import models
        from stockml.reporting.stock_states import known_models

        assert set(trained_symbols(home)) <= {SYMBOL, "MADE_NS"}
        models(known_models(home, clock), clock)
        bundle = load_bundle(home, SYMBOL)
        view = view_of(bundle, bundle.forecast(table))
        (analysis,) = add_market([analyze(table, view)])
        made = predict(plan(analysis, Learner(), 5), Learner(), clock)
        assert made.predicted_price > 0 and json.loads(made.to_json())

    return home, contents, use


_PRIORS = {
    "drift": {"value": 0.1},
    "trusts": {"lstm": 0.2, "drift": 1.0},
    "magnitude": None,
    "habit": {"shift": 0.1, "outcomes": 100.0},
}


def metrics(folder: Path) -> Target:
    home, _, use = _trained(folder)
    path = bundle_folder(home, SYMBOL) / METRICS_FILE

    def read(changed: bytes) -> None:
        path.write_bytes(changed)
        with suppress(ModelError):
            read_metrics(home, SYMBOL)
        use()

    return Target(folder, path.read_bytes(), other_file(path.read_bytes()), read, (ModelError,))


_SPECIALS = [np.nan, np.inf, -np.inf, 0.0, -1.0, 1e30, 1e-30, -3e38]


@st.composite
def _other_bundle(draw: st.DrawFn, content: bytes) -> Recipe:
    """A bundle with its head's JSON edited, or a few of its numbers or bytes."""
    head, _, body = content.partition(b"\n")
    kind = draw(st.sampled_from(["head", "numbers", "numbers", "integers", "bytes"]))
    if kind == "head":
        changed = draw(other_json(json.loads(head)))
        return Recipe(content, (changed + b"\n").ljust(len(head) + 1 + len(body) % 16), len(head) + 1)
    if kind == "bytes":
        changed = draw(other_bytes(content[: len(head) + 200]))
        return Recipe(content, changed, len(head) + 200, cut=draw(st.sampled_from([0, 1, 8, 1000, 10**6])))
    patches = []
    for _ in range(draw(st.integers(1, 4))):
        width = draw(st.sampled_from([4, 8]))
        at = draw(st.integers(len(head) // width + 1, len(content) // width - 1)) * width
        if kind == "integers":
            number = np.array(draw(st.sampled_from([-1, 0, 1, 126, 4095, 2**31 - 1, -(2**31)])), f"<i{width}")
        else:
            with np.errstate(over="ignore"):
                number = np.array(draw(st.sampled_from(_SPECIALS)), f"<f{width}")
        patches.append((at, number.tobytes()))
    return Recipe(content, patches=tuple(patches))


def bundle(folder: Path) -> Target:
    home, contents, use = _trained(folder)
    path = bundle_folder(home, SYMBOL)
    text = (path / METRICS_FILE).read_text()
    right = hashlib.sha256(contents[FAST_FILE]).hexdigest()

    def read(changed: bytes) -> None:
        (path / FAST_FILE).write_bytes(changed)
        (path / METRICS_FILE).write_text(text.replace(right, hashlib.sha256(changed).hexdigest()))
        use()

    return Target(folder, contents[FAST_FILE], _other_bundle(Content(contents[FAST_FILE])), read, (ModelError,))


def common_network(folder: Path) -> Target:
    """A network that a training goes on from, behind a right checksum."""
    home, kept = Home(folder), KeptStarts(Home(folder))
    start = CommonStart(Origin("0" * 16, np.datetime64("2026-01-15"), (SYMBOL, "B.NS")), fresh_network(4, 5, 1))
    kept.leave(start)
    (path,) = home.common_models.iterdir()
    body = unsealed(path.read_bytes()) or b""
    later = replace(start.origin, fitted_before=np.datetime64("2026-02-15"))

    def read(changed: bytes) -> None:
        for content in (changed, sealed(changed)):
            path.write_bytes(content)
            kept.problems.clear()
            found = kept.find(later)
            assert found is None or found.network.predict(np.zeros((1, 20, 4), np.float32)).shape == (1, 5)
            assert all(text.isprintable() for text in kept.problems)

    return Target(folder, body, _other_bundle(Content(body)), read)


# ---- small files ----


def last_run(folder: Path) -> Target:
    home = Home(folder)
    path = last_run_path(home)
    path.parent.mkdir()
    run = LastRun("2026-03-27T20:00:00Z", None, "2026-03-27T20:01:00Z", 1, 2, 3, {"TCS.NS": "2026-03-27"})
    record = run.to_record() | {
        "failures": [{"symbol": "A", "kind": "network", "message": "A: no answer"}],
        "waiting": {"A:2026-03-20:5": "no bar"},
        "notices": ["one"],
        "failing_since": {"TCS.NS": "2026-03-20"},
        "outside": {"A:2026-03-20:5": "+9.1 %, expected -5.0 to +5.0 %"},
        "previous_at": "2026-03-26T20:00:00Z",
    }

    clock = Clock(datetime(2026, 3, 28, tzinfo=UTC))

    def read(changed: bytes) -> None:
        path.write_bytes(changed)
        found = read_last_run(home)
        if found is not None:
            assert found.day and found.ending()
            concerns.skipped(found, ["A"], clock)
            concerns.surprises(found)
            json.dumps(found.to_record()).encode()

    content = json.dumps(record).encode()
    return Target(folder, content, other_file(content), read)


def _small(folder: Path, path: Callable[[Home], Path], content: bytes, use: Callable[[Home], object]) -> Target:
    home = Home(folder)
    path(home).parent.mkdir(parents=True)

    def read(changed: bytes) -> None:
        path(home).write_bytes(changed)
        use(home)

    lined = path(home).suffix == ".jsonl"
    return Target(
        folder, content, other_lines(content, other_file) if lined else other_file(content), read, (StorageError,)
    )


def resting_symbols(folder: Path) -> Target:
    content = json.dumps({"A.NS": ["2026-03-02", "2026-03-03"], "B.NS": ["2026-03-02"]}).encode()

    def use(home: Home) -> None:
        dead = quarantine.read(home)
        quarantine.resting(["A.NS", "B.NS"], dead, date(2026, 3, 4), home)
        quarantine.write(dead, home)

    return _small(folder, quarantine.path_of, content, use)


def exchanges(folder: Path) -> Target:
    content = json.dumps({"A": "XBOM", "^B": "XTAE", "C": "weekdays@Asia/Dili"}).encode()

    def use(home: Home) -> None:
        from stockml.core.markets import market

        for code in exchange_book.read(home).values():
            assert market(code).timezone
        exchange_book.write({"D": "XLON"}, home)

    return _small(folder, lambda home: home.exchanges, content, use)


def announcements(folder: Path) -> Target:
    known = {"date": "2026-02-01", "time": "15:30", "first_known_on": "2026-01-05"}
    line = {"symbol": "A.NS", "asked_on": "2026-03-02", "past_asked_on": None, "dates": [known, known | {"time": None}]}
    content = b"".join(json.dumps(line | {"symbol": symbol}).encode() + b"\n" for symbol in ("A.NS", "B.NS", "C.NS"))

    def use(home: Home) -> None:
        announcement_store._read.cache_clear()
        store = announcement_store.read(home)
        for symbol, kept in store.items():
            told = announcement_store.ToldDates(None, kept.dates)
            announcement_store.updated(kept, told, date(2026, 3, 3))
            announcement_store.symbols_to_ask([symbol], store, {symbol: date(2026, 3, 3)}, 5)
        announcement_store.write(store, home)
        (home.announcements.with_suffix(".rejected.jsonl")).unlink(missing_ok=True)

    return _small(folder, lambda home: home.announcements, content, use)


def notified_file(folder: Path) -> Target:
    content = json.dumps({"told": {"failed: network A": "2026-03-02", "coverage: 5": "2026-03-09"}}).encode()

    def use(home: Home) -> None:
        told, today = notified.read_told(home), date(2026, 3, 10)
        one = concerns.Concern("It fails.", ("failed: network A",))
        sent = notified.news([one], told, today)
        notified.write_told(home, told | notified.remembered([one], told, sent, today))

    return _small(folder, notified.told_path, content, use)


# ---- settings ----

_SETTINGS = b"""\
source = "csv:prices"
symbols = ["TCS.NS", "AAPL"]
horizons = [1, 5, 20]
notify = ["ntfy://example/topic"]
witness = "cat >> ~/heads"

[exchange_of]
AAPL = "XNAS"
"""


def home_settings(folder: Path) -> Target:
    home = Home(folder)
    (folder / "prices").mkdir()

    def read(changed: bytes) -> None:
        home.settings.write_bytes(changed)
        read_settings(home, {})

    return Target(folder, _SETTINGS, other_bytes(_SETTINGS), read, (UsageError,))


TARGETS: dict[str, Callable[[Path], Target]] = {
    made.__name__: made
    for made in (
        *(csv_table, yahoo_chart, log_lines, index, rows, journal, heads, restore_plan, archive, feedback),
        *(
            metrics,
            bundle,
            common_network,
            last_run,
            notified_file,
            resting_symbols,
            exchanges,
            announcements,
            home_settings,
        ),
    )
}
