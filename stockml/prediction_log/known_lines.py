"""Known lines of the log: how many, and a sample of their ids in the file's order, small enough to keep beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

MOST_SPREAD = 256  # ids spread over the whole log; of a log up to this length every one
MOST_NEWEST = 16  # and the last ones, which a cut or an older copy lacks


@dataclass(slots=True)
class KnownLines:
    """A count of ids and a sample of them: every `step`-th, and the newest."""

    count: int = 0
    step: int = 1
    spread: list[str] = field(default_factory=list)
    newest: list[str] = field(default_factory=list)
    broken: str | None = None  # the first place where the chain of seals breaks

    def add(self, id_: str) -> None:
        """Take in the id of a line behind all others."""
        if self.count % self.step == 0:
            self._spread_to(id_)
        self.count += 1
        self._end_with(id_)

    def move_to_end(self, id_: str) -> None:
        """Take in that a line now stands behind all others."""
        if id_ in self.spread:
            self.spread.remove(id_)
            self._spread_to(id_)
        if id_ in self.newest:
            self.newest.remove(id_)
        self._end_with(id_)

    def _spread_to(self, id_: str) -> None:
        self.spread.append(id_)
        if len(self.spread) > MOST_SPREAD:
            del self.spread[1::2]
            self.step *= 2

    def _end_with(self, id_: str) -> None:
        self.newest.append(id_)
        if len(self.newest) > MOST_NEWEST:
            del self.newest[0]

    def sample(self) -> list[str]:
        """The ids that are known by name, in the file's order."""
        return [*(id_ for id_ in self.spread if id_ not in self.newest), *self.newest]

    def share(self, is_there: Callable[[str], bool]) -> float:
        """The share of the lines for which `is_there` holds, estimated where not every id is in the sample."""
        return sum(map(is_there, self.spread)) / max(len(self.spread), 1)

    def to_json(self) -> dict[str, object]:
        """The fields by their names in the checkpoint."""
        found = {"count": self.count, "step": self.step, "spread": self.spread, "newest": self.newest}
        return found | {"broken": self.broken}
