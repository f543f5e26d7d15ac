"""Groups of stocks that are trained together: which network each goes on from, and which it leaves for later ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stockml.models.lstm import Network
from stockml.trainers.common_start import CommonStart, Origin, Starts
from stockml.trainers.dataset import TrainingSet
from stockml.trainers.global_model import (
    GlobalModel,
    Learning,
    SplitDates,
    divide,
    global_model_steps,
    training_stocks,
)
from stockml.trainers.steps import Steps
from stockml.trainers.training_settings import TrainingContext, TrainingSettings


@dataclass(frozen=True, slots=True)
class Group:
    """Stocks that are trained together, how, and what their network will have been fitted on, if it may be left."""

    days: SplitDates
    members: Sequence[TrainingSet]
    how: Learning
    origin: Origin | None
    starts: Starts

    def steps(self) -> Steps[GlobalModel]:
        """The steps to their common models; the network is left as soon as it is trained."""

        def leave(network: Network) -> None:
            if self.origin is not None:
                self.starts.leave(CommonStart(self.origin, network))

        return global_model_steps(self.days, self.members, self.how, leave)


def groups_of(
    training_sets: dict[str, TrainingSet], settings: TrainingSettings, context: TrainingContext
) -> Iterator[Group]:
    """The groups of `divide`, each taken out of the training sets.

    The first, whose stocks share their days, goes on from an earlier network and leaves its own. The others are single
    stocks with days of their own, and neither go on from a network nor leave one.
    """
    for number, (days, symbols) in enumerate(divide(training_sets)):
        members = [training_sets.pop(symbol) for symbol in symbols]
        if number:
            yield Group(days, members, Learning(settings.pool, settings.seed, settings.engine), None, context.starts)
            continue
        teachers = training_stocks(members, settings.pool.most_teachers, settings.seed)
        calendars = [context.exchanges.calendar(teacher.symbol).name for teacher in teachers]
        origin = Origin(settings.kind(calendars), days.select, tuple(teacher.symbol for teacher in teachers))
        start = context.starts.find(origin)
        if start is not None and start.network.horizon != settings.horizon:
            start = None  # no training of ours left it, though its file says so
        how = Learning(settings.pool, settings.seed, settings.engine, start)
        yield Group(days, members, how, origin, context.starts)
