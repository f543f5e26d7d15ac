"""Plug-ins: installed packages that bring a signal, a forecaster or a price source by an entry point.

Nothing is imported but what a package registers under one of the groups below, and nothing at all before it is asked
for. What a plug-in of a group must be able to do is said where it is used.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stockml.core.wording import alternatives

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

SIGNALS, FORECASTERS, SOURCES = "stockml.signals", "stockml.forecasters", "stockml.sources"
KINDS = {SIGNALS: "signal", FORECASTERS: "forecaster", SOURCES: "price source"}
FAILURES = (Exception, SystemExit)  # of somebody else's code: none of them may end a run, but Ctrl-C and kill do

NAME_RULE = "small letters, digits and _ only, starting with a letter, at most 32 characters"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
MOST = 20  # of a group, so that a line of the log stays short
LONGEST_SHOWN = 160  # characters of somebody else's message

_METADATA = (".dist-info", ".egg-info")
_MARK = b"[stockml."  # the name of a group, as a heading


class PluginError(Exception):
    """A plug-in that no run can use, in one plain sentence; the run ends with exit code 2."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """One registered plug-in, not imported yet."""

    name: str
    group: str
    package: str  # with its version
    point: EntryPoint

    @property
    def distribution(self) -> str:
        """The package's name."""
        return self.point.dist.name if self.point.dist is not None else self.point.module

    def __str__(self) -> str:
        return f"the {KINDS[self.group]} {self.name} of the package {self.package}"

    def made(self, members: Iterable[str], *arguments: str) -> Any:
        """The plug-in itself: what its factory, which the entry point names, makes of the arguments.

        Raises
        ------
        PluginError
            Where it cannot be imported or made, or lacks one of the members, all of them methods.
        """
        try:
            with apart():
                factory = self.point.load()
        except FAILURES as error:
            raise PluginError(f"{self} cannot be imported ({in_words(error)}); repair or uninstall it") from None
        if not callable(factory):
            raise PluginError(
                f"{self}: its entry point {self.point.value[:LONGEST_SHOWN]} names no class and no function; correct it"
            )
        try:
            with apart():
                made = factory(*arguments)
        except FAILURES as error:
            remedy = "name it with another argument, or repair it" if arguments else "repair or uninstall it"
            raise PluginError(f"{self} cannot be made ({in_words(error)}); {remedy}") from None
        for member in members:
            if not callable(getattr(made, member, None)):
                raise PluginError(f"{self} has no method {member}, which each {KINDS[self.group]} needs; add it to it")
        return made


def installed(group: str) -> dict[str, Plugin]:
    """The plug-ins of a group by name, in the order of their names; PluginError where they cannot serve together."""
    if not _is_any_registered():
        return {}
    from importlib.metadata import entry_points

    found: dict[str, Plugin] = {}
    for point in sorted(entry_points(group=group), key=lambda point: point.name):
        plugin = Plugin(point.name, group, _package(point), point)
        if not _NAME.fullmatch(point.name):
            raise PluginError(
                f"the package {plugin.package} calls a {KINDS[group]} {point.name[:LONGEST_SHOWN]!r}, which is no "
                f"name: {NAME_RULE}; uninstall or rename it"
            )
        refuse_namesake(plugin, found)
        found[point.name] = plugin
    if len(found) > MOST:
        raise PluginError(
            f"{len(found)} packages each bring a {KINDS[group]}, and at most {MOST} can be used; uninstall some"
        )
    return found


def refuse_namesake(plugin: Plugin, others: dict[str, Plugin]) -> None:
    """PluginError where another one has the plug-in's name."""
    if other := others.get(plugin.name):
        raise PluginError(f"{other} and {plugin} have one name; uninstall one of them")


def suggestion(text: str, names: Iterable[str]) -> str:
    """The end of a message about an unknown name: the installed ones that may have been meant; '' where none."""
    from difflib import get_close_matches

    near = get_close_matches(text.lower(), list(names), n=2)
    return f"; did you mean {alternatives(near)}?" if near else ""


def in_words(error: BaseException) -> str:
    """An error of somebody else's code on one short line."""
    try:
        text = " ".join(str(error).split())
    except FAILURES:
        text = ""
    shown = "".join(sign if sign.isprintable() else "?" for sign in text)[:LONGEST_SHOWN].rstrip(" .")
    return f"{type(error).__name__}: {shown}" if shown else type(error).__name__


@contextmanager
def apart() -> Iterator[None]:
    """Let what somebody else's code prints go to stderr: stdout holds results alone, perhaps as JSON."""
    with redirect_stdout(sys.stderr):
        yield


def _package(point: EntryPoint) -> str:
    dist = point.dist
    return f"{dist.name} {dist.version}" if dist is not None else point.module


def _is_any_registered() -> bool:
    """True where some package may have registered a plug-in.

    It looks into the files that registration leaves, a fifth of the time that importing importlib.metadata takes.
    """
    for folder in dict.fromkeys(sys.path):
        try:
            with os.scandir(folder or os.curdir) as entries:
                packages = [entry.path for entry in entries if entry.name.endswith(_METADATA)]
        except NotADirectoryError:  # an archive: importlib.metadata can look into it
            return True
        except OSError:
            continue
        if any(map(_registers, packages)):
            return True
    return False


def _registers(package: str) -> bool:
    try:
        with open(os.path.join(package, "entry_points.txt"), "rb") as file:  # noqa: PTH118, PTH123 - pathlib doubles it
            return _MARK in file.read()
    except OSError:  # most packages have none
        return False
