"""Warnings of libraries reach nobody's mail: they go to the log file, and stderr holds our own messages alone."""

from __future__ import annotations

import logging
import warnings
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fake_yahoo import FakeYahoo, Listing, site_folder
from made_up_bars import market
from scripts import predict, train

from stockml.core import library_warnings
from stockml.core.calendars import calendar_for
from stockml.trainers.process_pool import ProcessRunner


def listing(today: date, *, is_constant: bool = False) -> Listing:
    sessions = calendar_for("A.NS").sessions_between(today - timedelta(days=800), today)
    bars = market(len(sessions)).drop(columns="Adj Close").set_axis(pd.DatetimeIndex(sessions, name="Date"))
    if is_constant:
        bars[["Open", "High", "Low", "Close"]], bars["Volume"] = 50.0, 1000.0
    return Listing(bars)


def last_session() -> date:
    yesterday = date.today() - timedelta(days=1)
    return calendar_for("A.NS").sessions_between(yesterday - timedelta(days=15), yesterday)[-1]


@pytest.mark.parametrize("kind", ["dividend", "split", "constant price"])
def test_each_path_of_a_library_that_warns_leaves_stderr_empty(yahoo: FakeYahoo, tmp_path: Path, kind: str) -> None:
    day = last_session()
    stock = listing(day, is_constant=kind == "constant price")
    if kind == "dividend":
        stock.dividends.update({day: 3.0, stock.bars.index[-60].date(): 2.0})
    yahoo.today = day
    yahoo.listings = {"A.NS": stock.splitting(day, 2.0) if kind == "split" else stock}
    env = {"PYTHONPATH": str(site_folder(yahoo, tmp_path / "site"))}
    options = ("--symbols", "A.NS", "--home", tmp_path / "home", "--log-file", tmp_path / "log")
    for run in (train, predict):
        ran = run(*options, "--as-of", day, env=env)
        assert (ran.code, ran.err) == (0, ""), ran.err
    if kind == "constant price":
        assert "DEBUG" in (tmp_path / "log").read_text() and "ConvergenceWarning" in (tmp_path / "log").read_text()


def warn_of(what: str) -> str:
    warnings.warn(f"{what} will\nchange", FutureWarning, stacklevel=1)
    return what


def test_what_is_warned_of_in_a_process_of_the_pool_is_logged_here(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("stockml"), "propagate", True)
    with caplog.at_level(logging.DEBUG, "stockml"), ProcessRunner(1) as runner:
        assert dict(runner.map(warn_of, ["apples", "pears"])) == {0: "apples", 1: "pears"}
    told = [record for record in caplog.records if "FutureWarning" in record.message]
    assert [record.levelno for record in told] == [logging.DEBUG] * 2
    ends = sorted(record.message.partition("FutureWarning: ")[2] for record in told)  # as they are done, in any order
    assert ends == ["apples will change", "pears will change"]


def test_a_filter_that_makes_warnings_errors_still_does() -> None:
    with warnings.catch_warnings():
        library_warnings.take()
        warnings.simplefilter("error")
        with pytest.raises(RuntimeWarning):
            np.log(np.array([-1.0]))


def test_our_own_messages_stay(tmp_path: Path) -> None:
    ran = predict("--source", "sample", "--symbols", "SIM-NOBODY", "--home", tmp_path)
    assert ran.code == 3 and "SIM-NOBODY: not in the simulated market" in ran.err
