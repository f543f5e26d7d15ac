"""The commands that look at what there is: --status tells how the system itself is doing, --report writes the page."""

from __future__ import annotations

import logging
from pathlib import Path

from stockml.commands import tables
from stockml.commands.exits import DONE, SOME_FAILED, UsageError
from stockml.commands.run import Run, print_json, refuse_beside
from stockml.commands.watchlist import expected_stocks
from stockml.reporting.openmetrics import is_ours, write_openmetrics
from stockml.reporting.page import is_report, write_report
from stockml.reporting.status import Status, status
from stockml.storage.files import StorageError
from stockml.storage.plain_files import plain_status

log = logging.getLogger("stockml")


def run_status(run: Run) -> int:
    """--status, --report, or both; the exit code is 1 if --status finds any alarm."""
    if run.args.report is not None:
        refuse_beside(run, "--report", ("verify_only", "explain", "dry_run"))
    refuse_beside(run, "--status", ("verify_only", "explain"))
    metrics = _metrics_path(run)
    state = status(run.home, run.log, run.clock, run.main_horizon, expected_stocks(run, run.symbols))
    if metrics is not None:
        write_openmetrics(metrics, state, is_simulated=run.is_simulated)
    path = None if run.args.report is None else write_page(run, state)
    exit_code = SOME_FAILED if run.args.status and state.is_alarming else DONE
    if run.args.json:
        results = {**state.to_record(), "report": path and str(path), "openmetrics": metrics and str(metrics)}
        print_json(run.to_json("status", results, exit_code))
    else:
        tell(run, state, path)
    return exit_code


def write_page(run: Run, state: Status) -> Path:
    """The page, where --report wants it; returns where that is. UsageError where something else would be lost."""
    wanted = None if run.args.report == Path() else run.args.report.absolute()
    if wanted and plain_status(wanted) is not None and not is_report(wanted):
        raise UsageError(f"{wanted}: is no report, and would be replaced by one; name another file after --report")
    with run.log.locked(run.args.lock_timeout):
        return write_report(
            run.home, run.log, run.clock, state, is_simulated=run.is_simulated, source=run.source, path=wanted
        )


def _metrics_path(run: Run) -> Path | None:
    """The file that --openmetrics names; UsageError where it cannot be, or something else would be lost."""
    if run.args.openmetrics is None:
        return None
    path: Path = run.args.openmetrics.absolute()
    if not path.parent.is_dir():
        raise UsageError(f"{path}: its folder is not there; make it, or name another file after --openmetrics")
    try:
        is_taken = plain_status(path) is not None and not is_ours(path)
    except StorageError as error:
        raise UsageError(f"{error}; name another file after --openmetrics") from None
    if is_taken:
        raise UsageError(f"{path}: holds no metrics, and would be replaced; name another file after --openmetrics")
    return path


def tell(run: Run, state: Status, path: Path | None) -> None:
    """Print the state, or of a quiet run the alarms alone, and where the page is."""
    if run.args.status and run.args.quiet:
        for alarm in state.alarms:
            log.error("%s", alarm)
    elif run.args.status:
        tables.tell_status(state.to_text(all_stocks=run.args.verbose))
    if path and not run.args.quiet:
        print(f"The report is {path}")
