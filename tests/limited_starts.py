"""A system that has no place for a further process or thread."""

from __future__ import annotations

from typing import Any

import pytest


def allow(monkeypatch: pytest.MonkeyPatch, kind: type[Any], number: int, error: Exception) -> None:
    """Let so many of a kind, processes or threads, start; each further start raises the error."""
    starts = [kind.start] * number

    def start(self: Any) -> None:
        if not starts:
            raise error
        starts.pop()(self)

    monkeypatch.setattr(kind, "start", start)
