"""A message out to services by apprise, in a process of its own that is ended in time; what failed, in words.

Of a URL no word names more than its scheme: in many even the host is a password.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from stockml.commands.message_sender import REFUSED, TOLD, UNKNOWN

if TYPE_CHECKING:
    from stockml.commands.notifications import Letter

SECONDS = 10.0  # for all services together
STARTING_SECONDS = 50.0  # beside those, to load apprise on a machine that is very busy
WHY = {
    UNKNOWN: "apprise knows no such service, or not in this form; correct the URL",
    REFUSED: "the service did not take it or could not be reached; try the URL with .venv/bin/apprise",
}


def is_possible() -> bool:
    """True where apprise is installed; it is not imported."""
    return find_spec("apprise") is not None


def send(
    urls: Sequence[str], letter: Letter, *, seconds: float = SECONDS, starting_seconds: float = STARTING_SECONDS
) -> list[str]:
    """Send a message to each URL, and say of each that it did not reach why.

    Parameters
    ----------
    urls : sequence of str
    letter : Letter
    seconds : float
        What a service has to answer.
    starting_seconds : float
        What the process has beside it to begin and to end.

    Returns
    -------
    list of str
        A sentence for each service that was not reached, in their order.
    """
    asked = {"urls": list(urls), "title": letter.title, "body": letter.body, "seconds": seconds}
    answers = _answers(json.dumps(asked).encode(), seconds + starting_seconds)
    failed = []
    for number, url in enumerate(urls):
        outcome = answers.get(number, "")
        if outcome != TOLD:
            why = WHY.get(outcome, f"it had not answered after {seconds:g} s")
            failed.append(f"notify: entry {number + 1} ({url.partition('://')[0].lower()}) could not be told: {why}.")
    return failed


def _answers(asked: bytes, timeout: float) -> dict[int, str]:
    """The outcome of each URL by its place, of those that are known in time."""
    sender = str(Path(__file__).with_name("message_sender.py"))
    with subprocess.Popen(
        [sys.executable, "-P", sender],  # -P: modules beside it are none of its own
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,  # so that it can be ended with all that it started
    ) as process:
        try:
            out, _ = process.communicate(asked, timeout)
        except subprocess.TimeoutExpired as error:
            out = error.stdout or b""
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    found = {}
    for line in out.splitlines():
        with suppress(ValueError, TypeError):
            number, outcome = json.loads(line)
            found[number] = str(outcome)
    return found
