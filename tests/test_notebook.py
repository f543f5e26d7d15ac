"""The notebook in examples/ runs from its first cell to its last, without network, and is stored without output."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from scripts import PROJECT
from waiting import PATIENCE_SECONDS

PATH = PROJECT / "examples/forecast.ipynb"


@pytest.fixture
def notebook() -> nbformat.NotebookNode:
    return nbformat.read(PATH, as_version=4)


def test_it_is_stored_without_output(notebook: nbformat.NotebookNode) -> None:
    nbformat.validate(notebook)
    codes = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in codes)


def test_it_runs_and_draws(notebook: nbformat.NotebookNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))  # as if installed
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    client = NotebookClient(notebook, timeout=int(PATIENCE_SECONDS), kernel_name="python3")
    done = client.execute(cwd=str(tmp_path))
    outputs = [output for cell in done.cells if cell.cell_type == "code" for output in cell.outputs]
    printed = "".join(output.text for output in outputs if output.output_type == "stream")
    assert {output.name for output in outputs if output.output_type == "stream"} == {"stdout"}
    assert "02 March: 0 verified; SIM-ALPHA" in printed and "09 March: 2 verified; SIM-ALPHA" in printed
    assert "12 verified, " in printed
    assert [output for output in outputs if "image/png" in output.get("data", {})]
