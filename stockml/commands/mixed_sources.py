"""Simulated and real prices never share a home: neither in its log nor in its models.

Standard library only, as `run`.
"""

from __future__ import annotations

from collections.abc import Iterable

from stockml.commands.exits import UsageError
from stockml.core.paths import Home


def refuse_mixed_sources(home: Home, kind: str, kinds_in_log: Iterable[str]) -> None:
    """UsageError where simulated and real prices would meet in one home."""
    kept = set(kinds_in_log) | set(_model_sources(home))
    foreign = {other for other in kept if (other == "sample") != (kind == "sample")}
    if foreign:
        raise UsageError(
            f"{home.root}: holds data from {', '.join(sorted(foreign))}; simulated and real prices never share a home, "
            f"so give --source {kind} another --home"
        )


def _model_sources(home: Home) -> Iterable[str]:
    """The source of the first readable model: all models of a home are of one nature."""
    paths = sorted(home.models.glob("*/metrics.json"))
    if paths:
        from stockml.models.metrics_file import MOST_BYTES, source_in
        from stockml.storage.files import StorageError
        from stockml.storage.plain_files import read_plain
    for path in paths:
        try:
            yield source_in(read_plain(path, MOST_BYTES) or b"")
            return
        except (StorageError, ValueError):
            continue  # a damaged model is named where it is used
