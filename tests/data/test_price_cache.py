"""The price cache: what was fetched comes back as it was, and new bars join it only where they are the same series."""

import io
import json
import os
import random
from datetime import UTC, date, datetime

import pandas as pd
import pyarrow
import pytest
from made_up_bars import market
from pyarrow import parquet

from stockml.core.paths import Home
from stockml.data import price_cache
from stockml.data.price_cache import OVERLAP_DAYS, CachedBars

FETCHED = datetime(2026, 6, 30, 11, 0, tzinfo=UTC)


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path)


def cached(frame=None, asked_from=date(2023, 1, 1)) -> CachedBars:
    return CachedBars(market() if frame is None else frame, "INR", asked_from, FETCHED)


@pytest.mark.parametrize("symbol", ["TCS.NS", "TCS_NS", "^NSEI", "M&M.NS", "BTC-USD", "EURUSD=X"])
def test_what_was_kept_comes_back(home, symbol):
    price_cache.write(symbol, cached(), home)
    back = price_cache.read(symbol, home)
    pd.testing.assert_frame_equal(back.frame, market(), check_freq=False)
    assert (back.currency, back.asked_from, back.fetched_at) == ("INR", date(2023, 1, 1), FETCHED)
    assert back.through == market().index[-1].date()


def test_symbols_that_share_a_folder_of_models_do_not_share_a_file(home):
    price_cache.write("TCS.NS", cached(), home)
    assert price_cache.read("TCS_NS", home) is None


def test_a_currency_may_be_unknown(home):
    price_cache.write("ADH", CachedBars(market(), None, date(2023, 1, 1), FETCHED), home)
    assert price_cache.read("ADH", home).currency is None


@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[: len(data) // 2], lambda data: b"PAR1" * 9])
def test_a_damaged_file_is_said_and_not_used(home, damage, caplog):
    price_cache.write("TCS.NS", cached(), home)
    path = price_cache.path_of("TCS.NS", home)
    path.write_bytes(damage(path.read_bytes()))
    assert price_cache.read("TCS.NS", home) is None
    (record,) = caplog.records
    assert record.getMessage().startswith(f"TCS.NS: the cached prices in {path} are damaged")


def test_no_flipped_bit_is_read_as_other_prices(home, caplog):
    price_cache.write("TCS.NS", cached(), home)
    path, rng = price_cache.path_of("TCS.NS", home), random.Random(3)
    whole = path.read_bytes()
    for _ in range(500):
        content = bytearray(whole)
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        path.write_bytes(content)
        assert price_cache.read("TCS.NS", home) is None
    assert len(caplog.records) == 500
    path.write_bytes(whole)
    assert price_cache.read("TCS.NS", home) is not None


def test_the_file_is_one_that_other_programs_read_and_may_not_write(home):
    price_cache.write("TCS.NS", cached(), home)
    path = price_cache.path_of("TCS.NS", home)
    frame = pd.read_parquet(path)
    pd.testing.assert_frame_equal(frame, market(), check_freq=False)
    frame.to_parquet(path)
    assert price_cache.read("TCS.NS", home) is None


@pytest.mark.parametrize("place", ["folder", "fifo", "link"])
def test_what_is_no_plain_file_is_not_waited_for(home, tmp_path, place):
    path = price_cache.path_of("TCS.NS", home)
    path.parent.mkdir(parents=True)
    {"folder": path.mkdir, "fifo": lambda: os.mkfifo(path), "link": lambda: path.symlink_to("nothing")}[place]()
    assert price_cache.read("TCS.NS", home) is None


def test_another_programs_parquet_file_is_not_used(home):
    home.prices.mkdir(parents=True)
    market().to_parquet(price_cache.path_of("TCS.NS", home))
    assert price_cache.read("TCS.NS", home) is None


@pytest.mark.parametrize(
    ("change", "bars"),
    [
        ({"asked_from": "0001-01-01"}, market()),
        ({"fetched_at": 5}, market()),
        ({"currency": ["INR"]}, market()),
        ({"exchange": {}}, market()),
        ({}, market().drop(columns="Close")),
        ({}, market().reset_index(drop=True)),
        ({}, market().astype({"Close": str})),
    ],
)
def test_a_file_with_notes_or_bars_that_no_run_keeps_is_not_used(home, change, bars):
    price_cache.write("TCS.NS", cached(), home)
    path = price_cache.path_of("TCS.NS", home)
    kept = json.loads(parquet.read_table(path).schema.metadata[b"stockml"])
    table = pyarrow.Table.from_pandas(bars)
    blank = price_cache._SUM + price_cache._NO_DIGITS
    notes = {b"stockml": json.dumps(kept | change).encode(), price_cache._SUM_KEY: blank}
    written = io.BytesIO()
    parquet.write_table(table.replace_schema_metadata({**table.schema.metadata, **notes}), written)
    content = written.getvalue()
    path.write_bytes(content.replace(blank, price_cache._SUM + price_cache._digits(content)))
    assert price_cache.read("TCS.NS", home) is None


THROUGH = market().index[-1].date()  # 2025-07-11


@pytest.mark.parametrize(
    ("kept", "start", "expected", "asked"),
    [
        (None, date(2024, 1, 1), THROUGH, date(2024, 1, 1)),
        (cached(), date(2024, 1, 1), THROUGH, None),
        (cached(), date(2024, 1, 1), date(2025, 3, 3), None),  # as on a past day: later bars do no harm
        (cached(), date(2024, 1, 1), date(2025, 7, 14), date(2025, 6, 27)),
        (cached(), date(2022, 1, 1), THROUGH, date(2022, 1, 1)),  # more history is needed than was ever asked for
        (cached(), date(2025, 7, 4), date(2025, 7, 14), date(2025, 7, 4)),
        (cached(market() * float("nan")), date(2024, 1, 1), THROUGH, date(2024, 1, 1)),
    ],
)
def test_only_what_is_lacking_is_asked_for(kept, start, expected, asked):
    assert price_cache.ask_from(kept, start, expected) == asked
    assert (THROUGH - date(2025, 6, 27)).days == OVERLAP_DAYS


def grown(n_new: int = 3, overlap: int = 10) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """A whole series, its cached beginning, and an answer that overlaps it."""
    whole = market()
    return whole, whole.iloc[:-n_new], whole.iloc[-n_new - overlap :]


def test_new_bars_carry_the_series_on():
    whole, old, new = grown()
    pd.testing.assert_frame_equal(price_cache.merge(old, new), whole, check_freq=False)


def test_a_bar_filled_in_late_finds_its_place():
    whole, old, new = grown()
    old = old.drop(old.index[-4])
    pd.testing.assert_frame_equal(price_cache.merge(old, new), whole, check_freq=False)


def test_a_null_in_the_answer_does_not_erase_a_stored_bar():
    whole, old, new = grown()
    new = new.copy()
    new.iloc[2] = float("nan")
    pd.testing.assert_frame_equal(price_cache.merge(old, new), whole, check_freq=False)


def test_a_bar_the_answer_lacks_stays():
    whole, old, new = grown()
    pd.testing.assert_frame_equal(price_cache.merge(old, new.drop(new.index[2])), whole, check_freq=False)


def test_a_volume_or_the_newest_close_may_be_settled_late():
    whole, old, new = grown()
    old = old.copy()
    old.iloc[-5, 5] *= 0.7
    old.iloc[-1, 3] *= 1.004
    pd.testing.assert_frame_equal(price_cache.merge(old, new), whole, check_freq=False)


@pytest.mark.parametrize(
    ("columns", "factor"),
    [
        (["Open", "High", "Low", "Close", "Adj Close"], 0.5),  # a split
        (["Adj Close"], 0.999),  # a dividend of 0.1 %
        (["Close"], 1.02),  # a correction
    ],
)
def test_an_overlap_that_disagrees_is_another_series(columns, factor):
    _, old, new = grown()
    old = old.copy()
    old[columns] *= factor
    assert price_cache.merge(old, new) is None


def test_one_corrected_close_is_enough_to_disagree():
    _, old, new = grown()
    old = old.copy()
    old.iloc[-6, 3] *= 1.01
    assert price_cache.merge(old, new) is None


def test_without_a_shared_day_nothing_is_joined():
    whole = market()
    assert price_cache.merge(whole.iloc[:100], whole.iloc[200:]) is None
    assert price_cache.merge(whole.iloc[:100], whole.iloc[99:]) is not None


def test_a_single_shared_day_must_agree():
    whole = market()
    old = whole.iloc[:100].copy()
    old.iloc[-1, 3] *= 1.02
    assert price_cache.merge(old, whole.iloc[99:]) is None
