"""The announcements of results beside a CSV folder's prices: refused where they cannot be read, told where in part."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stockml.commands.exits import UsageError

if TYPE_CHECKING:
    from stockml.commands.run import Run


def check_announcements(run: Run) -> None:
    """UsageError for a file that cannot be read; one notice a run on the rows that are left out."""
    if run.source.folder is None:
        return
    from stockml.data.announcement_file import read_announcements

    try:
        left_out = read_announcements(run.source.folder).left_out
    except ValueError as error:
        raise UsageError(str(error)) from None
    if left_out and left_out not in run.notices:
        run.notice(left_out)
