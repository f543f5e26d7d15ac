"""The text of a `--source` -> the source that it names: Yahoo, a folder of CSV files, a simulation or a plug-in.

Standard library only; nothing is read here, and a plug-in's package is not even imported.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stockml.core.paths import expanded
from stockml.core.plugins import SOURCES, Plugin, PluginError, installed, suggestion

YAHOO, CSV, SAMPLE = KINDS = ("yahoo", "csv", "sample")


@dataclass(frozen=True, slots=True)
class Source:
    """The source of prices: yahoo, the CSV files of a folder, the simulated market, or a plug-in by its name."""

    kind: str
    folder: Path | None = None
    argument: str = ""  # of a plug-in

    @property
    def is_simulated(self) -> bool:
        """True for prices of companies that do not exist."""
        return self.kind == SAMPLE

    @property
    def is_plugin(self) -> bool:
        """True for prices that a plug-in gives."""
        return self.kind not in KINDS

    def __str__(self) -> str:
        rest = self.argument if self.folder is None else str(self.folder)
        return f"{self.kind}:{rest}" if rest else self.kind


def parse_source(text: str) -> Source:
    """The source that a text names; ValueError in plain words for any other text."""
    kind, _, rest = text.partition(":")
    kind = kind.lower()
    if text.lower() in (YAHOO, SAMPLE):
        return Source(kind)
    others = {} if kind in KINDS else plugin_sources()
    if kind in others:
        return Source(kind, argument=rest)
    is_csv = kind == CSV and bool(rest)
    folder = expanded(rest if is_csv else text)
    try:
        is_folder, is_file = folder.is_dir(), folder.is_file()
    except OSError as error:  # no right to read the folder above it
        raise ValueError(f"the source {text!r} cannot be looked at ({error.strerror}); name another folder") from None
    if is_csv and is_folder:
        return Source(CSV, folder)
    if is_file:
        raise ValueError(f"the source {text!r} names a file; name its folder: csv:{folder.parent}")
    if is_csv:
        raise ValueError(f"the source {text!r} names no folder; give the one that holds SYMBOL.csv files")
    if is_folder and text:
        raise ValueError(f"the source {text!r} is a folder; for the CSV files in it write csv:{text}")
    *known, last = YAHOO, "csv:DIR", *others, SAMPLE
    meant = suggestion(kind, [YAHOO, *others, SAMPLE]) or "; write one of them"
    raise ValueError(f"the source {text!r} is none of {', '.join(known)} and {last}{meant}")


def plugin_sources() -> dict[str, Plugin]:
    """The installed plug-ins that give prices, by name; PluginError where one of them takes a name of ours."""
    found = installed(SOURCES)
    for name in KINDS:
        if name in found:
            raise PluginError(f"{found[name]} has the name of a built-in one; uninstall or rename it")
    return found
