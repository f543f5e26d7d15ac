"""Look-ahead bias check of plug-ins: asked about past days before and after they were shown the days that followed.

A plug-in is handed no later bar, but it is somebody else's code: it may remember what it saw of another day, or read
a file of its own. The second shows only in opinions that follow the changes to come too closely.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from stockml.core.failures import OpinionError
from stockml.data.price_table import PriceTable, check_prices
from stockml.replay.lookahead_check import TOLERANCE, Check, random_days
from stockml.signals.plugins import PREFIX, ForecasterPlugin, OpinionPlugins, SignalPlugin

FEWEST_CHANGES = 8  # to be held beside opinions
FORESEEN = 0.97  # a correlation that 8 opinions without foresight reach once in 15,000 times
MADE_UP = "MADE-UP"


@dataclass(slots=True)
class _Asked:
    """One plug-in's opinions of past days, and what came of them."""

    name: str
    compared: int = 0
    examples: list[str] = field(default_factory=list)
    opinions: list[float] = field(default_factory=list)
    changes: list[float] = field(default_factory=list)  # in %

    def ask(self, plugins: OpinionPlugins, table: PriceTable, horizon: int, rows: Sequence[int]) -> None:
        """Ask about each day with nothing shown of the days after, then again; rows ascending."""
        past = [table.through(table.frame.index[row].date()) for row in rows]
        before = [plugins.opinion(self.name, prices, horizon) for prices in past]
        if rows and plugins.opinion(self.name, past[-1], horizon) != before[-1]:
            raise OpinionError(
                table.symbol,
                f"the plug-in {self.name} gave another opinion when asked the same twice; "
                "let it depend on the prices alone, and seed what is random",
            )
        plugins.opinion(self.name, table, horizon)  # everything
        after = [plugins.opinion(self.name, prices, horizon) for prices in reversed(past)][::-1]
        self.compared += len(rows)
        for prices, first, again in zip(past, before, after, strict=True):
            if not _are_same(first, again):
                shown = f"{again!r} with later days shown, {first!r} without"
                self.examples.append(f"{table.symbol} on {prices.data_through}: {shown}")
        close = table.frame["close"].to_numpy()
        for row, opinion in zip(rows, before, strict=True):
            if opinion is not None and row + horizon < len(close):
                self.opinions.append(opinion)
                self.changes.append(float(close[row + horizon] / close[row] - 1) * 100)

    def check(self) -> Check:
        """The result."""
        found = list(self.examples)
        foreseen = self._correlation()
        if not found and abs(foreseen) > FORESEEN:
            days = len(self.opinions)
            found = [f"its opinions of {days} days follow what came after (correlation {foreseen:.3f})"] * days
        return Check(f"{PREFIX}{self.name}", self.compared, len(found), found[0] if found else None)

    def _correlation(self) -> float:
        if len(self.opinions) < FEWEST_CHANGES or min(np.ptp(self.opinions), np.ptp(self.changes)) == 0:
            return 0.0
        return float(np.corrcoef(self.opinions, self.changes)[0, 1])


def check_plugins(
    tables: Sequence[PriceTable], plugins: OpinionPlugins, horizons: Iterable[int], *, seed: int
) -> Iterator[Check | OpinionError]:
    """Compare each plug-in's opinions of random days before and after the later days were shown to it.

    Parameters
    ----------
    tables : sequence of PriceTable
        Each of shape (n_days, 6).
    plugins : OpinionPlugins
        Not asked about these stocks before, in this process.
    horizons : iterable of int
        Sessions ahead; the shortest is asked for.
    seed : int
        Of the random days.

    Yields
    ------
    Check or OpinionError
        A check of each plug-in; before it an error for each stock at which it fails.
    """
    horizon = min(horizons)
    for name in plugins.names:
        asked = _Asked(name)
        for table in tables:
            try:
                asked.ask(plugins, table, horizon, _days(table, horizon, seed))
            except OpinionError as error:
                yield error
        yield asked.check()


def assert_no_future(
    plugin: SignalPlugin | ForecasterPlugin, bars: pd.DataFrame, horizon: int = 5, *, seed: int = 1
) -> None:
    """Check a plug-in in its author's own tests, as `--self-check` does.

    Parameters
    ----------
    plugin : SignalPlugin or ForecasterPlugin
        Not asked before.
    bars : DataFrame, shape (n_days, 5 or 6)
        Daily bars as a price source gives them; 400 or more, so that each day has the days before it that plug-ins see.
    horizon : int, default 5
        Sessions ahead.
    seed : int, default 1
        Of the days asked about.

    Raises
    ------
    AssertionError
        Where an opinion changes once later days were shown, or follows what came after.
    OpinionError
        Where it fails, or gives no opinion that could be used.
    PriceError
        Where the bars cannot be used.
    """
    members = {"checked": plugin}
    plugins = OpinionPlugins(members) if hasattr(plugin, "opinion") else OpinionPlugins({}, members)  # type: ignore[arg-type]
    table = check_prices(MADE_UP, bars)
    for found in check_plugins([table], plugins, [horizon], seed=seed):
        if isinstance(found, OpinionError):
            raise found
        assert found.is_clean, f"the plug-in sees the future: {found.example}"


def _days(table: PriceTable, horizon: int, seed: int) -> list[int]:
    """Random rows, with what came of them in the table where it is long enough."""
    known = len(table.frame) - horizon
    return random_days(replace(table, frame=table.frame.iloc[:known]) if known > 2 else table, seed)


def _are_same(first: float | None, again: float | None) -> bool:
    if first is None or again is None:
        return first is again
    return abs(first - again) <= TOLERANCE * max(abs(first), abs(again))
