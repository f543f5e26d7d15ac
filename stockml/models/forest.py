"""The gradient-boosted forecaster: a day's features -> the change in % at the horizon.

One hundred trees of depth 6, fitted by XGBoost and kept as its scikit-learn model; a flattened copy forecasts without
either library. Which days are learned from, and how far the forecast is believed, is left to `pool`.
"""

from __future__ import annotations

import io
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import xgboost

TREES = 100
DEPTH = 6


@dataclass(frozen=True, slots=True)
class XGBSettings:
    """How the trees grow; chosen on prices before 2023 and on simulated ones with something to find."""

    learning_rate: float = 0.02
    min_child_weight: float = 50.0  # rows a leaf rests on, when many stocks are learned from together
    least_leaf_share: float = 0.05  # of the rows, where those are few
    subsample: float = 0.5
    colsample_bytree: float = 0.5
    reg_lambda: float = 10.0


def fit_trees(
    features: NDArray[np.floating[Any]], targets: NDArray[np.float64], settings: XGBSettings, seed: int
) -> xgboost.XGBRegressor:
    """A fitted model of TREES trees.

    Parameters
    ----------
    features : array, shape (n_rows, n_features)
        NaN where not known.
    targets : array, shape (n_rows,)
        Centred about 0, in standard deviations.
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
    """A copy whose forecasts are the model's own times `factor` plus `offset`."""
    import xgboost

    content = json.loads(bytes(model.get_booster().save_raw("json")))
    for tree in _trees(content):
        leaf = np.asarray(tree["left_children"]) == -1
        values = np.asarray(tree["split_conditions"], dtype=np.float64)
        tree["split_conditions"] = np.where(leaf, values * factor, values).tolist()
        tree["base_weights"] = (np.asarray(tree["base_weights"]) * factor).tolist()
    base = _base_score(content)
    content["learner"]["learner_model_param"]["base_score"] = f"[{base * factor + offset:.9E}]"
    copy = xgboost.XGBRegressor(**model.get_params() | {"base_score": base * factor + offset})
    copy.load_model(bytearray(json.dumps(content).encode()))
    return copy


def to_pkl(model: xgboost.XGBRegressor) -> bytes:
    """The model as joblib writes it."""
    import joblib

    buffer = io.BytesIO()
    joblib.dump(model, buffer)
    return buffer.getvalue()


@dataclass(frozen=True, slots=True)
class Forest:
    """The trees as arrays, (n_trees, n_nodes) each; a leaf is its own child and holds its value."""

    feature: NDArray[np.int32]
    threshold: NDArray[np.float32]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    missing_left: NDArray[np.bool_]
    value: NDArray[np.float64]
    base: float

    @classmethod
    def of(cls, model: xgboost.XGBRegressor) -> Forest:
        """The flattened copy of a fitted model; ValueError for trees that are not plain regression trees."""
        content = json.loads(bytes(model.get_booster().save_raw("json")))
        trees = _trees(content)
        if any(tree["categories"] for tree in trees) or any(
            content["learner"]["gradient_booster"]["model"]["tree_info"]
        ):
            raise ValueError("the trees split by category or have several targets; train the stock again")
        return cls(**_arrays(trees), base=_base_score(content))

    def predict(self, features: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """The change in % after each row of features, shape (n_rows, n_features) -> (n_rows,); NaN is not known."""
        rows = np.arange(len(features))
        known = features.astype(np.float32)  # as XGBoost compares
        tree = np.arange(len(self.feature))[:, None]
        node = np.zeros((len(self.feature), len(features)), dtype=np.int64)  # (trees, rows)
        for _ in range(DEPTH):
            value = known[rows, self.feature[tree, node]]
            goes_left = np.where(np.isnan(value), self.missing_left[tree, node], value < self.threshold[tree, node])
            node = np.where(goes_left, self.left[tree, node], self.right[tree, node])
        # added tree by tree, so that a row's last bits do not depend on how many rows there are
        return self.base + np.cumsum(self.value[tree, node], axis=0)[-1]


def _trees(content: dict[str, Any]) -> list[dict[str, Any]]:
    return list(content["learner"]["gradient_booster"]["model"]["trees"])


def _base_score(content: dict[str, Any]) -> float:
    return float(content["learner"]["learner_model_param"]["base_score"].strip("[]"))


def _arrays(trees: list[dict[str, Any]]) -> dict[str, Any]:
    size = max(len(tree["left_children"]) for tree in trees)
    shape = (len(trees), size)
    here = np.broadcast_to(np.arange(size), shape)
    left, right = here.astype(np.int32), here.astype(np.int32)
    feature, threshold = np.zeros(shape, np.int32), np.zeros(shape, np.float32)
    missing_left, value = np.zeros(shape, np.bool_), np.zeros(shape)
    for number, tree in enumerate(trees):
        children = np.asarray(tree["left_children"])
        inner = np.flatnonzero(children != -1)
        leaves = np.flatnonzero(children == -1)
        left[number, inner], right[number, inner] = children[inner], np.asarray(tree["right_children"])[inner]
        feature[number, inner] = np.asarray(tree["split_indices"])[inner]
        threshold[number, inner] = np.asarray(tree["split_conditions"], dtype=np.float32)[inner]
        missing_left[number, inner] = np.asarray(tree["default_left"])[inner] == 1
        value[number, leaves] = np.asarray(tree["split_conditions"], dtype=np.float32)[leaves]
    return {
        "feature": feature,
        "threshold": threshold,
        "left": left,
        "right": right,
        "missing_left": missing_left,
        "value": value,
    }
