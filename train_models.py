#!/bin/sh
""":" # A shell reads these lines and hands the file to the Python beside it; to Python they are one text.
here=$(dirname "$(readlink -f "$0")")
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
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stockml.commands import options
from stockml.commands import run as cli
from stockml.commands.run import Run
from stockml.core.failures import Failure
from stockml.storage.file_lock import exclusive
from stockml.storage.files import write_whole

if TYPE_CHECKING:
    from stockml.data.price_table import PriceTable
    from stockml.trainers.pipeline import TrainedStock
    from stockml.trainers.process_pool import TaskRunner

DESCRIPTION = """Train an LSTM and an XGBoost model for each stock on two years of daily prices.
Both are validated on later days they have not seen, beside "no change", and saved with their scores."""

EXAMPLES = """examples:
  ten large Indian stocks, prices from Yahoo:
    ./train_models.py
  stocks of your own, on three years of prices:
    ./train_models.py --symbols AAPL MSFT --years 3
  those of the ten whose models are 30 days old or older:
    ./train_models.py --only-stale 30
  a simulated market, which needs no network, in a folder of its own:
    ./train_models.py --source sample --home ~/stock-trial --symbols SIM-ALPHA SIM-BETA

Forecasts are no financial advice."""


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The options, checked as far as they can be alone."""
    parser = options.parser("train_models.py", DESCRIPTION, EXAMPLES)
    how = parser.add_argument_group("how to train")
    how.add_argument(
        "--years",
        type=options.up_to(options.MOST_YEARS),
        default=2,
        metavar="N",
        help="years of prices to learn from (default: %(default)s)",
    )
    options.add_horizon(how)
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
        "--seed", type=options.seed, default=1, metavar="N", help="seed of everything random (default: %(default)s)"
    )
    how.add_argument(
        "--only-stale",
        type=options.positive,
        metavar="DAYS",
        help="leave out stocks whose models are younger than so many days (default: train all)",
    )
    options.add_common(parser, default_symbols="ten large Indian stocks")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    return cli.run(train_models, parse_args(argv))


def train_models(args: argparse.Namespace) -> int:
    """FETCH all prices; BUILD, SPLIT, FIT and SCORE in processes of their own; SAVE each stock as it is done."""
    run = cli.open_run(args, datetime.now(UTC))
    symbols = to_train(run)
    with workforce(run, symbols) as hands:
        tables = fetch(run, symbols)
        results = fit_and_save(run, tables, hands)
    session_file = write_session(run, results)
    return tell(run, results, session_file)


def to_train(run: Run) -> list[str]:
    """The symbols named, or the watchlist; without those whose models are young enough."""
    symbols = run.symbols or run.default_symbols()
    if run.args.only_stale is None:
        return symbols
    stale = [symbol for symbol in symbols if is_stale(run, symbol)]
    if len(stale) < len(symbols):
        run.notice(f"{len(symbols) - len(stale)} of {len(symbols)} stocks have models younger than --only-stale.")
    return stale


def is_stale(run: Run, symbol: str) -> bool:
    """Whether a stock has no usable model, one for another horizon, or one too old."""
    from stockml.models.bundle import ModelError
    from stockml.models.bundle_store import load_bundle

    try:
        bundle = load_bundle(run.home, symbol)  # whole: one that lost a file is as good as none
    except ModelError:
        return True
    would_write = run.clock.written_time(symbol)  # of the exchange's own day, as the model's time is
    age = date.fromisoformat(would_write[:10]) - date.fromisoformat(bundle.trained_at[:10])
    return bundle.horizon != run.args.horizon or age.days >= run.args.only_stale


@contextmanager
def workforce(run: Run, symbols: Sequence[str]) -> Iterator[TaskRunner | None]:
    """The workers of --cluster, looked at before anything is begun; None: processes of this machine."""
    if run.args.cluster is None or not symbols:
        yield None
        return
    from stockml.trainers.dask_cluster import ClusterError, ClusterUsageError, DaskRunner
    from stockml.trainers.fine_tuning import LIBRARIES

    with ExitStack() as stack:
        try:
            runner = stack.enter_context(DaskRunner(run.args.cluster, LIBRARIES, run.notice))
        except ClusterUsageError as error:
            raise cli.UsageError(str(error)) from None
        except ClusterError as error:
            raise cli.NotDoneError(str(error)) from None
        yield runner


def fetch(run: Run, symbols: Sequence[str]) -> Mapping[str, PriceTable]:
    """FETCH the years to learn from, and before them what the first day's indicators look back on."""
    if not symbols:
        return {}
    from stockml.trainers.dataset import sessions_needed

    return run.fetch(symbols, sessions_needed(run.args.years))


def fit_and_save(run: Run, tables: Mapping[str, PriceTable], hands: TaskRunner | None) -> list[dict[str, Any]]:
    """BUILD, SPLIT, FIT, SCORE each stock (stockml/training.py tells how), and SAVE it; returns a summary of each."""
    if not tables:
        return []
    from stockml.core.progress import progress
    from stockml.trainers import pipeline as training
    from stockml.trainers.process_pool import WorkersLostError

    settings = training.TrainingSettings(
        horizon=run.args.horizon, years=run.args.years, seed=run.args.seed, jobs=run.args.jobs
    )
    left, results = set(tables), []
    with cli.timed(run, "train"), progress(run.args) as on_progress:
        try:
            for trained in training.train(tables, settings, on_progress, hands):
                left.remove(trained.symbol)
                if isinstance(trained, training.TrainingFailure):
                    run.fail(Failure(trained.symbol, trained.kind, trained.message))
                    continue
                at = run.clock.written_time(trained.symbol, tables[trained.symbol].data_through)
                training.save(run.home, trained, trained_at=at)
                results.append({"symbol": trained.symbol, "trained_at": at, **scores(trained)})
        except WorkersLostError as error:
            leave_undone(run, sorted(left), f"{error} {len(results)} of {len(tables)} stocks are trained and saved")
    return sorted(results, key=lambda result: str(result["symbol"]))


def leave_undone(run: Run, symbols: Sequence[str], why: str) -> None:
    """Tell once why no more could be trained, and keep which stocks are missing."""
    cli.log.error("%s; run the same again with --only-stale 1 for the others.", why)
    run.failures += [Failure(symbol, "cluster_lost", f"{symbol}: not trained. {why}.") for symbol in symbols]


def scores(trained: TrainedStock) -> dict[str, Any]:
    """What of a stock's metrics belongs in a table, and the seconds each stage took."""
    names = ("train_samples", "val_samples", "lstm_mae", "xgb_mae", "ensemble_mae", "naive_mae", "data_through")
    seconds = {stage: round(value, 3) for stage, value in trained.seconds.items()}
    return {**{name: trained.metrics[name] for name in names}, "seconds": seconds}


def write_session(run: Run, results: Sequence[Mapping[str, Any]]) -> Path | None:
    """Keep what this run did beside the earlier ones, under the wall-clock time; None where it did nothing."""
    if not results and not run.failures:
        return None
    names = ("source", "years", "horizon", "seed", "jobs", "cluster", "only_stale")
    settings = {name: getattr(run.args, name) for name in names}
    exit_code = run.exit_code(anything_done=bool(results))
    session = run.to_json("train_models", {"settings": settings, "models": results}, exit_code)
    with exclusive(run.home.training_lock):
        while (path := run.home.metrics / f"training_session_{datetime.now():%Y%m%d_%H%M%S}.json").exists():
            time.sleep(0.1)  # another run ended in this very second
        write_whole(path, json.dumps(session, allow_nan=False, ensure_ascii=False, indent=2) + "\n")
    return path


def tell(run: Run, results: Sequence[Mapping[str, Any]], session_file: Path | None) -> int:
    """Print the scores beside "no change", as a table or as JSON; returns the exit code."""
    from stockml.commands import tables as terminal

    exit_code = run.exit_code(anything_done=bool(results))
    if run.args.json:
        where = str(session_file) if session_file else None
        cli.print_json(run.to_json("train_models", {"models": results, "session_file": where}, exit_code))
    elif not run.args.quiet:
        terminal.tell_training(run, results, session_file)
    stages = results[0]["seconds"] if results else ()
    of_stocks = {stage: sum(result["seconds"][stage] for result in results) for stage in stages}
    told = ", ".join(f"{stage} {seconds:.2f}" for stage, seconds in {**run.seconds, **of_stocks}.items())
    cli.log.info("Seconds, the stages of single stocks added up: %s.", told or "none")
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
