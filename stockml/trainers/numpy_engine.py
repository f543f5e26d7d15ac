"""NumPy engine: one network after the other, by `lstm_trainer`, on one thread."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stockml.models.lstm import Network
from stockml.trainers.engine import NetworkTask
from stockml.trainers.engine_choice import CPU
from stockml.trainers.h5_file import to_h5
from stockml.trainers.lstm_trainer import OptimizerSettings, trainer_of


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
    trainer = trainer_of(task.network.inputs, task.network.horizon, settings)
    trainer.start(task.network)
    rng = np.random.default_rng(task.seed)
    for rate in task.rates:
        trainer.epoch(task.samples, rng, rate)
    return trainer.network()
