"""The page's figures against the lines of the log they come from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_helpers import (
    CLOCK,
    HORIZON,
    LAST_DAY,
    Parsed,
    made_up_home,
    page_of,
    stock_lines,
    weekdays_until,
    write_log,
)

from stockml.core.clock import Clock
from stockml.core.paths import Home
from stockml.core.records import Prediction
from stockml.core.results_expected import ResultsExpected
from stockml.core.student_t import StudentT
from stockml.reporting.page_data import (
    LogSummary,
    days_before,
    path_days,
    sessions_shown,
    signal_columns,
    stock_page,
    units_of,
    why,
)
from stockml.reporting.page_record import reliability, wilson
from stockml.reporting.page_values import day_number
from stockml.reporting.ranges import price_ranges


def frame_of(home: Home) -> pd.DataFrame:
    return pd.DataFrame([json.loads(line) for line in home.log.read_text().splitlines()])


def lines_of(texts: Sequence[str]) -> list[Prediction]:
    return [Prediction.from_record(json.loads(text)) for text in texts]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return made_up_home(tmp_path_factory.mktemp("home"), 4, 60)[0]


@pytest.fixture(scope="module")
def page(home: Home) -> Parsed:
    return Parsed(page_of(home))


def test_the_record_is_what_the_verified_lines_add_up_to(home: Home, page: Parsed) -> None:
    verified = frame_of(home).query("status == 'verified'")
    total = page.data["records"]["5"]["total"]
    inside = (verified["low"] <= verified["actual_price"]) & (verified["actual_price"] <= verified["high"])
    expected = {
        "n": len(verified),
        "hit": verified["was_accurate"].mean(),
        "naive_hit": (verified["naive_error_pct"] < 5).mean(),
        "error": verified["error_pct"].mean(),
        "naive_error": verified["naive_error_pct"].mean(),
        "inside": inside.mean(),
        "confidence": verified["confidence"].mean(),
    }
    assert {name: total[name] for name in expected} == pytest.approx(expected, rel=1e-4)  # five digits are kept


def test_the_three_ranges_stand_beside_what_they_held(home: Home, page: Parsed) -> None:
    verified = [line for line in lines_of(home.log.read_text().splitlines()) if line.status == "verified"]
    record = page.data["records"]["5"]
    assert [row["share"] for row in record["ranges"]] == [0.5, 0.8, 0.95]
    for row in record["ranges"]:
        inside = 0
        for line in verified:
            (found,) = [one for one in price_ranges(line) if one.share == row["share"]]
            assert line.outcome is not None and line.outcome.actual_price is not None
            inside += found.low <= line.outcome.actual_price <= found.high
        assert (row["n"], row["held"]) == (len(verified), pytest.approx(inside / len(verified), abs=0.01))
    assert record["total"]["crps"] > 0 and record["total"]["naive_crps"] > 0


def test_conditions_stand_below_all_predictions_and_divide_them(page: Parsed) -> None:
    whole, *rows = page.data["records"]["5"]["conditions"]
    assert (whole["family"], whole["name"], whole["n"]) == ("", "all", page.data["records"]["5"]["total"]["n"])
    families: dict[str, int] = {}
    for row in rows:
        families[row["family"]] = families.get(row["family"], 0) + row["n"]
    assert families == {"predicted volatility": whole["n"], "regime": whole["n"]}  # one market, one year


def test_an_open_prediction_tells_its_ranges_from_its_distribution(home: Home, page: Parsed) -> None:
    line = lines_of(home.log.read_text().splitlines())[-1]
    stock = page.data["stocks"][line.symbol]
    assert [part for part, _, _ in stock["ranges"]] == [0.5, 0.8, 0.95]
    for part, low, high in stock["ranges"]:
        assert line.distribution is not None
        told = [line.current_price * (1 + pct / 100) for pct in line.distribution.interval_pct(part)]
        assert [low, high] == pytest.approx(told, rel=1e-4)
    bare = replace(line, distribution=None, model_scale_pct=None)
    assert stock_page([bare])["ranges"] == [[0.8, line.low, line.high]]
    wild = replace(line, distribution=StudentT(0.0, 80.0, 5))
    assert all(0 < found.low < found.high for found in price_ranges(wild))


def test_each_week_counts_the_targets_that_lie_in_it(home: Home, page: Parsed) -> None:
    verified = frame_of(home).query("status == 'verified'")
    target = pd.to_datetime(verified["target_date"])
    weeks = verified.groupby(target - pd.to_timedelta(target.dt.day_of_week, unit="D"))
    told = page.data["records"]["5"]["weeks"]
    assert [week["day"] for week in told] == [day_number(monday.date()) for monday in weeks.groups]
    assert [week["n"] for week in told] == weeks.size().tolist()
    assert [week["error"] for week in told] == pytest.approx(weeks["error_pct"].mean().tolist(), rel=1e-4)
    assert [week["hit"] for week in told] == pytest.approx(weeks["was_accurate"].mean().tolist(), rel=1e-4)


def test_months_and_regimes_stand_beside_naive_as_the_log_has_them(home: Home, page: Parsed) -> None:
    verified = frame_of(home).query("status == 'verified'")
    record = page.data["records"]["5"]
    rose = verified["actual_price"] > verified["current_price"]
    for name, key in (("months", verified["data_through"].str[:7]), ("regimes", verified["market_regime"])):
        groups = verified.groupby(key)
        told = record[name]
        assert {group: score["n"] for group, score in told.items()} == groups.size().to_dict()
        for figure, column in (
            ("error", verified["error_pct"]),
            ("naive_error", verified["naive_error_pct"]),
            ("rose", rose),
        ):
            means = column.groupby(key).mean().to_dict()
            assert {group: score[figure] for group, score in told.items()} == pytest.approx(means, rel=1e-4)


def test_closes_are_looked_up_for_stocks_whose_first_line_is_shown_on_a_page_of_up_to_a_hundred() -> None:
    lines = lines_of(stock_lines("A.XY", 30, seed=1))
    few = LogSummary({("A.XY", 5): lines, ("A.XY", 10): lines[5:], ("B.XY", 5): lines[-20:]}, {}, most=25)
    first = date.fromisoformat(lines[-20].data_through)
    assert days_before(few) == {"B.XY": (first - timedelta(days=120), LAST_DAY)}
    whole = days_before(replace(few, most=250))
    assert whole["A.XY"][0] == date.fromisoformat(lines[0].data_through) - timedelta(days=120)
    for number, looked_at in ((1, 1), (100, 100), (101, 0)):
        page = LogSummary({(f"S{at}.XY", 5): lines[-1:] for at in range(number)}, {})
        assert len(days_before(page)) == looked_at


def test_each_stock_has_its_own_record(home: Home, page: Parsed) -> None:
    verified = frame_of(home).query("status == 'verified'").groupby("symbol")
    told = page.data["records"]["5"]["stocks"]
    assert {symbol: score["n"] for symbol, score in told.items()} == verified.size().to_dict()
    errors = verified["naive_error_pct"].mean().to_dict()
    assert {symbol: score["naive_error"] for symbol, score in told.items()} == pytest.approx(errors, rel=1e-4)


def test_a_stocks_columns_are_its_lines(home: Home, page: Parsed) -> None:
    lines = frame_of(home).query("symbol == 'MADE-02.XY'")
    stock = page.data["stocks"]["MADE-02.XY"]
    assert stock["predicted"] == lines["predicted_price"].tolist()
    assert stock["made"] == [day_number(day) for day in lines["data_through"]]
    assert [value is None for value in stock["actual"]] == lines["actual_price"].isna().tolist()
    assert stock["ahead"]["price"] == lines["path"].iloc[-1]
    assert stock["ahead"]["day"][-1] == stock["target"][-1] and len(stock["ahead"]["day"]) == HORIZON


def test_a_stock_shows_about_a_year_and_the_record_counts_everything(tmp_path: Path) -> None:
    home = Home(tmp_path)
    write_log(home, stock_lines("LONG.XY", 400, seed=1))
    data = Parsed(page_of(home)).data
    assert len(data["stocks"]["LONG.XY"]["made"]) == 250
    assert data["stocks"]["LONG.XY"]["made"][-1] == day_number(LAST_DAY)
    assert data["records"]["5"]["total"]["n"] == 400 - HORIZON


def test_a_past_day_shows_what_was_known_then(home: Home) -> None:
    day = weekdays_until(LAST_DAY, 60)[29]
    data = Parsed(page_of(home, clock=Clock(CLOCK.now, day))).data
    assert data["records"]["5"]["total"]["n"] == 4 * (30 - HORIZON)
    assert {stock["made"][-1] for stock in data["stocks"].values()} == {day_number(day)}


def test_signals_keep_their_weight_and_the_learned_weight_behind_it() -> None:
    lines = lines_of(stock_lines("A.XY", 12, seed=4))
    columns = signal_columns(lines)
    for at, line in enumerate(lines):
        weights = {signal.name: signal.weight for signal in line.signals}
        assert {name: column["weight"][at] for name, column in columns.items() if column["weight"][at]} == weights
        for name, column in columns.items():
            if column["learned"][at]:
                opinion = line.evidence.opinions[name]
                assert column["learned"][at] * opinion / 5 == pytest.approx(
                    weights[name], rel=6e-3
                )  # three digits are kept


def test_why_adds_up_to_the_expected_change() -> None:
    for line in lines_of(stock_lines("A.XY", 30, seed=9)):
        rows = why(line)
        assert {name for name, *_ in rows} == set(line.evidence.opinions)
        assert sum(adds for *_, adds in rows) == pytest.approx(line.predicted_change_pct, abs=1e-3)
        sizes = [abs(adds) for *_, adds in rows]
        assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize("known", [True, False])
def test_a_stock_tells_the_results_ahead_of_its_newest_line(known: bool) -> None:
    lines = lines_of(stock_lines("A.XY", 3, seed=9))
    assert stock_page(lines)["results"] is None
    results = ResultsExpected(lines[-1].target_date, is_known=known, moves_times=2.14)
    lines[-1] = replace(lines[-1], evidence=replace(lines[-1].evidence, results=results))
    source = "" if known else " (foretold from last year's)"
    told = f"results expected on {lines[-1].target_date}{source}, moves then 2.1 times the usual"
    assert stock_page(lines)["results"] == told


def split_lines(factor: float) -> list[Prediction]:
    """Ten days of lines; before the last settled line's target the stock was split, so that one line says `factor`."""
    lines = lines_of(stock_lines("S.XY", 10, seed=2))
    crossing = lines[4]
    assert crossing.outcome is not None
    lines[4] = replace(crossing, outcome=replace(crossing.outcome, units_factor=factor))
    return lines


def test_prices_before_a_split_are_shown_in_todays_units() -> None:
    # line 4 was settled on day 9, after the split; lines 0 to 3 were settled on days 5 to 8, before it or in its units
    assert units_of(split_lines(2.0)) == [1, 1, 1, 1, 2, 1, 1, 1, 1, 1]
    lines = split_lines(2.0)
    stock = stock_page(lines)
    assert stock["close"][4] == pytest.approx(lines[4].current_price / 2)
    assert stock["actual"][4] == pytest.approx(lines[4].outcome.actual_price / 2)
    assert stock["close"][5] == lines[5].current_price


def test_a_split_reaches_back_through_lines_settled_before_it() -> None:
    lines = lines_of(stock_lines("S.XY", 20, seed=2))
    for at in (6, 7, 8, 9, 10):  # made before a split on day 11, settled after it
        lines[at] = replace(lines[at], outcome=replace(lines[at].outcome, units_factor=5.0))
    assert units_of(lines) == [5.0] * 11 + [1.0] * 9


@pytest.mark.parametrize("horizon", [1, 5, 10])
def test_the_path_ends_on_the_target_and_steps_over_weekends(horizon: int) -> None:
    line = lines_of(stock_lines("A.XY", 1, seed=1, horizon=horizon))[-1]
    days = path_days(line)
    assert len(days) == horizon and days[-1] == date.fromisoformat(line.target_date)
    assert all(day.weekday() < 5 for day in days) and all(one < other for one, other in pairwise(days))


CONFIDENCES = st.integers(0, 40).map(lambda number: round(0.3 + number / 60, 4))


@given(st.lists(st.tuples(CONFIDENCES, st.booleans()), min_size=1, max_size=400), st.floats(1, 20))
def test_reliability_keeps_every_prediction_and_its_share_in_its_interval(
    forecasts: list[tuple[float, bool]], overlap: float
) -> None:
    stated: dict[float, tuple[int, int]] = {}
    for confidence, hit in forecasts:
        number, hits = stated.get(confidence, (0, 0))
        stated[confidence] = (number + 1, hits + hit)
    bins = reliability(stated, overlap)
    assert sum(part["n"] for part in bins) == len(forecasts)
    assert all(part["low"] - 1e-4 <= part["share"] <= part["high"] + 1e-4 for part in bins)
    means = [part["confidence"] for part in bins]
    assert means == sorted(means)
    ordered, at = sorted(forecasts), 0
    for part in bins:  # each bin is a stretch of the predictions in the order of their confidence
        chosen = ordered[at : at + part["n"]]
        at += part["n"]
        assert part["share"] == pytest.approx(sum(hit for _, hit in chosen) / len(chosen), rel=1e-4)
        assert part["confidence"] == pytest.approx(sum(confidence for confidence, _ in chosen) / len(chosen), rel=1e-4)
    assert len(bins) == max(1, min(10, len(forecasts) // 30))
    assert max(part["n"] for part in bins) - min(part["n"] for part in bins) <= 1


def test_a_page_of_many_stocks_shows_fewer_sessions_of_each() -> None:
    assert [sessions_shown(number) for number in (0, 1, 100, 101)] == [250, 250, 250, 247]
    assert [sessions_shown(number) for number in (500, 2000, 10_000)] == [50, 20, 20]


def test_wilsons_interval_is_the_published_one() -> None:
    # Brown, Cai and DasGupta (2001): centre (X + z^2/2) / (n + z^2); here 8 of 10 with z = 1.645, by hand
    assert wilson(0.8, 10) == pytest.approx((0.5408, 0.9313), abs=5e-4)
    assert wilson(1.0, 10)[1] == 1.0 and wilson(0.0, 10)[0] == 0.0
