"""Engine: what training asks of whatever computes the LSTM's gradients, for the common model and for single stocks.

An engine gets its initial weights, its samples and the seed of their order and of dropout, so that engines differ in
rounding alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from stockml.models.lstm import Network
from stockml.trainers.lstm_trainer import OptimizerSettings, Samples


@dataclass(frozen=True, slots=True)
class NetworkTask:
    """The training of one network."""

    network: Network  # to start from
    samples: Samples
    rates: tuple[float, ...]  # learning rate of each epoch
    seed: int | tuple[int, ...]  # of the samples' order and of dropout


class Engine(Protocol):
    """Trains networks of one shape and writes them for Keras."""

    @property
    def device(self) -> str:
        """The device that it computes on, such as cpu or the name of a GPU."""
        ...

    def train(self, tasks: Sequence[NetworkTask], settings: OptimizerSettings) -> list[Network]:
        """Train networks, each as if it were alone.

        Parameters
        ----------
        tasks : sequence of NetworkTask
            Of networks of one shape and the same learning rates.
        settings : OptimizerSettings

        Returns
        -------
        list of Network
            In the order of the tasks.

        Raises
        ------
        MemoryError
            Where the device has too little memory for so many at a time.
        """
        ...

    def to_h5(self, network: Network) -> bytes:
        """The content of an `.h5` file that Keras opens; the same network gives the same bytes."""
        ...
