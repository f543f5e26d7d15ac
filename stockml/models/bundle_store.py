"""Model bundles on disk: folders of ml_training_data/models, written whole and checked on loading.

A bundle forecasts from `fast.bin`, a derived copy of the LSTM, the trees and the patterns; the Keras and joblib files
beside it are for other programs, and are checked but not read. A forecast hashes them only where they changed after
metrics.json did, which is last when a bundle is saved: no program writes, replaces or cuts a file without that showing.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stockml.core.paths import Home, folder_name
from stockml.models import bundle_file, metrics_file
from stockml.models.bundle import MISMATCH, MISSING, RETRAIN, UNREADABLE, UNTRUSTED, ModelBundle, ModelError
from stockml.models.bundle_file import from_fast
from stockml.models.metrics_file import metrics_of, symbol_in
from stockml.storage.file_lock import exclusive
from stockml.storage.files import StorageError, storage, write_whole
from stockml.storage.folders import moved_folders, put_folder, recover_folder
from stockml.storage.plain_files import others_could_write, read_plain

LSTM_FILE, XGB_FILE, FAST_FILE, METRICS_FILE = "lstm_model.h5", "xgb_model.pkl", "fast.bin", "metrics.json"
MODEL_FILES = (LSTM_FILE, XGB_FILE, FAST_FILE)


def bundle_folder(home: Home, symbol: str) -> Path:
    """The folder of a stock's bundle."""
    return home.models / folder_name(symbol)


def save_bundle(
    home: Home,
    metrics: Mapping[str, Any],
    files: Mapping[str, bytes],
    validation: str,
    lock_timeout: float = math.inf,
) -> None:
    """Write a complete folder, swap it in for the last one, then write its validation forecasts.

    Two trainings at once take turns bundle by bundle; the later bundle stays.

    Parameters
    ----------
    home : Home
    metrics : mapping
        The content of metrics.json; the files' checksums are added.
    files : mapping
        The content of each of MODEL_FILES.
    validation : str
        The validation forecasts as CSV.
    lock_timeout : float
        How many seconds to wait for another training that is writing.

    Raises
    ------
    LockTimeout
    """
    target = bundle_folder(home, metrics["symbol"])
    contents = _contents(metrics, files)
    with exclusive(home.training_lock, timeout=lock_timeout, guarded="the models"):
        put_folder(target, contents)
        with storage(target, "write the folder"):
            (target / METRICS_FILE).chmod(0o644)  # as it is: so it changed last, by more than a tick of the clock
        write_whole(home.validation / f"{target.name}.csv", validation)


def write_bundle(home: Home, metrics: Mapping[str, Any], files: Mapping[str, bytes], validation: str) -> None:
    """Write the same files into a home that nobody else knows yet; whoever puts it in its place makes them last."""
    target = bundle_folder(home, metrics["symbol"])
    with storage(target, "write the folder"):
        for folder in (target, home.validation):
            folder.mkdir(parents=True, exist_ok=True)
        for name, content in _contents(metrics, files).items():
            (target / name).write_bytes(content)
            (target / name).chmod(0o644)  # whatever the umask: a file that others can write is not trusted
        target.chmod(0o755)
        (home.validation / f"{target.name}.csv").write_text(validation)


def _contents(metrics: Mapping[str, Any], files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The content of each file of a bundle, with the checksums in metrics.json."""
    whole = {**metrics, "sha256": {name: hashlib.sha256(files[name]).hexdigest() for name in MODEL_FILES}}
    text = json.dumps(whole, allow_nan=False, ensure_ascii=False, indent=2) + "\n"
    return {**files, METRICS_FILE: text.encode()}


def trained_symbols(home: Home) -> list[str]:
    """The symbols with a metrics.json that names them, sorted; damage elsewhere shows when a bundle is loaded."""
    found = set()
    for folder in [*home.models.glob("[!.]*"), *moved_folders(home.models)]:
        try:
            symbol = symbol_in(read_plain(folder / METRICS_FILE, metrics_file.MOST_BYTES) or b"")
        except (StorageError, ValueError):
            continue
        if folder_name(symbol) == folder.name.removeprefix(".").removesuffix(".old"):  # else it is not looked for here
            found.add(symbol)
    return sorted(found)


def read_metrics(home: Home, symbol: str) -> dict[str, Any]:
    """A bundle's metrics.json alone; ModelError where it is missing or damaged."""
    with _opened(home, symbol) as folder:
        return _metrics(folder, symbol)[0]


@dataclass(frozen=True, slots=True, eq=False)
class StoredBundle:
    """A bundle read from its folder: all that is needed to load it, here or on another machine.

    Attributes
    ----------
    metrics : mapping
        The content of metrics.json.
    fast : array of uint8, shape (n_bytes,)
        The content of `fast.bin`, an array, since pickle hands arrays on without a copy.
    """

    metrics: Mapping[str, Any]
    fast: NDArray[np.uint8]

    def load(self) -> ModelBundle:
        """The models; ModelError mismatch or unreadable where they are not those that were saved."""
        symbol = self.metrics["symbol"]
        _check_digest(self.metrics, FAST_FILE, hashlib.sha256(self.fast.data).hexdigest())
        try:
            network, scaler, forest, patterns = from_fast(self.fast)
        except ValueError as error:
            raise ModelError(UNREADABLE, f"{symbol}: {FAST_FILE}: {error}; {RETRAIN} {symbol}") from None
        if network.horizon != self.metrics["horizon_days"]:
            text = f"{symbol}: {FAST_FILE} forecasts {network.horizon} sessions, {METRICS_FILE} says "
            raise ModelError(UNREADABLE, f"{text}{self.metrics['horizon_days']}; {RETRAIN} {symbol}")
        return ModelBundle(self.metrics, network, scaler, forest, patterns)


def load_bundle(home: Home, symbol: str, *, whole: bool = True) -> ModelBundle:
    """Load a stock's models and check every file of the bundle.

    Parameters
    ----------
    home : Home
    symbol : str
    whole : bool, default True
        Hash all files; False: those that no forecast reads only where they changed since the training.

    Raises
    ------
    ModelError
        missing, unreadable, mismatch (a file is not the one that was saved) or untrusted (another user could have
        written it). A bundle made for other features than today's raises wrong_features when it forecasts.
    """
    return read_bundle(home, symbol, whole=whole).load()


def read_bundle(home: Home, symbol: str, *, whole: bool = True) -> StoredBundle:
    """Read a stock's bundle, and check the files that no forecast needs; `whole` and ModelError as of `load_bundle`."""
    while True:
        with _opened(home, symbol) as folder:
            try:
                return _stored(folder, symbol, whole=whole)
            except ModelError as error:
                # a training run may have swapped in a new folder: the one held open is then being deleted
                if error.kind != MISSING or _is_in_place(folder, bundle_folder(home, symbol)):
                    raise


def _stored(folder: int, symbol: str, *, whole: bool) -> StoredBundle:
    metrics, written = _metrics(folder, symbol)
    fast, _ = _read(folder, FAST_FILE, symbol, bundle_file.MOST_BYTES)
    for name in (name for name in MODEL_FILES if name != FAST_FILE):
        with _file(folder, name, symbol) as file:
            if whole or os.fstat(file.fileno()).st_ctime_ns >= written:
                _check_digest(metrics, name, hashlib.file_digest(file, "sha256").hexdigest())
    return StoredBundle(metrics, np.frombuffer(fast, np.uint8))


def _check_digest(metrics: Mapping[str, Any], name: str, digest: str) -> None:
    """ModelError where a file has another checksum than the one in metrics.json."""
    if digest != metrics["sha256"].get(name):
        symbol = metrics["symbol"]
        raise ModelError(MISMATCH, f"{symbol}: {name} is not the file that was saved; {RETRAIN} {symbol}")


@contextmanager
def _opened(home: Home, symbol: str) -> Iterator[int]:
    """Hold a bundle's folder open: all files read through it come from one training, whatever is swapped in."""
    path = bundle_folder(home, symbol)
    recover_folder(path)
    try:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise _unreadable(symbol, path.name, error) from None
    try:
        _refuse_untrusted(os.fstat(folder), f"{symbol}: the folder {path}")
        yield folder
    finally:
        os.close(folder)


def _is_in_place(folder: int, path: Path) -> bool:
    """True where the folder held open still lies at its path."""
    try:
        return os.path.samestat(os.fstat(folder), path.stat())
    except FileNotFoundError:
        return False


def _read(folder: int, name: str, symbol: str, most_bytes: int) -> tuple[bytes, int]:
    """The content of a file, at most one byte beyond what it may have, and when it last changed, in ns (ctime)."""
    with _file(folder, name, symbol) as file:
        status = os.fstat(file.fileno())
        return file.read(min(status.st_size, most_bytes) + 1), status.st_ctime_ns


@contextmanager
def _file(folder: int, name: str, symbol: str) -> Iterator[BufferedReader]:
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            _refuse_untrusted(status, f"{symbol}: {name}")
            if not stat.S_ISREG(status.st_mode):
                raise ModelError(UNREADABLE, f"{symbol}: {name} is no plain file; {RETRAIN} {symbol}")
            yield file
    except OSError as error:
        raise _unreadable(symbol, name, error) from None


def _refuse_untrusted(status: os.stat_result, what: str) -> None:
    """ModelError where another user could have written this: models decide what is forecast."""
    if others_could_write(status):
        text = f"{what} could have been written by another user; check it, then make it yours alone (chmod go-w)"
        raise ModelError(UNTRUSTED, text)


def _unreadable(symbol: str, name: str, error: OSError) -> ModelError:
    if isinstance(error, FileNotFoundError):
        return ModelError(MISSING, f"{symbol}: there is no {name} of a trained model; {RETRAIN} {symbol}")
    return ModelError(UNREADABLE, f"{symbol}: {name} cannot be read ({error.strerror}); {RETRAIN} {symbol}")


def _metrics(folder: int, symbol: str) -> tuple[dict[str, Any], int]:
    """The content of metrics.json, and when it was written."""
    content, written = _read(folder, METRICS_FILE, symbol, metrics_file.MOST_BYTES)
    try:
        metrics = metrics_of(content)
        if metrics["symbol"] != symbol:
            raise ValueError(f"is of {metrics['symbol']}")
        if lacking := [name for name in MODEL_FILES if name not in metrics["sha256"]]:
            raise ValueError(f"lacks the checksum of {', '.join(lacking)}")
    except ValueError as error:
        raise ModelError(UNREADABLE, f"{symbol}: {METRICS_FILE} is damaged, it {error}; {RETRAIN} {symbol}") from None
    return metrics, written
