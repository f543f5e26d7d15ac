"""One LSTM layer in training: forward pass, dropout and backpropagation through time, in reused buffers.

Beside the matrix products, the number of calls and the way to memory take time. So the gates of a day are arrays of
their own, which the processor's cache holds from one call to the next, and factors of 1/2 are kept in the weights.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stockml.models.lstm import DROPOUT, GATES, UNITS, WINDOW_SESSIONS, Float32

DROPPED_BELOW = round(DROPOUT * 2**16)  # of the draws
GATE_WIDTH = GATES * UNITS

# The trainer's units, exact powers of 2. As sigmoid(x) = (1 + t) / 2 with t = tanh(x / 2), the weights of sigmoid gates
# are halved, and the gates are kept as 1 + t, doubled. So are the outputs then, and all else that weights multiply;
# therefore all weights are halved once more. The factors, by column: input, forget, output, candidate.
HELD = np.repeat(np.array([0.25, 0.25, 0.25, 0.5], dtype=np.float32), UNITS)
DOUBLED = np.float32(2.0)
_ONE, _TWO, _HALF = (np.array(value, dtype=np.float32) for value in (1.0, 2.0, 0.5))  # faster than Python's numbers

# For processors with AVX-512, OpenBLAS computes products of less than a million multiplications without reordering
# their factors first, which makes up for dividing a day's product into pieces of so many columns, forward and back.
_SMALL_PRODUCTS = frozenset({"SkylakeX", "Cooperlake", "SapphireRapids"})
_PIECES, _WHOLE = (32, 16), (UNITS, UNITS)


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


class _Day(NamedTuple):
    """One day's parts of a layer's buffers; (batch, units) where no shape is told."""

    factors: Float32  # (batch, units + inputs + 1) of the weights: the outputs before, the inputs, 1; doubled
    output: Float32  # doubled
    gates: Float32  # (gates, batch, units), the sigmoids doubled
    products: Float32  # the same as (gates, pieces, batch, columns)
    before: Float32  # the cells of the day before
    cells: Float32
    squashed: Float32  # tanh of the cells
    mask: Float32 | None  # of dropout; None where the output is not used
    slopes: Float32  # (batch, gates * units) of the loss by each gate's sum
    slope_sum: Float32  # (1, gates * units), doubled


class LayerPass:
    """Forward and backward pass of one LSTM layer.

    Notes
    -----
    Hochreiter and Schmidhuber (1997), with the forget gate of Gers et al. (2000). The weights are one block, in the
    trainer's units: the rows of the outputs of the day before, those of the inputs, and the bias. So each day takes
    one product in each direction, and all days together one for the gradient.
    """

    def __init__(self, batch: int, inputs: int, slopes: Float32, *, is_last: bool) -> None:
        """Allocate the buffers.

        Parameters
        ----------
        batch, inputs : int
        slopes : array, shape (days, batch, gates * units)
            Overwritten; one for all layers.
        is_last : bool
            Only the last day's output is used.
        """

        def buffer(*shape: int) -> Float32:
            return np.zeros(shape, dtype=np.float32)

        days = WINDOW_SESSIONS
        self._pieces = _PIECES if _blas_kernels() in _SMALL_PRODUCTS else _WHOLE
        self._behind = 2 if inputs == UNITS else 1  # the loss's derivative by the first layer's inputs is not used
        self._scale = np.float32(0.5 if is_last else 1.0)  # what comes after the last layer is not doubled
        self._factors = buffer(days + 1, batch, UNITS + inputs + 1)
        self._factors[:, :, -1] = DOUBLED
        self.inputs = self._factors[:-1, :, UNITS:-1]  # (days, batch, inputs), doubled
        self._mask = buffer(1 if is_last else days, batch, UNITS)
        self._kept = np.zeros(self._mask.shape, dtype=np.bool_)
        self._slopes, self._slope_sums = slopes, buffer(days, 1, GATE_WIDTH)
        cells, squashed = buffer(days + 1, batch, UNITS), buffer(days, batch, UNITS)  # cells begin at 0
        gates, outputs = buffer(days, GATES, batch, UNITS), self._factors[1:, :, :UNITS]
        products = [_in_pieces(of_day, self._pieces[0]) for of_day in gates]
        masks = [*[None] * (days - len(self._mask)), *self._mask]
        buffers = (self._factors[:-1], outputs, gates, products, cells[:-1], cells[1:], squashed, masks)
        self._days = [_Day(*of_day) for of_day in zip(*buffers, slopes, self._slope_sums, strict=True)]
        self._by_gate = buffer(GATES, batch, UNITS)
        self._one, self._other, self._cell_slope = buffer(3, batch, UNITS)
        self._doubled_ones = np.full((1, batch), DOUBLED)

    def drop_out(self, rng: np.random.Generator | None) -> None:
        """Draw which of the next outputs become 0, the others being scaled up; without `rng` none (Srivastava 2014)."""
        if rng is None:
            self._mask[...] = self._scale
        else:
            draws = dropout_draws(rng, self._mask.size).reshape(self._mask.shape)
            np.greater_equal(draws, DROPPED_BELOW, out=self._kept)
            np.multiply(self._kept, self._scale / np.float32(1 - DROPOUT), out=self._mask)

    def forward(self, weights: Float32, out: Float32) -> None:
        """Compute and keep the outputs for `inputs`, and all that the backward pass needs.

        Parameters
        ----------
        weights : array, shape (units + inputs + 1, gates * units)
        out : array, shape (days, batch, units)
            The outputs after dropout are written, doubled; of the last layer the last day's alone, not doubled.
        """
        by_gate = weights.reshape(-1, GATES, UNITS).swapaxes(0, 1)
        by_piece = np.ascontiguousarray(_in_pieces(by_gate, self._pieces[0]))
        unused = WINDOW_SESSIONS - len(self._mask)
        for number, day in enumerate(self._days):
            known = 0 if number else UNITS  # no output is before the first day
            np.matmul(day.factors[:, known:], by_piece[..., known:, :], out=day.products)
            output = self._one
            self._forward_one_day(day, output)
            day.output[...] = output
            if day.mask is not None:
                output *= day.mask
                out[number - unused] = output

    def _forward_one_day(self, day: _Day, output: Float32) -> None:
        gates = day.gates
        np.tanh(gates, out=gates)
        gates[:-1] += _ONE
        enter, forget, leave, candidate = gates
        np.multiply(forget, day.before, out=day.cells)
        np.multiply(enter, candidate, out=output)
        np.add(day.cells, output, out=day.cells)
        np.multiply(day.cells, _HALF, out=day.cells)
        np.tanh(day.cells, out=day.squashed)
        np.multiply(leave, day.squashed, out=output)

    def backward(self, slope: Float32, weights: Float32, gradient: Float32) -> None:
        """Backpropagate through time.

        Parameters
        ----------
        slope : array, shape (days, 2, batch, units)
            The loss's derivative by what `forward` wrote is slope[:, 1]; that by the inputs takes its place, unless
            this is the first layer.
        weights, gradient : arrays, shape (units + inputs + 1, gates * units)
            The gradient is written.
        """
        back = weights[: self._behind * UNITS].reshape(self._behind, UNITS, -1).swapaxes(1, 2)
        back = _in_pieces(back, self._pieces[1])
        outs = [_in_pieces(of_day, self._pieces[1]) for of_day in slope[:, : self._behind]]
        self._cell_slope[...] = 0.0
        total = self._other
        total[...] = 0.0
        for number in reversed(range(WINDOW_SESSIONS)):
            day = self._days[number]
            if day.mask is not None:
                total += np.multiply(slope[number, 1], day.mask, out=self._one)
            self._backward_one_day(day, total)
            wanted = 0 if number else 1
            np.matmul(day.slopes, back[wanted:], out=outs[number][wanted:])
            total = slope[number, 0]
        slopes, factors = (each.reshape(-1, each.shape[-1]) for each in (self._slopes, self._factors[:-1]))
        np.matmul(factors[:, :-1].T, slopes, out=gradient[:-1])
        np.add.reduce(self._slope_sums, axis=0, out=gradient[-1:])

    def _backward_one_day(self, day: _Day, slope: Float32) -> None:
        """Of a gate that is u = 1 + t, the derivative of u by its sum is u * (2 - u); the first factor is shared."""
        enter, forget, leave, candidate = day.gates
        by_enter, by_forget, by_leave, by_candidate = by_gate = self._by_gate
        cell, one = self._cell_slope, self._one
        np.multiply(slope, leave, out=one)
        np.multiply(one, day.squashed, out=by_leave)
        cell += one
        cell -= np.multiply(by_leave, day.squashed, out=one)
        cell *= _HALF
        np.multiply(cell, enter, out=one)
        np.multiply(one, candidate, out=by_enter)
        np.multiply(by_enter, candidate, out=by_candidate)
        np.subtract(one, by_candidate, out=by_candidate)
        cell *= forget
        np.multiply(cell, day.before, out=by_forget)
        by_gate[:-1] *= np.subtract(_TWO, day.gates[:-1], out=day.gates[:-1])  # no longer needed
        day.slopes.reshape(-1, GATES, UNITS)[...] = by_gate.swapaxes(0, 1)
        np.matmul(self._doubled_ones, day.slopes, out=day.slope_sum)


def _in_pieces(matrices: Float32, columns: int) -> Float32:
    """(matrices, rows, all columns) seen as (matrices, pieces, rows, columns)."""
    count, rows, _ = matrices.shape
    return np.asarray(matrices.reshape(count, rows, -1, columns, copy=False).swapaxes(1, 2))


@cache
def _blas_kernels() -> str:
    """The name of the kernels by which OpenBLAS multiplies for NumPy here; empty for another library."""
    from threadpoolctl import threadpool_info

    names = [str(pool.get("architecture", "")) for pool in threadpool_info() if "numpy" in str(pool["filepath"])]
    return names[0] if names else ""
