"""Models that were never trained on purpose, but forecast something, and what their metrics.json says."""

from __future__ import annotations

import numpy as np

from stockml.data.price_table import PriceTable
from stockml.indicators.features import change_pct, feature_table
from stockml.indicators.patterns import PatternConfig, PatternModel, normalised_windows
from stockml.models import lstm
from stockml.models.bundle import ModelBundle, feature_names
from stockml.models.bundle_file import from_fast, to_fast
from stockml.models.bundle_store import FAST_FILE, LSTM_FILE, XGB_FILE
from stockml.models.forest import Forest
from stockml.models.lstm import Network, Scaler
from stockml.trainers.h5_file import to_h5
from stockml.trainers.xgboost_trainer import XGBSettings, fit_trees, to_pkl

HORIZON = 5


def made_up_models(table: PriceTable, seed: int) -> dict[str, bytes]:
    """The content of each model file, fitted to days 300 to 600 of the table."""
    rng = np.random.default_rng(seed)
    network = Network(
        tuple((rng.normal(0, 0.1, s)).astype(np.float32) for s in lstm.weight_shapes(len(lstm.INPUTS), HORIZON))
    )
    features = feature_table(table)
    windows = normalised_windows(table, PatternConfig())[300:600]
    outcomes = change_pct(table, HORIZON).to_numpy()[300:600]
    patterns = PatternModel.fit(windows, outcomes, horizon=HORIZON, seed=seed)
    reading = patterns.read(windows)
    seen = np.column_stack([features.to_numpy()[300:600], reading.outcome_pct, reading.unusual])
    bold = XGBSettings(learning_rate=0.3, min_child_weight=5.0)
    model = fit_trees(seen, outcomes, bold, seed)
    scaler = Scaler.fit(features[list(lstm.INPUTS)].to_numpy()[300:600])
    return {
        LSTM_FILE: to_h5(network),
        XGB_FILE: to_pkl(model),
        FAST_FILE: to_fast(network, scaler, Forest.of(model), patterns),
    }


def made_up_metrics(table: PriceTable) -> dict[str, object]:
    return {
        "symbol": table.symbol,
        "trained_at": "2026-06-30T15:30:00",
        "horizon_days": HORIZON,
        "data_through": table.data_through.isoformat(),
        "features": feature_names(feature_table(table)),
        "inputs": list(lstm.INPUTS),
        "window_sessions": lstm.WINDOW_SESSIONS,
        "priors": {},
    }


def made_up_bundle(table: PriceTable, seed: int = 0) -> ModelBundle:
    """The same as a bundle in memory."""
    return ModelBundle(made_up_metrics(table), *from_fast(made_up_models(table, seed)[FAST_FILE]))
