"""Prices: each thing that goes wrong with real feeds is found, named and counted, and nothing else is."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up_bars import N_DAYS, market
from tools import shared_folder

from stockml.data import raw_table
from stockml.data.jump_outcomes import SOUND_SESSIONS
from stockml.data.price_table import MIN_SESSIONS, PriceError, check_prices, note_stale

PRICES = ["Open", "High", "Low", "Close", "Adj Close"]
OLD, RECENT = 100, N_DAYS - 50  # rows on either side of the sessions that must be sound


def check(raw: pd.DataFrame, **options):
    return check_prices("TCS.NS", raw, **options)


def found(table) -> dict[str, tuple[str, int]]:
    return {finding.kind: (finding.action, finding.count) for finding in table.findings}


def halt(raw: pd.DataFrame, first: int, n_days: int, factor: float = 1.0) -> pd.DataFrame:
    """Nobody trades: the last close stands, times a factor."""
    raw.iloc[first : first + n_days, :5] = raw["Close"].iloc[first - 1] * factor
    raw.iloc[first : first + n_days, 4] *= 0.97
    raw.iloc[first : first + n_days, 5] = 0
    return raw


def rescale(raw: pd.DataFrame, rows: slice, factor: float, volume: float = 1.0) -> pd.DataFrame:
    raw.iloc[rows, :5] *= factor
    raw.iloc[rows, 5] *= volume
    return raw


def test_a_sound_table_passes_whole_and_unchanged():
    raw = market()
    before = raw.copy()
    table = check(raw)
    pd.testing.assert_frame_equal(raw, before)
    assert list(table.frame.columns) == ["open", "high", "low", "close", "adj_close", "volume"]
    assert {str(kind) for kind in table.frame.dtypes} == {"float64"}
    np.testing.assert_array_equal(table.frame.to_numpy(), raw.to_numpy())
    assert (table.symbol, table.currency, table.source) == ("TCS.NS", None, "")
    assert (table.findings, table.breaks, table.data_through) == ((), (), raw.index[-1].date())


def test_without_adjusted_closes_the_close_serves():
    for name in ("Adjusted Close", "adjclose", "ADJ CLOSE"):
        renamed = check(market().rename(columns={"Adj Close": name}))
        pd.testing.assert_frame_equal(renamed.frame, check(market()).frame)
    table = check(market().drop(columns="Adj Close"))
    pd.testing.assert_series_equal(table.frame["adj_close"], table.frame["close"], check_names=False)


def test_the_day_of_a_bar_is_the_exchanges_own():
    raw = market()
    local = raw.set_axis(raw.index.tz_localize("Asia/Kolkata") + pd.Timedelta(hours=9, minutes=15))
    written = raw.reset_index().assign(Date=[f"{day:%Y-%m-%d} 00:00:00+05:30" for day in raw.index])
    for table in (check(local), check(written)):
        pd.testing.assert_index_equal(table.frame.index, check(raw).frame.index)


def nan_close(raw):
    raw.iloc[200, 3] = np.nan
    return raw


def zero_open(raw):
    raw.iloc[200:202, 0] = 0
    return raw


def negative_adjusted(raw):
    raw.iloc[:40, 4] *= -1
    return raw


def inverted(raw):
    raw.iloc[200, [1, 2]] = raw.iloc[200, [2, 1]].to_numpy()
    return raw


def close_above_high(raw):
    raw.iloc[200, 1] = raw.iloc[200, 3] * 0.97
    return raw


def wild(raw):
    raw.iloc[200, 0] *= 5
    raw.iloc[200, 1] = raw.iloc[200, 0]
    return raw


def text_for_number(raw):
    raw = raw.astype(object)
    raw.iloc[200, 3] = "n/a?"
    return raw


def with_one(column, value):
    def spoil(raw):
        raw.iloc[200, column] = value
        return raw

    return spoil


@pytest.mark.parametrize(
    ("spoil", "kind", "action", "count"),
    [
        (lambda raw: raw.iloc[np.r_[0:50, 52, 51, 50, 53:N_DAYS]], "order", "noted", 2),
        (lambda raw: pd.concat([raw, raw.iloc[[-1, 7]]]).sort_index(), "duplicate", "dropped", 2),
        (nan_close, "missing_price", "dropped", 1),
        (zero_open, "not_positive", "dropped", 2),
        (negative_adjusted, "not_positive_adjusted", "dropped", 40),
        (lambda raw: rescale(raw, slice(200, 201), 1e14), "not_a_price", "dropped", 1),
        (lambda raw: rescale(raw, slice(200, 201), 1e-15), "not_a_price", "dropped", 1),
        (inverted, "high_low", "dropped", 1),
        (close_above_high, "high_low", "dropped", 1),
        (wild, "wild_range", "dropped", 1),
        (text_for_number, "unreadable", "dropped", 1),
        (with_one(3, np.inf), "unreadable", "dropped", 1),
        (with_one(5, np.inf), "unreadable", "dropped", 1),
        (with_one(3, 1e308), "unreadable", "dropped", 1),
        (with_one(3, 1e-300), "unreadable", "dropped", 1),
        (with_one(5, 1e300), "unreadable", "dropped", 1),
        (with_one(5, -(2.0**31)), "negative_volume", "dropped", 1),
        (lambda raw: raw.reset_index().astype({"Date": str}).replace("2024-10-07", "Total"), "undated", "dropped", 1),
        (lambda raw: halt(raw, 200, 1), "untraded", "dropped", 1),
        (lambda raw: halt(raw, 200, 12), "stale_price", "dropped", 12),
        (lambda raw: halt(raw, 200, 1, factor=2.0), "phantom_price", "dropped", 1),
        (lambda raw: rescale(raw, slice(200, 201), 0.5), "phantom_price", "dropped", 1),
        (lambda raw: rescale(raw, slice(200, 203), 100.0), "phantom_price", "dropped", 3),
        (
            lambda raw: raw.assign(**{"Adj Close": raw["Adj Close"].where(raw.index != raw.index[200], 9)}),
            "misadjusted",
            "dropped",
            1,
        ),
        (lambda raw: rescale(raw, slice(N_DAYS - 3, None), 0.01), "unconfirmed_jump", "dropped", 3),
        (lambda raw: rescale(raw, slice(N_DAYS - 1, None), 2 / 3), "unconfirmed_jump", "dropped", 1),
        (lambda raw: rescale(raw, slice(OLD), 100.0), "unit_jump", "dropped", OLD),
        (lambda raw: rescale(raw, slice(OLD), 1.5), "unadjusted_split", "dropped", OLD),
        (lambda raw: raw.drop(raw.index[60:OLD]), "gap", "dropped", 60),
        (lambda raw: raw.drop(raw.index[RECENT : RECENT + 30]), "gap", "noted", 1),
    ],
)
def test_a_bad_bar_is_dropped_or_noted_and_counted(spoil, kind, action, count):
    raw = spoil(market())
    table = check(raw)
    assert found(table) == {kind: (action, count)}
    assert len(table.frame) == len(raw) - (count if action == "dropped" else 0)
    assert table.frame.index.is_monotonic_increasing and table.frame.index.is_unique


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        (lambda raw: rescale(raw, slice(RECENT), 100.0), "unit_jump"),
        (lambda raw: rescale(raw, slice(RECENT), 2.0, volume=0.5), "unadjusted_split"),
        (lambda raw: rescale(raw, slice(RECENT), 2 / 3, volume=1.5), "unadjusted_split"),
        (lambda raw: raw.assign(**{"Adj Close": raw["Adj Close"].where(raw.index >= raw.index[RECENT], 20)}), None),
        (lambda raw: pd.concat([raw, market(level=9.0)]).sort_index(), "mixed_tickers"),
        (lambda raw: pd.concat([raw, raw.set_index(raw.index + pd.Timedelta(hours=1))]), "intraday"),
        (lambda raw: rescale(raw, slice(0, N_DAYS, 2), 7.0), "mixed_tickers"),
        (lambda raw: pd.concat([raw, raw], axis=1), "mixed_tickers"),
        (lambda raw: raw.reset_index().set_axis(["Date", *PRICES, "Close.1"], axis=1), "mixed_tickers"),
        (lambda raw: raw.drop(columns="Volume"), "columns"),
        (lambda raw: raw.drop(columns=["Close", "Adj Close"]), "columns"),
        (lambda raw: raw.iloc[:0], "empty"),
        (lambda raw: raw.iloc[: MIN_SESSIONS - 1], "too_short"),
        (lambda raw: raw.reset_index().assign(Date="03/04/2024"), "unreadable"),
        (lambda raw: raw.astype(object).assign(Close="?"), "unreadable"),
    ],
)
def test_what_no_dropping_mends_is_refused(spoil, kind):
    with pytest.raises(PriceError, match=r"^TCS\.NS: ") as refusal:
        check(spoil(market()))
    assert refusal.value.kind == (kind or "adjustment_jump")


def test_a_table_too_short_for_what_was_dropped_says_so():
    raw = rescale(market(), slice(10, None), -1.0)
    with pytest.raises(PriceError) as refusal:
        check(raw)
    assert str(refusal.value) == (
        f"TCS.NS: 10 daily bars, need 30 ({N_DAYS - 10} bars ({raw.index[10].date()} to {raw.index[-1].date()}) "
        "with a price of zero or below dropped); download its prices again"
    )


def test_a_table_too_short_by_the_day_looked_at_says_nothing_of_later_days():
    raw = market()
    with pytest.raises(PriceError) as refusal:
        check(raw, limit=raw.index[9].date())
    assert str(refusal.value) == "TCS.NS: 10 daily bars, need 30; ask again when it has traded longer"


def test_a_refusal_names_the_day_the_figures_and_the_remedy():
    raw = rescale(market(), slice(RECENT), 2.0, volume=0.5)
    day = raw.index[RECENT].date()
    with pytest.raises(PriceError) as refusal:
        check(raw)
    before, after = raw["Close"].iloc[RECENT - 1], raw["Close"].iloc[RECENT]
    assert str(refusal.value) == (
        f"TCS.NS: on {day} the price steps from {before:g} to {after:g}, a split of 2:1 that was not adjusted for; "
        "download the full history again"
    )


@pytest.mark.parametrize(("new", "old"), [(6, 5), (7, 5), (5, 3), (5, 4), (4, 3), (5, 2)])
@pytest.mark.parametrize("quiet_rows", [RECENT, N_DAYS - 20])
def test_a_bonus_issue_that_was_not_adjusted_for_is_told_by_its_ratio(new, old, quiet_rows):
    raw = rescale(market(), slice(quiet_rows, None), old / new, volume=new / old)
    raw.iloc[quiet_rows, 0] = raw["Close"].iloc[quiet_rows - 1] * old / new  # it opens where the last close leaves it
    raw.iloc[quiet_rows, 1] = max(raw.iloc[quiet_rows, [0, 3]]) * 1.01
    raw.iloc[quiet_rows, 2] = min(raw.iloc[quiet_rows, [0, 3]]) / 1.01
    with pytest.raises(PriceError, match=f"a split of {new}:{old} that was not adjusted for"):
        check(raw)


@pytest.mark.parametrize(("change", "high", "volume"), [(-0.17, 1.12, 1.0), (-0.17, 1.03, 4.0), (0.2, 1.03, 1.0)])
def test_a_bad_day_of_the_same_size_is_none(change, high, volume):
    raw = rescale(market(), slice(RECENT, None), 1 + change)
    day = raw.iloc[RECENT]
    raw.iloc[RECENT, 0] = raw["Close"].iloc[RECENT - 1] * (1 + change)
    raw.iloc[RECENT, 1], raw.iloc[RECENT, 2] = max(day.iloc[[0, 3]]) * high, min(day.iloc[[0, 3]])
    raw.iloc[RECENT, 5] *= volume
    raw = raw.assign(
        High=raw[["Open", "High", "Low", "Close"]].max(axis=1), Low=raw[["Open", "High", "Low", "Close"]].min(axis=1)
    )
    assert found(check(raw)) == {}


@pytest.mark.parametrize(("factor", "volume"), [(3.7, 19), (0.24, 20), (0.25, 40), (0.3, 12), (12.5, 6), (5.0, 30)])
def test_a_jump_on_loud_volume_is_news_and_kept(factor, volume):
    raw = rescale(market(), slice(RECENT, None), factor)
    raw.iloc[RECENT, 5] *= volume
    table = check(raw)
    assert found(table) == {"news_jump": ("noted", 1)}
    assert (len(table.frame), table.breaks) == (N_DAYS, ())


@pytest.mark.parametrize("days_after", [0, 1, 4])
def test_news_serves_from_its_first_day_on(days_after):
    raw = rescale(market(), slice(RECENT, None), 3.7)
    raw.iloc[RECENT, 5] *= 19
    end = raw.index[RECENT + days_after].date()
    assert check(raw, limit=end).data_through == end


@pytest.mark.parametrize(("factor", "volume"), [(5.0, 1), (5.0, 3), (0.1, 10), (0.2, 3), (100.0, 1), (3.7, 1.5)])
def test_a_jump_without_such_trade_is_no_news(factor, volume):
    raw = rescale(market(), slice(RECENT, None), factor)
    raw.iloc[RECENT, 5] *= volume
    with pytest.raises(PriceError, match="another unit, or a split"):
        check(raw)


def test_trade_that_stays_as_loud_is_another_listing():
    raw = rescale(market(), slice(RECENT, None), 0.07, volume=300.0)
    raw.iloc[RECENT + 1 : RECENT + 6, 5] *= 1.5
    with pytest.raises(PriceError, match="another unit, or a split"):
        check(raw)


def test_a_demerger_is_real_and_kept_as_a_break():
    raw = rescale(market(), slice(RECENT), 1.75)
    raw.iloc[RECENT, 5] *= 5
    table = check(raw)
    assert found(table) == {"demerger": ("noted", 1)}
    assert table.breaks == (raw.index[RECENT].date(),)
    assert len(table.frame) == N_DAYS


@pytest.mark.parametrize("factor", [0.2, 0.5, 2.0, 5.0])
def test_a_wild_day_that_began_where_the_last_one_ended_is_a_days_trade(factor):
    raw = rescale(market(), slice(RECENT, None), factor)
    raw.iloc[RECENT, 0] = raw["Close"].iloc[RECENT - 1]
    raw.iloc[RECENT, [1, 2]] = [raw.iloc[RECENT, :4].max(), raw.iloc[RECENT, :4].min()]
    wild = raw.iloc[RECENT, 1] > 3 * raw.iloc[RECENT, 2]
    assert found(check(raw)) == ({"wild_range": ("dropped", 1)} if wild else {})


@pytest.mark.parametrize("factor", [0.66, 0.75, 1.3, 1.52])
def test_an_earnings_day_is_left_alone(factor):
    raw = rescale(market(), slice(RECENT, None), factor)
    raw.iloc[RECENT, 5] *= 6
    assert check(raw).findings == ()


def test_a_fault_far_back_costs_only_what_lies_before_it():
    raw = rescale(market(), slice(N_DAYS - SOUND_SESSIONS), 100.0)
    assert len(check(raw).frame) == SOUND_SESSIONS
    with pytest.raises(PriceError):
        check(raw.drop(raw.index[-1]))


def test_without_any_volume_nothing_is_concluded_from_volume():
    raw = halt(market(), 200, 3).assign(Volume=0.0)
    assert check(raw).findings == ()


def test_an_index_with_volume_in_late_years_only_keeps_its_early_closes():
    raw = market()
    early = raw.index[:200]
    raw.loc[early, "Volume"] = 0
    for name in PRICES[:3]:
        raw.loc[early, name] = raw.loc[early, "Close"]
    table = check(raw)
    assert found(table)["no_volume"] == ("noted", len(table.frame.loc[: early[-1]]))
    assert len(table.frame) >= N_DAYS - 10  # at the seam, among bars with volume, the last few cannot be told


def test_a_bar_with_volume_is_a_session_whatever_the_calendar_says():
    raw = market()
    sunday = raw.iloc[[200]].set_axis(raw.index[[199]] + pd.offsets.Week(weekday=6), axis=0)
    table = check(pd.concat([raw, sunday]).sort_index())
    assert sunday.index[0] in table.frame.index


def test_what_cannot_be_read_after_the_limit_says_nothing_of_the_days_before():
    raw = market().astype(object)
    raw.iloc[300:, 0] = "?"
    limit = raw.index[299].date()
    table = check(raw, limit=limit)
    pd.testing.assert_frame_equal(table.frame, check(market().iloc[:300]).frame)
    assert "unreadable" not in found(table)
    with pytest.raises(PriceError, match="40 of 340 rows"):
        check(raw, limit=raw.index[339].date())


def test_bars_after_the_limit_are_an_open_sessions():
    raw = market()
    table = check(raw, limit=raw.index[-2].date())
    assert found(table) == {"open_session": ("dropped", 1)}
    assert table.data_through == raw.index[-2].date()


def test_what_lies_before_the_start_is_neither_checked_nor_kept():
    raw = rescale(market(), slice(RECENT), 100.0)
    table = check(raw, start=raw.index[RECENT].date())
    assert (table.findings, len(table.frame)) == ((), 50)


def test_a_stale_table_says_which_session_is_missing():
    table = check(market())
    expected = (table.frame.index[-1] + pd.offsets.BDay()).date()
    assert note_stale(table, table.data_through) is table
    finding = note_stale(table, expected).findings[-1]
    assert finding.summary() == {
        "kind": "stale",
        "action": "noted",
        "count": 1,
        "first": str(expected),
        "last": str(expected),
        "text": f"the last bar is of {table.data_through}, that of {expected} is missing",
    }


def test_a_table_cut_at_a_day_shows_nothing_later():
    raw = rescale(market(), slice(RECENT), 1.75)
    raw.iloc[RECENT, 5] *= 5
    table = check(raw)
    cut = table.through(raw.index[RECENT - 1].date())
    assert (cut.data_through, cut.breaks) == (raw.index[RECENT - 1].date(), ())
    assert table.through(date(2099, 1, 1)).breaks == table.breaks
    assert len(table.last(7).frame) == 7
    with pytest.raises(PriceError, match="no bar up to 2001-01-01"):
        table.through(date(2001, 1, 1))


@given(st.integers(0, 10_000), st.floats(1e-3, 1e6))
def test_an_ordinary_market_raises_no_alarm_at_any_scale(seed, level):
    raw = market(seed=seed, level=level)
    assert check(raw).findings == ()


# What the checks find in real files, told in the source notes beside them: symbol -> kind -> (bars, first, last).
KNOWN = {
    "ADANIENT.NS": {
        "not_positive_adjusted": (47, "2002-07-01", "2002-09-03"),
        "phantom_price": (1, "2005-07-28", "2005-07-28"),
        "adjustment_jump": (451, "2002-09-04", "2004-06-25"),
        "demerger": (1, "2015-06-03", "2015-06-03"),
        "wild_range": (1, "2015-06-03", "2015-06-03"),
    },
    "BAJAJ-AUTO.NS": {
        "stale_price": (45, "2008-03-14", "2008-05-23"),
        "gap": (1420, "2002-07-01", "2008-03-13"),
    },
    "BAJAJFINSV.NS": {"unit_jump": (1401, "2002-08-12", "2008-05-23")},
    "BAJFINANCE.NS": {"phantom_price": (1, "2005-07-28", "2005-07-28")},
    "BEL.NS": {"phantom_price": (1, "2005-07-28", "2005-07-28")},
    "CIPLA.NS": {"phantom_price": (5, "2003-04-14", "2004-05-11")},
    "DRREDDY.NS": {"phantom_price": (4, "2001-10-10", "2005-07-28")},
    "EICHERMOT.NS": {"phantom_price": (1, "2005-07-28", "2005-07-28")},
    "GRASIM.NS": {"phantom_price": (1, "2005-07-28", "2005-07-28")},
    "HCLTECH.NS": {
        "filled_forward": (14, "2003-11-26", "2005-11-04"),  # all on holidays
        "no_volume": (50, "2003-11-14", "2010-02-06"),
    },
    "JSWSTEEL.NS": {
        "stale_price": (22, "2005-02-21", "2005-03-22"),
        "gap": (451, "2003-05-08", "2005-02-18"),
    },
    "KOTAKBANK.NS": {"phantom_price": (3, "2004-04-26", "2005-07-28")},
    "LT.NS": {
        "stale_price": (22, "2004-05-24", "2004-06-22"),
        "phantom_price": (1, "2006-09-27", "2006-09-27"),
        "gap": (472, "2002-07-01", "2004-05-21"),
        "wild_range": (1, "2004-06-23", "2004-06-23"),
    },
    "M&M.NS": {"phantom_price": (1, "2005-07-28", "2005-07-28")},
    "NESTLEIND.NS": {
        "stale_price": (1702, "2003-03-25", "2010-01-07"),
        "no_volume": (1, "2003-03-24", "2003-03-24"),
        "unit_jump": (149, "2002-08-12", "2003-03-24"),
    },
    "ONGC.NS": {"phantom_price": (1, "2005-07-28", "2005-07-28")},
    "RELIANCE.NS": {"phantom_price": (1, "2005-07-28", "2005-07-28")},
    "TATASTEEL.NS": {"phantom_price": (4, "2003-04-14", "2004-04-26")},
    "TCS.NS": {
        "phantom_price": (1, "2005-07-28", "2005-07-28"),
        "stale_price": (286, "2003-04-02", "2004-05-05"),
        "unit_jump": (154, "2002-08-12", "2003-03-31"),
    },
    "TMPV.NS": {"demerger": (1, "2025-10-14", "2025-10-14")},
    "ULTRACEMCO.NS": {"news_jump": (1, "2004-08-24", "2004-08-24")},
}


def summed(table) -> dict[str, tuple[int, str, str]]:
    """Bars, first and last day of each kind but the plain copies on holidays, which nearly every file has."""
    days: dict[str, list[date]] = {}
    for finding in table.findings:
        days.setdefault(finding.kind, []).extend(finding.dates)
    days.pop("untraded", None)
    return {kind: (len(those), str(min(those)), str(max(those))) for kind, those in days.items()}


@pytest.fixture(scope="module")
def real_files():
    files = sorted(path for path in shared_folder("market-data").glob("*/*.csv") if path.parent.name != "announcements")
    return {(path.parent.name, path.stem): pd.read_csv(path) for path in files}


def test_the_known_faults_of_135_real_files_are_found_and_nothing_else(real_files):
    assert len(real_files) == 135
    assert sum(len(raw) for raw in real_files.values()) == 457_668
    for (folder, symbol), raw in real_files.items():
        if symbol == "TRENT.NS":
            continue  # below: it is refused
        table = check_prices(symbol, raw)
        # so there is no false alarm at all; 1 in 10,000 bars would be 45
        assert summed(table) == (KNOWN.get(symbol, {}) if folder == "nse-nifty50" else {}), (folder, symbol)


def test_holiday_copies_are_dropped_and_special_weekend_sessions_kept(real_files):
    nse = {symbol: raw for (folder, symbol), raw in real_files.items() if folder == "nse-nifty50"}
    copies, weekend = 0, 0
    for symbol, raw in nse.items():
        recent = raw[(raw["Date"] >= "2010-01-11") & (raw["Date"] < "2026-01-01")]
        table = check_prices(symbol, recent)
        copies += sum(finding.count for finding in table.findings if finding.kind == "untraded")
        weekend += int((table.frame.index.day_of_week >= 5).sum())
        traded = pd.to_datetime(recent.loc[recent["Volume"] > 0, "Date"])
        lost = traded[~traded.isin(table.frame.index)]
        assert list(lost.astype(str)) == (["2015-06-03"] if symbol == "ADANIENT.NS" else [])
    assert (copies, weekend) == (159, 146)  # 146 weekend dates is what the source notes count


def test_a_real_series_stitched_across_a_split_is_refused_until_it_is_far_back(real_files):
    """TRENT.NS steps by exactly 3:2 (4279 to an open of 2852.67) with the first bar of 2026."""
    raw = real_files["nse-nifty50", "TRENT.NS"]
    with pytest.raises(PriceError, match=r"2026-01-01 .* a split of 3:2 that was not adjusted for"):
        check_prices("TRENT.NS", raw)
    before = check_prices("TRENT.NS", raw, limit=date(2025, 12, 31))
    assert before.data_through == date(2025, 12, 31)
    assert summed(before)["phantom_price"] == (1, "2005-07-28", "2005-07-28")


@given(
    st.lists(
        st.one_of(
            st.dates().map(str),
            st.datetimes().map(str),
            st.sampled_from(["2025-1-2", "20250102", "2025-02-30", " 2025-01-02", "2025-01-02 ", "", "today", None]),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_days_read_at_once_are_those_read_one_by_one(texts):
    at_once = raw_table._read_days(pd.Series(texts, dtype="str"))
    one_by_one = raw_table._read_days(pd.Series(texts, dtype=object))
    assert at_once.equals(one_by_one) and at_once.dtype == one_by_one.dtype and at_once.name == "Date"
