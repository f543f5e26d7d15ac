"""Settling through whole processes: what a user is told where prices jump, split, stop, or were corrected."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_up_bars import market, unadjusted
from scripts import Ran, log_of, predict

MADE_FROM, TARGET, LATE = "2026-05-12", "2026-05-19", "2026-06-24"
PRICES = ["Open", "High", "Low", "Close", "Adj Close"]


def bars(last: str = "2026-06-30") -> pd.DataFrame:
    frame = market()
    return frame.set_axis(pd.bdate_range(end=last, periods=len(frame), name="Date")).round(2)


class Shop:
    """A home and a folder of prices, and runs as of a day."""

    def __init__(self, folder: Path) -> None:
        self.home, self.prices = folder / "home", folder / "prices"
        self.prices.mkdir()

    def put(self, frame: pd.DataFrame, symbol: str = "MADE.NS") -> None:
        frame.to_csv(self.prices / f"{symbol}.csv")

    def run(self, as_of: str, *options: object) -> Ran:
        return predict("--source", f"csv:{self.prices}", "--home", self.home, "--as-of", as_of, *options)

    def line(self, made_from: str = MADE_FROM) -> dict[str, object]:
        return next(line for line in log_of(self.home) if line["data_through"] == made_from)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def stepped(factor: float, volume: float, day: str = "2026-05-14") -> pd.DataFrame:
    """From one day on every price times a factor; on that day so many times the usual number of shares."""
    frame = bars()
    frame.loc[day:, PRICES] *= factor
    frame.loc[day, "Volume"] = round(frame["Volume"].median() * volume)
    return frame


@pytest.mark.parametrize(("factor", "volume"), [(3.68, 19), (0.24, 25), (7.7, 60)])
def test_a_jump_on_news_is_settled_as_the_miss_it_was_and_forecast_on(shop: Shop, factor: float, volume: float) -> None:
    shop.put(bars())
    shop.run(MADE_FROM, "--symbols", "MADE.NS")
    shop.put(frame := stepped(factor, volume))
    done = shop.run("2026-05-15", "--symbols", "MADE.NS")
    assert (done.code, shop.line("2026-05-15")["current_price"]) == (
        0,
        pytest.approx(frame["Close"]["2026-05-15"], rel=1e-4),
    )
    settled = shop.run(TARGET, "--symbols", "MADE.NS")
    assert settled.code == 0 and "1 verified" not in settled.err
    assert "stays pending, the price leapt on 2026-05-14" in settled.out
    assert shop.run("2026-05-21", "--symbols", "MADE.NS").code == 0
    line = shop.line()
    assert (line["status"], line["was_accurate"], line["settled_from"]) == ("verified", False, TARGET)
    assert line["actual_price"] == pytest.approx(frame["Close"][TARGET], rel=1e-4)


@pytest.mark.parametrize(("factor", "volume"), [(0.5, 2), (0.1, 10), (0.6, 1.7)])
def test_a_split_that_is_not_adjusted_for_is_told_until_it_is(shop: Shop, factor: float, volume: float) -> None:
    shop.put(bars())
    shop.run(MADE_FROM, "--symbols", "MADE.NS")
    shop.put(frame := stepped(factor, volume))
    unsettled = shop.run("2026-05-27", "--symbols", "MADE.NS", "--verify")
    assert unsettled.code in (1, 3)
    assert (
        f"MADE.NS: its prediction of {MADE_FROM} for {TARGET} stays pending, on 2026-05-14 the prices" in unsettled.err
    )
    frame.loc[:"2026-05-13", PRICES] *= factor
    shop.put(frame)
    assert shop.run("2026-05-28", "--symbols", "MADE.NS", "--verify").code == 0
    line = shop.line()
    assert line["units_factor"] == pytest.approx(1 / factor, rel=1e-3)
    assert line["actual_price"] == pytest.approx(float(bars()["Close"][TARGET]), rel=1e-3)


@pytest.mark.parametrize(("ratio", "words"), [(2, "2:1"), (3 / 2, "3:2"), (0.1, "1:10")])
def test_a_split_in_raw_closes_that_adj_close_tells_of_costs_nothing(shop: Shop, ratio: float, words: str) -> None:
    frame = unadjusted(bars(), int(bars().index.get_loc("2026-05-14")), ratio).round(4)
    shop.put(frame)
    for day in (MADE_FROM, "2026-05-14", TARGET):
        done = shop.run(day, "--symbols", "MADE.NS")
        assert done.code == 0 and "Dropped" not in done.out + done.err
    assert "split of " + words in shop.run(TARGET, "--symbols", "MADE.NS", "-v").err
    line = shop.line()
    assert (line["status"], line["units_factor"]) == ("verified", pytest.approx(ratio, rel=1e-5))
    assert line["actual_price"] == pytest.approx(frame.loc[TARGET, "Close"] * ratio, abs=0.01)
    assert shop.line("2026-05-14")["current_price"] == pytest.approx(frame.loc["2026-05-14", "Close"], abs=0.01)


def test_what_could_not_be_settled_is_told_beside_every_score(shop: Shop) -> None:
    shop.put(bars())
    shop.put(bars(), "OTHER.NS")
    both = ("--symbols", "MADE.NS", "OTHER.NS")
    shop.run(MADE_FROM, *both)
    frame = bars()
    shop.put(frame[frame.index <= MADE_FROM])  # suspended since
    done = shop.run(LATE, *both)
    reason = "the source has no price within 30 days of the target"
    assert done.code == 1
    assert f"could not be settled: {reason}" in done.err
    assert f"1 prediction could not be settled: {reason} (1)." in done.out and "not settled" in done.out
    scores = json.loads((shop.home / "realtime_predictions/feedback/accuracy_scores.json").read_text())
    assert scores["MADE.NS"]["expired_reasons"] == {reason: 1} and scores["MADE.NS"]["accuracy"] is None
    assert (scores["OTHER.NS"]["total_predictions"], scores["OTHER.NS"]["expired_predictions"]) == (1, 0)
    assert f"1 prediction could not be settled: {reason} (1)" in shop.run(LATE, "--status").out
    page = (shop.home / "realtime_predictions/report.html").read_text()
    assert f"1 prediction could not be settled: {reason} (1)." in page
    for left in (shop.home / "realtime_predictions/feedback").iterdir():
        left.unlink()
    shop.run(LATE, *both, "--verify")
    again = json.loads((shop.home / "realtime_predictions/feedback/accuracy_scores.json").read_text())
    assert again == scores


def test_a_folder_that_was_not_renewed_expires_nothing(shop: Shop) -> None:
    frame = bars()
    shop.put(frame[frame.index <= MADE_FROM])
    shop.run(MADE_FROM, "--symbols", "MADE.NS")
    assert "there is no bar of 2026-05-19 yet" in shop.run(LATE, "--symbols", "MADE.NS", "--verify").out
    assert shop.line()["status"] == "pending"
    shop.put(frame)
    assert shop.run(LATE, "--symbols", "MADE.NS", "--verify").code == 0
    assert (shop.line()["status"], shop.line()["settled_from"]) == ("verified", TARGET)


def test_a_corrected_close_is_told_and_scored_by_the_logged_one(shop: Shop) -> None:
    shop.put(bars())
    shop.run(MADE_FROM, "--symbols", "MADE.NS")
    logged = float(shop.line()["current_price"])  # type: ignore[arg-type]
    frame = bars()
    frame.loc[MADE_FROM, PRICES] = (frame.loc[MADE_FROM, PRICES] * 1.01).round(2)
    shop.put(frame)
    done = shop.run(TARGET, "--symbols", "MADE.NS", "--verify")
    assert done.code == 0 and f"the source corrected the close of {MADE_FROM} since, from {logged:g}" in done.err
    line = shop.line()
    assert "units_factor" not in line and line["current_price"] == logged
    assert line["current_price_corrected"] == frame["Close"][MADE_FROM]
    assert line["actual_price"] == frame["Close"][TARGET]


@pytest.mark.parametrize("horizon", [1, 5, 20])
def test_no_close_is_forecast_that_has_passed(shop: Shop, horizon: int) -> None:
    frame = bars()
    ends = frame.index[-3 - horizon]  # two holidays of Mumbai among them
    shop.put(frame[frame.index <= ends], "HALTED.NS")
    shop.put(frame)
    done = shop.run("2026-06-30", "--horizon", horizon, "--symbols", "HALTED.NS", "MADE.NS")
    assert (done.code, {line["symbol"] for line in log_of(shop.home)}) == (1, {"MADE.NS"})
    assert f"HALTED.NS: no price since {ends.date()}: not predicted" in done.err
    alone = shop.run("2026-06-30", "--horizon", horizon, "--symbols", "HALTED.NS")
    assert alone.code == 3


def test_a_table_that_lags_within_the_horizon_is_told_and_forecast(shop: Shop) -> None:
    frame = bars()
    shop.put(frame[frame.index <= "2026-06-25"])
    done = shop.run("2026-06-30", "--symbols", "MADE.NS")
    assert (done.code, shop.line("2026-06-25")["target_date"] > "2026-06-30") == (0, True)
    assert "MADE.NS: the last bar is of 2026-06-25, that of 2026-06-30 is missing" in done.err


Spoil = Callable[[pd.DataFrame], pd.DataFrame]


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda frame: frame, "their closes are still to come."),
        (lambda frame: frame[frame.index <= "2026-05-12"], "could not be settled: the source has no price within 30"),
        (lambda frame: frame.drop(frame.loc["2026-06-24":].index[::2]), "is missing and may still be filled in."),
    ],
)
def test_a_replay_tells_what_has_no_part_in_its_figures(shop: Shop, spoil: Spoil, told: str) -> None:
    shop.put(spoil(bars()))
    shop.put(bars(), "OTHER.NS")
    options = ("--source", f"csv:{shop.prices}", "--home", shop.home, "--symbols", "MADE.NS", "OTHER.NS")
    done = predict("--replay", "2026-05-04", "2026-06-30", *options)
    assert told in done.out
    counts = pd.Series([line["status"] for line in log_of(shop.home)]).value_counts()
    result = predict("--replay", "2026-05-04", "2026-06-30", "--json", *options).json
    assert result["pending"] == counts["pending"]
    assert sum(result["expired"].values()) == counts.get("expired", 0)
    assert np.isfinite(result["overall"]["mean_error_pct"])
