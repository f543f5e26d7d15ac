"""What this process, with its BLAS kernels, computes from a home's models: `python kernel_probe.py HOME`, JSON out.

Run under several OPENBLAS_CORETYPE, it shows what differs between processors.
"""

from __future__ import annotations

import json
import sys
from datetime import date, timedelta
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

from threadpoolctl import threadpool_info

from stockml.core.paths import Home
from stockml.data.price_table import check_prices
from stockml.data.simulated_market import sample_bars
from stockml.indicators.confidence_inputs import confidence_table
from stockml.indicators.features import indicator_table
from stockml.models.bundle_store import load_bundle, trained_symbols

LAST = date(2026, 3, 2)
DAYS = 250


def main(home: Home) -> None:
    found: dict[str, object] = {
        "kernels": sorted({pool["architecture"] for pool in threadpool_info() if pool["user_api"] == "blas"})
    }
    for symbol in trained_symbols(home):
        raw = sample_bars(symbol, LAST - timedelta(days=1000), LAST).reset_index()
        table = check_prices(symbol, raw)
        said = load_bundle(home, symbol).forecast(table, [stamp.date() for stamp in table.frame.index[-DAYS:]])
        found[symbol] = {
            "indicators": indicator_table(table).iloc[-DAYS:].to_numpy().tolist(),
            "confidence inputs": confidence_table(table).iloc[-DAYS:].fillna(-1.0).to_numpy().tolist(),
            "forecasts": [said.lstm_path_pct.tolist(), said.xgb_pct.tolist(), said.pattern_pct.tolist()],
        }
    print(json.dumps(found))


if __name__ == "__main__":
    main(Home(Path(sys.argv[1])))
