"""--self-check: the look-ahead bias check, as a table or JSON."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from stockml.commands import tables
from stockml.commands.exits import SOME_FAILED
from stockml.commands.run import Run, print_json, refuse_beside, timed
from stockml.core.failures import Failure, OpinionError
from stockml.signals.plugins import OpinionPlugins, opinion_plugins

if TYPE_CHECKING:
    from stockml.data.price_table import PriceTable
    from stockml.models.bundle import ModelBundle
    from stockml.replay.lookahead_check import Check

log = logging.getLogger("stockml")

CHECK_SEED = 1
CHECK_COLUMNS = ("values", "compared>", "differing>", "example")


def run_self_check(run: Run, symbols: Sequence[str]) -> int:
    """--self-check: work out past values again without their future, and say whether any of them has seen it."""
    from stockml.accuracy.tracker import AccuracyTracker
    from stockml.replay import lookahead_check as self_check

    refuse_beside(run, "--self-check", ("verify_only", "explain", "dry_run", "report", "status"))
    plugins = opinion_plugins()
    tables = list(run.fetch(symbols, self_check.SESSIONS_WANTED).tables.values())
    view = run.log.read(run.args.as_of)
    with timed(run, "self_check"):
        checks = [
            *_of_plugins(run, tables, plugins),  # first: so far they were shown no day of these stocks
            *self_check.check_figures(tables, seed=CHECK_SEED),
            self_check.check_analyses(tables, seed=CHECK_SEED),
            self_check.check_models(tables, bundles(run, tables), seed=CHECK_SEED),
            self_check.check_log([*view.pending, *view.verified]),
        ]
    record = AccuracyTracker(run.home.feedback).record(view)
    return tell_self_check(run, checks, record.leakage_warning())


def _of_plugins(run: Run, tables: Sequence[PriceTable], plugins: OpinionPlugins) -> list[Check]:
    """The checks of plug-ins; a failure for each stock at which one fails."""
    from stockml.replay.plugin_check import check_plugins

    checks = []
    with run.telling_together():
        for found in check_plugins(tables, plugins, run.horizons, seed=CHECK_SEED):
            if isinstance(found, OpinionError):
                run.fail(Failure(found.symbol, found.kind, str(found)))
            else:
                checks.append(found)
    return checks


def bundles(run: Run, tables: Sequence[PriceTable]) -> dict[str, ModelBundle]:
    """The models of these stocks; what cannot be used is told."""
    from stockml.models.bundle import MISSING, ModelError
    from stockml.models.bundle_store import load_bundle

    found: dict[str, ModelBundle] = {}
    with run.telling_together():
        for table in tables:
            try:
                found[table.symbol] = load_bundle(run.home, table.symbol)
            except ModelError as error:
                if error.kind != MISSING:
                    run.fail(Failure(table.symbol, f"model_{error.kind}", str(error)))
    return found


def tell_self_check(run: Run, checks: Sequence[Check], warning: str | None) -> int:
    """Print each comparison, as a table or as JSON; the exit code is 1 where a value has seen the future."""
    sees = [check.name for check in checks if not check.is_clean]
    compared = any(check.compared for check in checks)
    exit_code = SOME_FAILED if sees else run.exit_code(anything_done=compared)
    if warning:
        run.notice(warning)
    if run.args.json:
        results = {"sees_the_future": sees, "checks": [check.to_record() for check in checks], "warning": warning}
        print_json(run.to_json("self_check", results, exit_code))
        return exit_code
    if not run.args.quiet:
        rows = [(check.name, str(check.compared), str(check.differing), check.example or "") for check in checks]
        tables.print_table("Values of past days, worked out again without the days after", CHECK_COLUMNS, rows)
    if sees:
        log.error("Look-ahead bias: %s changed when later days were cut off.", ", ".join(sees))
    elif compared and not run.args.quiet:
        print("No look-ahead bias found.")
    return exit_code
