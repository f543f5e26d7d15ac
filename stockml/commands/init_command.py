"""--init: the options given beside it, written as the home's settings, each key explained."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from stockml.commands.exits import DONE, UsageError
from stockml.commands.run import Run, print_json, refuse_beside
from stockml.core.installation import IS_INSTALLED, default_root
from stockml.core.markets import market_of
from stockml.core.records import DEFAULT_HORIZON
from stockml.data.sources import Source
from stockml.storage.files import make_folder, storage, sync_folder, write_fully

OTHERS = (
    *("verify_only", "explain", "replay", "self_check", "audit", "report", "status", "reopen", "backup", "restore"),
    *("export", "dry_run", "as_of", "offline", "only_stale", "fresh", "cluster", "accept_log"),
)

_TEXT = """\
# Settings of this home; every line is optional. An option beats the environment ($STOCKML_SOURCE and so on), the
# environment beats this file. docs/settings.md describes each key.

# Where prices come from: "yahoo", "csv:DIR" (files DIR/SYMBOL.csv), "sample" or a plug-in, "NAME:ARGUMENT".
{source}

# The watchlist of both scripts; or symbols_file = "FILE", one a line. Without either: the stocks with trained models.
{symbols}

# Exchange sessions to forecast ahead. The first is the main one: accuracy_scores.json counts it.
{horizons}

# Who is told of failed and missed runs and the like, as URLs of apprise.
# notify = ["ntfy://topic", "mailto://user:password@example.org"]

# A shell command that keeps the last seal elsewhere after each run.
{witness}

# Exchanges of symbols without an ending, by symbol.
{exchange_of}
"""


def run_init(run: Run) -> int:
    """Write HOME/stockml.toml; UsageError, and nothing written, where there is one."""
    refuse_beside(run, "--init", OTHERS)
    path = run.home.settings
    if os.path.lexists(path):
        raise UsageError(f"{path}: is there already, and --init overwrites nothing; edit it, or move it away")
    _write_new(path, settings_text(run))
    if run.args.json:
        print_json(run.to_json("init", {"settings": str(path)}, DONE))
    elif not run.args.quiet:
        both = "commands" if IS_INSTALLED else "scripts"
        print(f"{path}: written; both {both} now need no options{_with_home(run)}")
    return DONE


def _with_home(run: Run) -> str:
    return "" if run.home.root == default_root() else f" but --home {run.home.root}, or $STOCKML_HOME"


def settings_text(run: Run) -> str:
    """The file's text: a key for each option given, and for each of the others a comment that shows it."""
    args = run.args
    symbols, named_file = run.symbols, args.symbols_file
    if named_file is not None and args.symbols is None:
        told = f"symbols_file = {_quoted(str(named_file.absolute()))}"
    else:
        told = _key("symbols", _list(symbols) if symbols else None, '["AAPL", "MSFT"]')
    return _TEXT.format(
        source=_key("source", args.source and _quoted(_absolute(args.source, run.source)), '"yahoo"'),
        symbols=told,
        horizons=_key("horizons", args.horizons and str(list(dict.fromkeys(args.horizons))), f"[{DEFAULT_HORIZON}]"),
        witness=_key("witness", _quoted(getattr(args, "witness", None) or ""), '"mail -s seal me@example.org"'),
        exchange_of=_exchanges(run),
    )


def _exchanges(run: Run) -> str:
    """The table of --exchange, for the symbols that do not name their own."""
    code = run.args.exchange
    nameless = [symbol for symbol in run.symbols or () if market_of(symbol) is None]
    if code is None:
        return '# exchange_of = { TCS = "XBOM" }'
    if not nameless:
        raise UsageError(
            f"--init --exchange {code}: no symbol named beside it needs one; add --symbols, or leave it out"
        )
    return "\n".join(["[exchange_of]", *(f"{_quoted(symbol)} = {_quoted(code)}" for symbol in nameless)])


def _key(name: str, value: str | None, such: str) -> str:
    return f"{name} = {value}" if value and value != '""' else f"# {name} = {such}"


def _absolute(text: str, source: Source) -> str:
    """The source as it was written, its folder from the root or `~` on: later runs start elsewhere."""
    kind, colon, folder = text.partition(":")
    if source.folder is None or folder.startswith("~"):
        return text
    return f"{kind}{colon}{source.folder.absolute()}"


def _quoted(text: str) -> str:
    """A TOML string; JSON's is one, but for the character 127."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _list(symbols: Sequence[str]) -> str:
    lines, width = ["["], 100
    for symbol in symbols:
        word = f"{_quoted(symbol)},"
        if len(lines[-1]) + len(word) > width or len(lines) == 1:
            lines.append("   ")
        lines[-1] += f" {word}"
    one = f"[{', '.join(map(_quoted, symbols))}]"
    return one if len(one) <= width else "\n".join([*lines, "]"])


def _write_new(path: Path, text: str) -> None:
    """Write a file that was not there, or leave none."""
    make_folder(path.parent)
    with storage(path, "write the file"):
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)  # see `witness`
        except FileExistsError:
            raise UsageError(f"{path}: is there already, and --init overwrites nothing; edit it") from None
        try:
            write_fully(descriptor, text.encode(), 0)
            os.fsync(descriptor)
        except OSError:
            path.unlink()
            raise
        finally:
            os.close(descriptor)
        sync_folder(path.parent)
