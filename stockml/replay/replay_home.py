"""The home of a replay: its settings, kept as a mark, so that it holds one replay and no live predictions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from stockml.core.exchanges import BY_SYMBOL, Exchanges
from stockml.core.paths import Home
from stockml.core.records import DEFAULT_HORIZON
from stockml.signals.plugins import NO_PLUGINS, OpinionPlugins
from stockml.storage.files import storage, write_whole
from stockml.storage.plain_files import read_plain

MOST_BYTES = 1 << 24  # ours have some 10 bytes a stock


class ReplayError(ValueError):
    """A replay that cannot be begun, or not carried on, in one plain sentence."""


@dataclass(frozen=True, slots=True)
class ReplaySettings:
    """All that a replay's log depends on, besides prices and models; `end` may grow from run to run."""

    start: date
    end: date
    symbols: tuple[str, ...]
    source: str
    horizons: tuple[int, ...] = (DEFAULT_HORIZON,)  # sessions
    retrain: str | None = None
    exchanges: Exchanges = BY_SYMBOL  # kept by the home for itself, for live runs too
    plugins: OpinionPlugins = NO_PLUGINS

    def to_record(self) -> dict[str, Any]:
        """The settings as the mark keeps them; plug-ins by their names, where there are any."""
        plain = {"source": self.source, "retrain": self.retrain}
        lists = {"symbols": list(self.symbols), "horizons": list(self.horizons), "plug-ins": list(self.plugins.names)}
        known = {"start": str(self.start), "end": str(self.end), **lists, **plain}
        return {name: value for name, value in known.items() if value or name != "plug-ins"}

    def sessions(self) -> list[date]:
        """Every day from start to end on which one of the stocks' exchanges trades."""
        calendars = {self.exchanges.market(symbol): self.exchanges.calendar(symbol) for symbol in self.symbols}
        days = (calendar.sessions_between(self.start, self.end) for calendar in calendars.values())
        return sorted(set().union(*days))


def folder(home: Home) -> Path:
    """The folder of a replay's mark and of each month's models."""
    return home.root / "replay"


def claim(home: Home, settings: ReplaySettings, *, has_predictions: bool) -> None:
    """Mark a home as this replay's.

    Raises
    ------
    ReplayError
        Where the home holds predictions of live runs, or a replay with other settings.
    """
    mark = folder(home) / "replay.json"
    wanted = settings.to_record()
    kept = _read_mark(mark)
    if kept is None and has_predictions:
        raise ReplayError(f"{home.root}: holds predictions that no replay made; give the replay another --home")
    if kept is not None:
        _refuse_other(home, kept, wanted)
        wanted["end"] = max(str(kept["end"]), wanted["end"])
    if kept != wanted:
        write_whole(mark, json.dumps(wanted, indent=2, allow_nan=False) + "\n")


def _refuse_other(home: Home, kept: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    for name in dict.fromkeys([*wanted, "plug-ins"]):
        had, asked = kept.get(name), wanted.get(name)
        if name != "end" and had != asked:
            raise ReplayError(
                f"{home.root}: holds a replay whose {name} is {_short(had)}, not {_short(asked)}; "
                "repeat its options to carry it on, or give another --home"
            )


def _read_mark(mark: Path) -> dict[str, Any] | None:
    with storage(mark, "read the replay's mark"):
        content = read_plain(mark, MOST_BYTES)
    if content is None:
        return None
    from stockml.storage.decoding import decoded_object

    try:
        kept = decoded_object(content, MOST_BYTES)
        date.fromisoformat(kept.get("end", ""))
    except (TypeError, ValueError):
        raise ReplayError(f"{mark}: is damaged; give the replay another --home") from None
    return kept


def _short(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
