"""Bit rot in settled lines: whichever bit flips, the line is refused, or its seal is wrong, or it says the same."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from log_helpers import outcome, prediction

from stockml.core.outcomes import EXPIRED, Outcome, Reopened
from stockml.core.records import Prediction
from stockml.core.seals import FIRST, canonical, seal_of
from stockml.prediction_log import line as lines
from stockml.prediction_log.line import completed_line, new_line, read_line, sealed_in_turn

FLIPS = 5000
MADE = sealed_in_turn([prediction(symbol, day) for day in range(6) for symbol in ("TCS.NS", "INFY.NS")], FIRST)


def settled(made: Prediction, number: int) -> bytes:
    """The line verified, in some ways that lines are; one in six expired."""
    found = replace(outcome(made), settled_from=made.target_date, settled_at=f"{made.target_date}T15:45:00")
    found = replace(found, units_factor=0.5 if number % 4 == 1 else None)
    found = replace(found, current_price_corrected=3840.25 if number % 4 == 2 else None)
    if number % 6 == 5:
        found = Outcome(EXPIRED, f"{made.target_date}T16:00:00", reason="no bar came")
    if number % 3 == 0:
        made = replace(made, reopened=Reopened(2, "2026-03-01T10:00:00", "verified", "2026-02-20T16:00:00", 3811.5))
    return completed_line(new_line(made).removesuffix(b"\n"), made.id, found)


LINES = [(settled(made, number), made) for number, made in enumerate(MADE)]
BEFORE = [FIRST, *(str(made.seal) for made in MADE)]


def is_noticed(raw: bytes, previous: str) -> bool:
    """True if reading refuses the line, or the chain breaks at it."""
    try:
        read = read_line(raw)
    except ValueError:
        return True
    return read.seal != seal_of(previous, canonical(raw))


@pytest.mark.parametrize("few", [0, 10**9], ids=["the quick reader", "key by key"])
def test_no_flipped_bit_passes_for_another_line(monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    monkeypatch.setattr(lines, "_readers", lines._Readers(few=few))
    assert not any(is_noticed(raw, before) for (raw, _), before in zip(LINES, BEFORE, strict=False))
    rng, noticed = random.Random(5), 0
    for _ in range(FLIPS):
        number = rng.randrange(len(LINES))
        raw = bytearray(LINES[number][0])
        at, bit = rng.randrange(len(raw)), rng.randrange(8)
        raw[at] ^= 1 << bit
        if is_noticed(bytes(raw), BEFORE[number]):
            noticed += 1
        else:
            assert read_line(bytes(raw)) == read_line(LINES[number][0]), (number, at, bit)
    assert noticed > 0.99 * FLIPS


def refusal(raw: bytes) -> str | None:
    try:
        read_line(raw)
    except ValueError as error:
        return str(error)
    return None


@pytest.mark.parametrize("number", range(6))
def test_a_flipped_bit_of_an_outcome_is_refused_by_reading_the_line_alone(number: int) -> None:
    raw, _ = LINES[number]
    assert refusal(raw) is None
    first, last = raw.index(b'"seal"'), len(raw.rstrip()) - 1
    for at in range(first, last):
        changed = bytearray(raw)
        changed[at] ^= 1 << at % 8
        assert refusal(bytes(changed)), (at, bytes(changed))
