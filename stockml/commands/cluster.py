"""--cluster: the workers of a Dask scheduler, checked before anything is begun."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from stockml.commands.exits import NotDoneError, UsageError
from stockml.commands.run import Run

if TYPE_CHECKING:
    from stockml.trainers.dask_cluster import DaskRunner


@contextmanager
def cluster_runner(run: Run, libraries: Sequence[str]) -> Iterator[DaskRunner]:
    """The workers of --cluster that have the same versions of these libraries as this machine.

    UsageError where Dask is missing or the address is none, NotDoneError where no worker can be had.
    """
    from stockml.trainers.dask_cluster import ClusterError, ClusterUsageError, DaskRunner

    with ExitStack() as stack:
        try:
            runner = stack.enter_context(DaskRunner(run.args.cluster, libraries, run.notice))
        except ClusterUsageError as error:
            raise UsageError(str(error)) from None
        except ClusterError as error:
            raise NotDoneError(str(error)) from None
        yield runner
