"""The file of --log-file; apart, since what it takes from the standard library is slow to import."""

from __future__ import annotations

import logging
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path

from stockml.core.wording import cause

LOG_FILE_BYTES, LOG_FILES_KEPT = 1_000_000, 5

log = logging.getLogger("stockml")


class LogFile(RotatingFileHandler):
    """One that cannot be written any more is given up with a word, and the run goes on."""

    def __init__(self, path: Path) -> None:
        """Open it; OSError where it cannot be written."""
        super().__init__(path, maxBytes=LOG_FILE_BYTES, backupCount=LOG_FILES_KEPT, encoding="utf-8")

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        """Tell it once, by the other handlers."""
        error = sys.exc_info()[1]
        self.setLevel(logging.CRITICAL + 1)
        log.error("%s: cannot be written (%s); no more messages go there", self.baseFilename, cause(error))
