"""What was learned together + one stock's own days -> its finished models, scored on days none of them has seen."""

from __future__ import annotations

import io
import pickle
import platform
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd

from stockml.models import lstm
from stockml.models.bundle_file import to_fast
from stockml.models.bundle_store import FAST_FILE, LSTM_FILE, XGB_FILE
from stockml.models.forest import Forest
from stockml.models.lstm import Network
from stockml.signals.calibration import StockPrior, stock_prior_of
from stockml.signals.rules import RULE_WEIGHTS
from stockml.trainers.dataset import TrainingSet
from stockml.trainers.global_model import GlobalModel, stock_seed, trainer_for
from stockml.trainers.h5_file import to_h5
from stockml.trainers.lstm_trainer import OptimizerSettings
from stockml.trainers.shrinkage import Array, Posterior
from stockml.trainers.xgboost_trainer import scaled, to_pkl

FORECASTERS = ("lstm", "xgb")
LIBRARIES = ("numpy", "pandas", "scikit-learn", "xgboost", "h5py", "joblib")


@dataclass(frozen=True, slots=True)
class FineTuningSettings:
    """How the common LSTM is tuned to one stock's own days."""

    rates: tuple[float, ...] = (1e-4,)  # the learning rate of each epoch; three times as much did harm
    learning: OptimizerSettings = field(default_factory=OptimizerSettings)


@dataclass(frozen=True, slots=True)
class TrainedStock:
    """A stock's finished models.

    Attributes
    ----------
    metrics : dict
        For metrics.json, but for trained_at and the files' checksums.
    files : dict
        The content of each of `bundle_store.MODEL_FILES`.
    validation : str
        Validation forecasts beside what happened, as CSV.
    seconds : dict
        By stage.
    """

    symbol: str
    metrics: dict[str, Any]
    files: dict[str, bytes]
    validation: str
    seconds: dict[str, float]


def fine_tune(pool: GlobalModel, settings: FineTuningSettings, seed: int, training_set: TrainingSet) -> TrainedStock:
    """The stock's models as files, and their scores."""
    begin = time.perf_counter()
    network = _own_network(pool, settings, seed, training_set)
    tuned = time.perf_counter()
    model = _own_forest(pool, training_set)
    forest = Forest.of(model)
    files = {
        LSTM_FILE: to_h5(network),
        XGB_FILE: to_pkl(model),
        FAST_FILE: to_fast(network, training_set.scaler, forest, training_set.patterns),
    }
    forecasts = _validate(training_set, network, forest)
    metrics = _scores(training_set, forecasts) | _origins(pool, training_set)
    seconds = {"tune": tuned - begin, "finish": time.perf_counter() - tuned}
    return TrainedStock(training_set.symbol, metrics, files, _csv(forecasts), seconds)


def _own_network(pool: GlobalModel, settings: FineTuningSettings, seed: int, training_set: TrainingSet) -> Network:
    """The common network after some epochs on all the stock's own days before its validation, as forecasts in %."""
    trainer = trainer_for(pool.network, settings.learning)
    trainer.start(pool.network)
    rng = np.random.default_rng(stock_seed(seed, training_set.symbol))
    samples = training_set.samples(np.concatenate([training_set.split.fit, training_set.split.select]), pool.centre)
    for rate in settings.rates:
        trainer.epoch(samples, rng, rate)
    return trainer.network().scaled(training_set.spreads_pct * pool.lstm_slope.value, _drift_pct(pool, training_set))


def _own_forest(pool: GlobalModel, training_set: TrainingSet) -> Any:
    """The common forest as forecasts in %."""
    model = pickle.loads(pool.forest)  # this run's own
    return scaled(model, training_set.spreads_pct[-1] * pool.xgb_slope.value, _drift_pct(pool, training_set)[-1])


def _drift_pct(pool: GlobalModel, training_set: TrainingSet) -> Array:
    """The believed drift in %, 1..horizon sessions ahead: it grows with time, (horizon,)."""
    ahead = np.arange(1, training_set.horizon + 1)
    return np.asarray(pool.drift.value * training_set.spreads_pct[-1] * ahead / training_set.horizon)


def _validate(training_set: TrainingSet, network: Network, forest: Forest) -> pd.DataFrame:
    """What is forecast on the validation days beside what happened, in %, (n_days, horizon + 4)."""
    rows = training_set.split.validation
    path = network.predict(lstm.windows(training_set.inputs, rows), lstm.places_of(training_set.dates[rows]))
    change = forest.predict(training_set.features[rows])
    columns = {
        "actual_pct": training_set.paths_pct[rows, -1],
        **{f"lstm_{ahead}_pct": path[:, ahead - 1] for ahead in range(1, training_set.horizon + 1)},
        "xgb_pct": change,
        "ensemble_pct": (path[:, -1] + change) / len(FORECASTERS),  # both are shrunk to what they have earned
        "naive_pct": 0.0,
    }
    return pd.DataFrame(columns, index=pd.Index(training_set.dates[rows].astype(str), name="date"))


def _csv(forecasts: pd.DataFrame) -> str:
    buffer = io.StringIO()
    forecasts.to_csv(buffer, float_format="%.6f", lineterminator="\n")
    return buffer.getvalue()


def _scores(training_set: TrainingSet, forecasts: pd.DataFrame) -> dict[str, Any]:
    """Counts and mean absolute errors in % at the horizon."""
    actual = forecasts["actual_pct"]

    def error(column: str) -> float:
        return round(float((actual - forecasts[column]).abs().mean()), 6)

    return {
        "train_samples": len(training_set.split.fit) + len(training_set.split.select),
        "val_samples": len(training_set.split.validation),
        "lstm_mae": error(f"lstm_{training_set.horizon}_pct"),
        "xgb_mae": error("xgb_pct"),
        "ensemble_mae": error("ensemble_pct"),
        "naive_mae": error("naive_pct"),
        "horizon_days": training_set.horizon,
    }


def _origins(pool: GlobalModel, training_set: TrainingSet) -> dict[str, Any]:
    """How the models were made: days, scaler, priors, features, libraries."""
    return {
        "data_through": str(training_set.dates[-1]),
        "source": training_set.source,
        "days": {part: _span(training_set, part) for part in ("fit", "select", "validation")},
        "pool": {
            "stocks": len(pool.members),
            "fitted_before": str(pool.days.select),
            "judged_before": str(pool.days.validation),
        },
        "priors": _priors(pool, training_set),
        "window_sessions": lstm.WINDOW_SESSIONS,
        "inputs": list(lstm.INPUTS),
        "scaler": asdict(training_set.scaler) | {"clip": lstm.CLIP},
        "spread_pct": training_set.spread_pct,
        "features": training_set.names,
        "libraries": {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}},
        "findings": training_set.findings,
    }


def _span(training_set: TrainingSet, part: str) -> dict[str, Any]:
    rows = getattr(training_set.split, part)
    return {"first": str(training_set.dates[rows[0]]), "last": str(training_set.dates[rows[-1]]), "samples": len(rows)}


def _priors(pool: GlobalModel, training_set: TrainingSet) -> dict[str, Any]:
    """Where trusts and confidence begin.

    The models' forecasts are already shrunk, so together they count once. Of what the rules seemed to earn in two years
    nothing held in the next: beside models they begin at 0, and outcomes speak for them.
    """
    patterns = range(training_set.patterns.config.patterns)
    trusts = dict.fromkeys(RULE_WEIGHTS, 0.0) | dict.fromkeys(FORECASTERS, 1.0 / len(FORECASTERS))
    trusts |= {f"pattern_{number}": round(pool.pattern_slope.value, 4) for number in patterns}
    beliefs = ("drift", "lstm_slope", "xgb_slope", "pattern_slope")
    return {
        "trusts": trusts,
        "magnitude": None,
        "habit": asdict(_stock_prior(training_set)),
        **{name: _posterior_record(getattr(pool, name)) for name in beliefs},
    }


def _stock_prior(training_set: TrainingSet) -> StockPrior:
    """How often the stock stayed within the bounds before its validation, beside what volatility said."""
    rows = np.concatenate([training_set.split.fit, training_set.split.select])
    days = training_set.volatilities.iloc[rows].to_dict("records")
    inputs = [{str(name): float(value) for name, value in day.items() if np.isfinite(value)} for day in days]
    prior = stock_prior_of(inputs, training_set.paths_pct[rows, -1].tolist(), training_set.horizon)
    return replace(prior, shift=round(prior.shift, 6))


def _posterior_record(belief: Posterior) -> dict[str, float | None]:
    return {name: round(value, 6) if np.isfinite(value) else None for name, value in asdict(belief).items()}


def summary(trained: Sequence[TrainedStock]) -> dict[str, float]:
    """Mean error of each forecaster over that of no change, averaged over the stocks."""
    keys = ("lstm", "xgb", "ensemble")
    return {
        key: float(np.mean([stock.metrics[f"{key}_mae"] / stock.metrics["naive_mae"] for stock in trained]))
        for key in keys
    }
