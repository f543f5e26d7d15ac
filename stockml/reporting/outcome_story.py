"""Outcome of a logged forecast, told: how far off, why, which signals were right, and what was learned from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stockml.accuracy.scores import Score
from stockml.core.outcomes import PENDING, VERIFIED
from stockml.core.records import STRONG_SIGNAL_PCT, Prediction
from stockml.reporting.formatting import money, share
from stockml.reporting.outcome_causes import Cause

RIGHT, WRONG, SILENT = "right", "wrong", "-"
MOST_WEIGHTS = 3  # of which a change is told, the largest first
LEAST_CHANGE = 0.0005  # of a weight as it is shown


@dataclass(frozen=True, slots=True)
class Aftermath:
    """A logged forecast with all that its outcome is told from.

    Attributes
    ----------
    line : Prediction
    causes : tuple of Cause
        Of a verified one.
    series : tuple of Prediction
        All lines of the stock at this horizon, oldest first, as the log has them.
    """

    line: Prediction
    causes: tuple[Cause, ...]
    series: tuple[Prediction, ...]

    def paragraphs(self) -> list[str]:
        """The outcome in plain sentences; a text that begins with blanks is a row of a table."""
        outcome = self.line.outcome
        if outcome is None:
            return [f"It is not known yet: the forecast is for the close of {self.line.target_date}, and {PENDING}."]
        if outcome.status != VERIFIED:
            return [f"It could not be settled, and counts nowhere: {outcome.reason} ({outcome.ended_at[:10]})."]
        return [
            self._what_came(),
            self._how_far(),
            "What may have moved it:",
            *(f"   {cause.name + ':':<14}{cause.verdict}; {cause.text}." for cause in self.causes),
            self._signals_text(),
            *self._learned(),
        ]

    def to_record(self) -> dict[str, Any] | None:
        """The object that --json prints; None without an outcome that is verified."""
        if self.line.status != VERIFIED:
            return None
        return {
            "actual_change_pct": round(self.line.actual_change_pct, 4),
            "widths_away": round(self.widths_away, 4),
            "inside_interval": self.is_inside,
            "causes": [cause.to_record() for cause in self.causes],
            "signals": self.verdicts(),
            "learned": self._learned(),
        }

    @property
    def _actual(self) -> float:
        assert self.line.outcome is not None and self.line.outcome.actual_price is not None
        return self.line.outcome.actual_price

    @property
    def widths_away(self) -> float:
        """The distance of the outcome from the forecast, in widths of the 80 % interval; below 0 where it is lower."""
        width = self.line.high - self.line.low
        return (self._actual - self.line.predicted_price) / width if width > 0 else 0.0

    @property
    def is_inside(self) -> bool:
        """True where the outcome lies in the 80 % interval."""
        return self.line.low <= self._actual <= self.line.high

    def verdicts(self) -> dict[str, str]:
        """By signal whether its own forecast had the direction of the outcome: right, wrong, or - for none."""
        change = self.line.actual_change_pct
        return {
            name: (RIGHT if opinion * change > 0 else WRONG) if opinion and change else SILENT
            for name, opinion in self.line.evidence.opinions.items()
        }

    def _what_came(self) -> str:
        line, outcome = self.line, self.line.outcome
        assert outcome is not None
        verdict = "a hit" if outcome.was_accurate else "a miss"
        settled = (
            f" (settled from {outcome.settled_from})" if outcome.settled_from not in (None, line.target_date) else ""
        )
        return (
            f"It closed at {money(self._actual)} on {line.target_date}{settled}, {line.actual_change_pct:+z.2f} % "
            f"where {line.predicted_change_pct:+z.2f} % was forecast: an error of {outcome.error_pct:.2f} % (naive's "
            f"{outcome.naive_error_pct:.2f} %), {verdict}."
        )

    def _how_far(self) -> str:
        line, widths = self.line, self.widths_away
        side = "above" if widths > 0 else "below"
        place = "inside" if self.is_inside else "outside"
        text = f"That is {abs(widths):.2f} widths of the 80 % interval {side} the forecast, {place} it"
        if line.distribution is None:
            return f"{text}."
        below = line.distribution.below(line.actual_change_pct)
        beyond = max(2 * min(below, 1 - below), 1e-6)
        return f"{text}; of outcomes, {share(beyond)} were expected to come at least as far off."

    def _signals_text(self) -> str:
        found = self.verdicts()
        told = [
            f"{verdict}: {', '.join(names)}"
            for verdict in (RIGHT, WRONG)
            if (names := [name for name, of in found.items() if of == verdict])
        ]
        return f"Signals by the direction they gave: {'; '.join(told) if told else 'none gave any'}."

    # ---- what was learned ----

    def _learned(self) -> list[str]:
        """The record without it and with it, and the weights of the forecasts just before and after it was known."""
        assert self.line.outcome is not None
        known_at = self.line.outcome.ended_at
        settled = [line for line in self.series if line.status == VERIFIED and line.id != self.line.id]
        before = Score.of(line for line in settled if line.outcome and line.outcome.ended_at < known_at)
        after = before + Score.of([self.line])
        text = f"What was learned: it is the first outcome of {self.line.symbol} at this horizon."
        if before.total:
            text = (
                f"What was learned: of {self.line.symbol} at this horizon {after.accurate:,} of {after.total:,} "
                f"forecasts were accurate with it, {share(after.accuracy)} after {share(before.accuracy)}."
            )
        earlier = [line for line in self.series if line.prediction_date < known_at]
        later = [line for line in self.series if line.prediction_date >= known_at]
        if not earlier or not later:
            return [text, "No forecast has been made since it was known."]
        return [text, _weights_moved(earlier[-1], later[0])]


def _weights_moved(before: Prediction, after: Prediction) -> str:
    """The learned weights and the spread of two forecasts, as far as they differ."""
    weights = [_learned_weights(line) for line in (before, after)]
    shared = [name for name in weights[0] if name in weights[1]]
    moved = [name for name in shared if abs(weights[1][name] - weights[0][name]) >= LEAST_CHANGE]
    moved.sort(key=lambda name: -abs(weights[1][name] - weights[0][name]))
    told = [f"the weight of {name} went from {weights[0][name]:.3f} to {weights[1][name]:.3f}" for name in moved]
    told = told[:MOST_WEIGHTS]
    if abs(after.magnitude - before.magnitude) >= LEAST_CHANGE:
        told.append(f"the magnitude from {before.magnitude:.4f} to {after.magnitude:.4f}")
    widths = [_widening(line) for line in (before, after)]
    if None not in widths and widths[0] != widths[1]:
        told.append(f"the spread from {widths[0]:.2f} to {widths[1]:.2f} times the model's")
    told = [f"{'; '.join(told)}: by this and all other outcomes of that evening" if told else "no weight changed"]
    return f"From {before.id} to {after.id}, the last forecast before it was known and the first after, {told[0]}."


def _learned_weights(line: Prediction) -> dict[str, float]:
    """The learned weight of each signal that had a forecast of its own: what it counted, over that forecast."""
    counted = {signal.name: signal.weight for signal in line.signals}
    return {
        name: counted.get(name, 0.0) * STRONG_SIGNAL_PCT / opinion
        for name, opinion in line.evidence.opinions.items()
        if opinion
    }


def _widening(line: Prediction) -> float | None:
    if line.distribution is None or line.model_scale_pct is None:
        return None
    return round(line.distribution.scale_pct / line.model_scale_pct, 2)


def misses_text(misses: Sequence[Prediction]) -> str:
    """The last misses of a stock by their ids; empty without any."""
    if not misses:
        return ""
    told = [f"{line.id} ({line.outcome.error_pct:.2f} %)" for line in misses if line.outcome]
    return f"Its last misses: {', '.join(told)}; --explain with such an id tells why."
