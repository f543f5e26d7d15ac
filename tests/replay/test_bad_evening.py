"""Beside models, an evening on which thirty stocks jump at once hardly moves what is forecast for the next."""

from __future__ import annotations

import shutil
from collections import defaultdict
from datetime import date
from itertools import pairwise
from pathlib import Path
from statistics import fmean

import pandas as pd
import pytest
from scripts import log_of

import realtime_predictor
import train_models
from stockml.core.calendars import calendar_for
from stockml.data.simulated_market import MarketSettings, sample_bars

STOCKS = tuple(f"LURCH{number:02d}" for number in range(30))
TRAINED_ON = "2025-06-30"
SESSIONS = calendar_for(STOCKS[0]).sessions_between(date(2025, 7, 1), date(2025, 9, 30))
JUMP_ON = SESSIONS[8]  # in the second week, when four evenings' outcomes have been learned from
FARTHEST_PCT = 0.1  # from one session to the next; with all experts speaking from the first outcomes on it was 1.7


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the models of all thirty, and their calm prices beside it."""
    folder = tmp_path_factory.mktemp("lurch")
    settings = MarketSettings(symbols=STOCKS)
    (folder / "calm").mkdir()
    for symbol in STOCKS:
        sample_bars(symbol, date(2023, 1, 1), date(2025, 12, 31), settings=settings).to_csv(
            folder / f"calm/{symbol}.csv"
        )
    options = ("--source", f"csv:{folder}/calm", "--symbols", *STOCKS, "--exchange", "XNYS", "--as-of", TRAINED_ON)
    assert train_models.main([*options, "--home", str(folder / "home"), "--jobs", "1", "--quiet"]) == 0
    return folder


def with_jump(calm: Path, target: Path, jump_pct: float) -> str:
    """The same prices, but for a jump of all on one day, which stays."""
    target.mkdir()
    factor, day = 1 + jump_pct / 100, pd.Timestamp(JUMP_ON)
    for file in calm.glob("*.csv"):
        bars = pd.read_csv(file, index_col="Date", parse_dates=True)
        bars.loc[bars.index > day, ["Open", "High", "Low", "Close", "Adj Close"]] *= factor
        bars.loc[day, ["Close", "Adj Close"]] *= factor
        bars.loc[day, "High"] = bars.loc[day, ["High", "Close"]].max()
        bars.loc[day, "Low"] = bars.loc[day, ["Low", "Close"]].min()
        bars.to_csv(target / file.name)
    return f"csv:{target}"


@pytest.mark.parametrize("jump_pct", [-6.0, 8.0])
def test_the_mean_forecast_does_not_lurch(trained: Path, tmp_path: Path, in_haste: None, jump_pct: float) -> None:
    source, home = with_jump(trained / "calm", tmp_path / "prices", jump_pct), tmp_path / "home"
    shutil.copytree(trained / "home", home)
    options = ("--symbols", *STOCKS, "--exchange", "XNYS", "--source", source, "--home", str(home), "--quiet")
    assert realtime_predictor.main(["--replay", str(SESSIONS[0]), str(SESSIONS[14]), *options]) == 0
    changes = defaultdict(list)
    for line in log_of(home):
        assert line["model_trained_at"] is not None
        changes[line["data_through"]].append(line["predicted_change_pct"])
    means = [fmean(of_day) for _, of_day in sorted(changes.items())]
    assert len(means) == 15
    assert max(abs(after - before) for before, after in pairwise(means)) < FARTHEST_PCT
