"""What some tests need beside Python: found, or skipped for with a reason that says how to have it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest

SHARED = Path(os.environ.get("STOCKML_SHARED") or Path(__file__).resolve().parents[2] / "shared")

# The program by its first name that is found, and Debian's package that brings it.
PACKAGES = {
    "chromium": "chromium",
    "faketime": "faketime",
    "jq": "jq",
    "strace": "strace",
    "zsh": "zsh",
    "tail": "coreutils",
    "unshare": "util-linux",
    "systemd-analyze": "systemd",
}
NAMES = {"chromium": ("chromium", "chromium-browser", "google-chrome")}
_REASON = "needs {0}: apt-get install {1}"


def found(tool: str) -> str | None:
    """The program's path."""
    return next(filter(None, map(shutil.which, NAMES.get(tool, (tool,)))), None)


def need(*tools: str) -> None:
    """Skip the test that runs where one of these is missing."""
    for tool in tools:
        if found(tool) is None:
            pytest.skip(_reason(tool))


def needs(*tools: str) -> pytest.MarkDecorator:
    """The same as a mark."""
    missing = [tool for tool in tools if found(tool) is None]
    return pytest.mark.skipif(bool(missing), reason=_reason(missing[0]) if missing else "")


def shared_folder(name: str) -> Path:
    """A folder of recorded prices or answers; skips the test that runs where it is not at hand."""
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip("needs the recorded prices: put shared/ beside the project, or name it in STOCKML_SHARED")
    return folder


def _reason(tool: str) -> str:
    return _REASON.format(tool, PACKAGES[tool])


def told(reasons: Iterable[str]) -> str:
    """One line on what was skipped for want of a tool or of the shared prices, and how to have it; '' for nothing."""
    counts: dict[str, int] = {}
    for reason in reasons:
        name, _, remedy = reason.partition(": ")
        if name.startswith("needs ") and remedy:
            counts[reason] = counts.get(reason, 0) + 1
    groups = [f"{number} for {reason.partition(': ')[0].removeprefix('needs ')}" for reason, number in counts.items()]
    packages = sorted(r.partition("apt-get install ")[2] for r in counts if "apt-get install " in r)
    others = [reason.partition(": ")[2] for reason in counts if "apt-get install " not in reason]
    remedies = [*(["apt-get install " + " ".join(packages)] if packages else []), *others]
    return f"Skipped: {', '.join(groups)}. To run them: {'; '.join(remedies)}" if groups else ""
