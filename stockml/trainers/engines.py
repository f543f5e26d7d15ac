"""Engines by their choice, one per process, and who does the tasks of a training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from stockml.models.lstm import Network
from stockml.trainers.engine import Engine, NetworkTask
from stockml.trainers.engine_choice import TENSORFLOW, EngineChoice
from stockml.trainers.lstm_trainer import OptimizerSettings

Map = Callable[[Callable[[Any], Any], Sequence[Any]], Iterator[tuple[int, Any]]]


@cache
def engine_of(choice: EngineChoice) -> Engine:
    """This process's engine of a choice; TensorFlow is loaded here and nowhere else."""
    if choice.name == TENSORFLOW:
        from stockml.trainers.tensorflow_engine import TensorFlowEngine

        return TensorFlowEngine(choice.device)
    from stockml.trainers.numpy_engine import NumPyEngine

    return NumPyEngine()


def train_networks(choice: EngineChoice, tasks: Sequence[NetworkTask], settings: OptimizerSettings) -> list[Network]:
    """Train networks with this process's engine; see `Engine.train`."""
    return engine_of(choice).train(tasks, settings)


@dataclass(frozen=True, slots=True)
class Workers:
    """The processes that do the tasks of a training.

    Attributes
    ----------
    run : callable
        Maps a function over tasks, perhaps in other processes; yields each task's number and result.
    engine : EngineChoice
    apart : callable, optional
        The same in the one process that has the GPU; None: `run` does the engine's tasks as well.
    """

    run: Map
    engine: EngineChoice = EngineChoice()  # noqa: RUF009 - frozen
    apart: Map | None = None

    @property
    def train(self) -> Map:
        """Maps a function over tasks of the engine."""
        return self.apart or self.run
