"""Workers of a Dask cluster: only those that compute the same bits as this machine are admitted to work.

Results are the same wherever Python, the libraries and this package are the same and each worker has one thread.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from stockml import __version__
from stockml.core.library_versions import library_versions
from stockml.trainers import worker_folder
from stockml.trainers.process_pool import WorkersLostError

LOOK_SECONDS = 1.0  # between two looks at who has joined or left
THREADS = "OMP_NUM_THREADS"  # one, as in local processes: sums keep their order, and so the bits
BLAS_THREADS = "OPENBLAS_NUM_THREADS"  # obeyed first, where it is set


class ClusterError(Exception):
    """No work can begin on a cluster; the message is one plain sentence."""


def facts(libraries: Sequence[str]) -> dict[str, str]:
    """Versions, digest of the package's code and number of threads: all that must match on every machine."""
    return {
        **library_versions(libraries),
        "stockml": f"{__version__} ({_code_digest()})",
        THREADS: os.environ.get(THREADS, "not set"),
        BLAS_THREADS: os.environ.get(BLAS_THREADS, "1"),
    }


@cache  # a worker keeps running the code it has loaded, even if the files change
def _code_digest() -> str:
    return worker_folder.package_digest(Path(__file__).resolve().parents[1])


def _taking_program() -> str:
    """Python that has a worker load this program, as text: until then it could unpickle no function of ours."""
    return f"{Path(worker_folder.__file__).read_text()}\ntake_program({_code_digest()!r})\n"


class ClusterWorkers:
    """The workers seen so far: `admitted` by address, the others refused with a reason.

    Parameters
    ----------
    client : distributed.Client
    address : str
        The scheduler's, as the user wrote it.
    libraries : sequence of str
        Distributions whose versions must match.
    on_notice : callable
        Called once per refused worker, with the reason.
    patience_seconds : float
        Time without any admitted worker after which the cluster is given up.
    """

    def __init__(
        self,
        client: Any,
        address: str,
        libraries: Sequence[str],
        on_notice: Callable[[str], None],
        *,
        patience_seconds: float,
    ) -> None:
        self.admitted: frozenset[str] = frozenset()
        self._client = client
        self._address = address
        self._libraries = libraries
        self._expected = facts(libraries) | {THREADS: "1", BLAS_THREADS: "1"}
        self._on_notice = on_notice
        self._patience_seconds = patience_seconds
        self._refused: dict[str, str] = {}
        self._looked = self._seen = 0.0  # time of the last look, and of the last one with an admitted worker

    def wait_for_first(self, seconds: float) -> None:
        """Wait for one worker that can be admitted.

        Raises
        ------
        ClusterError
            Where none has joined in time, or none fits.
        """
        with plain_errors(self._address):
            try:
                self._client.wait_for_workers(1, timeout=seconds)
            except TimeoutError:
                text = f"No worker has joined {self._address}; start some, each with --nthreads 1."
                raise ClusterError(text) from None
        self._update()
        if not self.admitted:
            raise ClusterError(f"No worker at {self._address} fits: {' '.join(self._refused.values())}")
        for reason in self._refused.values():
            self._on_notice(reason)

    def look(self) -> None:
        """Check who has joined or left, at most once in LOOK_SECONDS.

        Raises
        ------
        WorkersLostError
            Where there has been no admitted worker for too long.
        """
        if time.monotonic() - self._looked < LOOK_SECONDS:
            return
        known = set(self._refused)
        self._update()
        for worker in sorted(set(self._refused) - known):
            self._on_notice(self._refused[worker])
        if time.monotonic() - self._seen > self._patience_seconds:
            raise WorkersLostError(
                f"The cluster at {self._address} has had no worker for {self._patience_seconds:.0f} seconds."
            )

    def _update(self) -> None:
        with plain_errors(self._address):
            threads = self._client.nthreads()
            new = sorted(set(threads) - self.admitted - set(self._refused))
            answers = self._answers(new) if new else {}
        for worker, answer in answers.items():
            reason = _misfit(threads[worker], answer, self._expected)
            if reason:
                self._refused[worker] = f"The worker at {worker} gets no work: {reason}."
        self.admitted = frozenset(threads) - set(self._refused)
        self._looked = time.monotonic()
        if self.admitted:
            self._seen = self._looked

    def _answers(self, workers: Sequence[str]) -> dict[str, dict[str, str] | Exception]:
        """The facts that each worker tells of itself, or why it cannot."""
        name = {"__name__": worker_folder.__name__}
        loaded = self._client.run(exec, _taking_program(), name, workers=workers, on_error="return")
        able = [worker for worker, error in loaded.items() if error is None]
        told = self._client.run(facts, self._libraries, workers=able, on_error="return") if able else {}
        return {**loaded, **told}


def _misfit(threads: int, answer: Mapping[str, str] | Exception, expected: Mapping[str, str]) -> str | None:
    """The reason why a worker's results could differ from this machine's; None where they cannot."""
    if isinstance(answer, Exception):
        is_plain = type(answer) is ImportError  # one of ours; Python's own are ModuleNotFoundErrors
        return str(answer) if is_plain else f"it cannot load this program ({type(answer).__name__}: {answer})"
    if threads != 1:
        return f"it has {threads} threads, where one is wanted; start it with --nthreads 1"
    unlike = [f"{name} is {answer[name]}, not {wanted}" for name, wanted in expected.items() if answer[name] != wanted]
    return f"there {', '.join(unlike)}" if unlike else None


@contextmanager
def plain_errors(address: str) -> Iterator[None]:
    """Turn the errors of a lost connection into a WorkersLostError of one plain sentence."""
    try:
        yield
    except (OSError, CancelledError, RuntimeError) as error:  # Dask's connection errors are among these
        if isinstance(error, WorkersLostError):
            raise
        raise WorkersLostError(f"The scheduler at {address} does not answer ({type(error).__name__}).") from None
