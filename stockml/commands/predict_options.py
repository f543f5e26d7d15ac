"""The options of the predictor alone, and which of them go together.

Standard library only, as `options`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from stockml.commands import options
from stockml.commands.options import day
from stockml.commands.ranking import SORTS
from stockml.core.paths import expanded


def add_predicting(parser: argparse.ArgumentParser) -> None:
    """All that the predictor does, in one group."""
    group = parser.add_argument_group("what to do")
    _add_run(group)
    _add_past(group)
    _add_looks(group)
    _add_record(group)
    _add_export(group)
    _add_proof(group)
    _add_writing(group)


def parsed(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> argparse.Namespace:
    """The options, checked as far as they can be alone."""
    args = parser.parse_args(argv)
    if args.export is None and (args.since or args.force):
        parser.error(f"{'--since' if args.since else '--force'} goes with --export")
    if args.openmetrics is not None and not args.status:
        parser.error("--openmetrics goes with --status")
    if args.retrain and not args.replay:
        parser.error("--retrain goes with --replay")
    _check_cluster(parser, args)
    _check_witness(parser, args)
    _check_ranking(parser, args)
    return args


def _add_run(group: argparse._ArgumentGroup) -> None:
    """The daily run, or a part of it."""
    options.add_horizons(group)
    _add_ranking(group)
    group.add_argument("--verify-only", "--verify", action="store_true", help="settle what is due, predict nothing")
    group.add_argument(
        "--jobs",
        type=options.up_to(options.MOST_JOBS),
        metavar="N",
        help="processes that analyse stocks; they change no result (default: one for every 16, at most the cores)",
    )
    group.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="analyse stocks, and train with --retrain, on the workers of this Dask scheduler, such as "
        "tcp://10.0.0.1:8786, instead of --jobs processes; they change no result (default: none)",
    )
    group.add_argument(
        "--explain",
        type=options.explained,
        metavar="SYMBOL|ID",
        help="explain one stock's forecast in five steps; or a logged one by its id, such as NFLX:2026-02-25:5, and "
        "what came of it; nothing is written",
    )


def _add_ranking(group: argparse._ArgumentGroup) -> None:
    """The choice and the order of the forecasts shown; all are logged."""
    group.add_argument(
        "--sort",
        choices=SORTS,
        metavar="ORDER",
        help="order of the forecasts shown: confidence (the most confident first), change (the largest rise), interval "
        "(the narrowest) or edge (the largest, over the watchlist's mean) (default: the watchlist's)",
    )
    group.add_argument(
        "--top",
        type=options.positive,
        metavar="N",
        help="show so many forecasts of each horizon, by --sort or else the most confident (default: all)",
    )
    group.add_argument(
        "--min-confidence",
        type=options.share,
        metavar="P",
        help="show forecasts with at least this confidence, such as 0.75 or 75%% (default: all)",
    )


def _add_past(group: argparse._ArgumentGroup) -> None:
    """The walk-forward backtest and the look-ahead bias check."""
    group.add_argument(
        "--replay",
        nargs=2,
        type=day,
        metavar=("START", "END"),
        help="walk forward through the sessions from START to END (days as YYYY-MM-DD), each as on that day, in a "
        "--home of their own",
    )
    group.add_argument(
        "--retrain",
        choices=["monthly"],
        help="with --replay: train as of each month's first session too (default: ask the models there are)",
    )
    group.add_argument(
        "--self-check",
        action="store_true",
        help="look-ahead bias check: recompute past values without later days",
    )


def _add_looks(group: argparse._ArgumentGroup) -> None:
    """The HTML report and the state."""
    group.add_argument(
        "--report",
        nargs="?",
        type=expanded,
        const=Path(),
        metavar="FILE",
        help="write the HTML report (default: realtime_predictions/report.html; each daily run renews it)",
    )
    group.add_argument(
        "--status",
        action="store_true",
        help="say what is pending, late, missing or stale; exit code 1 if there is any alarm",
    )
    group.add_argument(
        "--openmetrics",
        type=expanded,
        metavar="FILE",
        help="with --status: write it as metrics too, for node_exporter's textfile collector (default: none)",
    )


def _add_record(group: argparse._ArgumentGroup) -> None:
    """The record itself: lines made pending again, the whole copied and brought back."""
    group.add_argument(
        "--reopen",
        nargs="+",
        metavar="ID",
        help="make settled predictions pending again by their ids, such as TCS.NS:2026-02-01:5, so that the next run "
        "settles them anew",
    )
    group.add_argument(
        "--backup",
        type=expanded,
        metavar="FILE",
        help="copy the record (log, feedback, exchanges; not prices and models) into a new file",
    )
    group.add_argument(
        "--restore",
        type=expanded,
        metavar="FILE",
        help="check a backup and put it in the record's place; the present record is moved aside",
    )


def _add_export(group: argparse._ArgumentGroup) -> None:
    """The log as a table, and which of its lines."""
    group.add_argument(
        "--export",
        type=expanded,
        metavar="FILE",
        help="write the log as a table: .csv, .parquet, .xlsx or .sqlite by the file's ending; --symbols, --horizons "
        "and --since choose",
    )
    group.add_argument(
        "--since",
        type=day,
        metavar="YYYY-MM-DD",
        help="with --export: only predictions from that day's close on (default: from the first)",
    )
    group.add_argument("--force", action="store_true", help="with --export: replace the file that is there")


def _add_proof(group: argparse._ArgumentGroup) -> None:
    """Proof that the record is what it was: the audit, and a command of the user's that keeps its head."""
    group.add_argument(
        "--audit",
        action="store_true",
        help="prove what can be proved of the record: its seals, dates, outcomes and scores; exit code 1 if anything "
        "disagrees",
    )
    group.add_argument(
        "--witness",
        metavar="COMMAND",
        help="after the run, give the number of predictions and the last seal to a shell command, which may keep them "
        "elsewhere (default: that of stockml.toml, else none)",
    )


def _add_writing(group: argparse._ArgumentGroup) -> None:
    """Writing: whether, and after what."""
    group.add_argument("--dry-run", action="store_true", help="do everything but write")
    options.add_lock_timeout(group)
    group.add_argument(
        "--accept-log",
        action="store_true",
        help="take a prediction log that was changed as a whole as it is now (default: say so and do nothing)",
    )


def _check_cluster(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """End with wrong usage where --cluster stands beside an option that neither analyses stocks nor trains."""
    if args.cluster is None:
        return
    if args.replay and not args.retrain:
        parser.error("--cluster trains the models of --replay; add --retrain monthly, or leave --cluster out")
    if ":" in (args.explain or ""):
        parser.error("--explain ID and --cluster do not go together, since the log alone is asked; leave one out")
    for name in ("self_check", "report", "status", *_OF_THE_RECORD):
        if getattr(args, name):
            parser.error(f"--cluster and --{name.replace('_', '-')} do not go together; leave one out")


def _check_witness(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """End with wrong usage where --witness names no command, or stands beside an option that makes no head."""
    if args.witness is None:
        return
    if not args.witness.strip():
        parser.error("--witness names no command; write one in quotes, such as 'mail -s seal me@example.org'")
    for name in ("dry_run", "explain", "replay", "self_check", "report", "status", *_OF_THE_RECORD):
        if getattr(args, name):
            parser.error(f"--witness and --{name.replace('_', '-')} do not go together; leave one out")


def _check_ranking(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """End with wrong usage where forecasts are to be ranked beside an option that shows no table of them."""
    ranking = next((name for name in ("sort", "top", "min_confidence") if getattr(args, name) is not None), None)
    if ranking is None:
        return
    for name in ("verify_only", "explain", "replay", "self_check", "report", "status", "init", *_OF_THE_RECORD):
        if getattr(args, name):
            both = f"--{ranking} and --{name}".replace("_", "-")
            parser.error(f"{both} do not go together; leave one out")


_OF_THE_RECORD = ("reopen", "backup", "restore", "audit", "export")
