"""Tasks each of which waits for the result of the one before, beside others that wait for nothing."""

from __future__ import annotations

from collections.abc import Iterator

from stockml.trainers.process_pool import TaskRunner

CHAIN = 4


def doubled_in_a_chain(runner: TaskRunner, beside: int) -> tuple[list[int], set[int]]:
    """Results of a chain of tasks, each twice the one before, and of so many others beside it."""
    chain = ["x"]
    others = ["y" * number for number in range(beside)]
    numbers: list[int] = []  # of the chain's tasks

    def tasks() -> Iterator[str | None]:
        given, waiting = 0, list(others)
        while len(chain) < CHAIN or waiting:
            if len(numbers) < len(chain) < CHAIN:
                numbers.append(given)
                given += 1
                yield chain[-1]
            elif waiting:
                given += 1
                yield waiting.pop()
            else:
                yield None

    found = set()
    for number, length in runner.map(len, tasks()):
        if number in numbers:
            chain.append("x" * 2 * length)
        else:
            found.add(length)
    return [len(text) for text in chain], found
