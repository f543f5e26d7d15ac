"""The plain way to predict, for comparison: Keras and joblib load each stock's models, pandas computes its indicators.

python benchmarks/speed/plain_predicting.py PRICES HOME AS_OF
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import joblib
import keras
import numpy as np
import pandas as pd


def main(prices: str, home: str, as_of: str) -> None:
    """Print a forecast of each stock of a home."""
    for folder in sorted((Path(home) / "ml_training_data/models").iterdir()):
        metrics = json.loads((folder / "metrics.json").read_text())
        frame = pd.read_csv(Path(prices) / f"{metrics['symbol']}.csv", index_col="Date", parse_dates=True).loc[:as_of]
        network = keras.models.load_model(folder / "lstm_model.h5")
        forest = joblib.load(folder / "xgb_model.pkl")
        path = network.predict(np.zeros((1, *network.input_shape[1:]), dtype="float32"), verbose=0)
        change = forest.predict(np.zeros((1, len(metrics["features"]))))
        close = frame["Close"]
        gains = close.diff().clip(lower=0).ewm(alpha=1 / 14).mean()
        losses = -close.diff().clip(upper=0).ewm(alpha=1 / 14).mean()
        averages = [close.rolling(days).mean().iloc[-1] for days in (20, 50, 200)]
        print(metrics["symbol"], path[0, -1], change[0], (100 * gains / (gains + losses)).iloc[-1], averages)


if __name__ == "__main__":
    main(*sys.argv[1:])
