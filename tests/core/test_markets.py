"""Markets: each one's week, and by what names, endings and answers of Yahoo it is found."""

from __future__ import annotations

import re
from datetime import date

import pytest

from stockml.core.calendars import calendar_for
from stockml.core.markets import (
    EXCHANGES,
    MON_FRI,
    SAT_WED,
    SUN_THU,
    as_yahoo_writes,
    market,
    market_by_yahoo,
    market_named,
    market_of,
)

SUNDAYS_NOW = {"DSMD", "XAMM", "XBAH", "XCAI", "XDHA", "XKUW", "XMUS", "XSAU"}


@pytest.mark.parametrize("code", EXCHANGES)
def test_every_exchange_trades_in_its_week_of_today(code):
    assert market(code).week_on(date(2026, 6, 30)) == (SUN_THU if code in SUNDAYS_NOW else MON_FRI)
    assert market(code).earliest_close <= market(code).close


@pytest.mark.parametrize(
    ("code", "last_of_the_old", "old", "new"),
    [
        ("XTAE", "2026-01-04", SUN_THU, MON_FRI),
        ("XDFM", "2022-01-02", SUN_THU, MON_FRI),
        ("XSAU", "2013-06-28", SAT_WED, SUN_THU),
        ("XKUW", "2007-09-01", SAT_WED, SUN_THU),
    ],
)
def test_a_week_that_changed_is_kept_before_and_after(code, last_of_the_old, old, new):
    day = date.fromisoformat(last_of_the_old)
    assert market(code).week_on(day) == old
    assert market(code).week_on(date.fromordinal(day.toordinal() + 1)) == new


@pytest.mark.parametrize(
    ("symbol", "code"),
    [
        ("COMI.CA", "XCAI"),
        ("NBK.KW", "XKUW"),
        ("QNBK.QA", "DSMD"),
        ("2222.SR", "XSAU"),
        ("^TASI.SR", "XSAU"),
        ("OMTEL.OM", "XMUS"),
        ("ARBK.AM", "XAMM"),
        ("LUMI.TA", "XTAE"),
        ("EMAAR.AE", "XDFM"),
        ("OPAP.AT", "ASEX"),
        ("TLV.RO", "XBSE"),
        ("VNM.VN", "XSTC"),
        ("OGDC.KA", "XKAR"),
        ("SBER.ME", "XMOS"),
        ("BRK.B", None),  # a share class, whose exchange it does not name
        ("BT-A.L", "XLON"),
        ("AAPL", None),
        ("^TA35", None),
        ("ELSEWHERE.XX", None),
    ],
)
def test_a_symbol_names_its_market_or_none(symbol, code):
    assert market_of(symbol) == code
    assert market_of(symbol.lower()) == code


@pytest.mark.parametrize(
    ("symbol", "written"),
    [
        ("BRK.B", "BRK-B"),
        ("BF.B", "BF-B"),
        ("HEI.A", "HEI-A"),
        ("brk.b", "brk-b"),
        ("BRK-B", "BRK-B"),
        ("VOD.L", "VOD.L"),  # exchanges of one letter
        ("SAP.F", "SAP.F"),
        ("SONY.T", "SONY.T"),
        ("ABC.V", "ABC.V"),
        ("7203.T", "7203.T"),
        ("TCS.NS", "TCS.NS"),
    ],
)
def test_a_share_class_is_written_as_yahoo_does(symbol, written):
    assert as_yahoo_writes(symbol) == written
    assert calendar_for("BRK.B") == calendar_for("BRK-B")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("XBOM", "XBOM"),
        ("xbom", "XBOM"),
        ("NSE", "XBOM"),
        (".NS", "XBOM"),
        ("BSE", "XBOM"),
        ("nasdaq", "XNYS"),
        ("TLV", "XTAE"),
    ],
)
def test_a_person_may_name_an_exchange_in_the_usual_ways(name, code):
    assert market_named(name) == code


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("XBOMB", "did you mean XBOM"),
        ("XNYSE", "did you mean .*XNYS"),
        ("moon", "known are ASEX, BVMF"),
        ("", "known are"),
    ],
)
def test_an_unknown_exchange_is_refused_with_those_that_are_known(name, hint):
    with pytest.raises(ValueError, match=f"{re.escape(repr(name))} is no exchange that is known; .*{hint}"):
        market_named(name)


@pytest.mark.parametrize(
    ("symbol", "exchange", "zone", "code"),
    [
        ("AAPL", "NMS", "America/New_York", "XNYS"),
        ("SPY", "PCX", "America/New_York", "XNYS"),
        ("TCS", "NSI", "Asia/Kolkata", "XBOM"),
        ("^TA35", "TLV", "Asia/Jerusalem", "XTAE"),
        ("^CASE30", "CAI", "Africa/Cairo", "XCAI"),
        ("SAP.L", "GER", "Europe/Berlin", "XETR"),  # it contradicts the ending, and wins
        ("^NEW", "ZZZ", "Asia/Bangkok", "XBKK"),  # an unknown exchange, in whose zone one only lies
        ("^NEW", "ZZZ", "Asia/Dili", "weekdays@Asia/Dili"),
        ("^NEW", "ZZZ", "Europe/Berlin", "weekdays@Europe/Berlin"),  # several lie there
        ("TCS.NS", "ZZZ", "Asia/Tokyo", None),  # less sure than the ending
        ("GONE", "YHD", "America/New_York", None),
        ("^NEW", "ZZZ", "Nowhere/Land", None),
        ("^NEW", None, None, None),
    ],
)
def test_yahoos_answer_names_the_market(symbol, exchange, zone, code):
    assert market_by_yahoo(symbol, exchange, zone) == code
    if code:
        assert market(code).timezone.key
