"""Common networks on disk: a file each in ml_training_data/common_models, written whole and checked on reading.

A file is a checksum, a line of JSON that says what the network was fitted on, and the weights one after the other.
"""

from __future__ import annotations

import json
import math
from datetime import date
from pathlib import Path
from typing import Annotated

import numpy as np
from msgspec import Meta, Struct

from stockml.core.paths import Home, is_symbol
from stockml.models.bundle_bounds import check_weights
from stockml.models.lstm import INPUTS, Network, weight_shapes
from stockml.storage.decoding import check_day, decoded
from stockml.storage.file_lock import LockTimeout, exclusive
from stockml.storage.files import StorageError, sealed, storage, unsealed, write_whole
from stockml.storage.plain_files import others_could_write, read_plain
from stockml.trainers.common_start import CommonStart, Origin, may_be_left, newest

MOST_BYTES = 1 << 24  # ours have 1.4 MB
LONGEST_HEAD = 1 << 20
MOST_STOCKS = 10_000

_Kind = Annotated[str, Meta(pattern=r"^[0-9a-f]{16}\Z")]
_Size = Annotated[int, Meta(ge=1, le=1000)]


class _Head(Struct, forbid_unknown_fields=True):
    kind: _Kind
    fitted_before: date
    inputs: _Size
    horizon: _Size
    symbols: Annotated[list[str], Meta(min_length=1, max_length=MOST_STOCKS)]

    def __post_init__(self) -> None:
        check_day("fitted_before", self.fitted_before)
        if not all(map(is_symbol, self.symbols)):
            raise ValueError("names what is no symbol")


class KeptStarts:
    """The common networks of a home; see `common_start.Starts`.

    Attributes
    ----------
    problems : list of str
        What was damaged, foreign or could not be written: a plain sentence each.
    """

    def __init__(self, home: Home, lock_timeout: float = math.inf, *, begins_fresh: bool = False) -> None:
        """Set up; nothing is read yet.

        Parameters
        ----------
        home : Home
        lock_timeout : float
            How many seconds to wait for another training that is writing.
        begins_fresh : bool
            Find none, but leave what is made.
        """
        self._home, self._lock_timeout, self._begins_fresh = home, lock_timeout, begins_fresh
        self.problems: list[str] = []

    def find(self, origin: Origin) -> CommonStart | None:
        """The newest network that may be gone on from; None where there is none, or it is damaged."""
        if self._begins_fresh:
            return None
        for path in reversed(_files_of(self._home, origin.kind)):
            if not _may_be_of_use(path, origin):
                continue
            try:
                start = read_start(path)
            except ValueError as error:
                self.problems.append(f"{path}: {error}; the common model is trained from nothing; delete it")
                return None
            if start is not None and origin.may_go_on_from(start.origin):
                return start
        return None

    def leave(self, made: CommonStart) -> None:
        """Write a network beside the others of its kind where it may be left, and remove those no longer needed.

        Raises
        ------
        LockTimeout
            Where another training is writing for too long.
        """
        try:
            with exclusive(self._home.training_lock, timeout=self._lock_timeout, guarded="the models"):
                write_start(self._home, made)
        except LockTimeout:
            raise  # each stock would wait as long again
        except StorageError as error:
            self.problems.append(f"{error}; the next training begins from nothing")


def write_start(home: Home, made: CommonStart) -> None:
    """Write a network where it may be left; the caller holds the lock of the models.

    Raises
    ------
    StorageError
    """
    origins: dict[Path, Origin] = {}
    for path in _files_of(home, made.origin.kind):
        try:
            start = read_start(path)
        except ValueError:
            continue  # told by whoever looked for one; what is made now takes its place or stands beside it
        if start is not None:
            origins[path] = start.origin
    if not may_be_left(made.origin, list(origins.values())):
        return
    target = home.common_models / f"{made.origin.fitted_before}-{made.origin.kind}.bin"
    write_whole(target, to_bytes(made))
    with storage(target, "write the file"):
        target.chmod(0o644)  # whatever the umask: a file that others can write is not trusted
    kept = newest([*(origin for path, origin in origins.items() if path != target), made.origin])
    for path, origin in origins.items():
        if origin not in kept and path != target:
            with storage(path, "remove the file"):
                path.unlink(missing_ok=True)


def _may_be_of_use(path: Path, origin: Origin) -> bool:
    """False for a file that is too young or too old by its name, which need not be read."""
    try:
        return origin.may_go_on_from_days_before(np.datetime64(path.name[:10], "D"))
    except ValueError:
        return True


def starts_of(home: Home) -> list[CommonStart]:
    """All networks of a home, the earliest first; ValueError names one that is damaged or foreign."""
    found = []
    for path in _files_of(home, "*"):
        try:
            found.append(read_start(path))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
    return [start for start in found if start is not None]


def read_start(path: Path) -> CommonStart | None:
    """A network that was left; None where the file is gone.

    Raises
    ------
    ValueError
        For content that no training has left, or that another user could have written; goes after the file's name.
    """
    try:
        content = read_plain(path, MOST_BYTES)
        status = path.stat()
    except FileNotFoundError:
        return None
    except StorageError as error:
        raise ValueError(str(error).removeprefix(f"{path}: ")) from None
    if content is None:
        return None
    if others_could_write(status):
        raise ValueError("could have been written by another user")
    start = from_bytes(content)
    if path.name != f"{start.origin.fitted_before}-{start.origin.kind}.bin":
        raise ValueError("is not the file that its name says")
    return start


def to_bytes(start: CommonStart) -> bytes:
    """Serialise a network; the same one gives the same bytes."""
    origin, network = start.origin, start.network
    head = {
        "kind": origin.kind,
        "fitted_before": str(origin.fitted_before),
        "inputs": network.inputs,
        "horizon": network.horizon,
        "symbols": list(origin.symbols),
    }
    return sealed(json.dumps(head).encode() + b"\n" + b"".join(weights.tobytes() for weights in network.weights))


def from_bytes(content: bytes) -> CommonStart:
    """Restore what `to_bytes` wrote.

    Raises
    ------
    ValueError
        For any other content, and for weights that no training can have left.
    """
    body = unsealed(content) if len(content) <= MOST_BYTES else None
    if body is None:
        raise ValueError("is damaged")
    head_line, _, rest = body.partition(b"\n")
    head = decoded(_Head, head_line, LONGEST_HEAD)
    if head.inputs != len(INPUTS):
        raise ValueError(f"takes {head.inputs} inputs, not {len(INPUTS)}")
    shapes = weight_shapes(head.inputs, head.horizon)
    sizes = [math.prod(shape) for shape in shapes]
    if len(rest) != 4 * sum(sizes):
        raise ValueError("holds other weights than its first line says")
    flat = np.split(np.frombuffer(rest, "<f4"), np.cumsum(sizes)[:-1])
    weights = tuple(part.reshape(shape) for part, shape in zip(flat, shapes, strict=True))
    check_weights(weights)
    origin = Origin(head.kind, np.datetime64(head.fitted_before, "D"), tuple(head.symbols))
    return CommonStart(origin, Network(weights))


def _files_of(home: Home, kind: str) -> list[Path]:
    """The files of a kind by their names, the earliest first."""
    return sorted(home.common_models.glob(f"[0-9]*-{kind}.bin"))
