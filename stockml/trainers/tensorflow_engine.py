"""TensorFlow engine: networks trained together under one traced function, and written by their Keras model.

Every array has the network for its first axis, so that the products of many networks are one call. Batches and dropout
come from the generators that the NumPy engine draws from, hence both engines differ in rounding alone.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stockml.models.lstm import DROPOUT, LAYERS, UNITS, WINDOW_SESSIONS, Float32, Network, windows
from stockml.trainers.engine import NetworkTask
from stockml.trainers.engine_choice import GPU
from stockml.trainers.lstm_layer import DROPPED_BELOW, dropout_draws
from stockml.trainers.lstm_trainer import OptimizerSettings, Samples, batches
from stockml.trainers.tensorflow_loader import load
from stockml.trainers.tensorflow_step import State, loss_and_gradients, step

Flags = NDArray[np.bool_]

# Those of one sample that dropout may drop: of the last layer only the last day is used.
_OUTPUTS = (WINDOW_SESSIONS * (LAYERS - 1) + 1) * UNITS
_Batch = tuple[Float32, Float32, Flags]  # of one network: windows, targets, outputs that dropout keeps


class TensorFlowEngine:
    """Trains many networks at a time; see `engine.Engine`.

    Parameters
    ----------
    device : str
        cpu or gpu; without a GPU that TensorFlow can use, either is the CPU.
    """

    def __init__(self, device: str) -> None:
        self._tf, self._keras = load(device)
        gpus = self._tf.config.list_physical_devices("GPU") if device == GPU else []
        self._place = "/GPU:0" if gpus else "/CPU:0"
        details = self._tf.config.experimental.get_device_details(gpus[0]) if gpus else {}
        self.device = str(details.get("device_name", "GPU")) if gpus else "cpu"

    def train(self, tasks: Sequence[NetworkTask], settings: OptimizerSettings) -> list[Network]:
        """Train networks together; one whose batches are done waits for the others, and none is changed by them."""
        try:
            with self._tf.device(self._place):
                return self._train(tasks, settings)
        except self._tf.errors.ResourceExhaustedError:
            raise MemoryError from None
        except self._tf.errors.OpError as error:  # which only a process with TensorFlow could unpickle
            raise RuntimeError(str(error).partition("\n")[0]) from None

    def _train(self, tasks: Sequence[NetworkTask], settings: OptimizerSettings) -> list[Network]:
        networks = 1 << (len(tasks) - 1).bit_length()  # few numbers, because each is traced apart
        state = _started([task.network for task in tasks], networks, self._tf)
        generators = [np.random.default_rng(task.seed) for task in tasks]
        steps = np.zeros(networks, dtype=np.int64)
        traced = _traced(self._tf, settings)
        for epoch in range(len(tasks[0].rates)):
            rates = np.array([task.rates[epoch] for task in tasks])
            feeds = [_epoch(task.samples, settings.batch, rng) for task, rng in zip(tasks, generators, strict=True)]
            for _ in range(max(-(-len(task.samples) // settings.batch) for task in tasks)):
                given = [next(feed, None) for feed in feeds]
                is_on = np.array([*(batch is not None for batch in given), *[False] * (networks - len(tasks))])
                steps += is_on
                state = traced(state, _stacked(given, networks), _adam_rates(rates, steps), is_on)
        weights = [array.numpy() for array in state.weights]
        return [Network(tuple(array[number].copy() for array in weights)) for number in range(len(tasks))]

    def gradients(
        self, networks: Sequence[Network], samples: Sequence[Samples], seeds: Sequence[int], settings: OptimizerSettings
    ) -> tuple[Float32, list[tuple[Float32, ...]]]:
        """The loss of a batch of each network, with dropout, and its gradient.

        Parameters
        ----------
        networks : sequence of Network
        samples : sequence of Samples
            A batch of each.
        seeds : sequence of int
            Of each network's dropout.
        settings : OptimizerSettings

        Returns
        -------
        losses : array, shape (n_networks,)
        gradients : list of tuples of arrays
            As `Network.weights` of each.
        """
        given = [_batch(part, np.random.default_rng(seed)) for part, seed in zip(samples, seeds, strict=True)]
        weights = _started(networks, len(networks), self._tf).weights
        losses, gradients = loss_and_gradients(self._tf, weights, _stacked(given, len(given)), settings.huber)
        by_network = zip(*(array.numpy() for array in gradients), strict=True)
        return losses.numpy(), list(by_network)

    def to_h5(self, network: Network) -> bytes:
        """The content of the `.h5` file that Keras saves."""
        model = _keras_model(self._keras, network.inputs, network.horizon)
        model.set_weights(network.weights)
        with tempfile.TemporaryDirectory(prefix="stockml-") as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras prefers its newer format
            path = Path(folder) / "model.h5"
            model.save(path)
            return path.read_bytes()


@cache
def _keras_model(keras: Any, inputs: int, horizon: int) -> Any:
    """The network as a Keras model, one for all stocks of a process."""
    layers = [keras.Input((WINDOW_SESSIONS, inputs), name="input_layer")]
    for layer in range(LAYERS):
        ending = f"_{layer}" if layer else ""
        layers.append(keras.layers.LSTM(UNITS, return_sequences=layer < LAYERS - 1, name=f"lstm{ending}"))
        layers.append(keras.layers.Dropout(DROPOUT, name=f"dropout{ending}"))
    return keras.Sequential([*layers, keras.layers.Dense(horizon, name="dense")], name="sequential")


@lru_cache(maxsize=2)
def _traced(tf: Any, settings: OptimizerSettings) -> Any:
    """The training step as a graph, traced once for each number of networks."""

    def one(state: State, batch: Any, rates: Any, is_on: Any) -> State:
        return step(tf, state, batch, (rates, is_on), settings)

    return tf.function(one, autograph=False)


def _started(networks: Sequence[Network], count: int, tf: Any) -> State:
    """The networks' weights, filled up with copies of the first, and Adam's moments at 0."""
    filled = [*networks, *[networks[0]] * (count - len(networks))]
    weights = [tf.constant(np.stack(arrays)) for arrays in zip(*(each.weights for each in filled), strict=True)]
    return State(weights, [tf.zeros_like(array) for array in weights], [tf.zeros_like(array) for array in weights])


def _epoch(samples: Samples, batch: int, rng: np.random.Generator) -> Iterator[_Batch]:
    """The batches of one network's epoch."""
    for chosen in batches(len(samples), batch, rng):
        yield _batch(samples.part(chosen), rng)


def _batch(samples: Samples, rng: np.random.Generator) -> _Batch:
    kept = dropout_draws(rng, len(samples) * _OUTPUTS) >= DROPPED_BELOW
    return windows(samples.inputs, samples.rows), samples.targets, kept


def _stacked(given: Sequence[_Batch | None], count: int) -> tuple[Float32, Float32, Flags]:
    """The batches of all networks; zeros for one that has none left."""
    like = next(batch for batch in given if batch is not None)
    stacked = [np.zeros((count, *part.shape), dtype=part.dtype) for part in like]
    for number, batch in enumerate(given):
        if batch is not None:
            for whole, part in zip(stacked, batch, strict=True):
                whole[number] = part
    inputs, targets, kept = stacked
    return inputs, targets, kept


def _adam_rates(rates: NDArray[np.float64], steps: NDArray[np.int64]) -> Float32:
    """The learning rate of each network, corrected for Adam's young moments."""
    done = np.maximum(steps, 1)
    corrected = np.sqrt(1 - 0.999**done) / (1 - 0.9**done)
    corrected[: len(rates)] *= rates
    return corrected.astype(np.float32)
