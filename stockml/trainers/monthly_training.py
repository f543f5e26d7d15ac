"""Training of a replay's months in the same processes: common networks in a chain, all else side by side.

While a month's common network is trained, with which the next month's begins, the stocks of the months before are
finished. A month's models lie in a hidden folder until all are there; so a replay that was interrupted finds whole
months only, and goes on from the networks that these have left.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from itertools import count
from pathlib import Path

from stockml.core.clock import Clock
from stockml.core.paths import Home
from stockml.core.progress import Progress
from stockml.data.fetch import span_of
from stockml.data.point_in_time import PointInTimePrices
from stockml.storage.files import StorageError
from stockml.storage.folders import new_folder, replace_folder
from stockml.storage.threads import Threads
from stockml.trainers.common_start import CommonStart, Origin, StartsAtHand
from stockml.trainers.dataset import TrainingSet, join_market, sessions_needed
from stockml.trainers.fine_tuning import TrainedStock, fine_tune
from stockml.trainers.groups import Group, groups_of
from stockml.trainers.past_trainings import PastDays, training_sets
from stockml.trainers.pipeline import TrainingFailure, failure_of, save_unseen, with_settings
from stockml.trainers.process_pool import TaskRunner
from stockml.trainers.start_store import starts_of, write_start
from stockml.trainers.steps import Course, Step, Steps, Task, call
from stockml.trainers.training_settings import TrainingContext, TrainingSettings

log = logging.getLogger("stockml")

SIDE_BY_SIDE = 3  # months: of one the network is trained, of another all else in common, of a third the stocks
SETS_AHEAD = 300  # training sets prepared at a time, of 0.6 MB each


@dataclass(frozen=True, slots=True)
class Month:
    """Models to be trained as of a clock's day, and the folder that they belong in."""

    folder: Path
    clock: Clock


@dataclass(frozen=True, slots=True)
class MonthlyWork:
    """The stocks that are trained each month, the settings, who does the tasks, and what is done while they do."""

    stocks: Sequence[PointInTimePrices]
    settings: TrainingSettings
    runner: TaskRunner
    tell: Progress
    meanwhile: Callable[[], None] = lambda: None  # called after each task


def train_months(months: Sequence[Month], work: MonthlyWork) -> list[TrainingFailure]:
    """Train the models of each month as train_models.py does, where its folder is not there yet.

    Parameters
    ----------
    months : sequence of Month
        The earliest first.
    work : MonthlyWork

    Returns
    -------
    list of TrainingFailure

    Raises
    ------
    StorageError
    WorkersLostError
        Where all workers are gone. The months in their places are complete.
    """
    missing = deque(number for number, month in enumerate(months) if not month.folder.exists())
    return _Months(months, work, missing).train() if missing and work.stocks else []


@dataclass(slots=True)
class _Open:
    """A month in training: the hidden home that its models are written to, and how many groups are not finished."""

    number: int
    month: Month
    home: Home
    groups: int


@dataclass(frozen=True, slots=True, eq=False)
class _UnderWay:
    """A course that is under way: of a group of a month, or of the preparation of several months (None)."""

    opened: _Open | None
    course: Course[None]


@dataclass(slots=True)
class _Months:
    months: Sequence[Month]
    work: MonthlyWork
    missing: deque[int]  # numbers of months that are not prepared
    prepared: deque[tuple[int, dict[str, TrainingSet]]] = field(default_factory=deque)
    under_way: list[_UnderWay] = field(default_factory=list)  # in the order in which they were begun
    given: dict[int, tuple[Course[None], int]] = field(default_factory=dict)  # tasks by their number, and their step's
    chain: StartsAtHand = field(default_factory=StartsAtHand)
    recalled: int = 0  # months whose network the chain has, where they left one
    awaited: int | None = None  # the month whose network the next one waits for
    places: Threads = field(default_factory=partial(Threads, 1))  # disks take their time
    placed: list[Future[None]] = field(default_factory=list)
    finished: int = 0  # stocks
    failures: list[tuple[int, TrainingFailure]] = field(default_factory=list)  # with the month's number

    def train(self) -> list[TrainingFailure]:
        """Do each task as soon as all that it waits for is done."""
        with self.places:
            self._do_all()
        self._check_placed()
        in_order = sorted(self.failures, key=lambda failed: (failed[0], failed[1].symbol))
        return [failure for _, failure in in_order]

    def _do_all(self) -> None:
        total = len(self.missing) * len(self.work.stocks)
        self._go_on()
        for number, result in self.work.runner.map(call, self._tasks()):
            course, at = self.given.pop(number)
            course.note(at, result)
            self._go_on()
            self.work.tell("train", self.finished, total)
            self.work.meanwhile()
        if self.under_way:
            raise RuntimeError("tasks were no longer asked for, though months are under way")

    def _tasks(self) -> Iterator[Task | None]:
        """The tasks of all courses, those begun first before others, so that a month's sessions can soon be run."""
        numbers = count()
        while self.under_way:
            for one in self.under_way:
                if found := one.course.next_task():
                    at, task = found
                    self.given[next(numbers)] = one.course, at
                    yield task
                    break
            else:
                yield None

    def _go_on(self) -> None:
        """Advance all whose tasks are done, put months in their places, and begin what waits for nothing."""
        while self._begin() or any(one.course.is_done for one in self.under_way):
            for one in [one for one in self.under_way if one.course.is_done]:
                if one.course.step is not None:
                    one.course.advance()
                    continue
                self.under_way.remove(one)
                if one.opened is not None:
                    one.opened.groups -= 1
                    if not one.opened.groups:
                        self._close(one.opened)

    def _begin(self) -> bool:
        """Begin the preparation of further months, or the next month itself; False where both wait for something."""
        if self.missing and len(self.prepared) <= 1 and all(one.opened for one in self.under_way):
            n_months = max(1, SETS_AHEAD // max(len(self.work.stocks), 1))
            numbers = [self.missing.popleft() for _ in range(min(n_months, len(self.missing)))]
            self.under_way.append(_UnderWay(None, Course(self._prepare(numbers))))
            return True
        open_months = {one.opened.number for one in self.under_way if one.opened}
        if self.prepared and self.awaited is None and len(open_months) < SIDE_BY_SIDE:
            self._open(*self.prepared.popleft())
            return True
        return False

    def _prepare(self, numbers: Sequence[int]) -> Steps[None]:
        """The training sets of some months, in a task for each stock."""
        settings, stocks = self.work.settings, sorted(self.work.stocks, key=lambda stock: stock.symbol)
        tasks = []
        for stock in stocks:
            spans = [
                span_of(stock.symbol, sessions_needed(settings.years), self.months[number].clock) for number in numbers
            ]
            tasks.append((training_sets, (settings, PastDays(stock, spans, len(stocks)))))
        results: dict[int, Sequence[TrainingSet | TrainingFailure]] = {}

        def take(at: int, result: Sequence[TrainingSet | TrainingFailure] | Exception) -> None:
            if isinstance(result, Exception):
                result = [failure_of(stocks[at].symbol, result)] * len(numbers)
            results[at] = result

        yield Step(tasks, take=take)
        by_stock = [results[at] for at in range(len(stocks))]
        for number, of_month in zip(numbers, zip(*by_stock, strict=True), strict=True):
            self.failures += [(number, one) for one in of_month if isinstance(one, TrainingFailure)]
            found = {one.symbol: one for one in of_month if isinstance(one, TrainingSet)}
            self.finished += len(of_month) - len(found)
            self.prepared.append((number, join_market(found, self.months[number].clock.exchanges)))

    def _open(self, number: int, found: dict[str, TrainingSet]) -> None:
        """Begin a month: its groups go their ways, and the first of them leaves the network for the next month."""
        self._recall(number)
        month = self.months[number]
        hidden = month.folder.with_name(f".{month.folder.name}.new")
        new_folder(hidden)
        opened = _Open(number, month, Home(hidden), 0)
        context = TrainingContext(exchanges=month.clock.exchanges, starts=_MonthStarts(self, opened))
        groups = list(groups_of(found, self.work.settings, context))
        if not groups:
            self._close(opened)
            return
        self.awaited, opened.groups = number, len(groups)
        self.under_way += [_UnderWay(opened, Course(self._train(opened, group))) for group in groups]

    def _recall(self, before: int) -> None:
        """Take into the chain what the months before one have left that were trained by an earlier run."""
        while self.recalled < before:
            month, self.recalled = self.months[self.recalled], self.recalled + 1
            try:
                starts = starts_of(Home(month.folder))
            except ValueError as error:
                log.warning("%s; the month after it is trained from nothing.", error)
                self.chain = StartsAtHand()
                continue
            for start in starts:
                self.chain.leave(start)

    def _train(self, opened: _Open, group: Group) -> Steps[None]:
        settings, members = self.work.settings, group.members
        try:
            model = yield from group.steps()
        except StorageError:
            raise
        except Exception as error:  # a shared task failed: these stocks fail, those trained apart go on
            self.failures += [(opened.number, failure_of(member.symbol, error)) for member in members]
            self.finished += len(members)
            if group.origin is not None:  # that of the network which the next month waits for
                self._link(opened.number)
            return
        ways = (settings.own, settings.seed, settings.engine)
        finishing = [(fine_tune, (model, *ways, member)) for member in members]
        yield Step(finishing, take=partial(self._save, opened, group))

    def _save(self, opened: _Open, group: Group, number: int, result: TrainedStock | Exception) -> None:
        self.finished += 1
        if isinstance(result, Exception):
            self.failures.append((opened.number, failure_of(group.members[number].symbol, result)))
            return
        at = opened.month.clock.written_time(result.symbol, date.fromisoformat(result.metrics["data_through"]))
        save_unseen(opened.home, with_settings(result, self.work.settings), trained_at=at)

    def _link(self, number: int) -> None:
        """Let the next month begin, where it waited for this one."""
        if self.awaited == number:
            self.awaited, self.recalled = None, number + 1

    def _close(self, opened: _Open) -> None:
        """Put a month in its place, whole, while the next ones are trained."""
        self._check_placed()
        self._link(opened.number)
        opened.home.root.chmod(0o755)
        self.placed.append(self.places.submit(replace_folder, opened.home.root, opened.month.folder))

    def _check_placed(self) -> None:
        """Raise what kept an earlier month from its place."""
        for month in self.placed:
            if month.done():
                month.result()


@dataclass(frozen=True, slots=True)
class _MonthStarts:
    """The chain as a month sees it; see `common_start.Starts`."""

    months: _Months
    opened: _Open

    def find(self, origin: Origin) -> CommonStart | None:
        """The newest network of an earlier month."""
        return self.months.chain.find(origin)

    def leave(self, made: CommonStart) -> None:
        """Keep the network in the chain and with the month's models."""
        if self.months.chain.leave(made):
            write_start(self.opened.home, made)
        self.months._link(self.opened.number)
