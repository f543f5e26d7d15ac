"""The log, the models' scores and the state -> the HTML report, self-contained: it loads nothing from a network.

Owner of realtime_predictions/report.html. The figures come from `page_data` and `page_record`, the words from
`page_yesterday`, `page_glance` and `page_sections`; what the page looks like, and what its script draws, lies in the
folder `page_assets`. The charts are drawn by the page's own script: a library would save fewer than 100 of its lines,
and lose the keyboard's way along a chart, its text for screen readers and its sharp print.
"""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from stockml.accuracy.conditions import LEAST_TOLD
from stockml.accuracy.record import HorizonRecord
from stockml.accuracy.tracker import AccuracyTracker
from stockml.core.clock import Clock
from stockml.core.exchanges import Exchanges
from stockml.core.installation import as_called
from stockml.core.line_arithmetic import ACCURATE_BELOW_PCT
from stockml.core.paths import Home
from stockml.core.records import Prediction
from stockml.core.wording import count
from stockml.prediction_log.log import PredictionLog
from stockml.reporting import formatting as report_words
from stockml.reporting import page_glance
from stockml.reporting import page_sections as report_parts
from stockml.reporting.page_data import LogSummary, collect, days_before, sessions_shown, stock_page
from stockml.reporting.page_record import PageRecord
from stockml.reporting.page_yesterday import Sessions, Yesterday
from stockml.reporting.prices_at_hand import NONE_AT_HAND, PricesAtHand
from stockml.reporting.status import Status
from stockml.storage.files import storage, write_whole
from stockml.storage.plain_files import open_plain, plain_status

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

    from stockml.data.sources import Source
    from stockml.reporting.outcome_causes import Moves

PAGE = Path(__file__).with_name("page_assets")
HEAD_BYTES, TITLE = 4096, b"Stock forecasts"  # by which a page is known
SCRIPTS = ("core.js", "settings.js", "tables.js", "stock.js", "record.js", "start.js")


def report_path(home: Home) -> Path:
    """Default path of the HTML report."""
    return home.log.with_name("report.html")


def is_report(path: Path) -> bool:
    """True for a page as `write_report` writes it, and for an empty file; StorageError for what is no plain file."""
    if (status := plain_status(path)) is None:
        return False
    with storage(path, "read the file"), open_plain(path) as file:
        head = file.read(HEAD_BYTES)
    return status.st_size == 0 or (head.startswith(b"<!doctype html>") and TITLE in head.partition(b"</title>")[0])


def write_report(  # noqa: PLR0913 - what a page is made from, and where it goes
    home: Home,
    log: PredictionLog,
    clock: Clock,
    state: Status,
    *,
    is_simulated: bool,
    source: Source | None = None,
    path: Path | None = None,
) -> Path:
    """Write the page whole, in place of the last one; returns where.

    Parameters
    ----------
    home, log, clock : Home, PredictionLog, Clock
        What is read, as of the clock; call it under the log's lock, or when no run is at work.
    state : Status
        What `status` found, for the part on what failed and what is stale.
    is_simulated : bool
        Whether the prices are those of the simulated market; the page then says so.
    source : Source, optional
        Of which prices at hand are looked at, for why forecasts missed and for closes before the first; none is asked.
    path : Path, optional
        The file; by default realtime_predictions/report.html.
    """
    path = path or report_path(home)
    view = log.read(clock.as_of)
    most = sessions_shown(len(log.latest))
    farthest = max((horizon for _, horizon in log.latest), default=0)
    read = min(max(most, farthest + 2), 2 * most)  # so far back lie the forecasts whose outcome is new
    summary = collect(log.newest(view, read), AccuracyTracker(home.feedback).record(view), read)
    prices = PricesAtHand(source, clock, home) if source else None
    context = {
        **_figures(summary, state, clock, prices, is_simulated=is_simulated),
        "data": _embedded(_data(summary.cut(most), state, clock, prices)),
        **report_parts.models(state.models, clock),
        "lists": report_parts.lists(log, view, clock, state.last_run),
    }
    write_whole(path, _render(context))
    return path


def _figures(
    summary: LogSummary, state: Status, clock: Clock, prices: PricesAtHand | None, *, is_simulated: bool
) -> dict[str, Any]:
    """Values for the template."""
    sessions = Sessions(summary.newest_day or state.at[:10], clock)
    names = report_parts.names_on_page(summary)
    rows = report_parts.today_rows(summary, sessions)

    def moves(line: Prediction) -> Moves | str:
        return prices.moves(line) if prices else NONE_AT_HAND

    return {
        "simulated": is_simulated,
        "through": summary.newest_day,
        "written": report_words.moment_text(state.at),
        "yesterday": Yesterday(summary.series, names, sessions, clock, state.stocks, moves).to_page(),
        "rows": rows,
        "regimes": sorted({row["regime"] for row in rows}),
        "horizons": sorted({row["horizon"] for row in rows}),
        "tiles": page_glance.tiles(summary, rows, state),
        "has_record": bool(summary.records),
        "n_records": len(summary.records),
        "first_target": report_parts.first_target(summary),
        "state": state,
        "open_points": page_glance.open_points(state),
        "facts": report_parts.facts(state),
    }


def _data(summary: LogSummary, state: Status, clock: Clock, prices: PricesAtHand | None) -> dict[str, Any]:
    """Values for the script."""
    names = report_parts.names_on_page(summary)
    horizon = page_glance.horizon_shown(summary, state)
    closes = _closes(summary, prices)
    return {
        "accurate_below_pct": ACCURATE_BELOW_PCT,
        "least_told": LEAST_TOLD,
        "meanings": report_words.MEANINGS,
        "stocks": {
            name: stock_page(summary.series[key], clock.exchanges, closes.get(key[0])) for key, name in names.items()
        },
        "horizon": str(horizon),
        "records": _records(summary, horizon, clock.exchanges),
    }


def _closes(summary: LogSummary, prices: PricesAtHand | None) -> dict[str, dict[date, float]]:
    """Closes by symbol and day, of the stocks whose first forecast is on the page."""
    if prices is None:
        return {}
    kinds = {symbol: lines[-1].source for (symbol, _), lines in summary.series.items()}
    wanted = days_before(summary)
    return prices.closes({symbol: days for symbol, days in wanted.items() if kinds[symbol] == prices.source.kind})


def _records(summary: LogSummary, shown: int, exchanges: Exchanges) -> dict[str, Any]:
    """The record of each horizon; an empty one of that shown where nothing is verified yet."""
    records = summary.records or {shown: PageRecord(HorizonRecord(), shown)}
    return {str(horizon): record.to_page(exchanges) for horizon, record in sorted(records.items())}


# ---- the file ----


def _render(context: dict[str, Any]) -> str:
    from markupsafe import Markup

    style, script = (PAGE / "page.css").read_text(encoding="utf-8"), _script()
    own = {"style": Markup(style), "script": Markup(script), "style_hash": _hash(style), "script_hash": _hash(script)}
    commands = {"train": as_called("./train_models.py"), "predict": as_called("./realtime_predictor.py")}
    return _environment().get_template("page.html.j2").render(**context, **own, commands=commands)


def _script() -> str:
    """The page's script: its files in one closed scope."""
    files = "\n".join((PAGE / name).read_text(encoding="utf-8") for name in SCRIPTS)
    return f'(() => {{\n"use strict";\n{files}}})();'


def _hash(text: str) -> str:
    """Hash by which the page's policy admits its own style and script, and no others."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _embedded(value: object) -> Markup:
    """JSON that can stand in a script element: no text in it can end the element or begin a tag."""
    from markupsafe import Markup

    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(PAGE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    for name in ("money", "signed", "percent", "share", "day", "direction", "arrow"):
        environment.filters[name] = getattr(report_words, name)
    environment.filters["count"] = count
    environment.filters["urlencode"] = lambda text: quote(text, safe="")
    return environment
