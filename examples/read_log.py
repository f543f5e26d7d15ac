"""Read the prediction log with pandas, and draw how good the predictions have been beside naive.

    .venv/bin/python examples/read_log.py                        the log of this project, drawn to log.png
    .venv/bin/python examples/read_log.py LOG.jsonl PICTURE.png  another log, another picture

Drawing needs matplotlib (`.venv/bin/python -m pip install matplotlib`); the system itself does not.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd

PROJECT = Path(__file__).resolve().parents[1]
LOG = PROJECT / "realtime_predictions" / "predictions.jsonl"


def read_log(path: Path) -> pd.DataFrame:
    """A row a prediction; what is not known yet is NaN."""
    with path.open(encoding="utf-8") as lines:
        log = pd.DataFrame(json.loads(line) for line in lines if line.strip())
    for name in ("data_through", "target_date", "verified_at"):
        log[name] = pd.to_datetime(log[name]) if name in log else pd.NaT
    return log


def by_week(verified: pd.DataFrame) -> pd.DataFrame:
    """Mean error in % and share accurate by week of the target, each beside naive's."""
    frame = verified.assign(naive_accurate=verified["naive_error_pct"] < 5)
    columns = ["error_pct", "naive_error_pct", "was_accurate", "naive_accurate"]
    weeks = frame.set_index("target_date")[columns].astype(float).resample("W-SUN")
    return weeks.mean().dropna()


def reliability(verified: pd.DataFrame) -> pd.DataFrame:
    """Mean confidence and share accurate of up to ten groups of equal size, from least to most sure."""
    groups = pd.qcut(verified["confidence"], min(10, len(verified)), duplicates="drop")
    chosen = verified.assign(was_accurate=verified["was_accurate"].astype(float)).groupby(groups, observed=True)
    return chosen[["confidence", "was_accurate"]].mean()


def draw(verified: pd.DataFrame, picture: Path) -> None:
    """Three panels: the error by week, whether the confidence holds, and each stock against naive."""
    import matplotlib

    matplotlib.use("Agg")  # into a file; no window is opened
    from matplotlib import pyplot

    figure, (left, middle, right) = pyplot.subplots(1, 3, figsize=(15, 4.5), layout="constrained")
    weeks = by_week(verified)
    left.plot(weeks.index, weeks["error_pct"], marker="o", label="predictions")
    left.plot(weeks.index, weeks["naive_error_pct"], marker="s", linestyle="--", color="grey", label="naive")
    left.set(title="Mean error by week, %", ylim=(0, None))
    left.tick_params(axis="x", rotation=30)
    left.legend()
    groups = reliability(verified)
    middle.plot([0, 1], [0, 1], linestyle="--", color="grey")
    middle.plot(groups["confidence"], groups["was_accurate"], marker="o")
    middle.set(title="Reliability", xlabel="confidence", ylabel="share accurate")
    apart = (verified["error_pct"] - verified["naive_error_pct"]).groupby(verified["symbol"]).mean().sort_values()
    right.barh(apart.index, apart)
    right.axvline(0, color="black", linewidth=0.8)
    right.set(title="Mean error less naive's, % (left is better)")
    figure.savefig(picture)
    pyplot.close(figure)


def main(path: Path = LOG, picture: Path = Path("log.png")) -> int:
    if not path.exists():
        print(f"{path}: there is no log; run realtime_predictor.py first, or name another", file=sys.stderr)
        return 2
    log = read_log(path)
    verified = log[log["status"] == "verified"]
    print(f"{len(log)} predictions of {log['symbol'].nunique()} stocks, {len(verified)} verified")
    if verified.empty:
        return 0
    ahead = verified["prediction_horizon_days"]  # scores of different horizons are never averaged
    print(verified.groupby(["symbol", ahead])[["error_pct", "naive_error_pct"]].mean().round(2).to_string())
    commonest = ahead.mode()[0]
    draw(verified[ahead == commonest], picture)
    print(f"Drawn to {picture}: predictions {commonest} sessions ahead. Forecasts are no financial advice.")
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:3])))
