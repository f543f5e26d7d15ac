"""The predictor's commands beside its daily run, each a function of the options; heavy modules load as needed."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import datetime
from functools import partial

from stockml.commands.clock_check import tell_moved_clock
from stockml.commands.predict_command import to_predict
from stockml.commands.run import Run, open_run

Command = Callable[..., int]  # of the options and the moment `now`


def other_command(args: argparse.Namespace, now: datetime) -> Callable[[argparse.Namespace], int] | None:
    """The command that the options ask for, to be run as of a moment; None for the daily run."""
    asked: tuple[tuple[bool, Command], ...] = (
        (args.init, init),
        (args.export is not None, export),
        (args.restore is not None, restore),
        (bool(args.reopen) or args.backup is not None, look_after),
        (args.audit, prove),
        (bool(args.replay or args.self_check), look_back),
        (args.report is not None or args.status, look_at),
        (":" in (args.explain or ""), explain_logged),
    )
    return next((partial(command, now=now) for is_asked, command in asked if is_asked), None)


def opened(args: argparse.Namespace, now: datetime) -> Run:
    """The run that the options ask for, over a log that is as it was left."""
    run = open_run(args, now)
    run.log.check()
    return run


def init(args: argparse.Namespace, now: datetime) -> int:
    """The home's settings, written from the options."""
    from stockml.commands.init_command import run_init

    return run_init(open_run(args, now))


def look_back(args: argparse.Namespace, now: datetime) -> int:
    """The same steps on each of many past sessions, or past values once more."""
    from stockml.commands.replay_command import run_replay
    from stockml.commands.self_check_command import run_self_check

    run = opened(args, now)
    return (run_replay if args.replay else run_self_check)(run, to_predict(run))


def look_at(args: argparse.Namespace, now: datetime) -> int:
    """The state of the system, or the HTML report."""
    from stockml.commands.status_command import run_status

    run = opened(args, now)
    tell_moved_clock(run, now)
    return run_status(run)


def explain_logged(args: argparse.Namespace, now: datetime) -> int:
    """A forecast of the log, and what came of it."""
    from stockml.commands.explain_command import run_explain

    return run_explain(opened(args, now))


def prove(args: argparse.Namespace, now: datetime) -> int:
    """The record, held against its seals, the prices and itself."""
    from stockml.commands.audit_command import run_audit

    return run_audit(opened(args, now))


def look_after(args: argparse.Namespace, now: datetime) -> int:
    """Settled lines made pending again, or the record copied."""
    from stockml.commands.backup_command import run_backup
    from stockml.commands.reopen_command import run_reopen

    return (run_reopen if args.reopen else run_backup)(opened(args, now))


def export(args: argparse.Namespace, now: datetime) -> int:
    """The log as a table for other programs."""
    from stockml.commands.export_command import run_export

    return run_export(opened(args, now))


def restore(args: argparse.Namespace, now: datetime) -> int:
    """A copy of the record brought back, whatever became of the log."""
    from stockml.commands.backup_command import run_restore

    return run_restore(open_run(args, now))
