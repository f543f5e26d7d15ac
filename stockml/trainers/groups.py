"""Groups of stocks that are trained together: which network each goes on from, and which it leaves for later ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stockml.models.lstm import Network
from stockml.trainers.common_start import CommonStart, Origin, Starts
from stockml.trainers.dataset import TrainingSet
from stockml.trainers.global_model import (
    GlobalModel,
    Learning,
    SplitDates,
    global_model_steps,
    training_stocks,
)
from stockml.trainers.steps import Steps
from stockml.trainers.training_settings import TrainingContext, TrainingSettings

NEAR_DAYS = 30  # calendars differ by a few holidays; a table that ends a month earlier is trained apart


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


def divide(training_sets: Mapping[str, TrainingSet]) -> list[tuple[SplitDates, list[str]]]:
    """Group the stocks that are trained together, each group with its dates; outliers form groups of their own."""
    if not training_sets:
        return []
    days = {symbol: SplitDates(_first(m, "select"), _first(m, "validation")) for symbol, m in training_sets.items()}
    selects, validations = (np.sort([getattr(own, part) for own in days.values()]) for part in ("select", "validation"))
    usual = SplitDates(selects[len(days) // 2], validations[len(days) // 2])
    near = [own for own in days.values() if _is_near(own, usual)]
    common = SplitDates(min(own.select for own in near), min(own.validation for own in near))
    together = [symbol for symbol, own in days.items() if _shares_dates_with(common, own)]
    alone = [(own, [symbol]) for symbol, own in days.items() if not _shares_dates_with(common, own)]
    return [(common, together), *alone]


def _is_near(own: SplitDates, usual: SplitDates) -> bool:
    """False also for a young stock that ended early: its validation lies before the others'."""
    some = np.timedelta64(NEAR_DAYS, "D")
    return bool(abs(own.select - usual.select) <= some and own.validation >= usual.validation - some)


def _shares_dates_with(common: SplitDates, own: SplitDates) -> bool:
    """True where the common days end no later than the stock's own, so that none of its future is seen."""
    return bool(own.select >= common.select and own.validation >= common.validation)


def _first(training_set: TrainingSet, part: str) -> np.datetime64:
    return np.datetime64(training_set.dates[getattr(training_set.split, part)[0]])
