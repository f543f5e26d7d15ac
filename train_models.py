#!/bin/sh
""":" # A shell reads these lines and hands the file to the Python beside it; to Python they are one text.
here=$(dirname "$(readlink -f "$0")")
unset PYTHONSAFEPATH # the package lies in the script's own folder
for python in "$here/.venv/bin/python" python3.11 python3; do
    command -v "$python" >/dev/null && exec "$python" "$0" "$@"
done
echo "There is no Python here; run 'make install' in $here first." >&2
exit 3
"""

from __future__ import annotations

from stockml.commands import bootstrap

if __name__ == "__main__":
    bootstrap.use_project_environment(__file__)

import argparse
import os
import sys
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stockml.commands import options
from stockml.commands.clock_check import tell_moved_clock
from stockml.commands.exits import run_command
from stockml.commands.notifications import run_and_notify
from stockml.commands.run import Run, open_run, timed
from stockml.commands.train_command import (
    chosen_engine,
    kept_starts,
    leave_undone,
    note_trained,
    record_interruption,
    save,
    scores,
    task_runner,
    tell,
    tell_problems,
    to_train,
    write_session,
)
from stockml.core.failures import Failure
from stockml.core.wording import count
from stockml.storage.file_lock import LockTimeout
from stockml.trainers.engine_choice import AUTO, ENGINES

if TYPE_CHECKING:
    from stockml.data.price_table import PriceTable
    from stockml.trainers.process_pool import TaskRunner

DESCRIPTION = """Train an LSTM and an XGBoost model for each stock on two years of daily prices.
Both are validated on later days they have not seen, beside the naive forecast, and saved with their scores."""

EXAMPLES = """examples:
  the watchlist of the home (of a new one: ten large Indian stocks), prices from Yahoo:
    ./train_models.py
  stocks of your own, on three years of prices:
    ./train_models.py --symbols AAPL MSFT --years 3
  those of the watchlist whose models are 30 days old or older:
    ./train_models.py --only-stale 30
  a simulated market, which needs no network, in a folder of its own:
    ./train_models.py --source sample --home ~/stock-trial --symbols SIM-ALPHA SIM-BETA

Forecasts are no financial advice."""


def parse_args(argv: Sequence[str] | None = None, kind: options.ParserClass = ArgumentParser) -> argparse.Namespace:
    """The options, checked as far as they can be alone; the parser's class says what comes of errors."""
    parser = options.parser("train_models.py", DESCRIPTION, EXAMPLES, kind)
    how = parser.add_argument_group("how to train")
    how.add_argument(
        "--years",
        type=options.up_to(options.MOST_YEARS),
        default=2,
        metavar="N",
        help="years of prices to learn from (default: %(default)s)",
    )
    options.add_horizons(how)
    how.add_argument(
        "--jobs",
        type=options.positive,
        default=len(os.sched_getaffinity(0)),
        metavar="N",
        help="processes at once; they change no result (default: %(default)s, the cores)",
    )
    how.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="train on the workers of this Dask scheduler, such as tcp://10.0.0.1:8786, instead of --jobs processes "
        "(default: none)",
    )
    how.add_argument(
        "--engine",
        choices=ENGINES,
        default=AUTO,
        metavar="ENGINE",
        help="what trains the LSTM: numpy, tensorflow (for a GPU), or auto, which takes tensorflow where there is a "
        "GPU that it can use (default: %(default)s)",
    )
    how.add_argument(
        "--seed", type=options.seed, default=1, metavar="N", help="seed of everything random (default: %(default)s)"
    )
    how.add_argument(
        "--fresh",
        action="store_true",
        help="train the common model from nothing, not from the one that an earlier training left (default: go on from "
        "that)",
    )
    how.add_argument(
        "--only-stale",
        type=options.positive,
        metavar="DAYS",
        help="leave out stocks whose models are younger than so many days (default: train all)",
    )
    options.add_lock_timeout(how)
    options.add_common(parser)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    return run_command(init, args) if args.init else run_and_notify(train_models, args)


def init(args: argparse.Namespace) -> int:
    """The home's settings, written from the options."""
    from stockml.commands.init_command import run_init

    return run_init(open_run(args, datetime.now(UTC)))


def train_models(args: argparse.Namespace) -> int:
    """The training, told on stdout; returns the exit code."""
    run = open_run(args, datetime.now(UTC))
    results, session_file = carry_out(run)
    return tell(run, results, session_file)


def carry_out(run: Run) -> tuple[list[dict[str, Any]], Path | None]:
    """FETCH all prices; BUILD, SPLIT, FIT and SCORE in processes of their own; SAVE each stock as it is done.

    Returns a summary of each stock, and the file about the whole run.
    """
    chosen_engine(run)  # before anything is fetched
    symbols = to_train(run)
    with task_runner(run, symbols) as runner:
        tables = fetch(run, symbols)
        results = fit_and_save(run, tables, runner)
    note_trained(results)
    tell_moved_clock(run, datetime.now(UTC))
    return results, write_session(run, results)


def fetch(run: Run, symbols: Sequence[str]) -> Mapping[str, PriceTable]:
    """FETCH the years to learn from, what the first day's indicators look back on, and all older bars at hand."""
    if not symbols:
        return {}
    from stockml.trainers.dataset import history_bars, sessions_needed

    back = sessions_needed(run.args.years)
    return run.fetch(symbols, back, history_bars=history_bars(len(symbols))).tables


def fit_and_save(run: Run, tables: Mapping[str, PriceTable], runner: TaskRunner | None) -> list[dict[str, Any]]:
    """BUILD, SPLIT, FIT, SCORE (stockml/trainers/pipeline.py) and SAVE each stock; returns a summary of each."""
    if not tables:
        return []
    from stockml.core.progress import progress
    from stockml.trainers import pipeline as training
    from stockml.trainers.process_pool import WorkersLostError

    settings = training.TrainingSettings(
        horizon=max(run.horizons),
        years=run.args.years,
        seed=run.args.seed,
        jobs=run.args.jobs,
        engine=chosen_engine(run),
    )
    starts = kept_starts(run)
    left: set[str] = set(tables)
    results: list[dict[str, Any]] = []
    with timed(run, "train"), progress(run.args) as on_progress, run.telling_together():
        try:
            context = training.TrainingContext(on_progress, runner, run.clock.exchanges, starts)
            for trained in training.train(tables, settings, context):
                left.remove(trained.symbol)
                if isinstance(trained, training.TrainingFailure):
                    run.fail(Failure(trained.symbol, trained.kind, trained.message))
                    continue
                at = run.clock.written_time(trained.symbol, tables[trained.symbol].data_through)
                try:
                    is_saved = save(run, trained, at)
                except LockTimeout:
                    note_trained(results)
                    raise
                if not is_saved:
                    continue
                results.append({"symbol": trained.symbol, "trained_at": at, **scores(trained)})
            tell_problems(run, starts)
        except WorkersLostError as error:
            done = f"{len(results)} of {count(len(tables), 'stock')} are trained and saved"
            leave_undone(run, sorted(left), f"{error} {done}")
        except KeyboardInterrupt as error:
            record_interruption(run, results, tables, error)
            raise
    return sorted(results, key=lambda result: str(result["symbol"]))


if __name__ == "__main__":
    sys.exit(main())
