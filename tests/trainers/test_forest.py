"""The trees: the flattened copy against XGBoost itself, scaling, and what is saved."""

from __future__ import annotations

import io
from dataclasses import fields
from typing import Any

import joblib
import numpy as np
import pytest

from stockml.models.forest import Forest, content_of, trees_in
from stockml.trainers import xgboost_trainer as xgb
from stockml.trainers.xgboost_trainer import ScalableForest, XGBSettings

BOLD = XGBSettings(learning_rate=0.3, min_child_weight=1.0, least_leaf_share=0.0, reg_lambda=1.0)


def features(rows: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((rows, 7))
    values[rng.random(values.shape) < 0.1] = np.nan
    return values


def targets(seen: np.ndarray) -> np.ndarray:
    return (
        np.where(np.nan_to_num(seen[:, 2]) > 0.5, 1.0, -0.5) + np.random.default_rng(1).standard_normal(len(seen)) / 4
    )


@pytest.fixture(scope="module", params=[XGBSettings(), BOLD], ids=["as used", "deep trees"])
def model(request: pytest.FixtureRequest) -> Any:
    seen = features(800)
    return xgb.fit_trees(seen, targets(seen), request.param, seed=3)


def test_it_has_one_hundred_trees_of_depth_six_at_most(model: Any) -> None:
    assert model.n_estimators == model.get_booster().num_boosted_rounds() == 100
    assert model.get_params()["max_depth"] == 6


def test_the_flattened_copy_forecasts_as_xgboost_does(model: Any) -> None:
    seen = features(500, seed=5)
    np.testing.assert_allclose(Forest.of(model).predict(seen), model.predict(seen.astype(np.float32)), atol=2e-6)


def test_a_value_on_a_threshold_goes_the_same_way(model: Any) -> None:
    forest = Forest.of(model)
    seen = features(300, seed=6)
    rng = np.random.default_rng(0)
    for row in seen:
        tree = rng.integers(len(forest.feature))
        row[forest.feature[tree, 0]] = forest.threshold[tree, 0]
    np.testing.assert_allclose(forest.predict(seen), model.predict(seen.astype(np.float32)), atol=2e-6)


@pytest.mark.parametrize("rows", [slice(0, 1), slice(17, 18), slice(5, 250)])
def test_a_day_forecasts_the_same_bits_among_any_others(model: Any, rows: slice) -> None:
    forest, seen = Forest.of(model), features(300)
    np.testing.assert_array_equal(forest.predict(seen)[rows], forest.predict(seen[rows]))


def test_scaled_forecasts_are_the_models_own_times_the_factor(model: Any) -> None:
    seen = features(200, seed=8).astype(np.float32)
    scaled, flattened = ScalableForest(model).scaled(1.7, -0.3)
    np.testing.assert_allclose(scaled.predict(seen), model.predict(seen) * 1.7 - 0.3, atol=1e-5)
    assert scaled.get_booster().num_boosted_rounds() == scaled.n_estimators == 100
    for field in fields(Forest):
        np.testing.assert_array_equal(getattr(flattened, field.name), getattr(Forest.of(scaled), field.name))


@pytest.mark.parametrize("factor", [0.37, -1.3, 1e-4])
def test_every_leaf_is_scaled_and_no_threshold(model: Any, factor: float) -> None:
    copy, _ = ScalableForest(model).scaled(factor, 0.1)
    compared = 0
    for tree, scaled in zip(trees_in(content_of(model)), trees_in(content_of(copy)), strict=True):
        is_leaf = np.asarray(tree.pop("left_children")) == -1
        conditions, weights = (np.asarray(tree.pop(name), np.float32) for name in ("split_conditions", "base_weights"))
        expected = np.where(is_leaf, conditions * np.float64(factor), conditions).astype(np.float32)
        np.testing.assert_array_equal(np.asarray(scaled.pop("split_conditions"), np.float32), expected)
        np.testing.assert_array_equal(
            np.asarray(scaled.pop("base_weights"), np.float32), (weights * np.float64(factor)).astype(np.float32)
        )
        scaled.pop("left_children")
        assert scaled == tree
        compared += len(expected)
    assert compared > 100


def test_a_copy_does_not_depend_on_those_made_before(model: Any) -> None:
    apart = ScalableForest(model)
    first, _ = apart.scaled(0.3, 0.1)
    apart.scaled(-2.0, 5.0)
    again, _ = apart.scaled(0.3, 0.1)
    assert xgb.to_pkl(first) == xgb.to_pkl(again) == xgb.to_pkl(ScalableForest(model).scaled(0.3, 0.1)[0])


def test_scaled_to_nothing_leaves_the_offset(model: Any) -> None:
    np.testing.assert_allclose(ScalableForest(model).scaled(0.0, 0.25)[1].predict(features(20)), 0.25, atol=1e-7)


def test_the_saved_model_opens_with_joblib_and_forecasts_the_same(model: Any) -> None:
    seen = features(100, seed=9)
    opened = joblib.load(io.BytesIO(xgb.to_pkl(ScalableForest(model).scaled(2.0, 0.1)[0])))
    expected = Forest.of(model).predict(seen) * 2.0 + 0.1
    np.testing.assert_allclose(opened.predict(seen.astype(np.float32)), expected, atol=1e-5)


def test_the_same_seed_gives_the_same_bytes() -> None:
    seen = features(400)
    first, second = (
        xgb.to_pkl(ScalableForest(xgb.fit_trees(seen, targets(seen), XGBSettings(), 3)).scaled(2.0, 0.1)[0])
        for _ in "12"
    )
    assert first == second


def test_a_clear_pattern_is_learned() -> None:
    seen = features(2000)
    forest = Forest.of(xgb.fit_trees(seen, targets(seen), XGBSettings(learning_rate=0.1), seed=0))
    later = features(500, seed=4)
    truth = np.where(np.nan_to_num(later[:, 2]) > 0.5, 1.0, -0.5)
    assert np.abs(forest.predict(later) - truth).mean() < 0.2 * np.abs(truth).mean()


def test_few_rows_still_grow_a_model() -> None:
    seen = features(40)
    assert np.isfinite(Forest.of(xgb.fit_trees(seen, targets(seen), XGBSettings(), 0)).predict(seen)).all()
