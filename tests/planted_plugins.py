"""Packages with plug-ins, written into a folder as an installer leaves them: a module and what it registers."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path

SIGNAL = """
class Plugin:
    def opinion(self, prices, horizon):
        return {value}
"""
FORECASTER = """
class Plugin:
    def fit(self, prices, horizon):
        return self
    def forecast(self, prices):
        return {value}
"""
_number = itertools.count()


def plant(folder: Path, groups: Mapping[str, Mapping[str, str]], package: str = "") -> Path:
    """Write a package: by group and name the source of a module with a class Plugin; returns the folder."""
    package = package or f"planted-{next(_number)}"
    info = folder / f"{package.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    lines = []
    for group, modules in groups.items():
        lines.append(f"[stockml.{group}]")
        for name, source in modules.items():
            module = f"planted_{next(_number)}"
            (folder / f"{module}.py").write_text(source)
            lines.append(f"{name} = {module}:Plugin")
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return folder


def signal(value: object) -> str:
    """The source of a signal whose opinion is an expression of `prices` and `horizon`."""
    return SIGNAL.format(value=value)


def forecaster(value: object) -> str:
    """The same of a forecaster."""
    return FORECASTER.format(value=value)
