"""XGBoost trainer: features and targets in, a fitted scikit-learn model out, rescaled and pickled.

The choice of training days is left to `global_model`, forecasting to `models.forest`.
"""

from __future__ import annotations

import io
import pickle
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from stockml.models.forest import DEPTH, Forest, base_score_in, content_of, trees_in

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


class ScalableForest:
    """A fitted model, of which any number of rescaled copies are made; it is taken apart once."""

    def __init__(self, model: xgboost.XGBRegressor) -> None:
        self._params = model.get_params()
        self._forest = Forest.of(model)
        self._content = content_of(model)
        self._base = base_score_in(self._content)
        trees = trees_in(self._content)
        self._ends = np.cumsum([len(tree["left_children"]) for tree in trees])
        self._is_leaf = np.concatenate([tree["left_children"] for tree in trees]) == -1
        places = [
            np.stack([np.full(end, number), np.arange(end)])
            for number, end in enumerate(np.diff(self._ends, prepend=0))
        ]
        self._places = tuple(np.concatenate(places, axis=1)[:, self._is_leaf])  # of the leaves: tree and node
        self._values, self._weights = (
            np.concatenate([np.asarray(tree[name], dtype=np.float64) for tree in trees])
            for name in ("split_conditions", "base_weights")
        )

    def scaled(self, factor: float, offset: float) -> tuple[xgboost.XGBRegressor, Forest]:
        """A copy whose forecasts are the original's times `factor` plus `offset`, and its trees as arrays."""
        import xgboost

        values = np.where(self._is_leaf, self._values * factor, self._values)
        weights = self._weights * factor
        start = 0
        for tree, end in zip(trees_in(self._content), self._ends.tolist(), strict=True):
            tree["split_conditions"], tree["base_weights"] = values[start:end].tolist(), weights[start:end].tolist()
            start = end
        base = self._base * factor + offset
        self._content["learner"]["learner_model_param"]["base_score"] = f"[{base:.9E}]"
        copy = xgboost.XGBRegressor(**self._params | {"base_score": base})
        copy.load_model(bytearray(msgspec.json.encode(self._content)))
        of_leaves = np.zeros_like(self._forest.value)
        of_leaves[self._places] = values[self._is_leaf].astype(np.float32)
        base = base_score_in(msgspec.json.decode(copy.get_booster().save_config()))  # as XGBoost has rounded it
        return copy, replace(self._forest, value=of_leaves, base=base)


@lru_cache(maxsize=2)
def scalable(pickled: bytes) -> ScalableForest:
    """This process's copy of a forest that another process of this run has fitted and pickled."""
    return ScalableForest(pickle.loads(pickled))


def to_pkl(model: xgboost.XGBRegressor) -> bytes:
    """Serialise a model with joblib."""
    import joblib

    buffer = io.BytesIO()
    joblib.dump(model, buffer)
    return buffer.getvalue()
