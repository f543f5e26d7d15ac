"""Bundles on disk: whole or not at all, unharmed or refused, and the same forecasts for a day however asked."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from conftest import made_up_prices
from h5_reader import read_h5
from made_up_models import HORIZON, made_up_metrics, made_up_models
from waiting import PATIENCE_SECONDS

from stockml.core.installation import PROJECT
from stockml.core.paths import Home
from stockml.data.price_table import PriceTable
from stockml.models import lstm
from stockml.models.bundle import MISMATCH, MISSING, UNREADABLE, UNTRUSTED, WRONG_FEATURES, ModelError
from stockml.models.bundle_file import from_fast, to_fast
from stockml.models.bundle_store import (
    FAST_FILE,
    LSTM_FILE,
    METRICS_FILE,
    MODEL_FILES,
    bundle_folder,
    load_bundle,
    read_metrics,
    save_bundle,
    trained_symbols,
)
from stockml.models.lstm import Network


@pytest.fixture(scope="module")
def table() -> PriceTable:
    return made_up_prices(700)


@pytest.fixture(scope="module")
def contents(table: PriceTable) -> dict[str, bytes]:
    return made_up_models(table, seed=0)


@pytest.fixture
def home(tmp_path: Path, table: PriceTable, contents: dict[str, bytes]) -> Home:
    home = Home(tmp_path)
    save_bundle(home, made_up_metrics(table), contents, "date,actual_pct\n2026-01-01,1.0\n")
    return home


def folder_of(home: Home) -> Path:
    return home.models / "MADE_NS"


def test_a_saved_bundle_comes_back_whole(home: Home, table: PriceTable, contents: dict[str, bytes]) -> None:
    bundle = load_bundle(home, table.symbol)
    assert (bundle.symbol, bundle.horizon, bundle.data_through) == (table.symbol, HORIZON, table.data_through)
    saved = read_h5(contents[LSTM_FILE])
    for loaded, written in zip(bundle.network.weights, saved.weights, strict=True):
        np.testing.assert_array_equal(loaded, written)
    assert sorted(path.name for path in folder_of(home).iterdir()) == sorted([*contents, METRICS_FILE])
    assert (home.validation / "MADE_NS.csv").read_text().startswith("date,actual_pct\n")
    assert trained_symbols(home) == [table.symbol]
    folder = bundle_folder(home, table.symbol)
    folder.rename(folder.with_name(f".{folder.name}.old"))  # as where putting new ones in place was interrupted
    assert trained_symbols(home) == [table.symbol]
    assert read_metrics(home, table.symbol)["trained_at"] == bundle.trained_at


def test_of_a_network_of_which_nothing_is_believed_only_the_offsets_are_kept(contents: dict[str, bytes]) -> None:
    network, *others = from_fast(contents[FAST_FILE])
    constant = network.scaled(np.zeros(HORIZON), np.linspace(0.01, 0.05, HORIZON))
    content = to_fast(constant, *others)
    assert len(content) < len(contents[FAST_FILE]) / 5
    loaded, *same = from_fast(content)
    windows = np.random.default_rng(0).standard_normal((9, lstm.WINDOW_SESSIONS, len(lstm.INPUTS))).astype(np.float32)
    np.testing.assert_array_equal(loaded.predict(windows), constant.predict(windows))
    assert loaded.is_constant and (loaded.inputs, loaded.horizon) == (network.inputs, HORIZON)
    assert to_fast(loaded, *same) == content


def test_the_derived_copy_has_the_same_bytes_each_time(table: PriceTable, contents: dict[str, bytes]) -> None:
    assert made_up_models(table, seed=0) == contents


def test_a_day_forecasts_the_same_bits_alone_among_others_and_on_a_table_cut_there(
    home: Home, table: PriceTable
) -> None:
    bundle = load_bundle(home, table.symbol)
    days = [stamp.date() for stamp in table.frame.index[300::23]]
    together = bundle.forecast(table, days)
    assert np.isfinite(together.lstm_path_pct).all()
    assert np.isfinite(together.xgb_pct).all()
    for number, day in enumerate(days):
        for alone in (bundle.forecast(table, [day]), bundle.forecast(table.through(day))):
            for name in ("lstm_path_pct", "xgb_pct", "pattern", "pattern_unusual", "pattern_pct"):
                np.testing.assert_array_equal(getattr(alone, name)[0], getattr(together, name)[number])


def test_a_short_history_forecasts_nothing_rather_than_something_wrong(home: Home, table: PriceTable) -> None:
    forecast = load_bundle(home, table.symbol).forecast(table, [table.frame.index[10].date()])
    assert np.isnan(forecast.lstm_path_pct).all()
    assert np.isnan(forecast.xgb_pct).all()
    assert forecast.pattern.tolist() == [-1]


def test_no_days_give_no_forecasts_and_a_day_without_a_bar_is_refused(home: Home, table: PriceTable) -> None:
    bundle = load_bundle(home, table.symbol)
    assert bundle.forecast(table, []).lstm_path_pct.shape == (0, HORIZON)
    with pytest.raises(ValueError, match=r"MADE\.NS: no bar on"):
        bundle.forecast(table, [table.data_through + timedelta(days=1)])


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("name", MODEL_FILES)
@pytest.mark.parametrize(
    ("harm", "kind"),
    [
        (flip_a_bit, MISMATCH),
        (cut_short, MISMATCH),
        (empty, MISMATCH),
        (Path.unlink, MISSING),
        (lambda path: path.chmod(0o664), UNTRUSTED),
        (lambda path: path.chmod(0o646), UNTRUSTED),
    ],
)
def test_a_harmed_file_is_refused(home: Home, name: str, harm: Callable[[Path], None], kind: str) -> None:
    harm(folder_of(home) / name)
    with pytest.raises(ModelError, match=f"MADE.NS: .*{name}") as refused:
        load_bundle(home, "MADE.NS")
    assert refused.value.kind == kind


@pytest.mark.parametrize("name", [LSTM_FILE, "xgb_model.pkl"])
@pytest.mark.parametrize("replaced", [False, True])
def test_a_file_that_no_forecast_reads_is_hashed_for_one_where_it_changed_since_the_training(
    home: Home, name: str, replaced: bool
) -> None:
    folder = folder_of(home)
    content = (folder / name).read_bytes()
    flip_a_bit(folder / name)
    if replaced:
        (folder / name).rename(folder / "other")
        (folder / "other").rename(folder / name)
    os.utime(folder / name, (0, 0))  # its own time of writing does not count
    with pytest.raises(ModelError, match=name):
        load_bundle(home, "MADE.NS", whole=False)
    metrics = (folder / METRICS_FILE).read_bytes()
    while (folder / METRICS_FILE).stat().st_ctime_ns <= (folder / name).stat().st_ctime_ns:
        (folder / METRICS_FILE).write_bytes(metrics)  # as where the disk alone changed a bit: no time tells
    assert load_bundle(home, "MADE.NS", whole=False).horizon == HORIZON
    with pytest.raises(ModelError, match=name):
        load_bundle(home, "MADE.NS")
    (folder / name).write_bytes(content)
    assert load_bundle(home, "MADE.NS", whole=False).horizon == HORIZON


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"symbol": "OTHER.NS"}', '{"symbol": "MADE.NS", "sha256": []}'])
def test_damaged_metrics_are_refused(home: Home, text: str) -> None:
    (folder_of(home) / METRICS_FILE).write_text(text)
    with pytest.raises(ModelError, match=r"MADE\.NS: metrics\.json is damaged") as refused:
        load_bundle(home, "MADE.NS")
    assert refused.value.kind == UNREADABLE


def test_a_folder_others_may_write_to_is_not_trusted(home: Home) -> None:
    folder_of(home).chmod(0o777)
    with pytest.raises(ModelError, match="another user") as refused:
        load_bundle(home, "MADE.NS")
    assert refused.value.kind == UNTRUSTED


@pytest.mark.skipif(os.getuid() != 0, reason="only root may give a file away")
def test_a_file_of_another_user_is_not_trusted(home: Home) -> None:
    os.chown(folder_of(home) / FAST_FILE, 12345, 12345)
    with pytest.raises(ModelError, match="another user") as refused:
        load_bundle(home, "MADE.NS")
    assert refused.value.kind == UNTRUSTED


def test_a_stock_without_models_is_missing(home: Home) -> None:
    with pytest.raises(ModelError, match=r"OTHER\.NS: there is no .* train it again") as refused:
        load_bundle(home, "OTHER.NS")
    assert refused.value.kind == MISSING


def test_a_derived_copy_of_something_else_is_unreadable(
    home: Home, table: PriceTable, contents: dict[str, bytes]
) -> None:
    save_bundle(home, made_up_metrics(table), {**contents, FAST_FILE: b"no archive"}, "")
    with pytest.raises(ModelError, match=r"fast\.bin: not a derived copy") as refused:
        load_bundle(home, "MADE.NS")
    assert refused.value.kind == UNREADABLE


@pytest.mark.parametrize("other", [{"features": ["rsi"]}, {"inputs": ["rsi"]}, {"window_sessions": 60}])
def test_other_features_are_refused(home: Home, table: PriceTable, other: dict[str, object]) -> None:
    bundle = load_bundle(home, table.symbol)
    older = replace(bundle, metrics={**bundle.metrics, **other})
    with pytest.raises(ModelError, match="other features") as refused:
        older.forecast(table)
    assert refused.value.kind == WRONG_FEATURES


def test_a_run_that_was_killed_before_leaves_nothing_behind(
    home: Home, table: PriceTable, contents: dict[str, bytes]
) -> None:
    half = home.models / ".MADE_NS.stockml-0123456789abcdef.tmp"
    half.mkdir()
    (half / "left_over").write_text("half")
    save_bundle(home, made_up_metrics(table), contents, "")
    assert [path.name for path in home.models.iterdir()] == ["MADE_NS"]
    assert not (folder_of(home) / "left_over").exists()


def test_a_failed_write_keeps_the_last_models(
    home: Home, table: PriceTable, contents: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fchmod", full_disk)
    with pytest.raises(RuntimeError, match="the disk is full"):
        save_bundle(home, made_up_metrics(table), contents, "")
    monkeypatch.undo()
    assert load_bundle(home, table.symbol).horizon == HORIZON
    assert [path.name for path in home.models.iterdir()] == ["MADE_NS"]  # a half takes no room on the full disk


def test_two_trainings_at_once_save_one_after_the_other(
    home: Home, table: PriceTable, contents: dict[str, bytes]
) -> None:
    code = """
import json, sys
from pathlib import Path
from stockml.core.paths import Home
from stockml.models.bundle_store import save_bundle
root = Path(sys.argv[1])
for _ in range(20):
    files = {path.name: path.read_bytes() for path in (root / "contents").iterdir()}
    save_bundle(Home(root), json.loads((root / "made_up.json").read_bytes()), files, "")
"""
    (home.root / "contents").mkdir()
    for name, content in contents.items():
        (home.root / "contents" / name).write_bytes(content)
    (home.root / "made_up.json").write_text(json.dumps(made_up_metrics(table)))
    command = [sys.executable, "-c", code, str(home.root)]
    savers = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    assert [(saver.communicate()[1], saver.returncode) for saver in savers] == [("", 0)] * 2
    assert load_bundle(home, table.symbol).horizon == HORIZON


def test_a_reader_never_mixes_two_trainings(home: Home, table: PriceTable, contents: dict[str, bytes]) -> None:
    """While another process swaps folders as fast as it can, every bundle read is one of the two, whole."""
    other = made_up_models(table, seed=1)
    expected = {bytes_of(from_fast(files[FAST_FILE])[0]) for files in (contents, other)}
    seen, last = set(), time.monotonic() + PATIENCE_SECONDS
    with swapping(home, table, [contents, other]):
        for read in itertools.count(1):
            seen.add(bytes_of(load_bundle(home, table.symbol).network))
            if (read >= 60 and seen == expected) or time.monotonic() > last:
                break
    assert seen == expected


def bytes_of(network: Network) -> bytes:
    return b"".join(weights.tobytes() for weights in network.weights)


class swapping:  # noqa: N801 - reads as a verb
    """Saves two bundles in turn, in a thread, until the block ends."""

    def __init__(self, home: Home, table: PriceTable, bundles: list[dict[str, bytes]]) -> None:
        import threading

        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(home, table, bundles))

    def _run(self, home: Home, table: PriceTable, bundles: list[dict[str, bytes]]) -> None:
        while not self._stop.is_set():
            for files in bundles:
                save_bundle(home, made_up_metrics(table), files, "")

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def test_loading_and_forecasting_import_no_machine_learning_library(home: Home, table: PriceTable) -> None:
    table.frame.to_pickle(home.root / "frame.pkl")
    code = """
import sys, pandas as pd
from pathlib import Path
from stockml.core.paths import Home
from stockml.models.bundle_store import load_bundle
from stockml.data.price_table import PriceTable
root = Path(sys.argv[1])
prices = PriceTable("MADE.NS", pd.read_pickle(root / "frame.pkl"), None, "csv")
print(load_bundle(Home(root), "MADE.NS").forecast(prices).xgb_pct[0])
heavy = {"tensorflow", "keras", "xgboost", "sklearn", "h5py", "joblib", "scipy"} & set(sys.modules)
assert not heavy, heavy
"""
    done = subprocess.run(
        [sys.executable, "-c", code, home.root], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == load_bundle(home, table.symbol).forecast(table).xgb_pct[0]


def test_metrics_are_strict_json_with_checksums(home: Home) -> None:
    metrics = json.loads((folder_of(home) / METRICS_FILE).read_text(), parse_constant=pytest.fail)
    assert set(metrics["sha256"]) == set(MODEL_FILES)
    assert list(metrics)[:2] == ["symbol", "trained_at"]
