"""Names and places in a checkout and in an installation."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from scripts import PROJECT

from stockml.core import installation
from stockml.core.paths import Home


def test_a_checkout_names_its_scripts_and_writes_beside_them() -> None:
    assert (installation.IS_INSTALLED, installation.PROJECT) == (False, PROJECT)
    text = "run ./train_models.py, then realtime_predictor.py"
    assert installation.as_called(text) == text
    for name in ("cluster", "notify"):
        assert installation.install_command(name) == f".venv/bin/python -m pip install -r requirements-{name}.txt"
        assert (PROJECT / f"requirements-{name}.txt").is_file()
    assert Home().root == installation.default_root() == PROJECT


@pytest.mark.parametrize(
    ("environment", "root"),
    [
        ({"HOME": "/home/me"}, "/home/me/.local/share/stockml"),
        ({"HOME": "/home/me", "XDG_DATA_HOME": "/data"}, "/data/stockml"),
        ({"HOME": "/home/me", "XDG_DATA_HOME": "data"}, "/home/me/.local/share/stockml"),
        ({"HOME": "/home/me", "XDG_DATA_HOME": ""}, "/home/me/.local/share/stockml"),
    ],
)
def test_an_installed_package_writes_in_a_folder_of_the_user_s(monkeypatch, environment, root: str) -> None:
    monkeypatch.setattr(installation, "IS_INSTALLED", True)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert installation.install_command("notify") == f"{sys.executable} -m pip install 'stockml[notify]'"
    assert Path(root) == installation.default_root() == Home().root


def test_where_the_user_has_no_home_directory_it_is_that_of_services(monkeypatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(installation, "IS_INSTALLED", True)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    assert installation.default_root() == Path("/var/lib/stockml")
