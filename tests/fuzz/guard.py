"""What a reader may not do while it reads a hostile file: touch anything outside its home, start or ask anybody."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stockml.core.installation import PROJECT

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = (
    "os.remove",
    "os.rename",
    "os.mkdir",
    "os.rmdir",
    "os.link",
    "os.symlink",
    "os.truncate",
    "os.chmod",
    "os.chown",
)
_OTHERS = (
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "socket.connect",
    "pickle.find_class",
)
_LIBRARIES = tuple(
    {str(PROJECT), str(Path(sys.prefix).resolve()), sys.prefix, sys.base_prefix, "/usr", "/dev/null", "/proc"}
)


class _Guard:
    """The home while something is read from it; hooks cannot be taken off again, so there is one for good."""

    home: str | None = None
    broken: str | None = None

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        if self.home is None or self.broken is not None:
            return
        if event in _OTHERS:
            self.broken = f"{event} {args[:2]}"
        elif event == "open":
            path, _, flags = args
            if not isinstance(path, int) and not self._may_open(os.fspath(path), flags):
                self.broken = f"open {path!r} {flags}"
        elif event in _CHANGES:
            paths = [os.fspath(path) for path in args[:2] if isinstance(path, str | bytes | os.PathLike)]
            if not all(map(self._is_within, paths)):
                self.broken = f"{event} {paths}"

    def _may_open(self, path: str | bytes, flags: int) -> bool:
        if self._is_within(path):
            return True
        return not flags & _WRITES and os.path.abspath(os.fsdecode(path)).startswith(_LIBRARIES)  # noqa: PTH100

    def _is_within(self, path: str | bytes) -> bool:
        name = os.fsdecode(path)
        home = self.home or ""
        if not Path(name).is_absolute():  # beside an open folder
            return "/" not in name and name not in ("..", ".")
        return os.path.realpath(name).startswith(home) or os.path.abspath(name).startswith(home)  # noqa: PTH100


_guard = _Guard()
sys.addaudithook(_guard)


@contextmanager
def within(home: Path) -> Iterator[None]:
    """AssertionError where the block touches anything outside the home, or starts or asks anybody."""
    _guard.home, _guard.broken = str(home), None
    try:
        yield
    finally:
        _guard.home = None
    assert _guard.broken is None, _guard.broken
