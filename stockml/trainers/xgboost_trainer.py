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
    """A fitted model, of which any number of rescaled copies are made; it is taken apart once.

    Copies are written as XGBoost's UBJSON, which it reads seven times as fast as its JSON.
    """

    def __init__(self, model: xgboost.XGBRegressor) -> None:
        self._params = model.get_params()
        self._forest = Forest.of(model)
        trees = [np.asarray(tree["left_children"]) for tree in trees_in(content_of(model))]
        self._is_leaf = np.concatenate(trees) == -1
        places = [np.stack([np.full(len(tree), number), np.arange(len(tree))]) for number, tree in enumerate(trees)]
        self._places = tuple(np.concatenate(places, axis=1)[:, self._is_leaf])  # of the leaves: tree and node
        # the base score, whose length differs from copy to copy, comes between the two
        before, self._after = _around_base_score(bytes(model.get_booster().save_raw("ubj")))
        self._before = np.frombuffer(before, np.uint8)
        self._numbers = [_numbers_at(before, name) for name in ("split_conditions", "base_weights")]
        self._values, self._weights = (self._before[at].view(">f4")[:, 0].astype(np.float64) for at in self._numbers)

    def scaled(self, factor: float, offset: float) -> tuple[xgboost.XGBRegressor, Forest]:
        """A copy whose forecasts are the original's times `factor` plus `offset`, and its trees as arrays."""
        import xgboost

        values = np.where(self._is_leaf, self._values * factor, self._values).astype(np.float32)
        weights = (self._weights * factor).astype(np.float32)
        before = self._before.copy()
        for at, numbers in zip(self._numbers, (values, weights), strict=True):
            before[at] = numbers.astype(">f4")[:, None].view(np.uint8)
        base = self._forest.base * factor + offset
        copy = xgboost.XGBRegressor(**self._params | {"base_score": base})
        copy.load_model(bytearray(before.tobytes() + _counted(f"[{base:.9E}]") + self._after))
        of_leaves = np.zeros_like(self._forest.value)
        of_leaves[self._places] = values[self._is_leaf]
        base = base_score_in(msgspec.json.decode(copy.get_booster().save_config()))  # as XGBoost has rounded it
        return copy, replace(self._forest, value=of_leaves, base=base)


def _counted(text: str) -> bytes:
    """A text as UBJSON has it: its length, then its bytes."""
    return b"L" + len(text).to_bytes(8, "big") + text.encode()


def _around_base_score(content: bytes) -> tuple[bytes, bytes]:
    """A model in UBJSON without its base score: what is before it, and after."""
    before, key, rest = content.partition(_counted("base_score") + b"S")
    return before + key, rest[9 + int.from_bytes(rest[1:9], "big") :]


def _numbers_at(content: bytes, name: str) -> NDArray[np.intp]:
    """Places of the bytes of numbers in UBJSON, (n_numbers, 4): those of the arrays of that name, tree by tree."""
    key = _counted(name) + b"[$d#L"
    found = []
    at = content.find(key)
    while at >= 0:
        first = at + len(key) + 8
        size = 4 * int.from_bytes(content[first - 8 : first], "big")
        found.append(np.arange(first, first + size).reshape(-1, 4))
        at = content.find(key, first + size)
    return np.concatenate(found)


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
