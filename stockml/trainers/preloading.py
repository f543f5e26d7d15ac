"""Preloading: what training needs is loaded while the command still fetches prices.

That takes longer than to fetch ten stocks from files.
"""

from __future__ import annotations

import multiprocessing
import signal
from contextlib import suppress
from multiprocessing import forkserver, resource_tracker

from stockml.trainers.helper_process import helpers_environment

PRELOAD = (
    "stockml.trainers.quiet_helpers",
    "stockml.trainers.fine_tuning",
    "xgboost.sklearn",
    "sklearn.cluster",
    "joblib",
    "h5py",
)


def preload() -> None:
    """Begin to load PRELOAD in the process that all helpers are forked from; it ends with this one.

    Where it cannot be started nothing is said: a ProcessRunner says so once it needs it.
    """
    multiprocessing.get_context("forkserver").set_forkserver_preload(list(PRELOAD))
    with suppress(OSError), helpers_environment():
        resource_tracker.ensure_running()  # apart, since it unblocks interrupts
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # a terminal's, which this process heeds
        try:
            forkserver.ensure_running()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
