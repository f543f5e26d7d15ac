"""Counts in words, and many alike messages told as one."""

import pytest

from stockml.core.wording import Message, alternatives, count, told_together

STOCKS = [f"S{number}.NS" for number in range(100)]


@pytest.mark.parametrize(("number", "text"), [(0, "0 bars"), (1, "1 bar"), (2, "2 bars"), (1500, "1,500 bars")])
def test_one_is_no_plural(number, text):
    assert count(number, "bar") == text


@pytest.mark.parametrize(("names", "text"), [(["A"], "A"), (["A", "B"], "A or B"), (["A", "B", "C"], "A, B or C")])
def test_alternatives_read_as_a_choice(names, text):
    assert alternatives(names) == text


def test_a_hundred_equal_messages_become_one_with_a_count_and_a_few_names():
    told = told_together(Message(symbol, f"{symbol}: no trained model.") for symbol in STOCKS)
    assert told == ["100 stocks (S0.NS, S1.NS, S2.NS and 97 more), each: no trained model."]


def test_two_equal_messages_and_unlike_ones_stay_as_they_are():
    texts = ["A: late.", "B: late.", "C: lost.", "No model at all."]
    assert told_together(Message(text.partition(":")[0] if ":" in text else "", text) for text in texts) == texts


def test_figures_that_differ_become_a_span():
    ages = [
        Message(f"S{age}", f"S{age}: its model is stale, {age} days old, of 2026-01-{age}.") for age in (20, 11, 30)
    ]
    (text,) = told_together(ages)
    assert text == "3 stocks (S20, S11, S30), each: its model is stale, 11 to 30 days old, of 2026-01-11 to 2026-01-30."


def test_a_file_s_name_follows_its_symbol():
    (text,) = told_together(
        Message(symbol, f"{symbol}: there is no file /x/{symbol}.csv.") for symbol in ("A", "B", "C")
    )
    assert text == "3 stocks (A, B, C), each: there is no file /x/SYMBOL.csv."


def test_messages_of_one_cause_are_one_whatever_they_say():
    said = ["no answer (timed out after 15 ms)", "no answer (timed out after 90 ms)", "not asked for any more"]
    messages = [Message(symbol, f"{symbol}: {text}", "network") for symbol, text in zip("ABC", said, strict=True)]
    assert told_together(messages) == ["3 stocks (A, B, C), each: no answer (timed out after 15 to 90 ms)"]


def test_one_stock_s_many_messages_are_not_many_stocks():
    texts = [f"A: {number} bars dropped." for number in range(5)]
    assert told_together(Message("A", text) for text in texts) == texts
    assert told_together([Message("A", "A: late.")] * 5) == ["A: late."]
