"""LSTM trainer: batches of windows and targets in, gradients by backpropagation through time, one step of Adam each.

Plain NumPy on one thread, with buffers reused for every stock of a process: nothing is compiled or traced, memory stays
flat, and the same seed gives the same bits. The choice of training days is left to `global_model` and `fine_tuning`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stockml.models.lstm import LAYERS, UNITS, WINDOW_SESSIONS, Float32, Network, weight_shapes, windows
from stockml.trainers.lstm_layer import DOUBLED, GATE_WIDTH, HELD, LayerPass

_PART = 64 * GATE_WIDTH  # weights updated at a time, so that Adam's moments stay in the processor's cache
# Moments are kept as sums, 1 / (1 - 0.9) and 1 / (1 - 0.999) times Adam's own, which saves two steps for each weight.
_ROOT = math.sqrt(0.001)
_KEPT_FIRST, _KEPT_SECOND, _LEAST_ROOT = (np.array(value, dtype=np.float32) for value in (0.9, 0.999, 1e-7 / _ROOT))


@dataclass(frozen=True, slots=True)
class OptimizerSettings:
    """Settings of Adam on Huber's loss."""

    batch: int = 64
    huber: float = 1.0  # in the targets' units; beyond it an error counts linearly
    clip: float = 1.0  # the gradient's greatest norm


@dataclass(frozen=True, slots=True)
class Samples:
    """Training windows of the LSTM with their targets."""

    inputs: Float32  # (n_days, n_inputs)
    rows: NDArray[np.int64]  # (n,) the last row of each window
    targets: Float32  # (n, horizon)

    def __len__(self) -> int:
        return len(self.rows)

    def part(self, chosen: NDArray[np.int64]) -> Samples:
        """Select samples; the inputs are shared, not copied.

        Parameters
        ----------
        chosen : int array, shape (n_chosen,)
            Numbers of samples, in the order wanted.

        Returns
        -------
        Samples
        """
        return Samples(self.inputs, self.rows[chosen], self.targets[chosen])

    @classmethod
    def joined(cls, parts: Sequence[Samples]) -> Samples:
        """Concatenate the samples of several stocks, in their order."""
        starts = np.cumsum([0, *(len(part.inputs) for part in parts)])
        return cls(
            inputs=np.concatenate([part.inputs for part in parts]),
            rows=np.concatenate([part.rows + start for part, start in zip(parts, starts, strict=False)]),
            targets=np.concatenate([part.targets for part in parts]),
        )


def fresh_network(inputs: int, horizon: int, seed: int) -> Network:
    """Initialise a network like Keras, but with a last layer that makes naive forecasts.

    Notes
    -----
    Glorot and Bengio (2010) for kernels, Saxe et al. (2014) for recurrent kernels, Jozefowicz et al. (2015) for the
    forget gate's bias.
    """
    rng = np.random.default_rng(seed)
    weights: list[Float32] = []
    for kernel, recurrent, bias in _in_threes(weight_shapes(inputs, horizon)[:-2]):
        limit = math.sqrt(6 / sum(kernel))
        forget = np.zeros(bias, dtype=np.float32)
        forget[UNITS : 2 * UNITS] = 1.0
        weights += [rng.uniform(-limit, limit, kernel).astype(np.float32), _orthogonal(rng, recurrent), forget]
    return Network((*weights, np.zeros((UNITS, horizon), np.float32), np.zeros(horizon, np.float32)))


def batches(samples: int, batch: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """The samples of each batch of an epoch: all once, in random order, the last batch filled up with the first drawn.

    Parameters
    ----------
    samples : int
    batch : int
        Samples of a batch.
    rng : numpy.random.Generator

    Returns
    -------
    int array, shape (n_batches, batch)
    """
    order = rng.permutation(samples)
    return np.resize(order, (-(-samples // batch), batch))


def _in_threes(weights: Sequence[Any]) -> Iterator[tuple[Any, Any, Any]]:
    return zip(weights[::3], weights[1::3], weights[2::3], strict=True)


def _orthogonal(rng: np.random.Generator, shape: tuple[int, ...]) -> Float32:
    """A random matrix with orthonormal rows."""
    rows, columns = shape
    q, r = np.linalg.qr(rng.standard_normal((columns, rows)))
    return np.ascontiguousarray((q * np.sign(np.diag(r))).T, dtype=np.float32)


class LSTMTrainer:
    """A network in training, with Adam's moments and all buffers; `start` resets it to another network."""

    def __init__(self, inputs: int, horizon: int, settings: OptimizerSettings) -> None:
        self.settings = settings
        sizes = [inputs, *[UNITS] * (LAYERS - 1)]  # of the layers' inputs
        self._shapes = [*((UNITS + size + 1, GATE_WIDTH) for size in sizes), (UNITS, horizon), (horizon,)]
        flats = np.zeros((4, sum(math.prod(shape) for shape in self._shapes)), dtype=np.float32)
        self._gradient, self._moments = flats[1], flats[2:]
        self._weights, self._gradients = self._views(flats[0]), self._views(flats[1])
        ends = GATE_WIDTH * np.cumsum([rows for rows, _ in self._shapes[:LAYERS]])
        self._of_layers = self._gradient[: ends[-1]].reshape(-1, GATE_WIDTH)
        starts = range(0, ends[-1], _PART)
        in_rows = [flats[:, start : min(start + _PART, ends[-1])].reshape(4, -1, GATE_WIDTH) for start in starts]
        self._parts = [(part, HELD) for part in in_rows] + [(flats[:, ends[-1] :], np.ones(1, dtype=np.float32))]
        slopes = np.zeros((WINDOW_SESSIONS, settings.batch, GATE_WIDTH), dtype=np.float32)
        self._layers = [
            LayerPass(settings.batch, size, slopes, is_last=number == LAYERS - 1) for number, size in enumerate(sizes)
        ]
        self._last = np.zeros((1, settings.batch, UNITS), dtype=np.float32)  # what the dense layer sees
        self._slope = np.zeros((WINDOW_SESSIONS, 2, settings.batch, UNITS), dtype=np.float32)
        self._steps = 0

    def start(self, network: Network) -> None:
        """Reset to this network, with Adam's moments at 0."""
        for mine, theirs in zip(self._weights, _blocks(network.weights), strict=True):
            mine[...] = theirs
        for block in self._weights[:LAYERS]:
            block *= HELD
        self._moments[...] = 0.0
        self._steps = 0

    def network(self) -> Network:
        """A copy of the current network."""
        return Network(_apart([*(block / HELD for block in self._weights[:LAYERS]), *self._weights[LAYERS:]]))

    def epoch(self, samples: Samples, rng: np.random.Generator, learning_rate: float) -> None:
        """Train on every sample once, in random order; the last batch is filled up with the first samples drawn.

        Parameters
        ----------
        samples : Samples
        rng : numpy.random.Generator
            Of the order and of dropout.
        learning_rate : float
        """
        for chosen in batches(len(samples), self.settings.batch, rng):
            self._pass(samples.part(chosen), rng)
            self.update(learning_rate)

    def gradients(self, batch: Samples, rng: np.random.Generator | None = None) -> tuple[float, tuple[Float32, ...]]:
        """The loss of a batch and its gradient.

        Parameters
        ----------
        batch : Samples
        rng : numpy.random.Generator, optional
            Of dropout; None: no dropout.

        Returns
        -------
        loss : float
            Mean Huber loss.
        gradients : tuple of float32 arrays
            By each of `Network.weights`, in their order and shapes.
        """
        loss = self._pass(batch, rng)
        return loss, _apart(self._gradients)

    def _pass(self, batch: Samples, rng: np.random.Generator | None) -> float:
        """Forward and backward pass: returns the mean loss of a batch and leaves its gradients in place."""
        error = self._forward(windows(batch.inputs, batch.rows), rng) - batch.targets  # (batch, horizon)
        held = np.clip(error, -self.settings.huber, self.settings.huber)
        self._backward(held / error.size)
        return float((held * (error - held / 2)).mean())

    def _forward(self, inputs: Float32, rng: np.random.Generator | None) -> Float32:
        """The outputs for a batch of windows, shape (batch, horizon); what the backward pass needs is kept."""
        np.multiply(inputs.transpose(1, 0, 2), DOUBLED, out=self._layers[0].inputs)
        into = [*(layer.inputs for layer in self._layers[1:]), self._last]
        for layer, weights, out in zip(self._layers, self._weights, into, strict=False):
            layer.drop_out(rng)
            layer.forward(weights, out)
        return np.asarray(self._last[0] @ self._weights[-2] + self._weights[-1])

    def _backward(self, slope: Float32) -> None:
        np.matmul(self._last[0].T, slope, out=self._gradients[-2])
        slope.sum(axis=0, out=self._gradients[-1])
        np.matmul(slope, self._weights[-2].T, out=self._slope[-1, 1])
        for number in reversed(range(LAYERS)):
            self._layers[number].backward(self._slope, self._weights[number], self._gradients[number])
        self._of_layers *= HELD

    def update(self, learning_rate: float) -> None:
        """Take one step of Adam (Kingma and Ba 2015) along the last gradients, clipped by their norm."""
        length = math.sqrt(float(self._gradient @ self._gradient))
        held = np.float32(min(1.0, self.settings.clip / max(length, 1e-12)))
        self._steps += 1
        rate = learning_rate * math.sqrt(1 - 0.999**self._steps) / (1 - 0.9**self._steps) * 0.1 / _ROOT
        for (weights, gradient, first, second), scale in self._parts:
            gradient *= held
            first *= _KEPT_FIRST
            first += gradient
            gradient *= gradient
            second *= _KEPT_SECOND
            second += gradient
            np.sqrt(second, out=gradient)
            gradient += _LEAST_ROOT
            np.divide(first, gradient, out=gradient)
            gradient *= scale * np.float32(rate)
            weights -= gradient

    def _views(self, flat: Float32) -> list[Float32]:
        """Views of one flat array in the shapes of the layers' blocks and the dense layer's weights."""
        ends = np.cumsum([math.prod(shape) for shape in self._shapes])
        return [part.reshape(shape) for part, shape in zip(np.split(flat, ends[:-1]), self._shapes, strict=True)]


@lru_cache(maxsize=2)
def trainer_of(inputs: int, horizon: int, settings: OptimizerSettings) -> LSTMTrainer:
    """This process's trainer for networks of this shape; its buffers are reused."""
    return LSTMTrainer(inputs, horizon, settings)


def batch_forecasts(network: Network, inputs: Float32) -> NDArray[np.float64]:
    """Forecast windows, many of them in half the time of `Network.predict`.

    The two differ in rounding, and here the other windows of a batch can change a window's last bits: good enough for
    estimates and scores.

    Parameters
    ----------
    network : Network
    inputs : float32 array, shape (n_windows, WINDOW_SESSIONS, n_inputs)

    Returns
    -------
    array, shape (n_windows, horizon)
        In the units of the targets that the network was trained or scaled to.
    """
    if network.is_constant:
        return network.predict(inputs)
    trainer = trainer_of(network.inputs, network.horizon, OptimizerSettings())
    trainer.start(network)
    size = trainer.settings.batch
    found = np.empty((len(inputs), network.horizon))
    for first in range(0, len(inputs), size):
        batch = inputs[first : first + size]
        outputs = trainer._forward(np.resize(batch, (size, *batch.shape[1:])), None)
        found[first : first + size] = outputs[: len(batch)]
    return found


def _blocks(weights: Sequence[Float32]) -> list[Float32]:
    """One block for each layer (recurrent kernel, kernel, bias) in the trainer's gate order, and the dense layer's."""
    layers = _in_threes(weights[:-2])
    blocks = [_swap_gates(np.concatenate([recurrent, kernel, bias[None]])) for kernel, recurrent, bias in layers]
    return [*blocks, *weights[-2:]]


def _apart(blocks: Sequence[Float32]) -> tuple[Float32, ...]:
    """The reverse of `_blocks`, in copies."""
    weights = []
    for block in map(_swap_gates, blocks[:LAYERS]):
        weights += [block[UNITS:-1], block[:UNITS], block[-1]]
    return tuple(np.array(each) for each in (*weights, *blocks[LAYERS:]))


def _swap_gates(columns: Float32) -> Float32:
    """Turn Keras's gate order (i, f, c, o) into the trainer's (i, f, o, c), or back."""
    enter, forget, third, fourth = np.split(columns, 4, axis=-1)
    return np.concatenate([enter, forget, fourth, third], axis=-1)
