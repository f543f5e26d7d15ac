"""No module is taken from the folder that a run is started in, by the run itself or by its helper processes."""

from __future__ import annotations

from pathlib import Path

import pytest
from planted_modules import plant
from scripts import PROJECT, predict, train

SIM = ("--source", "sample", "--as-of", "2026-03-02", "--symbols", "SIM-ALPHA", "SIM-BETA")


def planted(folder: Path) -> tuple[str, Path]:
    """A working directory with planted modules, and the file that exists once one was executed."""
    here = folder / "here"
    here.mkdir()
    return str(here), plant(here)


@pytest.mark.parametrize("python_path", ["", "relative", f"{PROJECT / 'tests'}"], ids=["none", "relative", "absolute"])
def test_training_executes_nothing_from_the_working_directory(tmp_path: Path, python_path: str) -> None:
    here, executed = planted(tmp_path)
    env = {"PYTHONPATH": python_path} if python_path else None
    ran = train(*SIM, "--home", tmp_path / "home", "--jobs", 2, cwd=here, env=env)
    assert (ran.code, ran.err) == (0, "")
    assert not executed.exists()


@pytest.mark.parametrize("options", [(), ("--verify-only",), ("--explain", "SIM-ALPHA"), ("--status",)])
def test_nor_does_a_prediction(tmp_path: Path, options: tuple[str, ...]) -> None:
    here, executed = planted(tmp_path)
    assert predict(*SIM, "--home", tmp_path / "home", *options, cwd=here).code in (0, 1)
    assert not executed.exists()


def test_nor_does_a_replay_with_its_own_models(tmp_path: Path) -> None:
    here, executed = planted(tmp_path)
    options = ("--source", "sample", "--symbols", "SIM-ALPHA", "--home", tmp_path / "home", "--retrain", "monthly")
    assert predict("--replay", "2026-03-02", "2026-03-04", *options, cwd=here).code == 0
    assert not executed.exists()


def test_a_shell_that_asks_for_a_safe_path_gets_the_scripts_all_the_same() -> None:
    for run in (predict, train):
        assert run("--version", env={"PYTHONSAFEPATH": "1"}).code == 0
