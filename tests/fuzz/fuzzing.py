"""Runs one target on many files that hypothesis draws."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from guard import within
from hypothesis import HealthCheck, Phase, given, settings
from mutations import Recipe
from readers import Target, forget_yahoo

PYTHON = ("Traceback", "object has no attribute", "expected recursion", "maximum recursion", "<class '", "NoneType")


@dataclass(slots=True)
class Told:
    """What became of the cases of one target."""

    cases: int = 0
    refused: int = 0
    longest_s: float = 0.0


@contextmanager
def folder() -> Iterator[Path]:
    """A new folder, in memory where there is one: a case deletes and writes some ten files."""
    memory = Path("/dev/shm")
    try:
        with TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as name:
            yield Path(name)
    finally:
        forget_yahoo()


def fuzz(
    target: Target,
    cases: int,
    *,
    is_random: bool,
    watched: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Told:
    """Give a reader so many files; whatever it raises beside its own refusals ends the run.

    Parameters
    ----------
    target : Target
    cases : int
    is_random : bool
        False: the same files each time.
    watched : callable
        A context for each reading, which may end it.
    """
    target.read(target.whole)  # which imports what it needs, from anywhere
    with watched(), within(target.home):
        target.read(target.whole)  # or refusals of the others would say nothing
    told = Told()

    @settings(
        max_examples=cases,
        deadline=None,
        database=None,
        derandomize=not is_random,
        phases=(Phase.generate, Phase.shrink) if is_random else (Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(target.contents)
    def one(drawn: bytes | Recipe) -> None:
        content = drawn.made() if isinstance(drawn, Recipe) else drawn
        told.cases += 1
        begin = time.perf_counter()
        try:
            with watched(), within(target.home):
                target.read(content)
        except target.refusals as error:
            told.refused += 1
            text = str(error)
            assert text and "\n" not in text and len(text) < 2000, text
            assert not any(word in text for word in PYTHON), text
        told.longest_s = max(told.longest_s, time.perf_counter() - begin)

    one()
    return told
