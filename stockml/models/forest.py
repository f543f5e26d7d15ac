"""Gradient-boosted trees as plain arrays: a day's features -> the change in % at the horizon.

Trees that XGBoost fitted are flattened once, and forecast without that library. Fitting is left to the trainers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import xgboost

DEPTH = 6


@dataclass(frozen=True, slots=True)
class Forest:
    """Trees as arrays of shape (n_trees, n_nodes); a leaf is its own child and holds its value."""

    feature: NDArray[np.int32]
    threshold: NDArray[np.float32]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    missing_left: NDArray[np.bool_]
    value: NDArray[np.float64]
    base: float

    @classmethod
    def of(cls, model: xgboost.XGBRegressor) -> Forest:
        """Flatten a fitted model.

        Raises
        ------
        ValueError
            For trees that split by category or have several targets.
        """
        content = content_of(model)
        trees = trees_in(content)
        if any(tree["categories"] for tree in trees) or any(
            content["learner"]["gradient_booster"]["model"]["tree_info"]
        ):
            raise ValueError("the trees split by category or have several targets; train the stock again")
        return cls(**_arrays(trees), base=base_score_in(content))

    def predict(self, features: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Forecast from rows of features.

        Parameters
        ----------
        features : array, shape (n_rows, n_features)
            In the order of training; NaN where not known.

        Returns
        -------
        array, shape (n_rows,)
            The change in %. A row gets the same bits alone or among others.
        """
        rows = np.arange(len(features))
        known = features.astype(np.float32)  # as XGBoost compares
        tree = np.arange(len(self.feature))[:, None]
        node = np.zeros((len(self.feature), len(features)), dtype=np.int64)  # (trees, rows)
        for _ in range(DEPTH):
            value = known[rows, self.feature[tree, node]]
            goes_left = np.where(np.isnan(value), self.missing_left[tree, node], value < self.threshold[tree, node])
            node = np.where(goes_left, self.left[tree, node], self.right[tree, node])
        # added tree by tree, so that a row's last bits do not depend on how many rows there are
        return np.asarray(self.base + np.cumsum(self.value[tree, node], axis=0)[-1])


def content_of(model: xgboost.XGBRegressor) -> dict[str, Any]:
    """A fitted model as XGBoost's JSON format has it, decoded four times as fast as by `json`."""
    decoded: dict[str, Any] = msgspec.json.decode(model.get_booster().save_raw("json"))
    return decoded


def trees_in(content: dict[str, Any]) -> list[dict[str, Any]]:
    """The trees of a model in XGBoost's JSON format."""
    return list(content["learner"]["gradient_booster"]["model"]["trees"])


def base_score_in(content: dict[str, Any]) -> float:
    """The constant that the trees of a model in XGBoost's JSON format are added to."""
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
