"""A made-up home with a long log: stocks that wander, predictions with every kind of signal, outcomes days later."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np

from stockml.core.clock import Clock
from stockml.core.outcomes import EXPIRED, VERIFIED, Outcome, completed
from stockml.core.paths import Home
from stockml.core.records import Evidence, Prediction, Signal, record_line, round_price
from stockml.core.student_t import StudentT
from stockml.prediction_log.log import PredictionLog
from stockml.reporting.last_run import LastRun, end_run, read_last_run
from stockml.reporting.page import write_report
from stockml.reporting.status import status

HORIZON = 5
LAST_DAY = date(2026, 3, 27)  # a Friday; the clock of most tests stands on its evening
REGIMES = ("sideways", "bullish", "bearish", "volatile")
CLOCK = Clock(datetime(2026, 3, 28, 12, tzinfo=UTC), LAST_DAY)


def weekdays_until(last: date, count: int) -> list[date]:
    days = [last - timedelta(days=back) for back in range(2 * count)]
    return [day for day in days if day.weekday() < 5][:count][::-1]


def stock_lines(symbol: str, n_days: int, *, seed: int, horizon: int = HORIZON, currency: str = "EUR") -> list[str]:
    """One stock's lines of the log, in the order of their making; all but the last few verified."""
    rng = np.random.default_rng(seed)
    days = weekdays_until(LAST_DAY, n_days)
    ahead = weekdays_until(LAST_DAY + timedelta(days=2 * horizon + 3), 2 * horizon)
    ahead = [day for day in ahead if day > LAST_DAY]
    spread = float(rng.uniform(0.9, 2.6))
    closes = np.exp(np.cumsum(rng.normal(0.03, spread, n_days) / 100)) * float(rng.uniform(8, 4000))
    lines = []
    for at in range(n_days):
        made = _prediction(rng, symbol, [*days[at:], *ahead][: horizon + 1], (float(closes[at]), spread, at / n_days))
        record = Prediction(**{**made, "currency": currency}).to_record()
        if at + horizon < n_days:
            actual = round_price(float(closes[at + horizon]))
            record = completed(record, _outcome(Prediction(**made), actual, f"{days[at + horizon]}T17:00:00"))
        lines.append(record_line(record))
    return lines


def _prediction(
    rng: np.random.Generator, symbol: str, days: Sequence[date], state: tuple[float, float, float]
) -> dict[str, Any]:
    """The values of a line made on the first of the days for the last, from close, daily spread in %, and progress."""
    close, spread, learned = state
    horizon = len(days) - 1
    opinions = {"lstm": float(rng.normal(0, 1.2)), "xgb": float(rng.normal(0, 1.0)), "drift": 1.0}
    trusts = {"lstm": 0.1 + 0.2 * learned, "xgb": 0.15 - 0.1 * learned, "drift": 0.12 * learned}
    rules = {"macd_positive": 1.0, "golden_cross": 2.0, "overbought": -1.5, "regime_bullish": 1.5}
    wave = math.sin(days[0].toordinal() / 17 + close)
    for number, (name, opinion) in enumerate(rules.items()):
        if wave > 0.2 * number:
            opinions[name], trusts[name] = opinion, 1 - 0.7 * learned
    pattern = f"pattern_{days[0].toordinal() // 9 % 6}"
    opinions[pattern], trusts[pattern] = float(rng.normal(0.2, 0.5)), 0.3 * learned
    weights = {name: round(opinions[name] * trusts[name] / 5, 4) for name in opinions}
    magnitude = 0.8 - 0.3 * learned
    change = round(5 * magnitude * sum(weights.values()), 4)
    price, predicted = round_price(close), round_price(close * (1 + change / 100))
    law = StudentT(change, round(0.87 * spread * math.sqrt(horizon), 4), degrees=5)
    low, high = law.interval_pct(0.8)
    path = [round_price(price + (predicted - price) * (step / horizon) ** 1.3) for step in range(1, horizon + 1)]
    return {
        "symbol": symbol,
        "prediction_date": f"{days[0]}T17:00:00",
        "current_price": price,
        "predicted_price": predicted,
        "predicted_change_pct": change,
        "confidence": round(math.erf(5 / (spread * math.sqrt(2 * horizon))), 4),
        "prediction_horizon_days": horizon,
        "target_date": str(days[-1]),
        "market_regime": REGIMES[days[0].toordinal() // 15 % 4],
        "signals": tuple(Signal(name, weight) for name, weight in weights.items() if weight),
        "data_through": str(days[0]),
        "magnitude": magnitude,
        "low": round_price(price * (1 + low / 100)),
        "high": round_price(price * (1 + high / 100)),
        "path": tuple(path),
        "evidence": Evidence(opinions, {"volatility_20": spread}),
        "source": "csv",
        "currency": "EUR",
        "model_trained_at": "2026-03-01T12:00:00",
        "distribution": law,
        "model_scale_pct": law.scale_pct,
    }


def _outcome(made: Prediction, actual: float, at: str) -> Outcome:
    error = round(abs(actual - made.predicted_price) / actual * 100, 4)
    naive = round(abs(actual - made.current_price) / actual * 100, 4)
    return Outcome(VERIFIED, at, actual, error, error < 5, naive)


def write_log(home: Home, *stocks: Sequence[str]) -> PredictionLog:
    """The stocks' lines as a log."""
    home.log.parent.mkdir(parents=True, exist_ok=True)
    lines = [line.encode() + b"\n" for stock in stocks for line in stock]
    home.log.write_bytes(b"".join(lines))
    return PredictionLog(home.log)


def write_metrics(home: Home, symbol: str, *, data_through: str = "2026-02-27", seed: int = 1) -> None:
    """A trained model's metrics; the model files themselves are not looked at."""
    rng = np.random.default_rng(seed)
    naive = float(rng.uniform(2, 4))
    metrics = {
        "symbol": symbol,
        "trained_at": f"{data_through}T18:00:00",
        "train_samples": 320,
        "val_samples": 80,
        "lstm_mae": round(naive * float(rng.uniform(0.97, 1.05)), 4),
        "xgb_mae": round(naive * float(rng.uniform(0.98, 1.1)), 4),
        "ensemble_mae": round(naive * float(rng.uniform(0.96, 1.02)), 4),
        "naive_mae": round(naive, 4),
        "horizon_days": HORIZON,
        "data_through": data_through,
        "features": [],
        "inputs": [],
        "window_sessions": 20,
        "priors": {},
        "sha256": {"lstm_model.h5": "", "xgb_model.pkl": "", "fast.bin": ""},
    }
    folder = home.models / symbol.replace(".", "_")
    folder.mkdir(parents=True, mode=0o755)
    path = folder / "metrics.json"
    path.write_text(json.dumps(metrics, indent=2))
    path.chmod(0o644)


def made_up_home(root: Path, n_stocks: int, n_days: int) -> tuple[Home, PredictionLog]:
    """A home with a log and metrics of stocks MADE-00.XY and on; .XY is no exchange, so every weekday is a session."""
    home = Home(root)
    symbols = [f"MADE-{number:02}.XY" for number in range(n_stocks)]
    for number, symbol in enumerate(symbols):
        write_metrics(home, symbol, seed=number)
    return home, write_log(home, *(stock_lines(symbol, n_days, seed=at) for at, symbol in enumerate(symbols)))


# ---- what a run leaves, and the page ----

NOW = datetime(2026, 3, 27, 20, 0, tzinfo=UTC)
HOSTILE = '</script><script>alert("1")</script><img src=x onerror=alert(2)>&amp;\'"'


def result(**changed: Any) -> dict[str, Any]:
    """What --json prints, as far as a note of the run holds it."""
    whole = {
        "as_of": None,
        "exit_code": 0,
        "logged": ["a", "b"],
        "settled": [{}],
        "prices": {"MADE-00.XY": {"data_through": str(LAST_DAY), "rows": 500}},
        "failures": [],
        "waiting": [],
        "notices": [],
    }
    return whole | changed


def ended(home: Home, *, at: datetime = NOW, **changed: Any) -> LastRun:
    end_run(home, result(**changed), began_at=at - timedelta(seconds=5), ended_at=at)
    run = read_last_run(home)
    assert run is not None
    return run


def page_of(home: Home, *, clock: Clock = CLOCK, is_simulated: bool = False) -> str:
    log = PredictionLog(home.log)
    path = write_report(home, log, clock, status(home, log, clock), is_simulated=is_simulated)
    return path.read_text(encoding="utf-8")


def hostile_home(root: Path, text: str) -> Home:
    """A home where every word that comes from outside is this text, as far as the log would take it."""
    home = Home(root)
    records = [json.loads(line) for line in stock_lines("NAME", 30, seed=5, currency=text)]
    for record in records:
        record |= {"symbol": text, "id": f"{text}:{record['data_through']}:{HORIZON}", "market_regime": text}
        record["signals"] = [[text, weight] for _, weight in record["signals"][:1]]
        record["evidence"]["opinions"] = {text: 1.0}
    pending = {key: value for key, value in records[-1].items() if key != "status"} | {"status": "pending"}
    expired = completed(pending | {"data_through": "2026-01-02", "id": f"{text}:2026-01-02:{HORIZON}"}, GONE)
    write_log(home, [record_line(record) for record in [*records, expired]], ["{" + text.replace("\n", " ")])
    failures = [{"symbol": text, "kind": "network", "message": text}]
    ended(home, exit_code=1, failures=failures, notices=[text], waiting=[{"id": "A", "reason": text}])
    return home


GONE = Outcome(EXPIRED, "2026-02-20T17:00:00", reason=HOSTILE)


class Parsed(HTMLParser):
    """The elements of a page in their order, their attributes, and the text of each kind of element."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: dict[str, list[str]] = {}
        self._open = [""]
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self._open[-1], []).append(data)

    @property
    def data(self) -> dict[str, Any]:
        return json.loads(next(text for text in self.texts["script"] if text.startswith("{")))
