"""Exit codes, and every foreseeable failure told in one plain sentence.

Standard library only: `--help` and a run with nothing to do must not wait for anything heavier.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from collections.abc import Callable

from stockml.commands import logging_setup
from stockml.commands.polite_signals import Ended, ended_by_signals, interrupted_code
from stockml.core import library_warnings
from stockml.core.plugins import PluginError
from stockml.core.wording import cause
from stockml.storage.files import StorageError

DONE, SOME_FAILED, WRONG_USAGE, NOTHING_DONE = 0, 1, 2, 3

log = logging.getLogger("stockml")

_done: list[str] = []  # what this run has written for good, in words


class UsageError(Exception):
    """A wrong option or input, in one plain sentence; the run ends with exit code 2."""


class NotDoneError(Exception):
    """Nothing could be done, in one plain sentence; the run ends with exit code 3."""


def run_command(main: Callable[[argparse.Namespace], int], args: argparse.Namespace) -> int:
    """Run `main(args)` and return its exit code; a foreseeable failure is one sentence on stderr."""
    logging_setup.open_closed_streams()
    begin()
    try:
        configure_messages(args)
        with ended_by_signals():
            exit_code = main(args)
        sys.stdout.flush()  # here, where what goes wrong can still be told
        return exit_code
    except (UsageError, PluginError) as error:
        log.error("%s", error)
        return WRONG_USAGE
    except (NotDoneError, StorageError) as error:
        log.error("%s%s", error, f"; {so_far}" if (so_far := done_so_far()) else "")
        return SOME_FAILED if so_far else NOTHING_DONE
    except KeyboardInterrupt as error:
        how = f"Ended by {signal.Signals(error.number).name}" if isinstance(error, Ended) else "Interrupted"
        log.error("%s; what was finished is saved.", how)
        return interrupted_code(error)
    except BrokenPipeError:
        logging_setup.give_up_stdout()
        return DONE
    except OSError as error:
        if error.filename is not None:  # those of files are StorageErrors: this one nobody has foreseen
            raise
        logging_setup.give_up_stdout()
        so_far = done_so_far()
        log.error("stdout: cannot be written (%s); %s", cause(error), so_far or "what was finished is saved")
        return SOME_FAILED if so_far else NOTHING_DONE


def begin() -> None:
    """Forget what an earlier run of this process has written."""
    _done.clear()


def note_done(what: str) -> None:
    """Something is written for good, as "3 predictions are logged": a later failure is then told as half a failure."""
    _done.append(what)


def done_so_far() -> str:
    """Everything that this run has written for good, in words; empty where nothing."""
    return " and ".join(_done)


def configure_messages(args: argparse.Namespace) -> None:
    """Send messages where the options say, and libraries' warnings to the log file; UsageError where they cannot go."""
    library_warnings.take()
    logging_setup.to_stderr(logging.ERROR if args.quiet else logging.INFO if args.verbose else logging.WARNING)
    if args.log_file is not None:
        try:
            logging_setup.to_file(args.log_file)
        except OSError as error:
            why = cause(error)
            raise UsageError(f"{args.log_file}: cannot be written ({why}); name another --log-file") from None
