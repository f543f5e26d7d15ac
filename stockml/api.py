"""The Python face: what the two commands do, as functions that take and return values, print nothing and never exit.

`import stockml` offers these names as its own and loads this module, and all below it, only once one is used. Each
function does what the script of its name does, by the same functions; settings and environment count as they do there.
Messages go to the logger `stockml`, and stand in the results.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from stockml.commands import exits
from stockml.commands.arguments import Day, Place, Symbols, home_of, listed, options_of
from stockml.commands.exits import NotDoneError, UsageError
from stockml.commands.run_results import DailyRun, ReplayRun, TrainedModel, TrainingRun
from stockml.core import library_warnings
from stockml.core.paths import Home
from stockml.core.records import Prediction
from stockml.core.wording import count
from stockml.storage.files import StorageError

if TYPE_CHECKING:
    from stockml.commands.run import Run

__all__ = [
    "DailyRun",
    "Home",
    "NotDoneError",
    "Prediction",
    "ReplayRun",
    "StorageError",
    "TrainedModel",
    "TrainingRun",
    "UsageError",
    "predict",
    "read_log",
    "replay",
    "train",
    "verify",
]

log = logging.getLogger("stockml")
log.addHandler(logging.NullHandler())  # without a handler Python would print the messages of a library on stderr


def train(
    symbols: Symbols | None = None,
    *,
    home: Place | None = None,
    source: str | None = None,
    horizons: Iterable[int] | None = None,
    as_of: Day | None = None,
    offline: bool = False,
    years: int = 2,
    seed: int = 1,
    jobs: int | None = None,
    only_stale: int | None = None,
    fresh: bool = False,
) -> TrainingRun:
    """Train, validate and save an LSTM and an XGBoost model for each stock, as train_models.py does.

    Parameters
    ----------
    symbols : sequence of str, optional
        By default the watchlist of the home: its settings', else its models', else ten large Indian stocks.
    home : Home, Path or str, optional
        The folder to write under; by default that of the commands.
    source : str, optional
        "yahoo", "csv:DIR" or "sample"; by default the settings', else "yahoo".
    horizons : sequence of int, optional
        Sessions to forecast ahead; the longest is learned. By default the settings', else 5.
    as_of : date or str, optional
        Act as on that day after its close; nothing later is read.
    offline : bool
        Ask Yahoo nothing, and use the prices kept from earlier runs.
    years, seed : int
        Years of prices to learn from, and the seed of everything random.
    jobs : int, optional
        Processes at once, by default one for each core; a program that asks for more than one needs the usual
        `if __name__ == "__main__":`, since each of them loads it.
    only_stale : int, optional
        Leave out stocks whose models are younger than so many days.
    fresh : bool
        Train the common model from nothing, not from the one that an earlier training left.

    Raises
    ------
    UsageError
        For an argument, a setting or a file that cannot be followed.
    NotDoneError
        Where nothing could be done: every stock failed.
    StorageError
        For a file that could not be read or written.
    """
    import train_models

    named = {"years": years, "seed": seed, "jobs": jobs, "only_stale": only_stale, "fresh": fresh}
    args = options_of(train_models, named | _common(symbols, home, source, as_of, offline) | {"horizons": horizons})
    with _running():
        from stockml.commands.run import open_run

        run = open_run(args, datetime.now(UTC))
        results, session_file = train_models.carry_out(run)
        _refuse_nothing(run, run.exit_code(anything_done=bool(results)))
    names = [field.name for field in fields(TrainedModel)]
    models = tuple(TrainedModel(**{name: result[name] for name in names}) for result in results)
    return TrainingRun(models=models, session_file=session_file, **_told(run))


def predict(
    symbols: Symbols | None = None,
    *,
    home: Place | None = None,
    source: str | None = None,
    horizons: Iterable[int] | None = None,
    as_of: Day | None = None,
    offline: bool = False,
    dry_run: bool = False,
) -> DailyRun:
    """Verify what is due, then forecast each stock and log it, as realtime_predictor.py does.

    The parameters are those of `train`; with `dry_run` nothing is written. With `symbols` only predictions of these
    are verified.

    Raises
    ------
    UsageError
        For an argument, a setting or a file that cannot be followed.
    NotDoneError
        Where nothing could be done: every stock failed.
    StorageError
        For a file that could not be read or written, a log that was changed as a whole, or one that another run holds
        for more than a minute.
    """
    named = {"horizons": horizons, "dry_run": dry_run}
    return _daily(named | _common(symbols, home, source, as_of, offline))


def verify(
    symbols: Symbols | None = None,
    *,
    home: Place | None = None,
    source: str | None = None,
    as_of: Day | None = None,
    offline: bool = False,
    dry_run: bool = False,
) -> DailyRun:
    """Verify what is due and learn from it, as `realtime_predictor.py --verify-only` does.

    Parameters and errors are those of `predict`.
    """
    named = {"verify_only": True, "dry_run": dry_run}
    return _daily(named | _common(symbols, home, source, as_of, offline))


def replay(
    start: Day,
    end: Day,
    symbols: Symbols | None = None,
    *,
    home: Place,
    source: str | None = None,
    horizons: Iterable[int] | None = None,
    offline: bool = False,
    retrain: bool = False,
) -> ReplayRun:
    """Walk forward through the sessions from `start` to `end`, each as on that day, in a home of its own.

    With `retrain` models are trained as of each month's first session too. The other parameters are those of `train`.

    Raises
    ------
    UsageError
        For an argument, a setting or a file that cannot be followed, or a home that is not this replay's.
    NotDoneError
        Where nothing could be done: every stock failed.
    StorageError
        For a file that could not be read or written, or a run that holds the log for too long.
    """
    import realtime_predictor

    named = {"replay": [start, end], "retrain": "monthly" if retrain else None, "horizons": horizons}
    args = options_of(realtime_predictor, named | _common(symbols, home, source, None, offline))
    with _running():
        from stockml.commands.other_commands import opened
        from stockml.commands.predict_command import to_predict
        from stockml.commands.replay_command import curves_of, is_any_done, walk

        run = opened(args, datetime.now(UTC))
        done = walk(run, to_predict(run))
        view = run.log.read()
        curves = curves_of(run, view)
        _refuse_nothing(run, run.exit_code(anything_done=is_any_done(curves, done)))
    pending, waiting = tuple(view.pending), tuple(done.waiting)
    told = _told(run)
    return ReplayRun(days=done.days, logged=done.logged, curves=curves, pending=pending, waiting=waiting, **told)


def read_log(home: Place | None = None) -> list[Prediction]:
    """Every prediction of a home's log, in its order; damaged lines are left out, and each is told to the logger.

    Raises
    ------
    StorageError
        For a log that cannot be read, or that was changed as a whole.
    """
    from stockml.prediction_log.every_line import every_line
    from stockml.prediction_log.log import PredictionLog

    kept = PredictionLog(home_of(home).log)
    kept.check()
    lines = every_line(kept)
    for problem in lines.problems:
        log.warning("%s", problem)
    return list(lines)


def _daily(arguments: Mapping[str, Any]) -> DailyRun:
    import realtime_predictor

    args = options_of(realtime_predictor, arguments)
    with _running():
        from stockml.commands.other_commands import opened

        run = opened(args, datetime.now(UTC))
        done = realtime_predictor.carry_out(run)
        _refuse_nothing(run, int(done.result["exit_code"]))
    sealed = {line.id: line for line in done.logged}
    return DailyRun(
        predictions=tuple(sealed.get(prediction.id, prediction) for _, prediction in done.made),
        logged=tuple(sealed),
        settled=tuple(done.learned.settled),
        waiting=tuple(done.learned.waiting),
        record=done.learned.record,
        **_told(run),
    )


def _common(
    symbols: Symbols | None, home: Place | None, source: str | None, as_of: Day | None, offline: bool
) -> dict[str, Any]:
    """The arguments of every run."""
    root = None if home is None else home_of(home).root
    return {"symbols": listed(symbols), "home": root, "source": source, "as_of": as_of, "offline": offline}


@contextmanager
def _running() -> Iterator[None]:
    """A run within somebody's program: earlier ones are forgotten, and libraries' warnings are not printed."""
    exits.begin()
    with library_warnings.taken():
        yield


def _refuse_nothing(run: Run, exit_code: int) -> None:
    """NotDoneError where every stock failed."""
    if exit_code == exits.NOTHING_DONE:
        others = len(run.failures) - 1
        raise NotDoneError(run.failures[0].message + (f" (and {count(others, 'other failure')})" if others else ""))


def _told(run: Run) -> dict[str, Any]:
    return {"notices": tuple(run.notices), "failures": tuple(run.failures)}
