"""What many tests share: the real price tables where they are at hand, and small made-up ones."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import curl_cffi  # noqa: F401 - before TensorFlow, in whose copy of curl it would look for its own functions
import numpy as np
import pandas as pd
import pytest
import tools
from browser import browser, made_page, visit  # noqa: F401 - fixtures of a real browser
from fake_yahoo import FakeYahoo, Listing
from filelock import FileLock
from hypothesis import HealthCheck, settings
from local_cluster import lasting_cluster, two_workers  # noqa: F401 - fixtures of a Dask cluster
from made_up_bars import market
from scripts import predict, train
from threadpoolctl import threadpool_limits

from stockml.commands.symbols import WATCHLIST
from stockml.core.calendars import calendar_for
from stockml.data.price_table import PriceTable
from stockml.storage import tail_file

REAL_SYMBOLS = ("TCS.NS", "RELIANCE.NS", "INFY.NS")

# How long an example takes is no property of what is tested; a busy machine takes ten times as long.
settings.register_profile("stockml", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("stockml")

# Two workers of two threads each wait for one another where there are two cores: what takes 5 seconds took 370.
if "OPENBLAS_NUM_THREADS" not in os.environ:
    threadpool_limits(1, user_api="blas")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """One line at the end on what was skipped for want of something, and how to have it."""
    reasons = [skipped.longrepr[2].removeprefix("Skipped: ") for skipped in terminalreporter.getreports("skipped")]
    if line := tools.told(reasons):
        terminalreporter.write_line(line, yellow=True)


@pytest.fixture(autouse=True)
def logger_as_it_was() -> Iterator[None]:
    """A command run within the tests sets our logger up for a terminal; each test finds it as Python made it.

    Also after a fixture of a whole module that runs a command: it is older than what a test could put back.
    """
    _forget_setup(logging.getLogger("stockml"))
    yield
    _forget_setup(logging.getLogger("stockml"))


def _forget_setup(logger: logging.Logger) -> None:
    logger.setLevel(logging.NOTSET)
    logger.propagate = True
    logger.handlers[:] = [handler for handler in logger.handlers if isinstance(handler, logging.NullHandler)]


@pytest.fixture(scope="session")
def nse_folder() -> Path:
    """Real tables of 50 Indian stocks, 2000 to 2026."""
    return tools.shared_folder("market-data/nse-nifty50")


def made_up_prices(
    n_days: int = 600, *, seed: int = 1, symbol: str = "MADE.NS", last_day: date = date(2026, 6, 30)
) -> PriceTable:
    """A random walk in daily bars on weekdays, with volumes, and a dividend halfway."""
    rng = np.random.default_rng(seed)
    close = np.exp(np.cumsum(rng.normal(0.0003, 0.015, n_days))) * 250
    spread = np.abs(rng.normal(0, 0.008, (2, n_days)))
    opening = np.concatenate([[close[0]], close[:-1]]) * np.exp(rng.normal(0, 0.003, n_days))
    factor = np.where(np.arange(n_days) < n_days // 2, 0.98, 1.0)
    frame = pd.DataFrame(
        {
            "open": opening,
            "high": np.maximum(opening, close) * (1 + spread[0]),
            "low": np.minimum(opening, close) * (1 - spread[1]),
            "close": close,
            "adj_close": close * factor,
            "volume": np.exp(rng.normal(13, 0.4, n_days)).round(),
        },
        index=pd.bdate_range(end=pd.Timestamp(last_day), periods=n_days, name="Date"),
    )
    return PriceTable(symbol=symbol, frame=frame, currency="INR", source="csv")


@pytest.fixture
def prices() -> PriceTable:
    return made_up_prices()


@pytest.fixture
def trained_home(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Path:
    """A home of one's own with the models of three simulated companies."""
    import trained

    base = tmp_path_factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    return trained.trained_home(shared, tmp_path / "home")


@pytest.fixture(scope="session")
def real_home(nse_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three real stocks, trained and predicted as of one day, verified as of another; to be read only."""
    base = tmp_path_factory.getbasetemp()
    home = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "real-home"
    source = ("--source", f"csv:{nse_folder}", "--home", home)
    with FileLock(f"{home}.lock"):
        if not (home / "done").exists():
            for ran in (
                train(*source, "--symbols", *REAL_SYMBOLS, "--as-of", "2026-06-30"),
                predict(*source, "--as-of", "2026-06-30"),
                predict(*source, "--verify-only", "--as-of", "2026-07-10"),
                predict(*source, "--as-of", "2026-07-10"),
            ):
                assert ran.code == 0 and ran.err == "", ran.err
            (home / "done").touch()
    return home


@pytest.fixture(scope="module")
def in_haste() -> Iterator[None]:
    """A module's own runs, thousands of them, wait neither for readers nor for the disk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tail_file, "TAIL_PAUSE_SECONDS", 0.0)
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


NEW_YORK = {"currency": "USD", "exchange": "NMS", "timezone": "America/New_York", "opens": "09:30"}


def _listed(symbol: str, seed: int) -> Listing:
    """Five years of prices through today, on the days of the symbol's own exchange."""
    days = calendar_for(symbol).sessions_between(date.today() - timedelta(days=5 * 365), date.today())
    bars = market(len(days), seed).drop(columns="Adj Close").set_index(pd.DatetimeIndex(days, name="Date"))
    return Listing(bars) if symbol.endswith(".NS") else Listing(bars, **NEW_YORK)


@pytest.fixture
def yahoo() -> Iterator[FakeYahoo]:
    """A server that knows the stocks the examples ask Yahoo for."""
    with FakeYahoo(date.today()) as server:
        for seed, symbol in enumerate((*WATCHLIST, "AAPL", "MSFT")):
            server.listings[symbol] = _listed(symbol, seed)
        yield server
