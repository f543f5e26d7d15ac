"""Sends one message to each of some services by apprise: `python -P message_sender.py`, in a process of its own.

It reads {"urls", "title", "body", "seconds"} as JSON from its standard input, where no list of processes shows the
URLs, and prints the place of each URL and what became of it as soon as that is known. Nothing else of it is ever seen:
apprise and its plug-ins log URLs, and some wait longer than they are told to.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from typing import TYPE_CHECKING, Any, TextIO

TOLD, UNKNOWN, REFUSED = "told", "unknown", "refused"

if TYPE_CHECKING:
    from apprise import Apprise


def main() -> None:
    asked = json.load(sys.stdin)
    answers = _Answers(os.fdopen(os.dup(1), "w"))
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    logging.disable(logging.CRITICAL)
    services = [_service(url) for url in asked["urls"]]  # all that is to be imported, before time is counted
    threads = [
        threading.Thread(target=_send, args=(number, service, asked, answers), daemon=True)
        for number, service in enumerate(services)
    ]
    for thread in threads:
        thread.start()
    ending = threading.Timer(asked["seconds"], os._exit, (0,))  # a service that hangs holds nobody up
    ending.daemon = True
    ending.start()
    for thread in threads:
        thread.join()
    os._exit(0)  # apprise's own threads are not waited for


class _Answers:
    """Answers to the process that asked: a line for each URL."""

    def __init__(self, out: TextIO) -> None:
        self._out, self._lock = out, threading.Lock()

    def give(self, number: int, outcome: str) -> None:
        with self._lock:
            self._out.write(json.dumps([number, outcome]) + "\n")
            self._out.flush()


def _service(url: str) -> Apprise | None:
    """The service of a URL; None where apprise knows none."""
    from apprise import Apprise, AppriseAsset

    asset = AppriseAsset(app_id="stockml", app_desc="stockml", image_url_mask="", storage_mode="memory")
    service = Apprise(asset=asset)
    try:
        return service if service.add(url) else None
    except Exception:
        return None


def _send(number: int, service: Apprise | None, asked: dict[str, Any], answers: _Answers) -> None:
    from apprise import NotifyFormat, NotifyType

    if service is None:
        answers.give(number, UNKNOWN)
        return
    try:
        kind, form = NotifyType.WARNING, NotifyFormat.TEXT
        is_told = bool(service.notify(asked["body"], title=asked["title"], notify_type=kind, body_format=form))
    except Exception:
        is_told = False
    answers.give(number, TOLD if is_told else REFUSED)


if __name__ == "__main__":
    main()
