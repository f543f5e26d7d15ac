"""The picture of the package holds: imports go down, in no circle, and heavy libraries load where they are used."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from graphlib import TopologicalSorter

import pytest
from commands import BARE, PROJECT, predict

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


def layers() -> dict[str, int]:
    """Each module's layer in the README's picture; those without a number serve all and stand at 0."""
    picture = re.search(r"^stockml/ [^\n]*\n(.*?)```", (PROJECT / "README.md").read_text(), flags=re.S | re.M)
    assert picture
    found: dict[str, int] = {}
    layer = 0
    for line in picture[1].splitlines():
        names = line[:34]
        number = re.match(r"  (\d) ", names)
        layer = int(number[1]) if number else layer if names.startswith("    ") else 0
        found |= dict.fromkeys(re.findall(r"[a-z_]+", names), layer)
    return found


def imports_of(name: str, *, at_import: bool) -> set[str]:
    """The modules a module imports, as dotted names: at its top alone, or anywhere; type hints aside."""
    tree = ast.parse((PACKAGE / f"{name}.py").read_text())
    body = [node for node in tree.body if not isinstance(node, ast.If)]
    nodes = body if at_import else [inner for node in body for inner in ast.walk(node)]
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "stockml":
            found |= {f"stockml.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: imports from its own package by full name, like all others"
            found.add(str(node.module))
    return found


def own_imports(name: str) -> set[str]:
    modules = {module.split(".")[1] for module in imports_of(name, at_import=False) if module.startswith("stockml.")}
    return {module for module in modules if (PACKAGE / f"{module}.py").exists()}


MODULES = sorted(path.stem for path in PACKAGE.glob("*.py") if path.stem != "__init__")


@pytest.mark.parametrize("name", MODULES)
def test_no_module_imports_one_of_a_higher_layer(name: str) -> None:
    layer = layers()
    if layer[name] == 0:
        return  # options and messages: they start the run, so they reach what they need
    higher = {other for other in own_imports(name) if layer[other] > layer[name]}
    assert not higher
    assert not own_imports(name) & {"cli", "options", "terminal", "bootstrap"}


def test_there_is_no_circle() -> None:
    circle_free = TopologicalSorter({name: own_imports(name) for name in MODULES})
    assert len(list(circle_free.static_order())) == len(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_heavy_libraries_load_only_where_they_are_used(name: str) -> None:
    assert not {module.split(".")[0] for module in imports_of(name, at_import=True)} & HEAVY


@pytest.mark.parametrize("option", [["--help"], ["--verify-only", "--source", "sample", "--home", "HOME"]])
def test_with_nothing_to_do_neither_pandas_nor_numpy_is_loaded(option: list[str], tmp_path) -> None:
    code = (
        "import runpy, sys\n"
        f"sys.argv = ['realtime_predictor.py', *{[str(tmp_path) if part == 'HOME' else part for part in option]!r}]\n"
        "try:\n"
        f"    runpy.run_path({str(PROJECT / 'realtime_predictor.py')!r}, run_name='__main__')\n"
        "except SystemExit:\n"
        "    pass\n"
        f"heavy = {sorted(HEAVY | {'numpy', 'pandas'})!r}\n"
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
