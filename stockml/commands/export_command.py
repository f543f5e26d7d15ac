"""--export: the log as a table for spreadsheets, data frames and databases."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from stockml.commands.did_you_mean import meant
from stockml.commands.exits import DONE, SOME_FAILED, NotDoneError, UsageError
from stockml.commands.run import Run, print_json, refuse_beside
from stockml.core.failures import UNKNOWN_SYMBOL, Failure
from stockml.core.progress import Progress, progress
from stockml.core.records import Prediction
from stockml.core.wording import alternatives, count
from stockml.prediction_log.every_line import EveryLine, every_line
from stockml.reporting.flat_rows import Choice, Contents, Row, contents_of, row_of
from stockml.reporting.table_files import MOST_NAMES, MOST_XLSX_ROWS, WRITERS, TableError
from stockml.storage.whole_file import whole_file

OTHERS = (
    *("verify_only", "explain", "replay", "self_check", "audit", "report", "status", "reopen", "backup", "restore"),
    *("dry_run", "exchange", "offline"),
)
ROWS_A_STEP = 1_000  # of the progress bar


def run_export(run: Run) -> int:
    """Write the chosen lines of the log to the file that --export names, as one row each."""
    refuse_beside(run, "--export", OTHERS)
    path = _target(run)
    lines = every_line(run.log)
    if not lines.places:
        raise NotDoneError(f"{run.log.path}: there is no prediction to export yet; name its --home")
    choice = _choice(run)
    contents = _looked_at(run, lines, choice)
    _refuse_too_large(path, contents)
    for problem in lines.problems:
        run.notice(str(problem))
    with progress(run.args) as tell, whole_file(path) as temporary:
        try:
            WRITERS[path.suffix.lower()](temporary, contents, _rows(choice.of(lines), contents.rows, tell))
        except TableError as error:
            raise UsageError(f"{path}: {error}; nothing was written") from None
    if contents.without_time:
        run.notice(f"{count(contents.without_time, 'model_trained_at')}: no time, so the column is empty there")
    exit_code = SOME_FAILED if run.failures or lines.left_out else DONE
    _tell(run, path, contents, lines.left_out, exit_code)
    return exit_code


def _target(run: Run) -> Path:
    """The file to write; UsageError where its ending, its folder or what stands there forbids it."""
    path: Path = run.args.export.absolute()
    kinds = alternatives(list(WRITERS))
    if path.suffix.lower() not in WRITERS:
        told = f"the ending {path.suffix!r} names" if path.suffix else "its name has no ending, which names"
        raise UsageError(f"{path}: {told} no kind of table; write {kinds}")
    if not path.parent.is_dir():
        raise UsageError(f"{path}: there is no folder {path.parent}; create it, or mount the disk it is on")
    if os.path.lexists(path):
        if not path.is_file():
            raise UsageError(f"{path}: is there already and no plain file; name another file")
        if not run.args.force:
            raise UsageError(f"{path}: is there already; name another file, or add --force to replace it")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise UsageError(f"{path}: no right to write in {path.parent}; name a file in another folder")
    return path


def _choice(run: Run) -> Choice:
    args = run.args
    return Choice(
        symbols=None if run.symbols is None else frozenset(run.symbols),
        since=args.since and args.since.isoformat(),
        horizons=frozenset(args.horizons) if args.horizons else None,
        as_of=args.as_of and args.as_of.isoformat(),
    )


def _looked_at(run: Run, lines: EveryLine, choice: Choice) -> Contents:
    """The contents of the chosen lines; names symbols of which there is none, NotDoneError where nothing is chosen."""
    known: set[str] = set()
    contents = contents_of(choice.of(_noting(lines, known)), most_names=MOST_NAMES)
    unknown = [symbol for symbol in run.symbols or () if symbol not in known]
    texts = {symbol: f"{symbol}: not in the log{_did_you_mean(symbol, known)}" for symbol in unknown}
    if not contents.rows:
        told = "; ".join(texts.values()) or "no prediction of the log is of that choice"
        raise NotDoneError(f"{told}; nothing was written, choose others")
    for symbol, text in texts.items():
        run.fail(Failure(symbol, UNKNOWN_SYMBOL, text))
    return contents


def _noting(lines: Iterable[Prediction], symbols: set[str]) -> Iterator[Prediction]:
    for line in lines:
        symbols.add(line.symbol)
        yield line


def _did_you_mean(symbol: str, known: Iterable[str]) -> str:
    names = meant(symbol, known)
    return f"; did you mean {alternatives(names)}?" if names else ""


def _refuse_too_large(path: Path, contents: Contents) -> None:
    kind = path.suffix.lower()
    if kind == ".xlsx" and contents.rows > MOST_XLSX_ROWS:
        raise UsageError(
            f"{path}: {contents.rows:,} predictions are more than the {MOST_XLSX_ROWS:,} rows of a sheet; write a "
            ".parquet instead, or choose fewer by --since, --symbols or --horizons"
        )
    if kind != ".sqlite" and contents.names > MOST_NAMES:
        raise UsageError(
            f"{path}: the signals have more than {MOST_NAMES:,} names, which are too many columns; write a .sqlite "
            "instead, which has a row for each"
        )


def _rows(lines: Iterable[Prediction], number: int, tell: Progress) -> Iterator[Row]:
    for done, line in enumerate(lines, start=1):
        if done % ROWS_A_STEP == 0 or done == number:
            tell("export", done, number)
        yield row_of(line)


def _tell(run: Run, path: Path, contents: Contents, left_out: int, exit_code: int) -> None:
    if run.args.json:
        results = {
            "export": str(path),
            "predictions": contents.rows,
            "first": contents.first,
            "last": contents.last,
            "left_out": left_out,
        }
        print_json(run.to_json("export", results, exit_code))
    elif not run.args.quiet:
        noun = "simulated prediction" if run.is_simulated else "prediction"
        print(f"{path}: {count(contents.rows, noun)} from {contents.first} to {contents.last}")
