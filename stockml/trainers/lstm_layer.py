"""One LSTM layer in training: forward pass, dropout and backpropagation through time, in reused buffers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stockml.models.lstm import DROPOUT, UNITS, WINDOW_SESSIONS, Float32

_IFO = 3 * UNITS  # in the trainer the sigmoid gates come first: input, forget, output, candidate
DROPPED_BELOW = round(DROPOUT * 2**16)  # of the draws


def dropout_draws(rng: np.random.Generator, count: int) -> NDArray[np.uint16]:
    """Draw 16 random bits for each output; those below DROPPED_BELOW are dropped.

    Parameters
    ----------
    rng : numpy.random.Generator
    count : int
        A multiple of 4. Two draws one after the other are one of their sum.

    Returns
    -------
    uint16 array, shape (count,)
    """
    bits: NDArray[np.uint64] = rng.bit_generator.random_raw(count // 4)
    return bits.view(np.uint16)


def _by_gate(sigmoids: float, candidate: float) -> Float32:
    return np.repeat(np.array([sigmoids, candidate], dtype=np.float32), [_IFO, UNITS])


class LayerPass:
    """Forward and backward pass of one LSTM layer; every array is (days, batch, features) or one day of it.

    Notes
    -----
    Hochreiter and Schmidhuber (1997), with the forget gate of Gers et al. (2000). All four gates are computed as one
    contiguous block: tanh serves the sigmoids too, by sigmoid(x) = tanh(x / 2) / 2 + 1 / 2, and the derivative of
    either by its value a is a * (tilt - a) + base.
    """

    _half = _by_gate(0.5, 1.0)
    _lift = _by_gate(0.5, 0.0)
    _tilt = _by_gate(1.0, 0.0)
    _base = _by_gate(0.0, 1.0)

    def __init__(self, batch: int, *, is_last: bool) -> None:
        def buffer(size: int, days: int = WINDOW_SESSIONS) -> Float32:
            return np.zeros((days, batch, size), dtype=np.float32)

        self._inputs = buffer(0)
        self._gates = buffer(4 * UNITS)
        self._slopes = buffer(4 * UNITS)  # of the loss by each gate's sum
        self._cells = buffer(UNITS, WINDOW_SESSIONS + 1)  # 0 before the first day
        self._squashed = buffer(UNITS)  # tanh of the cells
        self._outputs = buffer(UNITS, WINDOW_SESSIONS + 1)
        self._mask = buffer(UNITS, 1 if is_last else WINDOW_SESSIONS)  # only the last day of the last layer is used
        self.dropped = np.zeros_like(self._mask)  # the next layer's input
        self._wide = np.zeros((batch, 4 * UNITS), dtype=np.float32)
        self._one, self._other, self._cell_slope = np.zeros((3, batch, UNITS), dtype=np.float32)

    def forward(self, sequence: Float32, kernel: Float32, recurrent: Float32, bias: Float32) -> None:
        """Compute and keep the layer's outputs, and all that the backward pass needs.

        Parameters
        ----------
        sequence : array, shape (days, batch, features)
        kernel, recurrent, bias : arrays
            In the trainer's gate order.
        """
        self._inputs, cells, outputs, wide = sequence, self._cells, self._outputs, self._wide
        np.matmul(_rows(sequence), kernel, out=_rows(self._gates))
        for day, now in enumerate(self._gates):
            np.matmul(outputs[day], recurrent, out=wide)
            wide += bias
            now += wide
            now *= self._half
            np.tanh(now, out=now)
            now *= self._half
            now += self._lift
            enter, forget, leave, candidate = _each_gate(now)
            np.multiply(forget, cells[day], out=cells[day + 1])
            cells[day + 1] += np.multiply(enter, candidate, out=self._one)
            np.tanh(cells[day + 1], out=self._squashed[day])
            np.multiply(leave, self._squashed[day], out=outputs[day + 1])

    def drop_out(self, rng: np.random.Generator | None) -> None:
        """Set a share of the outputs to 0 and scale the others up; without `rng` keep all (Srivastava et al. 2014)."""
        if rng is None:
            self._mask[...] = 1.0
        else:
            draws = dropout_draws(rng, self._mask.size).reshape(self._mask.shape)
            np.multiply(draws >= DROPPED_BELOW, np.float32(1 / (1 - DROPOUT)), out=self._mask)
        np.multiply(self._outputs[-len(self._mask) :], self._mask, out=self.dropped)

    def backward(self, slope: Float32, weights: list[Float32], gradients: list[Float32]) -> None:
        """Backpropagate through time.

        Parameters
        ----------
        slope : array, shape (days, batch, units)
            The loss's derivative by `dropped`; overwritten.
        weights, gradients : lists of arrays
            Kernel, recurrent kernel and bias; the gradients are written.
        """
        slope[-len(self._mask) :] *= self._mask
        self._cell_slope[...] = 0.0
        back = np.ascontiguousarray(weights[1].T)
        for day in reversed(range(WINDOW_SESSIONS)):
            if day < WINDOW_SESSIONS - 1:
                slope[day] += np.matmul(self._slopes[day + 1], back, out=self._one)
            self._back_one_day(day, slope[day])
        slopes = _rows(self._slopes)
        np.matmul(_rows(self._inputs).T, slopes, out=gradients[0])
        np.matmul(_rows(self._outputs[:-1]).T, slopes, out=gradients[1])
        slopes.sum(axis=0, out=gradients[2])

    def behind(self, kernel: Float32, out: Float32) -> Float32:
        """Compute the loss's derivative by the layer's inputs, after `backward`.

        Parameters
        ----------
        kernel : array, shape (features, 4 * UNITS)
        out : array, shape (days, batch, features)
            Overwritten.

        Returns
        -------
        array
            `out`.
        """
        np.matmul(_rows(self._slopes), kernel.T, out=_rows(out))
        return out

    def _back_one_day(self, day: int, slope: Float32) -> None:
        gates, squashed, slopes, cell = self._gates[day], self._squashed[day], self._slopes[day], self._cell_slope
        enter, forget, leave, candidate = _each_gate(gates)
        by_enter, by_forget, by_leave, by_candidate = _each_gate(slopes)
        one, other, wide = self._one, self._other, self._wide
        np.multiply(squashed, squashed, out=one)
        np.subtract(1.0, one, out=one)
        cell += np.multiply(np.multiply(slope, leave, out=other), one, out=other)
        np.multiply(cell, candidate, out=by_enter)
        np.multiply(cell, self._cells[day], out=by_forget)
        np.multiply(slope, squashed, out=by_leave)
        np.multiply(cell, enter, out=by_candidate)
        np.subtract(self._tilt, gates, out=wide)
        wide *= gates
        wide += self._base
        slopes *= wide
        cell *= forget


def _rows(array: Float32) -> Float32:
    """(days, batch, features) seen as (days * batch, features)."""
    return array.reshape(-1, array.shape[-1])


def _each_gate(block: Float32) -> tuple[Float32, Float32, Float32, Float32]:
    return block[:, :UNITS], block[:, UNITS : 2 * UNITS], block[:, 2 * UNITS : _IFO], block[:, _IFO:]
