"""The documented rooms are those that are held, and heavy libraries load where they are used."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib

import pytest
from scripts import BARE, PROJECT, predict

HEAVY = {
    "tensorflow",
    "keras",
    "xgboost",
    "sklearn",
    "yfinance",
    "plotly",
    "jinja2",
    "exchange_calendars",
    "pyarrow",
    "scipy",
}
PACKAGE = PROJECT / "stockml"


MODULES = sorted(str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py"))


def test_the_documented_rooms_are_those_of_the_contract_in_its_order() -> None:
    """import-linter holds the contract; `make lint` runs it."""
    contracts = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (rooms,) = (c for c in contracts if c["id"] == "rooms")
    held = [room for layer in rooms["layers"] for room in layer.split(" | ")]
    documented = re.findall(r"^\| `([\w.]+)/?` \|", (PROJECT / "docs/architecture.md").read_text(), flags=re.M)
    assert [name.removesuffix(".py") for name in documented] == held == [*dict.fromkeys(held)]
    files = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
    assert set(held) == {path.parent.name for path in PACKAGE.glob("*/__init__.py")} | files
    (scripts,) = (c for c in contracts if c["id"] == "scripts")
    assert {f"stockml.{room}" for room in held if room not in files} == set(scripts["source_modules"])


def imported_at_start(module: str) -> set[str]:
    """The libraries that a module imports at its top; type hints aside."""
    body = ast.parse((PACKAGE / module).read_text()).body
    names = {alias.name for node in body if isinstance(node, ast.Import) for alias in node.names}
    return names | {str(node.module) for node in body if isinstance(node, ast.ImportFrom)}


@pytest.mark.parametrize("module", MODULES)
def test_heavy_libraries_load_only_where_they_are_used(module: str) -> None:
    assert not {name.split(".")[0] for name in imported_at_start(module)} & HEAVY


@pytest.mark.parametrize("option", [["--help"], ["--verify-only", "--source", "sample", "--home", "HOME"]])
def test_with_nothing_to_do_neither_pandas_nor_numpy_is_loaded(option: list[str], tmp_path) -> None:
    code = (
        "import runpy, sys\n"
        f"sys.argv = ['realtime_predictor.py', *{[str(tmp_path) if part == 'HOME' else part for part in option]!r}]\n"
        "try:\n"
        f"    runpy.run_path({str(PROJECT / 'realtime_predictor.py')!r}, run_name='__main__')\n"
        "except SystemExit:\n"
        "    pass\n"
        f"heavy = {sorted(HEAVY | {'numpy', 'pandas', 'stockml.data.fetch', 'logging.handlers'})!r}\n"
        "print('LOADED', [name for name in heavy if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=BARE, cwd=PROJECT, check=True
    )
    assert done.stdout.splitlines()[-1] == "LOADED []"


def test_predicting_from_trained_models_loads_no_learning_library_and_takes_one_thread(trained_home) -> None:
    code = (
        "import runpy, sys\n"
        f"sys.argv = ['realtime_predictor.py', '--source', 'sample', '--home', {str(trained_home)!r}, "
        "'--as-of', '2026-03-02', '--quiet']\n"
        "try:\n"
        f"    runpy.run_path({str(PROJECT / 'realtime_predictor.py')!r}, run_name='__main__')\n"
        "except SystemExit as end:\n"
        "    print('ENDED', end.code)\n"
        "from threadpoolctl import threadpool_info\n"
        "print('THREADS', {pool['num_threads'] for pool in threadpool_info()})\n"
        "learning = ('tensorflow', 'keras', 'xgboost', 'sklearn', 'yfinance')\n"
        "print('LOADED', [name for name in learning if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=BARE, cwd=PROJECT, check=True
    )
    assert done.stdout.splitlines()[-3:] == ["ENDED 0", "THREADS {1}", "LOADED []"]
    assert predict("--source", "sample", "--home", trained_home, "--as-of", "2026-03-02").code == 0
