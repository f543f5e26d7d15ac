"""The whole way on real prices, from training to verification, and the documented commands on what it leaves."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import REAL_SYMBOLS
from scripts import BARE, log_of
from tools import need


def shell(command: str, home: Path) -> str:
    """What a documented command prints, run in the home folder as it is written."""
    need(*(tool for tool in ("jq", "tail") if f"{tool} " in command))
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=BARE, cwd=home, check=True)
    return done.stdout


def test_the_documented_tree_is_there(real_home: Path) -> None:
    for folder in ("TCS_NS", "RELIANCE_NS", "INFY_NS"):
        for name in ("lstm_model.h5", "xgb_model.pkl", "metrics.json"):
            assert (real_home / "ml_training_data/models" / folder / name).stat().st_size > 0
    assert len(list((real_home / "ml_training_data/metrics").glob("training_session_*_*.json"))) == 1
    assert (real_home / "ml_training_data/predictions").is_dir()
    for name in ("predictions.jsonl", "feedback/accuracy_scores.json"):
        assert (real_home / "realtime_predictions" / name).stat().st_size > 0


def test_lines_are_settled_with_the_close_of_their_day(real_home: Path, nse_folder: Path) -> None:
    settled = [line for line in log_of(real_home) if line["status"] == "verified"]
    assert len(settled) == 3
    for line in settled:
        assert (line["data_through"], line["target_date"]) == ("2026-06-30", "2026-07-07")
        rows = [row.split(",") for row in (nse_folder / f"{line['symbol']}.csv").read_text().splitlines()]
        (close,) = [float(row[4]) for row in rows if row[0] == "2026-07-07"]
        assert line["actual_price"] == pytest.approx(close, abs=0.005)
        assert line["error_pct"] == pytest.approx(abs(close - line["predicted_price"]) / close * 100, abs=0.001)
        assert line["was_accurate"] is (line["error_pct"] < 5)
        assert line["verified_at"] == "2026-07-10T15:30:00"


def test_predictions_are_counted_by_stock_with_jq(real_home: Path) -> None:
    out = shell("cat realtime_predictions/predictions.jsonl | jq -r '.symbol' | sort | uniq -c", real_home)
    assert sorted(out.split()) == sorted(["2"] * 3 + list(REAL_SYMBOLS))


def test_the_average_error_by_stock_with_jq_and_awk(real_home: Path) -> None:
    command = (
        "cat realtime_predictions/predictions.jsonl | jq -r"
        ' \'select(.status=="verified") | "\\(.symbol) \\(.error_pct)"\''
        " | awk '{sum[$1]+=$2; count[$1]++} END {for (s in sum) print s, sum[s]/count[s]}'"
    )
    printed = {
        symbol: float(error) for symbol, error in (line.split() for line in shell(command, real_home).splitlines())
    }
    errors = {line["symbol"]: line["error_pct"] for line in log_of(real_home) if line["status"] == "verified"}
    assert printed == pytest.approx(errors, abs=1e-3)


def test_the_dashboard_snippet(real_home: Path) -> None:
    snippet = """
import json
with open('realtime_predictions/feedback/accuracy_scores.json') as f:
    scores = json.load(f)

for symbol, metrics in scores.items():
    print(f"{symbol}: {metrics['accuracy']:.1%} accurate")
    print(f"  Total predictions: {metrics['total_predictions']}")
    print(f"  Accurate count: {metrics['accurate_predictions']}")
"""
    done = subprocess.run(
        [sys.executable, "-c", snippet], capture_output=True, text=True, cwd=real_home, check=True, env=BARE
    )
    accurate = {line["symbol"]: line["was_accurate"] for line in log_of(real_home) if line["status"] == "verified"}
    for symbol in REAL_SYMBOLS:
        share = "100.0%" if accurate[symbol] else "0.0%"
        assert f"{symbol}: {share} accurate\n  Total predictions: 1\n" in done.stdout


def test_any_line_can_be_audited_with_jq(real_home: Path) -> None:
    audit = "[.signals[][1]] as $w | (5 * .magnitude * ($w | add // 0) - .predicted_change_pct) | fabs < 0.01"
    out = shell(f"jq '{audit}' realtime_predictions/predictions.jsonl", real_home)
    assert out.split() == ["true"] * 6


def test_the_keras_file_and_the_forest_open_with_their_own_libraries(real_home: Path) -> None:
    """In a process of its own: TensorFlow must not be loaded into the test run."""
    folder = real_home / "ml_training_data/models/TCS_NS"
    code = f"""
import joblib, keras, numpy as np
model = keras.models.load_model({str(folder / "lstm_model.h5")!r})
layers = [layer.units for layer in model.layers if isinstance(layer, keras.layers.LSTM)]
drops = [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
window = np.zeros((1, *model.input_shape[1:]), dtype="float32")
print(layers, drops, model.predict(window, verbose=0).shape)
forest = joblib.load({str(folder / "xgb_model.pkl")!r})
print(type(forest).__name__, forest.n_estimators, forest.max_depth, forest.get_booster().num_boosted_rounds())
"""
    env = {**BARE, "HOME": str(real_home), "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True)
    assert done.stdout.splitlines() == [
        "[128, 128, 128] [0.2, 0.2, 0.2] (1, 5)",
        "XGBRegressor 100 6 100",
    ]


def test_the_metrics_stand_beside_no_change(real_home: Path) -> None:
    for folder in ("TCS_NS", "RELIANCE_NS", "INFY_NS"):
        metrics = json.loads((real_home / f"ml_training_data/models/{folder}/metrics.json").read_text())
        assert metrics["naive_mae"] > 0
        assert metrics["lstm_mae"] < 1.05 * metrics["naive_mae"]
        assert metrics["xgb_mae"] < 1.05 * metrics["naive_mae"]
