"""Each reader meets 200 hostile files of its kind: it takes one, or refuses it by its own error, and touches no more.

`make fuzz` gives each 20,000, and bounds time and memory (see `run_fuzz`).
"""

from __future__ import annotations

import logging
import warnings

import pytest
from fuzzing import folder, fuzz
from readers import TARGETS

CASES = 200

pytestmark = pytest.mark.usefixtures("in_haste")


@pytest.mark.parametrize("name", TARGETS)
def test_a_hostile_file_is_refused_in_its_reader_s_own_words(name: str) -> None:
    logging.getLogger("stockml").setLevel(logging.CRITICAL)
    with folder() as home, warnings.catch_warnings():
        warnings.simplefilter("error")
        told = fuzz(TARGETS[name](home), CASES, is_random=False)
    assert told.cases >= CASES // 2 and 0 <= told.refused <= told.cases
