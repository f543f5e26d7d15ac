"""Preparations of a process that runs a command: its threads, its last words, and for a script the Python beside it.

Standard library only, and readable by old Pythons, since those are what it has to send away.
"""

import os
import sys
from importlib.util import find_spec

NOT_DONE = 3
NEEDED = ("numpy", "pandas", "exchange_calendars")
# One thread, unless somebody wants it otherwise: the matrix products of a forecast are too small to share, and two
# threads that wait for each other take three times as much of the processor. Read when NumPy is loaded.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def use_project_environment(script: str) -> None:
    """Prepare the process, with the script run again in `.venv` where this Python lacks the libraries.

    Ends the process where there is no such environment either.
    """
    prepare()
    if sys.version_info >= (3, 11) and has_libraries():
        return
    folder = os.path.dirname(os.path.realpath(script))  # noqa: PTH120 - as old as the Pythons that come here
    python = os.path.join(folder, ".venv", "bin", "python")  # noqa: PTH118
    if os.path.exists(python) and os.path.realpath(sys.prefix) != os.path.join(folder, ".venv"):  # noqa: PTH110, PTH118
        os.execv(python, [python, script, *sys.argv[1:]])
    sys.stderr.write("The libraries of this project are not installed; run `make install` in " + folder + " first.\n")
    sys.exit(NOT_DONE)


def has_libraries() -> bool:
    """False where this Python lacks one that every run needs."""
    return all(find_spec(name) is not None for name in NEEDED)


def prepare() -> None:
    """Make this process that of a command, before anything heavy is loaded."""
    sys.excepthook = _tell_plainly
    for name in THREADS:
        os.environ.setdefault(name, "1")


def _tell_plainly(kind, error, trace):  # type: ignore[no-untyped-def]
    """Say no more than "Interrupted." to somebody who interrupts a run that still loads its libraries."""
    if issubclass(kind, KeyboardInterrupt):
        sys.stderr.write("Interrupted.\n")
    else:
        sys.__excepthook__(kind, error, trace)
