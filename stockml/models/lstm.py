"""LSTM network as plain arrays: normalised windows of daily inputs -> changes in %, 1..horizon sessions ahead.

Three layers of 128 units, with a dropout of 0.2 after each in training, and one dense layer. Forecasting needs NumPy
alone; training and Keras files are left to the trainers.
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

# Inputs per day: the price change, the range, the volume and the RSI. All are known a month after a stock's first
# session. More indicators, or volatility in place of RSI, found less of the signal hidden in simulated prices, and no
# more in real ones.
INPUTS = ("change_1_pct", "range_pct", "relative_volume", "rsi")
WINDOW_SESSIONS = 20  # one trading month
CLIP = 5.0  # standard deviations; one crash day must not dominate its window

# Windows per block of forecasts, padded where fewer are left: the matrix products then always have the same shape, so
# that the other windows of a block cannot change a window's last bits. On some processors its place in the block can,
# which is why each day has a fixed place. With blocks twice as large OpenBLAS would reorder the weights for each
# product, which takes longer than the product itself.
BLOCK = 8


@dataclass(frozen=True, slots=True)
class Scaler:
    """Mean and standard deviation of each input over a stock's training days, which make stocks comparable."""

    mean: tuple[float, ...]
    spread: tuple[float, ...]

    @classmethod
    def fit(cls, values: NDArray[np.float64]) -> Scaler:
        """Estimate the scaler.

        Parameters
        ----------
        values : array, shape (n_days, n_inputs)
            Of the training days, without NaN.

        Returns
        -------
        Scaler
            The standard deviation of a constant input is taken as 1.
        """
        spread = values.std(axis=0)
        spread[spread < 1e-9] = 1.0
        return cls(tuple(values.mean(axis=0).tolist()), tuple(spread.tolist()))

    def apply(self, values: NDArray[np.float64]) -> Float32:
        """Standardise inputs.

        Parameters
        ----------
        values : array, shape (n_days, n_inputs)

        Returns
        -------
        float32 array, shape (n_days, n_inputs)
            In standard deviations from the mean, clipped to -CLIP..CLIP; NaN stays NaN.
        """
        scaled = (values - np.asarray(self.mean)) / np.asarray(self.spread)
        clipped: Float32 = np.clip(scaled, -CLIP, CLIP).astype(np.float32)
        return clipped


def complete_windows(scaled: Float32) -> NDArray[np.bool_]:
    """True where the window that ends on a day has no missing value.

    Parameters
    ----------
    scaled : float32 array, shape (n_days, n_inputs)

    Returns
    -------
    bool array, shape (n_days,)
    """
    missing = ~np.isfinite(scaled).all(axis=1)
    gaps = np.concatenate([[0], np.cumsum(missing)])
    complete = np.zeros(len(scaled), dtype=np.bool_)
    complete[WINDOW_SESSIONS - 1 :] = gaps[WINDOW_SESSIONS:] == gaps[:-WINDOW_SESSIONS]
    return complete


def windows(scaled: Float32, rows: NDArray[np.int64]) -> Float32:
    """Cut the window that ends on each row.

    Parameters
    ----------
    scaled : float32 array, shape (n_days, n_inputs)
    rows : int array, shape (n_rows,)
        At least WINDOW_SESSIONS - 1.

    Returns
    -------
    float32 array, shape (n_rows, WINDOW_SESSIONS, n_inputs)
    """
    return np.asarray(scaled[rows[:, None] + np.arange(1 - WINDOW_SESSIONS, 1)])


@dataclass(frozen=True, slots=True)
class Network:
    """Weights in Keras's order and shapes: kernel, recurrent kernel and bias of each layer, then the dense layer's."""

    weights: tuple[Float32, ...]

    @classmethod
    def constant(cls, offsets: Float32) -> Network:
        """The network that forecasts the same for all windows of INPUTS; its other weights are 0.

        Parameters
        ----------
        offsets : float32 array, shape (horizon,)
            What it forecasts.
        """
        zeros = (np.broadcast_to(np.float32(0), shape) for shape in weight_shapes(len(INPUTS), len(offsets))[:-1])
        return cls((*zeros, offsets))

    @property
    def horizon(self) -> int:
        """Number of outputs."""
        return int(self.weights[-1].shape[0])

    @property
    def inputs(self) -> int:
        """Number of inputs per day."""
        return int(self.weights[0].shape[0])

    @property
    def is_constant(self) -> bool:
        """True where nothing that it has learned is believed: all windows get the same forecast."""
        return not self.weights[-2].any()

    def scaled(self, factors: NDArray[np.float64], offsets: NDArray[np.float64]) -> Network:
        """Rescale the outputs.

        Parameters
        ----------
        factors, offsets : arrays, shape (horizon,)

        Returns
        -------
        Network
            With this one's outputs times `factors` plus `offsets`.
        """
        kernel, bias = self.weights[-2] * factors, self.weights[-1] * factors + offsets
        return Network((*self.weights[:-2], kernel.astype(np.float32), bias.astype(np.float32)))

    def predict(self, inputs: Float32, places: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
        """Forecast the changes 1..horizon sessions ahead.

        Parameters
        ----------
        inputs : float32 array, shape (n_windows, WINDOW_SESSIONS, n_inputs)
        places : int array, shape (n_windows,), optional
            The place of each window in its block, from 0 to BLOCK - 1. A window in the same place gets the same bits,
            whatever other windows are forecast with it. None: one after the other.

        Returns
        -------
        array, shape (n_windows, horizon)
            In the units of the targets it was trained or scaled to.
        """
        if self.is_constant:
            return np.tile(self.weights[-1].astype(np.float64), (len(inputs), 1))
        places = np.arange(len(inputs)) % BLOCK if places is None else places
        block = _number_among_equals(places)
        padded = np.zeros((1 + int(block.max(initial=-1)), BLOCK, *inputs.shape[1:]), dtype=np.float32)
        padded[block, places] = inputs
        forecasts = np.empty((*padded.shape[:2], self.horizon))
        for number, windows_of_block in enumerate(padded):
            forecasts[number] = self._forward(windows_of_block)
        return forecasts[block, places]

    def _forward(self, block: Float32) -> Float32:
        sequence = np.ascontiguousarray(block.transpose(1, 0, 2))  # (days, batch, inputs)
        for layer in range(LAYERS):
            sequence = _layer(sequence, *self.weights[3 * layer : 3 * layer + 3])
        return np.asarray(sequence[-1] @ self.weights[-2] + self.weights[-1])


def places_of(days: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """The fixed place of each day in its block; consecutive days get consecutive places.

    Parameters
    ----------
    days : datetime64 array, shape (n_days,)

    Returns
    -------
    int array, shape (n_days,)
    """
    return days.astype("datetime64[D]").astype(np.int64) % BLOCK


def _number_among_equals(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """The number of equal values before each one, shape (n_values,)."""
    order = np.argsort(values, kind="stable")
    counts = np.bincount(values)
    numbers = np.empty(len(values), dtype=np.int64)
    numbers[order] = np.arange(len(values)) - np.repeat(np.cumsum(counts) - counts, counts)
    return numbers


def _layer(sequence: Float32, kernel: Float32, recurrent: Float32, bias: Float32) -> Float32:
    """The outputs of one LSTM layer, (days, batch, inputs) -> (days, batch, units).

    All four gates are computed as one contiguous block: tanh serves the sigmoids too, by
    sigmoid(x) = tanh(x / 2) / 2 + 1 / 2, whose halving does not round.
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
_HALVED = np.repeat(np.array([0.5, 0.5, 1.0, 0.5], dtype=np.float32), UNITS)  # tanh's own argument stays


def weight_shapes(inputs: int, horizon: int) -> list[tuple[int, ...]]:
    """The shapes of `Network.weights`."""
    shapes: list[tuple[int, ...]] = []
    for size in (inputs, *[UNITS] * (LAYERS - 1)):
        shapes += [(size, GATES * UNITS), (UNITS, GATES * UNITS), (GATES * UNITS,)]
    return [*shapes, (UNITS, horizon), (horizon,)]


def check_shapes(weights: Sequence[Float32]) -> None:
    """Check weights against the network's architecture.

    Parameters
    ----------
    weights : sequence of arrays
        As in `Network.weights`.

    Raises
    ------
    ValueError
        For other shapes.
    """
    got = [array.shape for array in weights]
    if not got or len(got[-1]) != 1 or not got[0] or got != weight_shapes(got[0][0], got[-1][0]):
        raise ValueError(f"weights of shapes {got} are not {LAYERS} LSTM layers of {UNITS}; train the stock again")
