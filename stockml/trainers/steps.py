"""Steps of a training: tasks for other processes, yielded a batch at a time by whoever needs all of their results next.

So one training can be run alone, or several months of a replay side by side in the same processes.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from stockml.trainers.engines import Workers

Task = tuple[Callable[..., Any], tuple[Any, ...]]  # a function and its arguments, for another process
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Step:
    """Tasks that do not need each other.

    Attributes
    ----------
    tasks : sequence of Task
    is_engines : bool
        The engine does them, which may have a process apart.
    take : callable, optional
        Called with each task's number and its result, or the exception that it raised, as they come; the step itself
        then has no results. Without it an exception is raised where the step was yielded.
    """

    tasks: Sequence[Task]
    is_engines: bool = False
    take: Callable[[int, Any], None] | None = None


Steps = Generator[Step, list[Any], T]  # gets the results of each step in the order of its tasks, returns a T


class Course(Generic[T]):
    """The way through some steps: the one whose tasks are to be done now, and in the end what came of them all."""

    def __init__(self, steps: Steps[T]) -> None:
        self._steps = steps
        self.step: Step | None = None
        self._given = self._noted = 0  # tasks of the step
        self._results: dict[int, Any] = {}
        self._go(lambda: next(steps))

    @property
    def is_done(self) -> bool:
        """True where all tasks of the step are done, or there is none left."""
        return self.step is None or self._noted == len(self.step.tasks)

    def next_task(self) -> tuple[int, Task] | None:
        """The next task of the step that was not given out, with its number; None where there is none."""
        if self.step is None or self._given == len(self.step.tasks):
            return None
        number, self._given = self._given, self._given + 1
        return number, self.step.tasks[number]

    def note(self, number: int, result: Any) -> None:
        """Take the result of one task of the step, or the exception that it raised."""
        assert self.step is not None
        self._noted += 1
        if self.step.take is not None:
            self.step.take(number, result)
        else:
            self._results[number] = result

    def advance(self) -> None:
        """Go on to the next step, all tasks of this one being done; raises what the steps do not deal with."""
        results = [self._results[number] for number in sorted(self._results)]
        error = next((result for result in results if isinstance(result, Exception)), None)
        self._go(lambda: self._steps.send(results) if error is None else self._steps.throw(error))

    def _go(self, further: Callable[[], Step]) -> None:
        self._given, self._noted, self._results = 0, 0, {}
        try:
            self.step = further()
        except StopIteration as ended:
            self.step, self.outcome = None, ended.value


def call(task: Task) -> Any:
    """Run a task; what a process of a pool does."""
    function, arguments = task
    return function(*arguments)


def run_alone(steps: Steps[T], workers: Workers) -> T:
    """Run the steps one after the other, and return what comes of them."""
    course = Course(steps)
    while course.step is not None:
        run = workers.train if course.step.is_engines else workers.run
        for number, result in run(call, course.step.tasks):
            course.note(number, result)
        course.advance()
    outcome: T = course.outcome
    return outcome
