"""Count what the price checks keep, drop and refuse in all CSV files below a folder.

    .venv/bin/python benchmarks/quality/price_checks.py PRICES > counts.txt

Run it with two versions of the package and compare the two outputs with diff: one line a file, the sums last. The time
for reading and checking is written to stderr, since it differs from run to run.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from stockml.core.calendars import calendar_for
from stockml.core.failures import FetchError
from stockml.data.csv_files import read_csv
from stockml.data.price_table import PriceError, PriceTable, check_prices


def main(folder: Path) -> int:
    """Print the counts of each file, then their sums."""
    sums: Counter[str] = Counter()
    files = sorted(folder.rglob("*.csv"))
    began = time.perf_counter()
    for path in files:
        name = path.relative_to(folder)
        try:
            table = check_prices(path.stem, read_csv(path.stem, path.parent, calendar_for(path.stem).timezone).frame)
        except (FetchError, PriceError) as error:
            sums[f"refused {error.kind}"] += 1
            print(f"{name}: refused, {error.kind}: {error}")
            continue
        counts = counted(table)
        sums += Counter(counts) + Counter({"tables": 1})
        print(f"{name}: " + ", ".join(f"{count} {kind}" for kind, count in counts.items()))
    print(f"{len(files)} files in {time.perf_counter() - began:.2f} s", file=sys.stderr)
    for kind, count in sorted(sums.items()):
        print(f"sum {kind} {count}")
    return 0 if sums else 3


def counted(table: PriceTable) -> dict[str, int]:
    """The number of rows kept, and of those dropped or noted by kind."""
    counts = {"kept": len(table.frame)}
    for finding in table.findings:
        key = f"{finding.action} {finding.kind}"
        counts[key] = counts.get(key, 0) + finding.count
    return counts


if __name__ == "__main__":
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_dir():
        sys.exit("usage: price_checks.py PRICES, a folder of CSV files")
    sys.exit(main(Path(sys.argv[1])))
