"""Does it forecast better than naive, and is its confidence one to bet on? The whole system, replayed.

Real: NSE and US stocks from 2023 on, models trained anew every half-year, beside baselines and with parts left out, by
condition, and with days of results foretold or assumed known. Fresh: the first weeks of a log beside those models, over
start dates a quarter apart. Cold: the same without models and priors. Decades: every fourth stock from 2006 (NSE) and
2012 (US) to 2022, for the price by year. Planted: simulated markets whose truth is known. Each target is printed as met
or missed. Results go to build/quality.json, trained models are kept in build/quality-models.

Run: python benchmarks/quality/quality.py [real|cold|decades|planted]... [--markets NSE US] [--seeds N] [--quick]
Needs the price files in $STOCKML_SHARED/market-data (default: ../shared beside the project).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # two processes with a thread each; read when numpy is first imported

import quality_planted as simulated  # noqa: E402
import quality_report as report  # noqa: E402
from processes import spread  # noqa: E402
from quality_decades import PANELS, decades  # noqa: E402
from quality_real import real, see_real  # noqa: E402
from quality_starts import cold, fresh  # noqa: E402
from quality_targets import targets  # noqa: E402
from results_days import NONE  # noqa: E402
from walk_forward import BUILD, real_market, see  # noqa: E402

PARTS = ("real", "cold", "decades", "planted")


@dataclass(frozen=True)
class Size:
    """How much is lived through."""

    markets: tuple[str, ...] = ("NSE", "US")
    stocks: int | None = None
    last: date | None = None
    quarters: int = 14
    panels: tuple[str, ...] = tuple(PANELS)
    panel_sessions: int | None = None
    seeds: int = 3
    companies: int = 20
    sessions: int = 500  # of a simulated market
    trained_on: tuple[str, ...] = tuple(simulated.TRUTHS)  # the planted truths that models are trained on
    trainings: int = 2  # for each
    jobs: int = 2


QUICK = Size(
    ("NSE",),
    2,
    date(2023, 5, 31),
    quarters=1,
    panels=("NSE 2006-2022",),
    panel_sessions=60,
    seeds=1,
    companies=2,
    sessions=270,
    trained_on=(),
    trainings=1,
)


def main() -> None:
    args = parse_args()
    size = replace(QUICK if args.quick else Size(), jobs=len(os.sched_getaffinity(0)))
    if not args.quick:
        panels = tuple(name for name, panel in PANELS.items() if panel.market in args.markets)
        size = replace(size, markets=tuple(args.markets), panels=panels, seeds=args.seeds)
    begin, found = time.perf_counter(), {"real": {}, "fresh": {}, "cold": {}, "decades": {}, "planted": {}}
    for part, name, figures in measured(size, set(args.parts or PARTS)):
        found[part] |= {name: figures}
        found |= {"targets": targets(found), "seconds": round(time.perf_counter() - begin)}
        args.output.parent.mkdir(exist_ok=True)
        args.output.write_text(json.dumps(found, indent=2, allow_nan=False) + "\n")  # what is known if it is cut short
    print(report.markdown(found))


def measured(size: Size, parts: set[str]) -> Iterator[tuple[str, str, Any]]:
    """Each part's figures as they are known, with the part's name and its market's."""
    for name in size.markets if parts & {"real", "cold"} else ():
        tell(f"{name}: reading prices")
        market = real_market(name, most_stocks=size.stocks, last=size.last)
        if "real" in parts:
            seen = see_real(market, size.jobs, tell)
            first = seen[NONE]
            tell(f"{name}: living through {len(first.history)} sessions")
            yield "real", name, real(seen, size.jobs)
            yield "fresh", name, fresh(first, size.quarters, size.jobs)
        else:
            first = see(market, [], size.jobs, tell)
        if "cold" in parts:
            tell(f"{name}: cold starts")
            yield "cold", name, cold(first, size.quarters, size.jobs)
    for name in size.panels if "decades" in parts else ():
        tell(f"{name}: decades")
        yield "decades", name, decades(PANELS[name], size.jobs, tell, stocks=size.stocks, sessions=size.panel_sessions)
    if "planted" in parts:
        for name, figures in planted(size):
            yield "planted", name, figures


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="which parts (default: all)")
    parser.add_argument("--markets", nargs="+", choices=["NSE", "US"], default=["NSE", "US"], help="(default: both)")
    parser.add_argument("--seeds", type=int, default=3, help="simulated markets a truth (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="two stocks and a few months: only to see that it runs")
    parser.add_argument("--output", type=Path, default=BUILD / "quality.json", help="(default: %(default)s)")
    return parser.parse_args()


def tell(text: str) -> None:
    print(time.strftime("%H:%M:%S"), text, file=sys.stderr, flush=True)


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
