"""The audit of a record: what its seals, the heads written down, and the scores prove, and what they do not.

Each check counts what it proved, tells the first disagreement, and says what it cannot prove. Outcomes are left to
`audit_outcomes`.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path
from typing import Any, Self

from stockml.core.wording import count
from stockml.prediction_log.chain import Chain, chain_lines, check_chain
from stockml.prediction_log.seals import Witness, witness_path, witnesses


@dataclass(slots=True)
class Check:
    """The result of one check.

    Attributes
    ----------
    name : str
    proved : str
        What was proved, in a few words.
    disagreements : int
    first : str or None
        The first disagreement, as a sentence.
    unproved : list of str
        What cannot be proved, and why.
    """

    name: str
    proved: str = ""
    disagreements: int = 0
    first: str | None = None
    unproved: list[str] = field(default_factory=list)

    def disagree(self, text: str, number: int = 1) -> None:
        """Count disagreements, and keep the text of the first."""
        self.disagreements += number
        self.first = self.first or text

    def to_record(self) -> dict[str, Any]:
        """The object that --json prints."""
        return {
            "name": self.name,
            "proved": self.proved,
            "disagreements": self.disagreements,
            "first": self.first,
            "unproved": self.unproved,
        }


@dataclass(frozen=True, slots=True)
class Heads:
    """The chain, the heads that were written down, and the place in the chain of each that is in it."""

    chain: Chain
    written: Sequence[Witness]
    damaged: Sequence[str]  # a sentence a line of seals.jsonl that is none

    @classmethod
    def of(cls, log: Path) -> Self:
        """Read both files through."""
        lines = list(witnesses(log))
        written = [found for _, found in lines if isinstance(found, Witness)]
        damaged = [f"line {at} of {witness_path(log).name} {why}" for at, why in lines if isinstance(why, str)]
        return cls(check_chain(log, {witness.head.seal for witness in written}), written, damaged)

    def found(self) -> list[tuple[int, Witness]]:
        """The heads that are in the chain, with the number of lines up to each, by that number."""
        places = self.chain.places
        pairs = [(places[one.head.seal], one) for one in self.written if one.head.seal in places]
        return sorted(pairs, key=lambda pair: (pair[0], pair[1].at))


# ---- the chain, and the heads in it ----


def check_seals(heads: Heads) -> Check:
    """The chain of seals: whole, or where it breaks."""
    chain, check = heads.chain, Check("seals")
    if chain.sealed:
        check.proved = f"{count(chain.sealed, 'line')} sealed, each behind the one before it"
    if chain.breaks:
        check.disagree(f"{chain.breaks[0]}.", chain.broken)
        check.proved = f"{chain.sealed - chain.broken:,} of {count(chain.sealed, 'sealed line')} in their places"
    if chain.unsealed:
        check.unproved.append(
            f"{count(chain.unsealed, 'line')} of an earlier version without a seal: that they are as they were, and "
            "when they were made."
        )
    return check


def check_witnesses(heads: Heads) -> Check:
    """The heads that were written down: each in the chain, with as many predictions before it as there were."""
    check, right = Check("heads"), 0
    for one in heads.written:
        told = f"the head {one.head.seal[:16]} of {one.at}"
        place = heads.chain.places.get(one.head.seal)
        if place is None:
            check.disagree(
                f"{told} ({count(one.head.count, 'prediction')}) is not in the log: its line was "
                "taken out or changed since, or it is the log of another home."
            )
        elif place != one.head.count:
            what = "lines before it are gone" if place < one.head.count else "lines were put in before it"
            check.disagree(
                f"{told} was behind {count(one.head.count, 'prediction')} and is behind {place} now: {what}."
            )
        else:
            right += 1
    if heads.written:
        first, last = min(one.at for one in heads.written), max(one.at for one in heads.written)
        check.proved = f"{count(right, 'head')} in the chain, written down from {first} to {last}"
    elif heads.chain.sealed:
        check.unproved.append("no head was ever written down, so nothing says when a line was made.")
    check.unproved += [f"{text}." for text in heads.damaged]
    return check


# ---- made before their targets' closes ----


@dataclass(frozen=True, slots=True)
class _Dates:
    """The heads by their places, with what each says of a line by its place in the chain."""

    places: list[int]
    witnesses: list[Witness]
    there: list[str]  # the earliest time of a head at this place or a later one
    absent: list[str]  # the latest time of a head at this place or an earlier one

    @classmethod
    def of(cls, found: Sequence[tuple[int, Witness]]) -> Self:
        times = [one.at for _, one in found]
        there = list(accumulate(reversed(times), min))[::-1]
        return cls([place for place, _ in found], [one for _, one in found], there, list(accumulate(times, max)))

    def of_line(self, place: int) -> tuple[str | None, str | None, Witness | None]:
        """The time at which the line was there, a time at which it was not yet, and the first head that holds it."""
        at = bisect_left(self.places, place)
        before = self.absent[at - 1] if at else None
        if at == len(self.places):
            return None, before, None
        return self.there[at], before, self.witnesses[at]


def check_dates(log: Path, heads: Heads, closes_at: Callable[[str, str], datetime]) -> Check:
    """Every prediction made before its target's close, by the times of the heads.

    Parameters
    ----------
    log : Path
    heads : Heads
    closes_at : callable
        The close, with its time zone, of a symbol's exchange on a day YYYY-MM-DD.
    """
    check, dates, open_ = Check("dates"), _Dates.of(heads.found()), Counter[str]()
    proved = 0
    for place, line in enumerate(chain_lines(log), start=1):
        if line.seal is None:
            continue  # told with the seals
        try:
            made = line.read()
        except ValueError:
            continue  # it breaks the chain
        close = closes_at(made.symbol, made.target_date).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        there, absent, first = dates.of_line(place)
        if there is not None and there <= close:
            proved += 1
        elif absent is not None and absent >= close and first is not None and first.as_of is None:
            check.disagree(
                f"line {line.number} ({made.id}) was made after its target's close: at {absent} the log did not hold "
                f"it, and {made.target_date} closed at {close}."
            )
        else:
            open_[_why_open(first)] += 1
    check.proved = f"{count(proved, 'prediction')} made before the target's close" if proved else ""
    check.unproved += [f"{count(number, 'prediction')} {why}." for why, number in open_.items()]
    return check


def _why_open(first: Witness | None) -> str:
    if first is None:
        return "not followed by a head yet: that they were made before the target's close"
    if first.as_of is not None:
        return "made by a run with --as-of, whose head is later than the target's close"
    return "first followed by a head after the target's close: that they were made before it"


# ---- scores and what was learned ----


def check_kept(name: str, kept: Any, folded: Any) -> Check:
    """A file of feedback/ beside the same folded again from the log; `kept` is None where there is no such file.

    Numbers agree within a billionth, so that another processor's last digit is no disagreement.
    """
    check = Check(name)
    if kept is None:
        check.unproved.append("feedback/ is not there, or does not read; --verify-only makes it anew.")
        return check
    difference = first_difference(kept, folded)
    if difference is None:
        check.proved = "as folded again from the log"
    else:
        where, had, right = difference
        check.disagree(
            f"{where or 'the file'} is {_short(had)}, and the log makes {_short(right)}; --verify-only folds it again."
        )
    return check


def first_difference(one: Any, other: Any, where: str = "") -> tuple[str, Any, Any] | None:
    """The path to the first value that differs between two JSON values, and both values; None where they agree."""
    if isinstance(one, dict) and isinstance(other, dict):
        pairs = ((str(key), one.get(key), other.get(key)) for key in sorted(one.keys() | other.keys()))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = ((str(at), *both) for at, both in enumerate(zip(one, other, strict=True)))
    elif _is_same(one, other):
        return None
    else:
        return where, one, other
    for key, here, there in pairs:
        if found := first_difference(here, there, f"{where}.{key}" if where else key):
            return found
    return None


def _is_same(one: Any, other: Any) -> bool:
    if isinstance(one, float | int) and isinstance(other, float | int):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
    return bool(one == other)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."
