"""Fine-tuning: the global models and one stock's own days in, its finished models and their scores out.

Scores are of validation days, which neither the global models nor the fine-tuning have seen.
"""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from stockml.core.library_versions import library_versions
from stockml.models import lstm
from stockml.models.bundle_file import to_fast
from stockml.models.bundle_store import FAST_FILE, LSTM_FILE, XGB_FILE
from stockml.models.forest import Forest
from stockml.models.lstm import Network
from stockml.signals.rules import RULE_WEIGHTS
from stockml.trainers.dataset import TrainingSet, stock_seed
from stockml.trainers.engine import Engine, NetworkTask
from stockml.trainers.engine_choice import EngineChoice
from stockml.trainers.engines import engine_of
from stockml.trainers.global_model import GlobalModel
from stockml.trainers.lstm_trainer import OptimizerSettings, batch_forecasts
from stockml.trainers.scale_fit import stock_prior
from stockml.trainers.shrinkage import Array, Posterior
from stockml.trainers.xgboost_trainer import scalable, to_pkl

FORECASTERS = ("lstm", "xgb")
_versions = cache(library_versions)
_engine_versions = cache(EngineChoice.versions)
LIBRARIES = ("numpy", "pandas", "scikit-learn", "xgboost", "h5py", "joblib")


@dataclass(frozen=True, slots=True)
class FineTuningSettings:
    """Settings of the global LSTM's tuning to one stock's own days."""

    rates: tuple[float, ...] = (1e-4,)  # learning rate of each epoch; three times as much did harm
    days: int = 32  # the newest so many, one batch, of those before validation that the global LSTM has not seen
    learning: OptimizerSettings = field(default_factory=lambda: OptimizerSettings(batch=32))


@dataclass(frozen=True, slots=True)
class TrainedStock:
    """A stock's finished models.

    Attributes
    ----------
    metrics : dict
        The content of metrics.json without trained_at and the files' checksums.
    files : dict
        The content of each of `bundle_store.MODEL_FILES`.
    validation : str
        Validation forecasts and actual changes, as CSV.
    seconds : dict
        Seconds by stage.
    """

    symbol: str
    metrics: dict[str, Any]
    files: dict[str, bytes]
    validation: str
    seconds: dict[str, float]


@dataclass(frozen=True, slots=True)
class TunedNetwork:
    """A stock's own network, whose forecasts are in %.

    Attributes
    ----------
    network : Network
    h5 : bytes
        The same as Keras opens it.
    device : str
        What it was trained on.
    seconds : float
    """

    network: Network
    h5: bytes
    device: str
    seconds: float


def fine_tune(
    model: GlobalModel, settings: FineTuningSettings, seed: int, engine: EngineChoice, training_set: TrainingSet
) -> TrainedStock:
    """Finish one stock's models.

    Parameters
    ----------
    model : GlobalModel
    settings : FineTuningSettings
    seed : int
        Of the run; the stock's own seed is derived from it.
    engine : EngineChoice
    training_set : TrainingSet

    Returns
    -------
    TrainedStock
        Models as files, and their scores.
    """
    [tuned] = tune(model, settings, seed, engine, [training_set])
    return finish(model, engine, (training_set, tuned))


def tune(
    model: GlobalModel,
    settings: FineTuningSettings,
    seed: int,
    engine: EngineChoice,
    training_sets: Sequence[TrainingSet],
) -> list[TunedNetwork]:
    """Train the global network some epochs longer on each stock's own newest days, all stocks together.

    Parameters
    ----------
    model, settings, seed, engine
        As of `fine_tune`.
    training_sets : sequence of TrainingSet

    Returns
    -------
    list of TunedNetwork
        In the order of the stocks.
    """
    begin = time.perf_counter()
    here = engine_of(engine)
    tuned = []
    networks = _own_networks(model, settings, seed, here, training_sets)
    for training_set, network in zip(training_sets, networks, strict=True):
        in_pct = network.scaled(training_set.spreads_pct * model.lstm_slope.value, _drift_pct(model, training_set))
        tuned.append((in_pct, here.to_h5(in_pct)))
    seconds = (time.perf_counter() - begin) / len(training_sets)
    return [TunedNetwork(network, h5, here.device, seconds) for network, h5 in tuned]


def finish(
    model: GlobalModel, engine: EngineChoice, stock: tuple[TrainingSet, TunedNetwork | Exception]
) -> TrainedStock:
    """Finish the models of one stock whose network is tuned, or raise what its tuning raised; see `fine_tune`."""
    begin = time.perf_counter()
    training_set, tuned = stock
    if isinstance(tuned, Exception):
        raise tuned
    booster, forest = _own_forest(model, training_set)
    files = {
        LSTM_FILE: tuned.h5,
        XGB_FILE: to_pkl(booster),
        FAST_FILE: to_fast(tuned.network, training_set.scaler, forest, training_set.patterns),
    }
    forecasts = _validate(training_set, tuned.network, forest)
    metrics = _scores(training_set, forecasts) | _origins(model, training_set)
    metrics |= {"engine": {"name": engine.name, "device": tuned.device}}
    metrics["libraries"] |= _engine_versions(engine)
    seconds = {"tune": tuned.seconds, "finish": time.perf_counter() - begin}
    return TrainedStock(training_set.symbol, metrics, files, _csv(forecasts), seconds)


def _own_networks(
    model: GlobalModel, settings: FineTuningSettings, seed: int, engine: Engine, training_sets: Sequence[TrainingSet]
) -> list[Network]:
    """Each stock's network, in standard deviations; the global one where nothing of its forecasts is believed."""
    if model.lstm_slope.value == 0.0:
        return [model.network] * len(training_sets)  # whatever they were tuned to, it would be multiplied by 0
    return engine.train([_own_task(model, settings, seed, stock) for stock in training_sets], settings.learning)


def _own_task(model: GlobalModel, settings: FineTuningSettings, seed: int, training_set: TrainingSet) -> NetworkTask:
    """On the newest days before validation, which no global network has seen."""
    samples = training_set.samples(training_set.split.select[-settings.days :], model.centre)
    return NetworkTask(model.network, samples, settings.rates, stock_seed(seed, training_set.symbol))


def _own_forest(model: GlobalModel, training_set: TrainingSet) -> tuple[Any, Forest]:
    """The global forest, rescaled to forecasts in %; as XGBoost has it, and as arrays."""
    factor = training_set.spreads_pct[-1] * model.xgb_slope.value
    return scalable(model.forest).scaled(factor, _drift_pct(model, training_set)[-1])


def _drift_pct(model: GlobalModel, training_set: TrainingSet) -> Array:
    """The posterior drift in %, 1..horizon sessions ahead, shape (horizon,); it grows with time."""
    ahead = np.arange(1, training_set.horizon + 1)
    return np.asarray(model.drift.value * ahead / training_set.horizon)


def _validate(training_set: TrainingSet, network: Network, forest: Forest) -> pd.DataFrame:
    """Forecasts and actual changes on the validation days in %, shape (n_days, horizon + 4)."""
    rows = training_set.split.validation
    path = batch_forecasts(network, lstm.windows(training_set.inputs, rows))
    change = forest.predict(training_set.features[rows])
    columns = {
        "actual_pct": training_set.paths_pct[rows, -1],
        **{f"lstm_{ahead}_pct": path[:, ahead - 1] for ahead in range(1, training_set.horizon + 1)},
        "xgb_pct": change,
        "ensemble_pct": (path[:, -1] + change) / len(FORECASTERS),  # both are already shrunk
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


def _origins(model: GlobalModel, training_set: TrainingSet) -> dict[str, Any]:
    """The record of how the models were made: days, scaler, priors, features, libraries."""
    return {
        "data_through": str(training_set.dates[-1]),
        "source": training_set.source,
        "days": {part: _span(training_set, part) for part in ("fit", "select", "validation")},
        "pool": {
            "stocks": len(model.members),
            "fitted_before": str(model.days.select),
            "judged_before": str(model.days.validation),
        },
        "started_from": model.started_from,
        "priors": _priors(model, training_set),
        "window_sessions": lstm.WINDOW_SESSIONS,
        "inputs": list(lstm.INPUTS),
        "scaler": asdict(training_set.scaler) | {"clip": lstm.CLIP},
        "spread_pct": training_set.spread_pct,
        "features": training_set.names,
        "libraries": dict(_versions(LIBRARIES)),
        "findings": training_set.findings,
    }


def _span(training_set: TrainingSet, part: str) -> dict[str, Any]:
    rows = getattr(training_set.split, part)
    return {"first": str(training_set.dates[rows[0]]), "last": str(training_set.dates[rows[-1]]), "samples": len(rows)}


def _priors(model: GlobalModel, training_set: TrainingSet) -> dict[str, Any]:
    """The learner's priors.

    The models' forecasts are already shrunk, so their weights sum to 1. Nothing that the rules seemed to earn in two
    years held in the next, so beside models they begin at 0 and are left to outcomes.
    """
    patterns = range(training_set.patterns.config.patterns)
    weights = dict.fromkeys(RULE_WEIGHTS, 0.0) | dict.fromkeys(FORECASTERS, 1.0 / len(FORECASTERS))
    habit = stock_prior(model.scale_model, training_set)  # from all days before its validation
    weights |= {f"pattern_{number}": round(model.pattern_slope.value, 4) for number in patterns}
    posteriors = ("drift", "lstm_slope", "xgb_slope", "pattern_slope")
    return {
        "trusts": weights,
        "magnitude": None,
        "habit": asdict(replace(habit, shift=round(habit.shift, 6))),
        "scale_model": model.scale_model.to_dict(),
        **{name: _posterior_record(getattr(model, name)) for name in posteriors},
    }


def _posterior_record(posterior: Posterior) -> dict[str, float | None]:
    return {name: round(value, 6) if np.isfinite(value) else None for name, value in asdict(posterior).items()}


def summary(trained: Sequence[TrainedStock]) -> dict[str, float]:
    """Mean absolute error of each forecaster relative to the naive forecast's, averaged over the stocks."""
    keys = ("lstm", "xgb", "ensemble")
    return {
        key: float(np.mean([stock.metrics[f"{key}_mae"] / stock.metrics["naive_mae"] for stock in trained]))
        for key in keys
    }
