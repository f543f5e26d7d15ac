"""A symbol that nothing is known of is answered with the one that was meant, where that can be told."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import fake_yahoo as fake
import pandas as pd
import pytest
from asking import listing
from fake_yahoo import FakeYahoo
from made_up_bars import market
from scripts import log_of, predict

from stockml.commands.did_you_mean import meant
from stockml.core.calendars import calendar_for

KNOWN = ["TCS.NS", "HDFCBANK.NS", "INFY.NS", "AAPL", "MSFT", "GOOG", "RELIANCE.NS", "^NSEI"]


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("TCS", ["TCS.NS"]),
        ("tcs", ["TCS.NS"]),
        ("TCS.BO", ["TCS.NS"]),
        ("TSC.NS", ["TCS.NS"]),
        ("HDFC", ["HDFCBANK.NS"]),
        ("apple", ["AAPL"]),
        ("INFOSYS", ["INFY.NS"]),
        ("GOOGLE", ["GOOG"]),
        ("NSEI", ["^NSEI"]),
        ("RELIENCE.NS", ["RELIANCE.NS"]),
        ("TCS.NS", []),  # it is known, and no other is meant
        ("ZZZZ", []),
    ],
)
def test_the_closest_known_symbol_is_meant(written, wanted):
    assert meant(written, KNOWN) == wanted


def test_equally_close_ones_are_all_named():
    assert meant("tcs", ["TCS.NS", "TCS.BO", "TCSX.NS"]) == ["TCS.BO", "TCS.NS"]


@pytest.fixture
def prices(tmp_path: Path) -> Path:
    folder = tmp_path / "prices"
    folder.mkdir()
    for name in ("TCS.NS", "aapl"):
        market().to_csv(folder / f"{name}.csv")
    return folder


DAY = ("--as-of", "2025-06-30")


@pytest.mark.parametrize(("written", "wanted"), [("TCS", "TCS.NS"), ("tcs.bo", "TCS.NS"), ("apple", "AAPL")])
def test_a_folder_of_files_knows_better(tmp_path, prices, written, wanted):
    ran = predict("--source", f"csv:{prices}", "--home", tmp_path / "home", "--symbols", written, *DAY)
    assert ran.code == 3 and f"did you mean {wanted}?" in ran.err and "Traceback" not in ran.err


def test_a_stock_in_another_case_is_one_stock_with_one_line(tmp_path, prices):
    (prices / "exchanges.csv").write_text("AAPL,XNYS\n")  # else each run looks for it, by days that fit none
    options = ("--source", f"csv:{prices}", "--home", tmp_path / "home", *DAY, "--symbols")
    assert "1 logged" in predict(*options, "TCS.NS", "AAPL").out.replace("2 logged", "1 logged")
    for written in ("tcs.ns", "Tcs.NS,aapl", "AAPL"):
        ran = predict(*options, written)
        assert ran.code == 0 and "0 logged" in ran.out, ran.err
    assert [line["symbol"] for line in log_of(tmp_path / "home")] == ["TCS.NS", "AAPL"]


def test_two_files_of_one_stock_are_refused_by_name_unless_they_are_equal(tmp_path, prices):
    options = ("--source", f"csv:{prices}", "--home", tmp_path / "home", *DAY, "--symbols", "TCS.NS")
    (prices / "tcs.ns.csv").write_bytes((prices / "TCS.NS.csv").read_bytes())
    assert predict(*options).code == 0
    market(seed=2).to_csv(prices / "tcs.ns.csv")
    ran = predict(*options)
    assert ran.code == 3 and "TCS.NS.csv and tcs.ns.csv" in ran.err


def test_yahoo_s_namesake_elsewhere_is_told_once(tmp_path):
    today = calendar_for("TCS.NS").last_completed(pd.Timestamp.now("UTC").to_pydatetime())
    with FakeYahoo(today) as yahoo:
        for seed, symbol in enumerate(("TCS.NS", "TCS")):
            bars = listing(seed=seed, last_day=str(date.today()), symbol=symbol)
            yahoo.listings[symbol] = bars
        environment = {"PYTHONPATH": str(fake.site_folder(yahoo, tmp_path / "site"))}
        options = ("--home", tmp_path / "home", "--symbols")
        assert "did you mean" not in predict(*options, "tcs.ns", env=environment).err
        assert "did you mean TCS.NS?" in predict(*options, "tcs", env=environment).err
        assert "did you mean" not in predict(*options, "tcs", env=environment).err
        assert "did you mean TCS or TCS.NS?" in predict(*options, "TCS.BO", env=environment).err


def test_sources_are_written_in_several_ways_and_a_bare_folder_is_told_how(tmp_path, prices):
    options = ("--home", tmp_path / "home", *DAY, "--symbols", "tcs.ns")
    bare = predict("--source", prices, *options)
    assert bare.code == 2 and f"write csv:{prices}" in bare.err
    file = predict("--source", prices / "TCS.NS.csv", *options)
    assert file.code == 2 and f"csv:{prices}" in file.err
    for source in ("csv:~/prices", "CSV:~/prices"):
        ran = predict("--source", source, *options, env={"HOME": str(tmp_path)})
        assert ran.code == 0, ran.err


def test_a_whole_list_without_models_or_with_old_prices_is_one_notice(tmp_path, prices):
    names = [f"S{number}.NS" for number in range(8)]
    for seed, name in enumerate(names):
        market(seed=seed).to_csv(prices / f"{name}.csv")
    options = ("--source", f"csv:{prices}", "--home", tmp_path / "home", *DAY, "--symbols", ",".join(names))
    ran = predict(*options)
    told = [line for line in ran.err.splitlines() if "no trained model" in line]
    assert told == [
        "8 stocks (S0.NS, S1.NS, S2.NS and 5 more), each: no trained model, so signals alone serve; run "
        "train_models.py to add it."
    ]
    lost = predict("--source", f"csv:{tmp_path}", *options[2:], "--json")
    assert len(lost.json["failures"]) == 8 and len(lost.err.splitlines()) == 1
    assert lost.err.startswith("8 stocks (S0.NS, S1.NS, S2.NS and 5 more), each: there is no file")
