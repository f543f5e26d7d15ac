"""Bundles that somebody else has written, checksums and all: each is refused in one sentence, before it is computed."""

from __future__ import annotations

import json
import os
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import made_up_prices
from made_up_models import made_up_metrics, made_up_models

from stockml.core.paths import Home
from stockml.models.bundle import UNREADABLE, ModelError
from stockml.models.bundle_store import FAST_FILE, METRICS_FILE, load_bundle, save_bundle, trained_symbols

SYMBOL = "MADE.NS"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    table = made_up_prices(700)
    contents, home = made_up_models(table, 0), Home(tmp_path_factory.mktemp("bundle"))
    save_bundle(home, made_up_metrics(table), contents, "")
    return home.root, contents


@pytest.fixture
def home(kept: tuple[Path, dict[str, bytes]], tmp_path: Path) -> Home:
    return Home(Path(shutil.copytree(kept[0], tmp_path / "home")))


def refusal(home: Home, symbol: str = SYMBOL) -> str:
    with warnings.catch_warnings(), pytest.raises(ModelError) as refused:
        warnings.simplefilter("error")
        load_bundle(home, symbol)
    assert refused.value.kind == UNREADABLE
    text = str(refused.value)
    assert text.startswith(f"{SYMBOL}: ") and "train it again" in text and "\n" not in text
    return text


def parts_of(content: bytes) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The head of a derived copy, and the bytes of each array."""
    line, _, _ = content.partition(b"\n")
    head, at, arrays = json.loads(line), len(line) + 1, {}
    for name, (kind, shape) in head.items():
        at = -(-at // 16) * 16
        size = int(np.prod(shape, dtype=int)) * np.dtype(kind).itemsize
        arrays[name] = content[at : at + size]
        at += size
    return head, arrays


def joined(head: dict[str, Any], arrays: dict[str, bytes]) -> bytes:
    found = json.dumps(head).encode() + b"\n"
    for name in head:
        found = found.ljust(-(-len(found) // 16) * 16) + arrays[name]
    return found


def shaped(name: str, *shape: int) -> Callable[[dict[str, Any], dict[str, bytes]], None]:
    def edit(head: dict[str, Any], arrays: dict[str, bytes]) -> None:
        head[name][1] = list(shape)

    return edit


def put(name: str, value: float, number: int = 0) -> Callable[[dict[str, Any], dict[str, bytes]], None]:
    def edit(head: dict[str, Any], arrays: dict[str, bytes]) -> None:
        found = np.frombuffer(arrays[name], head[name][0]).copy()
        found[number] = value
        arrays[name] = found.tobytes()

    return edit


def no_trees(head: dict[str, Any], arrays: dict[str, bytes]) -> None:
    for name in [name for name in head if name.startswith("forest_") and name != "forest_base"]:
        head[name][1], arrays[name] = [0, 5], b""


def of_objects(head: dict[str, Any], arrays: dict[str, bytes]) -> None:
    head["lstm_0"][0] = "|O"


def offsets_alone(*shape: int, value: float = 0.0) -> Callable[[dict[str, Any], dict[str, bytes]], None]:
    """An LSTM of which nothing but offsets of this shape is kept, all of one value."""

    def edit(head: dict[str, Any], arrays: dict[str, bytes]) -> None:
        for number in range(10):
            del head[f"lstm_{number}"]
        head["lstm_10"][1], arrays["lstm_10"] = list(shape), np.full(shape, value, np.float32).tobytes()

    return edit


def without_first_layer(head: dict[str, Any], arrays: dict[str, bytes]) -> None:
    del head["lstm_0"]


def offsets_beside(inputs: int) -> Callable[[dict[str, Any], dict[str, bytes]], None]:
    """Offsets alone, beside a scaler of so many inputs."""

    def edit(head: dict[str, Any], arrays: dict[str, bytes]) -> None:
        offsets_alone(5)(head, arrays)
        for name in ("scaler_mean", "scaler_spread"):
            head[name][1], arrays[name] = [inputs], np.ones(inputs).tobytes()

    return edit


HOSTILE = {
    "no first layer": (without_first_layer, "not a derived copy"),
    "offsets beside millions of inputs": (offsets_beside(3_000_000), "scaler of shapes (3000000,) and (3000000,)"),
    "offsets beside no input": (offsets_beside(0), "scaler of shapes (0,) and (0,)"),
    "no offset": (offsets_alone(0), "offsets of shape (0,)"),
    "one offset without a shape": (offsets_alone(), "offsets of shape ()"),
    "offsets in a table": (offsets_alone(5, 1), "offsets of shape (5, 1)"),
    "offsets that are NaN": (offsets_alone(5, value=np.nan), "offsets holds nan"),
    "a huge shape": (shaped("lstm_0", 4, 60_000_000), "lstm_0 of shape"),
    "a shape that overflows": (shaped("lstm_0", 2**40, 2**40), "not a derived copy"),
    "a shape below 0": (shaped("lstm_0", -1, 512), "not a derived copy"),
    "three dimensions": (shaped("lstm_0", 1, 4, 512), "not a derived copy"),
    "no trees": (no_trees, "trees of shape (0, 5)"),
    "another kind of number": (of_objects, "not a derived copy"),
    "a feature below 0": (put("forest_feature", -1), "forest_feature holds -1"),
    "a feature far out": (put("forest_feature", 2**30), "forest_feature holds 1.07374e+09"),
    "a left child far out": (put("forest_left", 9999), "forest_left holds 9999"),
    "a right child below 0": (put("forest_right", -1), "forest_right holds -1"),
    "no window": (put("config_window_sessions", 0), "8 patterns of 0 sessions"),
    "a window without end": (put("config_window_sessions", 10**9), "8 patterns of 1000000000 sessions"),
    "another number of patterns": (put("config_patterns", 9), "pattern_centres of shape (8, 40), not (9, 40)"),
    "a weight that is NaN": (put("lstm_0", np.nan, 7), "lstm_0 holds nan"),
    "an infinite weight": (put("lstm_4", np.inf), "lstm_4 holds inf"),
    "a spread of 0": (put("scaler_spread", 0.0), "scaler_spread holds 0"),
    "a mean of 1e308": (put("scaler_mean", 1e308), "scaler_mean holds 1e+308"),
    "a leaf of 1e308": (put("forest_value", 1e308), "forest_value holds 1e+308"),
    "a base that is NaN": (put("forest_base", np.nan), "forest_base holds nan"),
    "a threshold that is NaN": (put("forest_threshold", np.nan), "forest_threshold holds nan"),
    "an outcome of -1e308": (put("pattern_outcome_pct", -1e308), "pattern_outcome_pct holds -1e+308"),
    "distances that fall": (put("pattern_distances", 1.0, 0), "pattern_distances that fall"),
}


@pytest.mark.parametrize(("edit", "words"), HOSTILE.values(), ids=HOSTILE)
def test_a_derived_copy_that_no_training_left_is_refused(
    home: Home, kept: tuple[Path, dict[str, bytes]], edit: Callable[..., None], words: str
) -> None:
    head, arrays = parts_of(kept[1][FAST_FILE])
    assert joined(head, arrays) == kept[1][FAST_FILE].rstrip(b" ")[: len(joined(head, arrays))]
    if words.endswith("fall"):
        arrays["pattern_distances"] = np.linspace(2, 1, 101).tobytes()
    else:
        edit(head, arrays)
    metrics = json.loads((home.models / "MADE_NS" / METRICS_FILE).read_bytes())
    save_bundle(home, metrics, {**kept[1], FAST_FILE: joined(head, arrays)}, "")
    assert f"{FAST_FILE}: {words}" in refusal(home)


DEEP = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"symbol": "../../../etc/passwd"}, "has '../../../etc/passwd' for symbol"),
        ({"symbol": "OTHER.NS"}, "is of OTHER.NS"),
        ({"horizon_days": 10**9}, "has 1000000000 for horizon_days"),
        ({"horizon_days": 6}, "forecasts 5 sessions, metrics.json says 6"),
        ({"trained_at": "yesterday"}, "has 'yesterday' for trained_at"),
        ({"data_through": "9999-12-31"}, "has 9999-12-31 for data_through"),
        ({"features": 5}, "has 5 for features"),
        ({"sha256": {}}, "lacks the checksum of lstm_model.h5"),
        ({"naive_mae": 1e308}, "has 1e+308 for naive_mae"),
        ({"more": [[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]}, "is nested too deeply"),
        (f'{{"more": {DEEP}}}', "is nested too deeply"),
        (DEEP, "is not an object"),
    ],
)
def test_metrics_that_no_training_wrote_are_refused(home: Home, change: dict[str, Any] | str, words: str) -> None:
    path = home.models / "MADE_NS" / METRICS_FILE
    text = change if isinstance(change, str) else json.dumps(json.loads(path.read_bytes()) | change)
    path.write_text(text)
    assert words in refusal(home)
    assert set(trained_symbols(home)) <= {SYMBOL}


@pytest.mark.parametrize("name", [FAST_FILE, METRICS_FILE, "xgb_model.pkl"])
def test_what_is_no_plain_file_is_not_waited_for(home: Home, name: str) -> None:
    path = home.models / "MADE_NS" / name
    path.unlink()
    os.mkfifo(path, 0o600)
    assert f"{name} is no plain file" in refusal(home)
