"""Runs scripts in processes of their own, forked from one with the libraries loaded: `python warm_python.py SOCKET`.

Loading pandas takes three quarters of a short run. The forked process has its own arguments, environment, folder,
output and exit code, as `python script.py` would; it has the interpreter's flags and hash seed in common with others.
The server ends when whoever started it does: that is when its standard input ends.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
from pathlib import Path
from typing import Any

LIBRARIES = ("numpy", "pandas", "pyarrow", "pyarrow.compute", "rich.table", "msgspec", "sqlite3")
MOST_BYTES = 1 << 20  # of a request


def main(address: str) -> None:
    for name in LIBRARIES:
        importlib.import_module(name)
    gc.freeze()  # or each child would copy the pages on which objects are counted
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen(16)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the attendants
    print("ready", flush=True)
    while listener in select.select([listener, sys.stdin], [], [])[0]:
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            _become(*_attended(connection))
        connection.close()


def _attended(connection: socket.socket) -> tuple[dict[str, Any], int, int]:
    """Fork, and return what is asked for to the new process; this one waits for it, tells its exit code and ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    message, (out, err), _, _ = socket.recv_fds(connection, MOST_BYTES, 2)
    child = os.fork()
    if child == 0:
        connection.close()
        return json.loads(message), out, err
    _, status, used = os.wait4(child, 0)
    told = {"code": os.waitstatus_to_exitcode(status), "cpu_seconds": used.ru_utime + used.ru_stime}
    connection.sendall(json.dumps(told).encode())
    os._exit(0)


def _become(asked: dict[str, Any], out: int, err: int) -> None:
    """Be the script: its streams, folder, environment and arguments are those asked for."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    for descriptor, stream in ((nothing, 0), (out, 1), (err, 2)):
        os.dup2(descriptor, stream)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["folder"])
    script, *options = asked["command"]
    sys.argv = [script, *options]
    sys.path[0] = str(Path(script).parent)
    runpy.run_path(script, run_name="__main__")
    sys.exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
