"""The versions of libraries, under whichever name their build is installed."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from stockml.core.library_versions import library_versions


@pytest.mark.parametrize(
    ("installed", "told"),
    [
        (("made_up_trees", "3.2.0"), "3.2.0"),
        (("made_up_trees_cpu", "3.1.0"), "3.1.0"),
        (("made_up_trees_gpu", "3.0.0"), "missing"),
    ],
)
def test_a_build_without_gpu_parts_counts_as_its_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installed: tuple[str, str], told: str
) -> None:
    name, number = installed
    folder = tmp_path / f"{name}-{number}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: {number}\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert library_versions(["made-up-trees"]) == {"python": platform.python_version(), "made-up-trees": told}
