"""The plain way to train these models, for comparison: a Keras model and an XGBRegressor for each stock, in a loop.

Keras Sequential and `fit`, batches of 32, windows of 60 sessions, mean squared error, early stopping on the last tenth
of the training days; XGBRegressor with its defaults but for 100 trees of depth 6. The same days as the project's own
training, and the same validation days. Run: python benchmarks/speed/plain_training.py CSV... [--as-of YYYY-MM-DD]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pandas as pd

from stockml.data.price_table import PriceTable, check_prices
from stockml.indicators.features import change_pct, feature_table, split_rows, usable_rows

WINDOW_SESSIONS, HORIZON, SESSIONS = 60, 5, 2 * 252
INPUTS = ["change_1_pct", "range_pct", "relative_volume", "rsi", "macd_pct"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", nargs="+", type=Path)
    parser.add_argument("--as-of", default="2026-06-30")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    scores = {path.stem: train_one(read(path, args.as_of), args.seed) for path in args.tables}
    print(json.dumps(scores))


def read(path: Path, as_of: str) -> PriceTable:
    raw = pd.read_csv(path)
    return check_prices(path.stem, raw[raw["Date"] <= as_of].tail(SESSIONS + 260))


def train_one(prices: PriceTable, seed: int) -> dict[str, float]:
    """Mean absolute errors in % on the validation days, and the seconds it took."""
    begin = time.perf_counter()
    features = feature_table(prices)
    target = change_pct(prices, HORIZON).to_numpy()
    path = np.stack([change_pct(prices, ahead).to_numpy() for ahead in range(1, HORIZON + 1)], axis=1)
    usable = usable_rows(prices, HORIZON) & features.notna().all(axis=1).to_numpy()
    usable[: np.flatnonzero(usable)[-SESSIONS:][0]] = False
    split = split_rows(usable, HORIZON)
    training = np.concatenate([split.fit, split.select])
    actual = target[split.validation]
    lstm = lstm_forecasts(features, path, training, split.validation, seed)
    trees = tree_forecasts(features, target, training, split.validation, seed)
    return {
        "lstm_mae": float(np.abs(actual - lstm).mean()),
        "xgb_mae": float(np.abs(actual - trees).mean()),
        "naive_mae": float(np.abs(actual).mean()),
        "seconds": time.perf_counter() - begin,
    }


def lstm_forecasts(
    features: pd.DataFrame, path: np.ndarray, training: np.ndarray, validation: np.ndarray, seed: int
) -> np.ndarray:
    import keras

    keras.utils.set_random_seed(seed)
    values = features[INPUTS].to_numpy()
    mean, spread = values[training].mean(axis=0), values[training].std(axis=0)
    values = (values - mean) / spread
    values = np.nan_to_num(values)  # the first windows reach back before the first indicator
    windows = np.stack([values[row - WINDOW_SESSIONS + 1 : row + 1] for row in (*training, *validation)])
    model = keras.Sequential([keras.Input(windows.shape[1:])])
    for number in range(3):
        model.add(keras.layers.LSTM(128, return_sequences=number < 2))
        model.add(keras.layers.Dropout(0.2))
    model.add(keras.layers.Dense(HORIZON))
    model.compile(optimizer="adam", loss="mean_squared_error")
    stopping = keras.callbacks.EarlyStopping(patience=5, restore_best_weights=True)
    known = windows[: len(training)]
    model.fit(known, path[training], batch_size=32, epochs=50, validation_split=0.1, callbacks=[stopping], verbose=0)
    return model.predict(windows[len(training) :], verbose=0)[:, -1]


def tree_forecasts(
    features: pd.DataFrame, target: np.ndarray, training: np.ndarray, validation: np.ndarray, seed: int
) -> np.ndarray:
    import xgboost

    model = xgboost.XGBRegressor(n_estimators=100, max_depth=6, random_state=seed)
    values = features.to_numpy()
    return model.fit(values[training], target[training]).predict(values[validation])


if __name__ == "__main__":
    main()
