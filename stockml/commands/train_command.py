"""The training command around its steps: symbols to train, the processes or cluster, the session file, the table."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stockml.commands.cluster import cluster_runner
from stockml.commands.exits import UsageError, done_so_far, note_done
from stockml.commands.polite_signals import interrupted_code
from stockml.commands.run import Run, print_json
from stockml.commands.watchlist import tell_changes, watchlist
from stockml.core.failures import Failure
from stockml.core.wording import count
from stockml.storage.file_lock import LockTimeout, exclusive
from stockml.storage.files import StorageError, write_whole
from stockml.storage.pause import pause
from stockml.trainers.engine_choice import CPU, EngineChoice, EngineMissingError, choose

if TYPE_CHECKING:
    from stockml.trainers.pipeline import TrainedStock
    from stockml.trainers.process_pool import TaskRunner
    from stockml.trainers.start_store import KeptStarts

log = logging.getLogger("stockml")

NO_GPU = "TensorFlow found no GPU that it can use, so it trained on the CPU; --engine numpy is faster there."


def to_train(run: Run) -> list[str]:
    """The symbols named, or the watchlist of the home; without those whose models are young enough."""
    symbols = run.symbols or watchlist(run)
    tell_changes(run, symbols)
    if run.args.only_stale is None:
        return symbols
    stale = [symbol for symbol in symbols if _is_stale(run, symbol)]
    if len(stale) < len(symbols):
        young, stocks = len(symbols) - len(stale), count(len(symbols), "stock")
        run.notice(f"{young} of {stocks} {'has a model' if young == 1 else 'have models'} younger than --only-stale.")
    return stale


def _is_stale(run: Run, symbol: str) -> bool:
    """True where a stock has no usable model, one for another horizon, or one too old."""
    from stockml.models.bundle import ModelError
    from stockml.models.bundle_store import load_bundle

    try:
        bundle = load_bundle(run.home, symbol)  # whole: one that lost a file is as good as none
    except ModelError:
        return True
    return bool(bundle.horizon != max(run.horizons) or _days_old(run, symbol, bundle.trained_at) >= run.args.only_stale)


def _days_old(run: Run, symbol: str, trained_at: str) -> int:
    would_write = run.clock.written_time(symbol)  # of the exchange's own day, as the model's time is
    return (date.fromisoformat(would_write[:10]) - date.fromisoformat(trained_at[:10])).days


def _again(run: Run, left: Iterable[str]) -> str:
    """The command for those that a run has left; --only-stale would leave out one that an earlier run trained today."""
    from stockml.models.bundle import ModelError
    from stockml.models.bundle_store import METRICS_FILE, bundle_folder, read_metrics

    began = run.clock.now.timestamp()
    for symbol in left:
        with suppress(ModelError, OSError):
            is_earlier = (bundle_folder(run.home, symbol) / METRICS_FILE).stat().st_mtime < began
            if is_earlier and _days_old(run, symbol, read_metrics(run.home, symbol)["trained_at"]) < 1:
                return "run the same again"
    return "run the same again with --only-stale 1"


def chosen_engine(run: Run) -> EngineChoice:
    """The engine that trains the LSTM; UsageError where --engine names one that is not installed."""
    return _engine(run)[0]


def _engine(run: Run) -> tuple[EngineChoice, str]:
    """The engine, and why it is this one."""
    try:
        return choose(run.args.engine, is_cluster=run.args.cluster is not None)
    except EngineMissingError as error:
        raise UsageError(str(error)) from None


def _engine_record(run: Run) -> dict[str, Any]:
    """The engine, its device and versions, and why it is this one."""
    engine, why = _engine(run)
    return {"name": engine.name, "device": engine.device, "why": why, "versions": engine.versions()}


@contextmanager
def task_runner(run: Run, symbols: Sequence[str]) -> Iterator[TaskRunner | None]:
    """The workers of --cluster, checked before anything is begun; None: processes of this machine, which get ready."""
    if run.args.cluster is None or not symbols:
        if symbols:
            from stockml.trainers.preloading import preload

            preload()
        yield None
        return
    from stockml.trainers.pipeline import LIBRARIES

    libraries = tuple(dict.fromkeys((*LIBRARIES, *chosen_engine(run).versions())))
    with cluster_runner(run, libraries) as runner:
        yield runner


def kept_starts(run: Run) -> KeptStarts:
    """The common networks of the home, which a training goes on from and leaves; with --fresh it goes on from none."""
    from stockml.trainers.start_store import KeptStarts

    return KeptStarts(run.home, run.args.lock_timeout, begins_fresh=run.args.fresh)


def tell_problems(run: Run, starts: KeptStarts) -> None:
    """Tell of each common network that was damaged, foreign or could not be written."""
    for text in starts.problems:
        run.notice(text)


def leave_undone(run: Run, symbols: Sequence[str], why: str) -> None:
    """Tell once why no more could be trained, and keep which stocks are missing."""
    log.error("%s; %s for the others.", why, _again(run, symbols))
    run.failures += [Failure(symbol, "cluster_lost", f"{symbol}: not trained. {why}.") for symbol in symbols]


def save(run: Run, trained: TrainedStock, trained_at: str) -> bool:
    """SAVE one stock; one that cannot be written is a failure of its own, and the others are saved all the same."""
    from stockml.trainers import pipeline

    try:
        pipeline.save(run.home, trained, trained_at=trained_at, lock_timeout=run.args.lock_timeout)
    except LockTimeout:
        raise  # the others would wait as long again, each of them
    except StorageError as error:
        run.fail(Failure(trained.symbol, "not_saved", f"{trained.symbol}: trained, but not saved. {error}"))
        return False
    if trained.metrics["engine"]["device"] == CPU != chosen_engine(run).device and NO_GPU not in run.notices:
        run.notice(NO_GPU)
    return True


def note_trained(results: Sequence[Mapping[str, Any]]) -> None:
    """Note of all that a later failure leaves untouched: the models that are saved."""
    if results:
        note_done(f"{count(len(results), 'stock')} {'is' if len(results) == 1 else 'are'} trained and saved")


def scores(trained: TrainedStock) -> dict[str, Any]:
    """A stock's scores for the table, and the seconds each stage took."""
    names = ("train_samples", "val_samples", "lstm_mae", "xgb_mae", "ensemble_mae", "naive_mae", "data_through")
    seconds = {stage: round(value, 3) for stage, value in trained.seconds.items()}
    from_where = trained.metrics["started_from"]
    return {**{name: trained.metrics[name] for name in names}, "started_from": from_where, "seconds": seconds}


def record_interruption(
    run: Run, results: Sequence[Mapping[str, Any]], wanted: Iterable[str], error: KeyboardInterrupt
) -> None:
    """Keep what a run did that was ended from outside, and which stocks are missing."""
    dealt_with = {result["symbol"] for result in results} | {failure.symbol for failure in run.failures}
    left = sorted(set(wanted) - dealt_with)  # with the one that was being saved
    why = f"not trained, because the run was ended; {_again(run, left)}"
    run.failures += [Failure(symbol, "interrupted", f"{symbol}: {why}.") for symbol in left]
    write_session(run, results, interrupted_code(error))


def write_session(run: Run, results: Sequence[Mapping[str, Any]], exit_code: int | None = None) -> Path | None:
    """Keep what this run did beside the earlier ones, under the wall-clock time.

    None where it did nothing, or where that cannot be written: a failure of its own.
    """
    if not results and not run.failures:
        return None
    names = ("seed", "jobs", "cluster", "engine", "fresh", "only_stale")
    settings = {
        "source": str(run.source),
        "years": run.args.years,
        "horizon": max(run.horizons),  # that was learned
        **{name: getattr(run.args, name) for name in names},
        "horizons": list(run.horizons),
    }
    if exit_code is None:
        exit_code = run.exit_code(anything_done=bool(results))
    told = {"settings": settings, "engine": _engine_record(run), "models": results}
    session = run.to_json("train_models", told, exit_code)
    text = json.dumps(session, allow_nan=False, ensure_ascii=False, indent=2) + "\n"
    try:
        with exclusive(run.home.training_lock, timeout=run.args.lock_timeout, guarded="the models"):
            while (path := run.home.metrics / f"training_session_{datetime.now():%Y%m%d_%H%M%S}.json").exists():
                pause(0.1)  # another run ended in this very second
            write_whole(path, text)
    except StorageError as error:
        so_far = done_so_far()
        run.fail(Failure("", "session", f"{error}; {so_far}" if so_far else str(error)))
        return None
    return path


def tell(run: Run, results: Sequence[Mapping[str, Any]], session_file: Path | None) -> int:
    """Print the scores beside naive, as a table or as JSON; returns the exit code."""
    from stockml.commands import tables

    exit_code = run.exit_code(anything_done=bool(results))
    if run.args.json:
        where = str(session_file) if session_file else None
        told = {"engine": _engine_record(run), "models": results, "session_file": where}
        print_json(run.to_json("train_models", told, exit_code))
    elif not run.args.quiet:
        tables.tell_training(run, results, session_file)
    engine = _engine_record(run)
    versions = ", ".join(f"{name} {version}" for name, version in engine["versions"].items())
    log.info("Engine: %s on the %s (%s), %s.", engine["name"], engine["device"].upper(), versions, engine["why"])
    stages = results[0]["seconds"] if results else ()
    of_stocks = {stage: sum(result["seconds"][stage] for result in results) for stage in stages}
    seconds = ", ".join(f"{stage} {taken:.2f}" for stage, taken in {**run.seconds, **of_stocks}.items())
    log.info("Seconds, the stages of single stocks added up: %s.", seconds or "none")
    return exit_code
