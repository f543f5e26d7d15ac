"""The announcements kept beside the price cache: what moves, when it was first known, whose turn it is, and damage."""

import json
from datetime import date, time, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stockml.core.paths import Home
from stockml.data import announcement_store as store
from stockml.data.announcement_store import KnownDates, ToldDates, symbols_to_ask, updated
from stockml.data.announcements import Announcement, known_by

TODAY = date(2026, 4, 10)
SOON, LATER = date(2026, 4, 30), date(2026, 5, 4)


def known(*dates: Announcement, asked: date = TODAY) -> KnownDates:
    return KnownDates(dates, asked, asked)


def test_a_date_is_first_known_on_the_day_it_was_told_first():
    first = updated(None, ToldDates(Announcement(SOON)), TODAY)
    assert first.dates == (Announcement(SOON, None, TODAY),)
    again = updated(first, ToldDates(Announcement(SOON, time(16, 30))), TODAY + timedelta(7))
    assert again.dates == (Announcement(SOON, time(16, 30), TODAY),)
    assert (again.asked_on, again.past_asked_on) == (TODAY + timedelta(7), None)


@pytest.mark.parametrize("new", [LATER, SOON - timedelta(2), SOON + timedelta(90)])
def test_a_date_that_moves_is_kept_as_it_is_now(new):
    before = known(Announcement(date(2026, 1, 15)), Announcement(SOON, None, TODAY))
    moved = updated(before, ToldDates(Announcement(new)), date(2026, 4, 17))
    assert moved.dates == (Announcement(date(2026, 1, 15)), Announcement(new, None, date(2026, 4, 17)))


@pytest.mark.parametrize("coming", [None, Announcement(TODAY - timedelta(1))])
def test_no_date_told_takes_none_away(coming):
    before = known(Announcement(SOON, None, TODAY))
    assert updated(before, ToldDates(coming), date(2026, 4, 17)).dates == before.dates


def test_past_dates_learned_later_have_no_day_on_which_they_were_first_known():
    before = known(Announcement(date(2026, 1, 15), None, date(2026, 1, 2)))
    past = (Announcement(date(2025, 10, 9)), Announcement(date(2026, 1, 15), time(16, 0)))
    after = updated(before, ToldDates(None, past), TODAY)
    assert after.dates == (past[0], Announcement(date(2026, 1, 15), time(16, 0), date(2026, 1, 2)))
    assert after.past_asked_on == TODAY


def test_an_expected_date_that_never_came_gives_way_to_the_one_that_did():
    before = known(Announcement(date(2026, 4, 2), None, date(2026, 3, 20)), Announcement(date(2025, 4, 3)))
    after = updated(before, ToldDates(None, (Announcement(date(2026, 4, 6)),)), TODAY)
    assert after.dates == (Announcement(date(2025, 4, 3)), Announcement(date(2026, 4, 6)))


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(1, 60), st.booleans()), max_size=12))
def test_no_date_is_known_before_it_was_told(steps):
    """Whatever Yahoo tells, and however dates move: a replay of a day knows nothing that a run of that day did not."""
    today, kept, told_by = TODAY, None, {}
    for passed, ahead, asks_past in steps:
        today += timedelta(passed)
        coming = Announcement(today + timedelta(ahead))
        past = tuple(one for one in kept.dates if one.day < today) if kept and asks_past else None
        kept = updated(kept, ToldDates(coming, past), today)
        told_by.setdefault(coming.day, today)
        for day in (today - timedelta(30), today):
            for one in known_by(kept.dates, day):
                assert told_by[one.day] <= day or one.day <= day
        assert [one.day for one in kept.dates] == sorted({one.day for one in kept.dates})


# ---- whose turn it is ----


@pytest.mark.parametrize("n", [1, 30, 500])
def test_each_stock_is_asked_for_once_a_week_and_never_many_at_once(n):
    symbols, kept, asked = [f"S{number}" for number in range(n)], {}, []
    most = -(-n // 7)
    for passed in range(28):
        today = TODAY + timedelta(passed)
        for _run in range(2):
            turn = symbols_to_ask(symbols, kept, dict.fromkeys(symbols, today), most)
            kept |= {symbol: KnownDates((), today) for symbol in turn}
            asked += [(symbol, today) for symbol in turn]
            assert sum(day == today for _, day in asked) <= most
    per_stock = {symbol: [day for name, day in asked if name == symbol] for symbol in symbols}
    assert {len(days) for days in per_stock.values()} <= {3, 4}
    assert all((b - a).days >= 7 for days in per_stock.values() for a, b in pairwise(days))


def test_those_never_asked_for_come_first_and_then_the_oldest():
    kept = {"OLD": known(asked=date(2026, 3, 1)), "NEW": known(asked=date(2026, 3, 20)), "FRESH": known()}
    symbols = ["FRESH", "NEW", "OLD", "NEVER"]
    assert symbols_to_ask(symbols, kept, dict.fromkeys(symbols, TODAY), 9) == ["NEVER", "OLD", "NEW"]
    assert symbols_to_ask(["OLD", "NEW"], kept, dict.fromkeys(symbols, TODAY), 1) == ["OLD"]


def test_a_symbol_asked_for_under_a_clock_that_was_ahead_is_asked_again():
    kept = {"TCS": known(asked=TODAY + timedelta(400))}
    assert symbols_to_ask(["TCS"], kept, {"TCS": TODAY}, 9) == ["TCS"]


# ---- the file ----

GOOD = {"TCS.NS": known(Announcement(SOON, time(16, 30), TODAY), Announcement(LATER)), "NONE": KnownDates((), TODAY)}


def test_what_is_written_is_read_back_beside_what_another_run_wrote(tmp_path):
    home = Home(tmp_path)
    assert store.read(home) == {}
    store.write(GOOD, home)
    store.write({"INFY.NS": known()}, home)
    assert store.read(home) == {**GOOD, "INFY.NS": known()}
    assert [json.loads(line)["symbol"] for line in home.announcements.read_text().splitlines()] == [
        "INFY.NS", "NONE", "TCS.NS"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "line", ["", "{", "[]", "5", '{"symbol": 5}', '{"symbol": "A", "asked_on": "soon", "dates": []}', "\0\0",
             '{"symbol": "A", "asked_on": "2026-04-10", "dates": [{"date": "2026-04-31"}]}',
             '{"symbol": "A", "asked_on": "2026-04-10", "dates": 7}', "[" * 100_000],
)  # fmt: skip
def test_a_damaged_line_is_told_set_aside_and_costs_no_other(tmp_path, caplog, line):
    home = Home(tmp_path)
    store.write(GOOD, home)
    whole = home.announcements.read_bytes()
    home.announcements.write_bytes(line.encode() + b"\n" + whole)
    assert store.read(home) == store.read(home) == GOOD
    aside = home.announcements.with_name("announcements.rejected.jsonl")
    assert caplog.text.count("1 line cannot be read") == (1 if line else 0)
    assert not aside.exists()  # a run that only looks writes nothing
    store.write({}, home)
    assert home.announcements.read_bytes() == whole
    assert (aside.read_text() if aside.exists() else "") == (line + "\n" if line else "")


@pytest.mark.parametrize("make", [lambda path: path.mkdir(parents=True), lambda path: path.symlink_to("nowhere")])
def test_something_else_in_its_place_is_told_and_not_used(tmp_path, caplog, make):
    home = Home(tmp_path)
    home.prices.mkdir(parents=True)
    make(home.announcements)
    assert store.read(home) == {}
    assert f"{home.announcements}: is a" in caplog.text
