"""One training step of several networks in TensorFlow: forward pass, gradients by its tape, clipping and Adam.

The formulas are those of `lstm_layer` and `lstm_trainer`, whose gate order Keras's replaces. Loops over days and layers
are unrolled when the step is traced. Shapes begin with the network: (networks, batch, features).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from stockml.models.lstm import DROPOUT, LAYERS, UNITS
from stockml.trainers.lstm_trainer import OptimizerSettings

Tensor = Any  # TensorFlow has no types


class State(NamedTuple):
    """Weights of all networks in Keras's order, and Adam's moments."""

    weights: list[Tensor]
    first: list[Tensor]
    second: list[Tensor]


def step(
    tf: Any, state: State, batch: tuple[Tensor, ...], rates_and_on: tuple[Tensor, Tensor], settings: OptimizerSettings
) -> State:
    """One step of Adam (Kingma and Ba 2015) along each network's gradient, clipped by its own norm.

    Parameters
    ----------
    tf : module
    state : State
    batch : tuple of tensors
        Windows (networks, batch, days, inputs), targets (networks, batch, horizon), and True for each output that
        dropout keeps (networks, n), by layer, day, sample and unit.
    rates_and_on : tuple of tensors, shape (networks,)
        Learning rates, and True for each network that takes the step; the others stay as they are.
    settings : OptimizerSettings

    Returns
    -------
    State
    """
    rates, is_on = rates_and_on
    _, gradients = loss_and_gradients(tf, state.weights, batch, settings.huber)
    squares = [tf.reduce_sum(gradient * gradient, list(range(1, gradient.shape.rank))) for gradient in gradients]
    held = tf.minimum(1.0, settings.clip / tf.maximum(tf.sqrt(tf.add_n(squares)), 1e-12))
    after = State([], [], [])
    for weights, gradient, first, second in zip(state.weights, gradients, state.first, state.second, strict=True):
        scale, rate, on = (_beside(tf, each, gradient) for each in (held, rates, is_on))
        clipped = gradient * scale
        new_first = first * 0.9 + clipped * 0.1
        new_second = second * 0.999 + clipped * clipped * 0.001
        moved = weights - rate * (new_first / (tf.sqrt(new_second) + 1e-7))
        for kept, new, old in zip(after, (moved, new_first, new_second), (weights, first, second), strict=True):
            kept.append(tf.where(on, new, old))
    return after


def _beside(tf: Any, of_networks: Tensor, array: Tensor) -> Tensor:
    """One value for each network, in a shape that multiplies an array of all networks."""
    return tf.reshape(of_networks, [-1, *[1] * (array.shape.rank - 1)])


def loss_and_gradients(
    tf: Any, weights: list[Tensor], batch: tuple[Tensor, ...], huber: float
) -> tuple[Tensor, list[Tensor]]:
    """Each network's mean Huber loss, shape (networks,), and its gradient by all weights."""
    inputs, targets, kept = batch
    with tf.GradientTape() as tape:
        tape.watch(weights)
        error = _forward(tf, weights, inputs, kept) - targets
        held = tf.stop_gradient(tf.clip_by_value(error, -huber, huber))
        losses = tf.reduce_mean(held * (error - held / 2), [1, 2])  # whose derivative by the error is `held`
        whole = tf.reduce_sum(losses)  # no network's loss depends on another's weights
    return losses, tape.gradient(whole, weights)


def _forward(tf: Any, weights: list[Tensor], inputs: Tensor, kept: Tensor) -> Tensor:
    """The forecasts with dropout, shape (networks, batch, horizon)."""
    sequence = tf.transpose(inputs, [2, 0, 1, 3])  # (days, networks, batch, inputs)
    at = 0
    for layer in range(LAYERS):
        outputs = _layer(tf, sequence, weights[3 * layer : 3 * layer + 3])
        sequence = tf.stack(outputs[-1:] if layer == LAYERS - 1 else outputs)
        days, networks, batch, _ = sequence.shape
        end = at + days * batch * UNITS
        mask = tf.cast(tf.reshape(kept[:, at:end], [networks, days, batch, UNITS]), tf.float32)
        sequence *= tf.transpose(mask * (1 / (1 - DROPOUT)), [1, 0, 2, 3])
        at = end
    return tf.matmul(sequence[-1], weights[-2]) + weights[-1][:, None]


def _layer(tf: Any, sequence: Tensor, weights: list[Tensor]) -> list[Tensor]:
    """The outputs of one LSTM layer on each day, (networks, batch, units)."""
    kernel, recurrent, bias = weights
    days, networks, batch, inputs = sequence.shape
    rows = tf.reshape(tf.transpose(sequence, [1, 0, 2, 3]), [networks, days * batch, inputs])
    from_inputs = tf.reshape(tf.matmul(rows, kernel) + bias[:, None], [networks, days, batch, -1])
    hidden = cell = tf.zeros([networks, batch, UNITS])
    outputs = []
    for of_day in tf.unstack(from_inputs, axis=1):
        enter, forget, candidate, leave = tf.split(of_day + tf.matmul(hidden, recurrent), 4, axis=-1)
        cell = tf.sigmoid(forget) * cell + tf.sigmoid(enter) * tf.tanh(candidate)
        hidden = tf.sigmoid(leave) * tf.tanh(cell)
        outputs.append(hidden)
    return outputs
