"""The head of the chain of seals at a run's end: written down beside the log, and handed to a command of the user's."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from datetime import UTC, datetime
from typing import IO, Any

from stockml.commands.exits import SOME_FAILED
from stockml.commands.run import Run
from stockml.core.failures import Failure
from stockml.prediction_log.seals import Witness
from stockml.reporting.last_run import amend_run

TIMEOUT_SECONDS = 60.0
SHOWN = 200  # characters of what a command said that failed


def write_down(run: Run) -> Witness | None:
    """Add the head to seals.jsonl, under the log's lock; None where no line of the log has a seal."""
    return run.log.witness(datetime.now(UTC) + run.clock.skew, run.args.as_of)


def hand_over(run: Run, witness: Witness | None, result: dict[str, Any]) -> None:
    """Run the command of --witness, if there is one; where it fails, the run has failed in that alone.

    Without the log's lock, which the command may want for itself.
    """
    command = run.args.witness or run.settings.witness
    if not command or witness is None:
        return
    why = failure_of(command, witness)
    if why is None:
        return
    text = f"--witness: the command {why}; the predictions and their head are saved, correct the command and run again"
    run.fail(Failure("", "witness", text))
    result["failures"].append({"symbol": "", "kind": "witness", "message": text})
    result["exit_code"] = max(result["exit_code"], SOME_FAILED)
    amend_run(run.home, result, began_at=run.clock.now)


def failure_of(command: str, witness: Witness, *, timeout: float = TIMEOUT_SECONDS) -> str | None:
    """Run a command by /bin/sh, as cron does, and say what went wrong; None where it ended well.

    It is given the head as a line on its standard input, as in seals.jsonl, and in its environment as STOCKML_SEAL,
    STOCKML_COUNT and STOCKML_AT. What it prints is told only where it fails.
    """
    import subprocess
    import tempfile

    given = {"STOCKML_SEAL": witness.head.seal, "STOCKML_COUNT": str(witness.head.count), "STOCKML_AT": witness.at}
    with tempfile.TemporaryFile() as line, tempfile.TemporaryFile() as said:
        line.write(f"{witness.to_json()}\n".encode())
        line.seek(0)
        try:
            process = subprocess.Popen(
                ["/bin/sh", "-c", command],
                stdin=line,
                stdout=said,
                stderr=said,
                env=os.environ | given,
                start_new_session=True,  # so that it can be ended with all that it started
            )
        except (OSError, ValueError) as error:
            return f"could not be started ({error})"
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            return f"had not ended after {timeout:g} s and was stopped"
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        return None if code == 0 else f"ended with exit code {code}{_last_words(said)}"


def _last_words(said: IO[bytes]) -> str:
    said.seek(max(0, said.seek(0, os.SEEK_END) - 4 * SHOWN))
    lines = [line.strip() for line in said.read().decode(errors="replace").splitlines() if line.strip()]
    text = lines[-1][-SHOWN:] if lines else ""
    return f" ({''.join(c if c.isprintable() else '?' for c in text)})" if text else ""
