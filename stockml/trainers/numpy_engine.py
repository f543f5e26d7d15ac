"""NumPy engine: one network after the other, by `lstm_trainer`, on one thread."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from stockml.models.lstm import Network
from stockml.trainers.engine import NetworkTask
from stockml.trainers.engine_choice import CPU
from stockml.trainers.h5_file import to_h5
from stockml.trainers.lstm_trainer import LSTMTrainer, OptimizerSettings


class NumPyEngine:
    """Starts at once and needs little memory; see `engine.Engine`."""

    device = CPU

    def train(self, tasks: Sequence[NetworkTask], settings: OptimizerSettings) -> list[Network]:
        """Train networks one by one; the same seed gives the same bits."""
        return [_trained(task, settings) for task in tasks]

    def to_h5(self, network: Network) -> bytes:
        """The content of an `.h5` file, written without Keras."""
        return to_h5(network)


def _trained(task: NetworkTask, settings: OptimizerSettings) -> Network:
    trainer = _trainer(task.network.inputs, task.network.horizon, settings)
    trainer.start(task.network)
    rng = np.random.default_rng(task.seed)
    for rate in task.rates:
        trainer.epoch(task.samples, rng, rate)
    return trainer.network()


@lru_cache(maxsize=2)
def _trainer(inputs: int, horizon: int, settings: OptimizerSettings) -> LSTMTrainer:
    """This process's trainer for networks of this shape; its buffers are reused."""
    return LSTMTrainer(inputs, horizon, settings)
