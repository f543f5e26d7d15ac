"""XGBoost trainer: features and targets in, a fitted scikit-learn model out, rescaled and pickled.

The choice of training days is left to `global_model`, forecasting to `models.forest`.
"""

from __future__ import annotations

import io
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from stockml.models.forest import DEPTH, base_score_in, content_of, trees_in

if TYPE_CHECKING:
    import xgboost

TREES = 100


@dataclass(frozen=True, slots=True)
class XGBSettings:
    """Settings of the booster; chosen on prices before 2023 and on simulated prices with a known signal."""

    learning_rate: float = 0.02
    min_child_weight: float = 50.0  # rows per leaf, where many stocks are pooled
    least_leaf_share: float = 0.05  # share of the rows, where those are few
    subsample: float = 0.5
    colsample_bytree: float = 0.5
    reg_lambda: float = 10.0


def fit_trees(
    features: NDArray[np.floating[Any]], targets: NDArray[np.float64], settings: XGBSettings, seed: int
) -> xgboost.XGBRegressor:
    """Fit TREES trees to absolute errors.

    Parameters
    ----------
    features : array, shape (n_rows, n_features)
        NaN where not known.
    targets : array, shape (n_rows,)
        Centred about 0, in standard deviations.
    settings : XGBSettings
    seed : int
        Of the row and column samples.

    Returns
    -------
    xgboost.XGBRegressor
        Forecasts in standard deviations.

    Notes
    -----
    Chen and Guestrin (2016).
    """
    import xgboost

    options = asdict(settings)
    leaf = min(options["min_child_weight"], options.pop("least_leaf_share") * len(targets))
    model = xgboost.XGBRegressor(
        n_estimators=TREES,
        max_depth=DEPTH,
        objective="reg:absoluteerror",
        base_score=0.0,
        tree_method="hist",
        n_jobs=1,
        random_state=seed,
        **options | {"min_child_weight": max(1.0, leaf)},
    )
    return model.fit(features.astype(np.float32), targets.astype(np.float32))


def scaled(model: xgboost.XGBRegressor, factor: float, offset: float) -> xgboost.XGBRegressor:
    """Copy a model so that its forecasts are the original's times `factor` plus `offset`."""
    import xgboost

    content = content_of(model)
    for tree in trees_in(content):
        leaf = np.asarray(tree["left_children"]) == -1
        values = np.asarray(tree["split_conditions"], dtype=np.float64)
        tree["split_conditions"] = np.where(leaf, values * factor, values).tolist()
        tree["base_weights"] = (np.asarray(tree["base_weights"]) * factor).tolist()
    base = base_score_in(content)
    content["learner"]["learner_model_param"]["base_score"] = f"[{base * factor + offset:.9E}]"
    copy = xgboost.XGBRegressor(**model.get_params() | {"base_score": base * factor + offset})
    copy.load_model(bytearray(msgspec.json.encode(content)))
    return copy


def to_pkl(model: xgboost.XGBRegressor) -> bytes:
    """Serialise a model with joblib."""
    import joblib

    buffer = io.BytesIO()
    joblib.dump(model, buffer)
    return buffer.getvalue()
