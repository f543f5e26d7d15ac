"""Does it forecast better than naive, and is its confidence one to bet on? The whole system, replayed.

Real: NSE and US stocks from 2023 on, models trained anew every half-year, beside baselines and with parts left out.
Fresh: the first weeks of a log beside those models, over start dates a quarter apart. Cold: the same without models and
priors. Planted: simulated markets whose
truth is known. Each target is printed as met or missed. Results go to build/quality.json, trained models are kept in
build/quality-models.

Run: python benchmarks/quality/quality.py [real|cold|planted]... [--markets NSE US] [--seeds N] [--quick]
Needs the price files in $STOCKML_SHARED/market-data (default: ../shared beside the project).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # two processes with a thread each; read when numpy is first imported

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import quality_baselines as baselines  # noqa: E402
import quality_planted as simulated  # noqa: E402
import quality_report as report  # noqa: E402
from quality_figures import (  # noqa: E402
    between,
    confidence_figures,
    errors,
    interval_figures,
    price_figures,
    ratio,
    table_of,
    weekly,
)
from walk_forward import (  # noqa: E402
    ABLATIONS,
    BUILD,
    COLD,
    FULL,
    VARIANTS,
    Market,
    Seen,
    Variant,
    half_years,
    live,
    real_market,
    see,
)

from stockml.core.records import ACCURATE_BELOW_PCT, Prediction  # noqa: E402

QUARTER, COLD_WEEKS = 63, 12  # sessions between start dates; weeks of each curve
SECOND_WEEK, AFTER = (6, 11), (12, 30)  # sessions of a log: the first outcomes come in, and what follows
NAIVE, FIXED, DRIFT, LOGIT = "naive", "SPEC's fixed rule", "pooled drift", "range-volatility logit"


@dataclass(frozen=True)
class Size:
    """How much is lived through."""

    markets: tuple[str, ...] = ("NSE", "US")
    stocks: int | None = None
    last: date | None = None
    quarters: int = 14
    seeds: int = 3
    companies: int = 20
    sessions: int = 500  # of a simulated market
    trained_on: tuple[str, ...] = tuple(simulated.TRUTHS)  # the planted truths that models are trained on
    trainings: int = 2  # for each
    jobs: int = 2


QUICK = Size(("NSE",), 2, date(2023, 5, 31), quarters=1, seeds=1, companies=2, sessions=270, trained_on=(), trainings=1)

_SEEN: dict[str, Seen] = {}  # handed to processes by forking, not by copying


def main() -> None:
    args = parse_args()
    size = replace(QUICK if args.quick else Size(), jobs=len(os.sched_getaffinity(0)))
    if not args.quick:
        size = replace(size, markets=tuple(args.markets), seeds=args.seeds)
    begin, found = time.perf_counter(), {"real": {}, "fresh": {}, "cold": {}, "planted": {}}
    for part, name, figures in measured(size, set(args.parts or ("real", "cold", "planted"))):
        found[part] |= {name: figures}
        found |= {"targets": report.targets(found), "seconds": round(time.perf_counter() - begin)}
        args.output.parent.mkdir(exist_ok=True)
        args.output.write_text(json.dumps(found, indent=2, allow_nan=False) + "\n")  # what is known if it is cut short
    print(report.markdown(found))


def measured(size: Size, parts: set[str]) -> Iterator[tuple[str, str, Any]]:
    """Each part's figures as they are known, with the part's name and its market's."""
    for name in size.markets if parts & {"real", "cold"} else ():
        tell(f"{name}: reading prices")
        market = real_market(name, most_stocks=size.stocks, last=size.last)
        seen = see(market, half_years(market.days) if "real" in parts else [], size.jobs, tell)
        if "real" in parts:
            tell(f"{name}: living through {len(seen.history)} sessions, {len(VARIANTS) + len(ABLATIONS)} times")
            yield "real", name, real(seen, size)
            yield "fresh", name, fresh(seen, size)
        if "cold" in parts:
            tell(f"{name}: cold starts")
            yield "cold", name, cold(seen, size)
    if "planted" in parts:
        for name, figures in planted(size):
            yield "planted", name, figures


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[[], "real", "cold", "planted"], help="which parts (default: all)")
    parser.add_argument("--markets", nargs="+", choices=["NSE", "US"], default=["NSE", "US"], help="(default: both)")
    parser.add_argument("--seeds", type=int, default=3, help="simulated markets a truth (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="two stocks and a few months: only to see that it runs")
    parser.add_argument("--output", type=Path, default=BUILD / "quality.json", help="(default: %(default)s)")
    return parser.parse_args()


def tell(text: str) -> None:
    print(time.strftime("%H:%M:%S"), text, file=sys.stderr, flush=True)


# ---- real prices -----------------------------------------------------------------------------------------------------


def real(seen: Seen, size: Size) -> dict[str, Any]:
    """The table of rows and the table of what is left out, of one market."""
    variants = {**VARIANTS, **ABLATIONS}
    lives = dict(zip(variants, lived(seen, variants.values(), size.jobs), strict=True))
    tables = {name: table_of(lines) for name, lines in lives.items()}
    validation = pd.DataFrame(seen.validation)
    return {
        "rows": rows(seen.market, lives, tables),
        "ablation": {name: whole_figures(tables[name]) for name in (FULL, *ABLATIONS)},
        "validation": {name: float(value) for name, value in validation.mean().items()},
        "from": tables[FULL]["made_on"].iloc[0],
        "to": tables[FULL]["made_on"].iloc[-1],
        "stocks": len(seen.market.stocks),
    }


def rows(market: Market, lives: dict[str, list[Prediction]], tables: dict[str, pd.DataFrame]) -> dict[str, Any]:
    """The rows of the one table."""
    table = tables[COLD]
    past = baselines.past_table(market.stocks)
    before = baselines.known_before(past, table["made_on"].iloc[0])
    nothing = np.zeros(len(table))
    naive_hit = errors(table, 0.0) < ACCURATE_BELOW_PCT
    now = table[["made_on", "symbol"]].merge(past, on=["made_on", "symbol"], how="left", suffixes=("", "_past"))
    return {
        NAIVE: price_figures(table, nothing),
        FIXED: price_figures(table, baselines.fixed_rule(lives[COLD])),
        DRIFT: price_figures(table, np.full(len(table), baselines.pooled_drift(before))),
        LOGIT: price_figures(table, nothing) | confidence_figures(baselines.logit(before, now), naive_hit),
        COLD: whole_figures(table),
        FULL: whole_figures(tables[FULL]),
    }


def whole_figures(table: pd.DataFrame) -> dict[str, Any]:
    """All figures of a life's predictions."""
    change = table["change"].to_numpy()
    hit = errors(table, change) < ACCURATE_BELOW_PCT
    return (
        price_figures(table, change)
        | confidence_figures(table["confidence"].to_numpy(), hit)
        | interval_figures(table)
        | {"r2": float(1 - ((table["actual"] - change) ** 2).sum() / (table["actual"] ** 2).sum())}
    )


def lived(seen: Seen, variants: Iterable[Variant], jobs: int) -> Iterator[list[Prediction]]:
    """The lives of several variants, over processes."""
    yield from spread(jobs, seen, [lambda seen, variant=variant: live(seen, variant) for variant in variants])


def spread(jobs: int, seen: Seen | None, tasks: Sequence[Callable[[Any], Any]]) -> list[Any]:
    """The tasks' results in order, from processes that are forks of this one: what it knows need not be copied."""
    _SEEN["seen"], _TASKS[:] = seen, tasks
    with ProcessPoolExecutor(jobs, mp_context=get_context("fork")) as pool:
        return list(pool.map(_do, range(len(tasks))))


_TASKS: list[Callable[[Any], Any]] = []


def _do(number: int) -> Any:
    return _TASKS[number](_SEEN["seen"])


# ---- the first weeks -------------------------------------------------------------------------------------------------


LENGTH = 5 * COLD_WEEKS + 6  # sessions; the last week's outcomes come six sessions later


def starts_of(seen: Seen, size: Size) -> list[int]:
    """The start dates a quarter apart, as numbers of sessions."""
    return list(range(0, len(seen.history) - LENGTH, QUARTER))[: size.quarters]


def fresh(seen: Seen, size: Size) -> dict[str, Any]:
    """The second week of a fresh log beside models, when the first outcomes come in, and the weeks after it."""
    starts = starts_of(seen, size)
    lives = [
        lambda seen, start=start: table_of(live(seen.part(start, start + LENGTH), VARIANTS[FULL])) for start in starts
    ]
    tables = spread(size.jobs, seen, lives)
    found = {"starts": len(starts)}
    for title, sessions in (("second_week", SECOND_WEEK), ("after", AFTER)):
        parts = [between(table, *sessions) for table in tables]
        ratios = [ratio(part, part["change"].to_numpy()) for part in parts]
        together = pd.concat(parts)
        found[title] = {"ratio": ratio(together, together["change"].to_numpy()), "worst": max(ratios)}
    return found


def cold(seen: Seen, size: Size) -> dict[str, Any]:
    """The first weeks of the signals alone, averaged over start dates a quarter apart."""
    starts = starts_of(seen, size)
    tasks = [
        lambda seen, start=start: weekly(table_of(live(seen.part(start, start + LENGTH), VARIANTS[COLD])))
        for start in starts
    ]
    curves = spread(size.jobs, seen, tasks)
    together = pd.concat([curve.loc[:COLD_WEEKS] for curve in curves]).groupby(level=0).mean()
    weeks = together.loc[4:6]
    days = list(seen.history)
    return {
        "starts": [days[start].isoformat() for start in starts],
        "curve": [
            {"week": int(week), **{name: float(row[name]) for name in row.index}} for week, row in together.iterrows()
        ],
        "lead_weeks_4_to_6": float((weeks["accuracy"] - weeks["no_change"]).mean()) if len(weeks) else None,
    }


# ---- planted truths --------------------------------------------------------------------------------------------------


def planted(size: Size) -> Iterator[tuple[str, Any]]:
    """What is found where the truth is known, over some seeds."""
    names = simulated.SYMBOLS[: size.companies]
    for title in simulated.TRUTHS:
        tell(f"planted {title}")
        trainings = size.trainings if title in size.trained_on else 0
        first = simulated.planted(title, 1, size.sessions, trainings=trainings, symbols=names)
        others = [_planting(title, seed, size.sessions, names) for seed in range(2, size.seeds + 1)]
        yield title, [first, *spread(size.jobs, None, others)]
    tell("flips")
    before = min(500, size.sessions)
    seeds = range(1, size.seeds + 1)
    yield "flip", spread(size.jobs, None, [lambda _, seed=seed: simulated.flip(seed, names, before) for seed in seeds])
    tell("random walks")
    seeds = range(101, 101 + 4 * size.seeds)
    tasks = [lambda _, seed=seed: simulated.random_walk(seed, size.sessions, names) for seed in seeds]
    walks = spread(size.jobs, None, tasks)
    yield "walks", walks
    yield "walk_weights", simulated.weight_intervals(walks)


def _planting(title: str, seed: int, sessions: int, names: Sequence[str]) -> Callable[[Any], dict[str, Any]]:
    return lambda _: simulated.planted(title, seed, sessions, symbols=names)


if __name__ == "__main__":
    main()
