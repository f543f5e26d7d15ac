"""Errors of one stock come back whole from a helper process or a worker."""

from __future__ import annotations

import pickle

import pytest

from stockml.core.failures import RATE_LIMITED, FetchError, OpinionError, StockError
from stockml.models.bundle import MISSING, ModelError


@pytest.mark.parametrize(
    "error",
    [
        StockError(RATE_LIMITED, "AAA.NS: asked too often."),
        FetchError(RATE_LIMITED, "AAA.NS: asked too often."),
        OpinionError("AAA.NS", "it gave a text"),
        ModelError(MISSING, "AAA.NS: no model"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_pickles_with_all_that_it_says(error: Exception) -> None:
    found = pickle.loads(pickle.dumps(error))
    assert type(found) is type(error)
    assert (str(found), vars(found)) == (str(error), vars(error))
