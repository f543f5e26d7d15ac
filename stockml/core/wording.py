"""Plain text of counts, and of messages that are alike: many stocks, one sentence.

Standard library only, as all of `core`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

TOGETHER_FROM = 3  # messages alike; two are as quickly read one by one
NAMED = 3  # in a sentence; the others are counted

_FIGURE = re.compile(r"\d{4}-\d\d-\d\d|(?<![\w.-])\d+(?![\w.-])")


class Message(NamedTuple):
    """A sentence about a symbol, "SYMBOL: text", or about none (""); those of one `cause` are alike anyway."""

    symbol: str
    text: str
    cause: str = ""


def count(number: int, noun: str) -> str:
    """1 stock, 2 stocks."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def named(names: Sequence[str], most: int = NAMED) -> str:
    """The first `most` names, and the number of the others."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")


def alternatives(names: Sequence[str]) -> str:
    """A, B or C."""
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def without_figures(text: str) -> str:
    """A text with # for its dates and whole numbers, in which texts alike are the same."""
    return _FIGURE.sub("#", text)


def told_together(messages: Iterable[Message], noun: str = "stock") -> list[str]:
    """The texts of messages; those alike but for the symbol and for figures as one, from three symbols on.

    Parameters
    ----------
    messages : iterable of Message
    noun : str
        What the symbols name.

    Returns
    -------
    list of str
        In the order of each one's first member. One for many gives their number and a few names; dates and whole
        numbers that differ between them become "A to B".
    """
    groups: dict[str, list[Message]] = {}
    for message in dict.fromkeys(messages):
        key = f"{message.symbol and 'of'} {message.cause or without_figures(_about_any(message))}"
        groups.setdefault(key, []).append(message)
    told: list[str] = []
    for group in groups.values():
        names = list(dict.fromkeys(message.symbol for message in group))
        if len(names) < TOGETHER_FROM:
            told += [message.text for message in group]
        else:
            told.append(f"{count(len(names), noun)} ({named(names)}), each: {_spanning(group)}")
    return told


def _about_any(message: Message) -> str:
    """The text without its symbol in front; where it comes again it is SYMBOL."""
    text = message.text.removeprefix(f"{message.symbol}: ")
    return re.sub(rf"(?<!\w){re.escape(message.symbol)}(?!\w)", "SYMBOL", text) if message.symbol else text


def _spanning(group: Sequence[Message]) -> str:
    """One text for all: the first, with each figure from the least to the greatest of those alike."""
    texts = [_about_any(message) for message in group]
    form = _FIGURE.sub("#", texts[0])
    alike = [_FIGURE.findall(text) for text in texts if _FIGURE.sub("#", text) == form]
    spans = iter([_range(figures) for figures in zip(*alike, strict=True)])
    return _FIGURE.sub(lambda _: next(spans), texts[0])


def _range(figures: Sequence[str]) -> str:
    ordered = sorted(set(figures), key=lambda figure: (len(figure), figure))  # numbers by size, dates by day
    return ordered[0] if len(ordered) == 1 else f"{ordered[0]} to {ordered[-1]}"


def cause(error: BaseException | None, otherwise: str = "the program met an error") -> str:
    """The cause of a failure in plain words: the system's own for files, never Python's for anything else."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, UnicodeDecodeError):
        return f"it is not {error.encoding.upper()}"
    return otherwise
