"""The LSTM forecaster: normalised windows of daily features -> per cent changes 1..horizon sessions ahead.

Three layers of 128 units with a dropout of 0.2 after each and one dense layer, as a plain value of NumPy arrays that is
saved as a Keras file and needs no Keras to predict. How it learns is left to `lstm_training`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

UNITS = 128
LAYERS = 3
DROPOUT = 0.2
GATES = 4  # input, forget, candidate, output: Keras's order

# What a window shows of each day: its own price move, its range, its volume, and the RSI. All are known a month after
# a stock's first session. More indicators, or volatility in place of RSI, found less of what was hidden in simulated
# prices, and no more in real ones.
INPUTS = ("change_1_pct", "range_pct", "relative_volume", "rsi")
WINDOW_SESSIONS = 20  # one trading month
CLIP = 5.0  # standard deviations: one crash day must not drown the other days of its window

# Forecasts are made so many windows at a time, padded where fewer are left: the matrix products then always have the
# same shape, and what a window shares its block with cannot change its last bits. On some processors its place in the
# block can, which is why a day has a place of its own. Of twice as many OpenBLAS would copy the weights into another
# order for each product, which takes longer than the product.
BLOCK = 8


@dataclass(frozen=True, slots=True)
class Scaler:
    """Mean and spread of each input over a stock's training days: what makes its windows comparable to others'."""

    mean: tuple[float, ...]
    spread: tuple[float, ...]

    @classmethod
    def fit(cls, values: NDArray[np.float64]) -> Scaler:
        """Mean and standard deviation of each column, shape (n_days, n_inputs); an input that never moves keeps 1."""
        spread = values.std(axis=0)
        spread[spread < 1e-9] = 1.0
        return cls(tuple(values.mean(axis=0).tolist()), tuple(spread.tolist()))

    def apply(self, values: NDArray[np.float64]) -> Float32:
        """The values in spreads from their mean, clipped, shape (n_days, n_inputs); NaN stays NaN."""
        scaled = (values - np.asarray(self.mean)) / np.asarray(self.spread)
        return np.clip(scaled, -CLIP, CLIP).astype(np.float32)


def complete_windows(scaled: Float32) -> NDArray[np.bool_]:
    """Whether each day's window is known throughout, shape (n_days,)."""
    missing = ~np.isfinite(scaled).all(axis=1)
    gaps = np.concatenate([[0], np.cumsum(missing)])
    complete = np.zeros(len(scaled), dtype=np.bool_)
    complete[WINDOW_SESSIONS - 1 :] = gaps[WINDOW_SESSIONS:] == gaps[:-WINDOW_SESSIONS]
    return complete


def windows(scaled: Float32, rows: NDArray[np.int64]) -> Float32:
    """The window that ends on each row, shape (n_rows, WINDOW_SESSIONS, n_inputs)."""
    return scaled[rows[:, None] + np.arange(1 - WINDOW_SESSIONS, 1)]


@dataclass(frozen=True, slots=True)
class Network:
    """Weights in Keras's order and shapes: kernel, recurrent kernel and bias of each layer, then the dense layer's."""

    weights: tuple[Float32, ...]

    @property
    def horizon(self) -> int:
        return int(self.weights[-1].shape[0])

    @property
    def inputs(self) -> int:
        return int(self.weights[0].shape[0])

    def scaled(self, factors: NDArray[np.float64], offsets: NDArray[np.float64]) -> Network:
        """The network whose outputs are these times `factors` plus `offsets`, both of shape (horizon,)."""
        kernel, bias = self.weights[-2] * factors, self.weights[-1] * factors + offsets
        return Network((*self.weights[:-2], kernel.astype(np.float32), bias.astype(np.float32)))

    def predict(self, inputs: Float32, places: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
        """Per cent changes 1..horizon sessions ahead.

        Parameters
        ----------
        inputs : float32 array, shape (n_windows, WINDOW_SESSIONS, n_inputs)
        places : int array, shape (n_windows,), optional
            The place of each window in its block, from 0 to BLOCK - 1. A window in the same place gets the same bits,
            whatever others are forecast with it. Without it they are placed one after the other.

        Returns
        -------
        array, shape (n_windows, horizon)
        """
        places = np.arange(len(inputs)) % BLOCK if places is None else places
        block = _number_among_equals(places)
        padded = np.zeros((1 + int(block.max(initial=-1)), BLOCK, *inputs.shape[1:]), dtype=np.float32)
        padded[block, places] = inputs
        forecasts = np.empty((*padded.shape[:2], self.horizon))
        for number, together in enumerate(padded):
            forecasts[number] = self._forward(together)
        return forecasts[block, places]

    def _forward(self, block: Float32) -> Float32:
        sequence = np.ascontiguousarray(block.transpose(1, 0, 2))  # (days, batch, inputs)
        for layer in range(LAYERS):
            sequence = _layer(sequence, *self.weights[3 * layer : 3 * layer + 3])
        return np.asarray(sequence[-1] @ self.weights[-2] + self.weights[-1])


def places_of(days: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """Where in its block each day is forecast, shape (n_days,): sessions in a row fill their blocks evenly."""
    return days.astype("datetime64[D]").astype(np.int64) % BLOCK


def _number_among_equals(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many equal values come before each, shape (n_values,)."""
    order = np.argsort(values, kind="stable")
    counts = np.bincount(values)
    numbers = np.empty(len(values), dtype=np.int64)
    numbers[order] = np.arange(len(values)) - np.repeat(np.cumsum(counts) - counts, counts)
    return numbers


def _layer(sequence: Float32, kernel: Float32, recurrent: Float32, bias: Float32) -> Float32:
    """What one LSTM layer gives after each day, (days, batch, inputs) -> (days, batch, units).

    All four gates are worked on at once, as one contiguous block: tanh serves the sigmoids too, by
    sigmoid(x) = tanh(x / 2) / 2 + 1 / 2, which halves without rounding.
    """
    days, batch, inputs = sequence.shape
    from_inputs = (sequence.reshape(days * batch, inputs) @ kernel + bias).reshape(days, batch, -1)
    hidden = np.zeros((batch, UNITS), dtype=np.float32)
    cell = np.zeros_like(hidden)
    outputs = np.empty((days, batch, UNITS), dtype=np.float32)
    enter, forget, candidate, leave = (slice(gate * UNITS, (gate + 1) * UNITS) for gate in range(GATES))
    for day in range(days):
        gates = from_inputs[day]
        gates += hidden @ recurrent  # (batch, 4 * units)
        gates *= _HALVED
        np.tanh(gates, out=gates)
        new = gates[:, candidate].copy()
        gates *= _HALF
        gates += _HALF
        cell *= gates[:, forget]
        cell += gates[:, enter] * new
        hidden = outputs[day]
        np.tanh(cell, out=hidden)
        hidden *= gates[:, leave]
    return outputs


_HALF = np.float32(0.5)
_HALVED = np.repeat(np.array([0.5, 0.5, 1.0, 0.5], dtype=np.float32), UNITS)  # the sigmoids' arguments, not tanh's


def weight_shapes(inputs: int, horizon: int) -> list[tuple[int, ...]]:
    """The shapes of `Network.weights`."""
    shapes: list[tuple[int, ...]] = []
    for size in (inputs, *[UNITS] * (LAYERS - 1)):
        shapes += [(size, GATES * UNITS), (UNITS, GATES * UNITS), (GATES * UNITS,)]
    return [*shapes, (UNITS, horizon), (horizon,)]


def check_shapes(weights: Sequence[Float32]) -> None:
    """ValueError unless these are the weights of such a network."""
    got = [array.shape for array in weights]
    if not got or len(got[-1]) != 1 or not got[0] or got != weight_shapes(got[0][0], got[-1][0]):
        raise ValueError(f"weights of shapes {got} are not {LAYERS} LSTM layers of {UNITS}; train the stock again")
