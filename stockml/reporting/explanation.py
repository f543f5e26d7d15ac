"""One prediction told in words, in the five steps in which it was made: values, evidence, weights, price, record.

One that is in the log already is told from its line alone, and what came of it is a sixth.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Any

from stockml.accuracy.scores import EIGHTY
from stockml.core.records import STRONG_SIGNAL_PCT, Prediction
from stockml.core.wording import count
from stockml.reporting.formatting import SIMULATED, meaning, money, share
from stockml.reporting.outcome_story import Aftermath, misses_text
from stockml.reporting.ranges import price_ranges

if TYPE_CHECKING:
    from stockml.signals.engine import Plan

WIDTH = 100  # of a paragraph
CAUSE_COLUMN = 17
TITLES = (
    "1. ANALYZE: where it stands",
    "2. PLAN: what speaks for a rise or a fall",
    "3. PREDICT: a price, and how sure it is",
    "4. ACT: what is written down",
    "5. LEARN: how good it has been",
    "6. OUTCOME: what came of it",
)
AVERAGES = {"sma20": "20-day", "sma50": "50-day", "sma200": "200-day"}


def story(
    plan: Plan, prediction: Prediction, record: Mapping[str, Any] | None, misses: Sequence[Prediction] = ()
) -> str:
    """A headline and the five steps; `record` is the stock's score at this horizon, if any, `misses` its last ones."""
    learned = [*_learn(prediction, record), *_paragraphs(*filter(None, [misses_text(misses)]))]
    return _told(
        prediction, [_analyze(plan, prediction), _plan(prediction), _predict(prediction), _act(prediction), learned]
    )


def logged_story(aftermath: Aftermath, record: Mapping[str, Any] | None) -> str:
    """The same of a line of the log, from the line alone, and what came of it; `record` is the score as it is now."""
    line = aftermath.line
    steps = [_logged_analyze(line), _plan(line), _predict(line), _logged_act(line), _learn(line, record)]
    outcome = [
        text for told in aftermath.paragraphs() for text in (_paragraphs(told) if told[0] != " " else _hanging(told))
    ]
    return _told(line, [*steps, outcome])


def _told(prediction: Prediction, steps: Sequence[Sequence[str]]) -> str:
    told = ["\n".join([title, *paragraphs]) for title, paragraphs in zip(TITLES, steps, strict=False)]
    return "\n\n".join([_headline(prediction), *told])


def _headline(prediction: Prediction) -> str:
    marks = [SIMULATED] if prediction.source == "sample" else []
    marks += ["no model, from signals alone"] if prediction.model_trained_at is None else []
    mark = f" ({'; '.join(marks)})" if marks else ""
    is_past = prediction.outcome is not None
    text = (
        f"{prediction.symbol} {'was' if is_past else 'is'} expected to {_moves(prediction.predicted_change_pct)}, from "
        f"{money(prediction.current_price)} to {money(prediction.predicted_price)}{_currency(prediction)} at the close "
        f"of {prediction.target_date}{mark}."
    )
    return fill(text, WIDTH, break_on_hyphens=False)


def _analyze(plan: Plan, prediction: Prediction) -> list[str]:
    day = plan.analysis.indicators
    apart = [
        f"{share(abs(day['close'] / day[name] - 1))} {'above' if day['close'] >= day[name] else 'below'} its {words}"
        for name, words in AVERAGES.items()
        if math.isfinite(day[name])  # it is not where the history is shorter
    ]
    macd = day["macd"] / day["close"] * 100
    told = f"MACD {macd:+z.2f} % of the price" if math.isfinite(macd) else "its history too short for MACD"
    return _paragraphs(
        f"It closed at {money(prediction.current_price)}{_currency(prediction)} on {prediction.data_through}"
        + (f", {_listed(apart)} average" if apart else "")
        + f" (source: {prediction.source}).",
        f"RSI is {day['rsi']:.1f} and {told}. Over 20 sessions it went {day['change_20'] * 100:+z.1f} %, at a "
        f"volatility of {share(day['volatility_20'])} a year: {prediction.market_regime}.",
    )


def _logged_analyze(line: Prediction) -> list[str]:
    daily = line.evidence.confidence_inputs.get("volatility_20")
    swings = "" if daily is None else f", moving about {daily:.2f} % a session"
    return _paragraphs(
        f"It closed at {money(line.current_price)}{_currency(line)} on {line.data_through} (source: {line.source}): "
        f"{line.market_regime}{swings}. The log keeps no other indicators."
    )


def _plan(prediction: Prediction) -> list[str]:
    weights, opinions = {signal.name: signal.weight for signal in prediction.signals}, prediction.evidence.opinions
    names = sorted(opinions, key=lambda name: -abs(weights.get(name, 0.0)))
    counts = {name: weights.get(name, 0.0) * STRONG_SIGNAL_PCT for name in names}
    width = max(15, *(len(name) + 1 for name in names))  # those of plug-ins may be longer than ours
    rows = [_row(f"{name:<{width}}", opinions[name], counts[name], meaning(name)) for name in names]
    strongest = f", above all for {names[0]}" if weights and names else ": no signal has a learned weight"
    if weights and names and counts[names[0]] * opinions[names[0]] < 0:
        strongest += ", read the other way round"
    change = prediction.predicted_change_pct
    return [
        *_paragraphs("Contribution = the signal's forecast x its learned weight."),
        f"   {'signal':<{width}}{'forecast':>10}{'weight':>9}{'counts':>11}   because",
        *rows,
        f"   {'sum':<{width}}{'':>19}{sum(counts.values()):>+z9.3f} %",
        *_paragraphs(
            f"Times {prediction.magnitude:.4f}, the stock's magnitude after its errors so far, that makes "
            f"{change:+z.4f} %. The hypothesis: it will {_direction(change)}{strongest}."
        ),
    ]


def _row(name: str, opinion: float, counts: float, because: str) -> str:
    weight = counts / opinion if opinion else 0.0
    return f"   {name}{opinion:>+z8.3f} %{weight:>z9.3f}{counts:>+z9.3f} %   {because}".rstrip()


def _predict(prediction: Prediction) -> list[str]:
    daily = prediction.evidence.confidence_inputs.get("volatility_20")
    swings = (
        "its history is too short to tell how much it moves"
        if daily is None
        else f"it moves about {daily:.2f} % a session, and "
        f"{prediction.prediction_horizon_days} {'is' if prediction.prediction_horizon_days == 1 else 'are'} ahead"
    )
    if prediction.results_text:
        swings += f"; {prediction.results_text}"
    *way, end = map(money, prediction.path)
    by = f", by way of {_listed(way)}" if way else ""
    return _paragraphs(
        f"{end}{_currency(prediction)} at the close of {prediction.target_date}{by}.",
        f"The 80 % interval reaches from {money(prediction.low)} to {money(prediction.high)}: {swings}."
        + _other_ranges(prediction),
        f"The confidence is {share(prediction.confidence)}: how likely its error is to stay below 5 %.",
    )


def _other_ranges(prediction: Prediction) -> str:
    told = [
        f"the {found.share * 100:.0f} % interval from {money(found.low)} to {money(found.high)}"
        for found in price_ranges(prediction)
        if found.share != EIGHTY
    ]
    return f" T{_listed(told)[1:]}." if told else ""


def _act(prediction: Prediction) -> list[str]:
    return _paragraphs(
        f"A run logs it as {prediction.id}, made {_models(prediction)}, and waits for the close of "
        f"{prediction.target_date}; --explain does not write to the log."
    )


def _logged_act(line: Prediction) -> list[str]:
    again = ""
    if line.reopened is not None:
        again = (
            f" It was made pending again on {line.reopened.at[:10]}, after an outcome of {line.reopened.ended_at[:10]}."
        )
    return _paragraphs(
        f"It was logged as {line.id} on {line.prediction_date.replace('T', ', ')}, made {_models(line)}, for the close "
        f"of {line.target_date}; it is {line.status}.{again}"
    )


def _models(prediction: Prediction) -> str:
    trained = prediction.model_trained_at
    return f"with the models trained on {trained[:10]}" if trained else "without a model, from signals alone"


def _learn(prediction: Prediction, record: Mapping[str, Any] | None) -> list[str]:
    if record is None or not record["total_predictions"]:
        return _paragraphs(
            f"No prediction of {prediction.symbol} is verified yet; the weights learned from other stocks apply."
        )
    return _paragraphs(
        f"{count(record['total_predictions'], 'prediction')} of {prediction.symbol} verified "
        f"{count(prediction.prediction_horizon_days, 'session')} ahead, "
        f"{record['accurate_predictions']:,} of them accurate ({share(record['accuracy'])}); the mean error is "
        f"{record['mean_error_pct']:.2f} %, naive's {record['mean_naive_error_pct']:.2f} %."
    )


# ---- words ----


def _moves(change_pct: float) -> str:
    direction = _direction(change_pct)
    return "stay where it is" if direction == "stay where it is" else f"{direction} by {abs(change_pct):.2f} %"


def _direction(change_pct: float) -> str:
    shown = round(change_pct, 2)
    return "rise" if shown > 0 else "fall" if shown < 0 else "stay where it is"


def _currency(prediction: Prediction) -> str:
    return f" {prediction.currency}" if prediction.currency else ""


def _listed(words: Sequence[str]) -> str:
    *head, last = words
    return f"{', '.join(head)} and {last}" if head else last


def _paragraphs(*texts: str) -> list[str]:
    return [fill(text, WIDTH, initial_indent="   ", subsequent_indent="   ", break_on_hyphens=False) for text in texts]


def _hanging(row: str) -> list[str]:
    """A row "   name:   text", its text going on below its own beginning."""
    return [fill(f"   {row.strip()}", WIDTH, subsequent_indent=" " * CAUSE_COLUMN, break_on_hyphens=False)]
