"""Sends one message to each of some services by apprise: `python -P message_sender.py`, in a process of its own.

It reads {"urls", "title", "body", "seconds"} as JSON from its standard input, where no list of processes shows the URLs,
and prints the place of each URL and what became of it as soon as that is known. Nothing else of it is ever seen:
apprise and its plug-ins log URLs, and some wait longer than they are told to.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from typing import Any, TextIO

TOLD, UNKNOWN, REFUSED = "told", "unknown", "refused"


def main() -> None:
    asked = json.load(sys.stdin)
    out = os.fdopen(os.dup(1), "w")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    logging.disable(logging.CRITICAL)
    import apprise  # noqa: F401 - once, before the threads

    told = threading.Lock()
    threads = [
        threading.Thread(target=_send, args=(number, url, asked, out, told), daemon=True)
        for number, url in enumerate(asked["urls"])
    ]
    for thread in threads:
        thread.start()
    ending = threading.Timer(asked["seconds"], os._exit, (0,))  # a service that hangs holds nobody up
    ending.daemon = True
    ending.start()
    for thread in threads:
        thread.join()
    os._exit(0)  # apprise's own threads are not waited for


def _send(number: int, url: str, asked: dict[str, Any], out: TextIO, told: threading.Lock) -> None:
    try:
        outcome = _outcome(url, asked)
    except Exception:
        outcome = REFUSED
    with told:
        out.write(json.dumps([number, outcome]) + "\n")
        out.flush()


def _outcome(url: str, asked: dict[str, Any]) -> str:
    from apprise import Apprise, AppriseAsset, NotifyFormat, NotifyType

    service = Apprise(asset=AppriseAsset(app_id="stockml", app_desc="stockml", storage_mode="memory"))
    if not service.add(url):
        return UNKNOWN
    is_told = service.notify(
        asked["body"],
        title=asked["title"],
        notify_type=NotifyType.WARNING,
        body_format=NotifyFormat.TEXT,
        timeout=asked["seconds"],
    )
    return TOLD if is_told else REFUSED


if __name__ == "__main__":
    main()
