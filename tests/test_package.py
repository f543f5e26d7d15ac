"""The wheel: all that the program needs, its metadata, and its two commands, installed elsewhere and run from afar."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from email import message_from_string
from email.message import Message
from pathlib import Path
from zipfile import ZipFile

import pytest
from dockerfile import copied
from filelock import FileLock
from local_cluster import LocalCluster, runner_of
from packaging.markers import Marker
from packaging.requirements import Requirement
from scripts import BARE, PROJECT, Ran, files_under, log_of, predict

import stockml
from stockml import installed as installed_commands
from stockml.commands import bootstrap

UV = Path(sysconfig.get_path("scripts")) / "uv"
DAY, TARGET = "2026-03-02", "2026-03-09"
SIM = ("--source", "sample", "--symbols", "SIM-ALPHA", "--as-of")


def done(*command: object) -> None:
    words = [*map(str, command)]
    ran = subprocess.run(words, capture_output=True, text=True, env=BARE | {"HOME": "/tmp"}, cwd="/", check=False)
    assert ran.returncode == 0, ran.stderr


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel installed, and the wheel beside it; the libraries are those of the tests."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "installed"
    with FileLock(f"{folder}.lock"):
        if not (folder / "done").exists():
            source = folder / "source"  # a copy, for setuptools builds among the sources
            source.mkdir(parents=True)
            for path in map(PROJECT.joinpath, copied()):  # into the image, where pip does the same
                if path.is_dir():
                    shutil.copytree(path, source / path.name, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    shutil.copy(path, source)
            quietly = ("--quiet", "--offline", "--no-config", "--no-cache")
            python = ("--python", sys.executable)
            done(UV, "build", *quietly, *python, "--no-build-isolation", "--wheel", "--out-dir", folder, source)
            shutil.rmtree(source)
            done(UV, "venv", *quietly, *python, folder / "venv")
            (wheel,) = folder.glob("*.whl")
            ours = ("--python", folder / "venv/bin/python")
            done(UV, "pip", "install", *quietly, *ours, "--no-deps", wheel)
            (site(folder) / "libraries.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
            (folder / "done").touch()
    return folder


def site(folder: Path) -> Path:
    (found,) = folder.glob("venv/lib/python*/site-packages")
    return found


@pytest.fixture
def command(installed: Path, tmp_path: Path) -> Iterator[Runner]:
    """The installed commands, run as somebody whose home directory is new."""
    before = {name for name in files_under(site(installed)) if not name.endswith(".pyc")}
    yield Runner(installed / "venv/bin", tmp_path / "somebody", tmp_path)
    after = {name for name in files_under(site(installed)) if not name.endswith(".pyc")}
    assert after == before  # nothing is ever written there


class Runner:
    def __init__(self, programs: Path, somebody: Path, foreign: Path) -> None:
        self.programs, self.somebody, self.foreign = programs, somebody, foreign
        somebody.mkdir()

    def __call__(self, name: str, *options: object, **env: object) -> Ran:
        words = [str(self.programs / name), *map(str, options)]
        where = {"HOME": str(self.somebody), **{key: str(value) for key, value in env.items()}}
        ran = subprocess.run(words, capture_output=True, text=True, env=BARE | where, cwd=self.foreign, check=False)
        return Ran(ran.returncode, ran.stdout, ran.stderr)


def metadata(folder: Path) -> Message:
    (path,) = site(folder).glob("stockml-*.dist-info/METADATA")
    return message_from_string(path.read_text())


def test_the_wheel_holds_every_file_of_the_package_and_the_two_scripts(installed: Path) -> None:
    (wheel,) = installed.glob("*.whl")
    held = {name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name}
    needed = {
        str(path.relative_to(PROJECT))
        for path in (PROJECT / "stockml").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert held == needed | {"train_models.py", "realtime_predictor.py"}
    assert any(name.endswith(".j2") for name in held) and "stockml/py.typed" in held


def test_the_metadata_say_what_the_project_says(installed: Path) -> None:
    told = metadata(installed)
    assert (told["Name"], told["Version"], told["License-Expression"]) == ("stockml", stockml.__version__, "MIT")
    assert str(told.get_payload()).strip() == (PROJECT / "README.md").read_text().strip()
    assert set(told.get_all("Provides-Extra", [])) == {"cluster", "gpu", "notify"}


def test_a_worker_needs_no_copy_of_the_project_where_it_is_installed(
    installed: Path, tmp_path: Path, two_workers: LocalCluster
) -> None:
    other = two_workers.add_worker(cwd=tmp_path, python=installed / "venv/bin/python")
    with runner_of(two_workers, workers=3) as (runner, notices):
        assert (runner.jobs, notices) == (3, [])
    other.kill()
    other.wait()


@pytest.mark.parametrize(
    ("file", "extra"),
    [
        ("requirements.txt", ""),
        ("requirements-cluster.txt", "cluster"),
        ("requirements-gpu.txt", "gpu"),
        ("requirements-notify.txt", "notify"),
    ],
)
def test_dependencies_stand_once_in_the_files_of_requirements(installed: Path, file: str, extra: str) -> None:
    lines = [line.split("#")[0].strip() for line in (PROJECT / file).read_text().splitlines()]
    wanted = {str(with_marker(Requirement(line), extra)) for line in lines if line}
    told = [Requirement(text) for text in metadata(installed).get_all("Requires-Dist", [])]
    condition = f'extra == "{extra}"'
    mine = [one for one in told if (condition in str(one.marker) if extra else "extra" not in str(one.marker))]
    assert {str(one) for one in mine} == wanted != set()


def with_marker(requirement: Requirement, extra: str) -> Requirement:
    """The requirement as an extra brings it."""
    if extra:
        own = f"({requirement.marker}) and " if requirement.marker else ""
        requirement.marker = Marker(f'{own}extra == "{extra}"')
    return requirement


def test_the_commands_do_what_the_scripts_do_and_keep_their_home_with_the_user(command: Runner, tmp_path: Path) -> None:
    ran = command("stockml-predict", *SIM, DAY)
    beside = predict(*SIM, DAY, "--home", tmp_path / "beside")
    assert (ran.code, ran.out) == (0, beside.out)
    assert ran.err == beside.err.replace("train_models.py", "stockml-train") != beside.err
    home = command.somebody / ".local/share/stockml"
    assert log_of(home) == log_of(tmp_path / "beside")
    page = (home / "realtime_predictions/report.html").read_text()
    assert "<code>stockml-train</code>" in page and "train_models.py" not in page


@pytest.mark.parametrize(
    ("env", "options", "where"),
    [
        ({"XDG_DATA_HOME": "{tmp}/data"}, (), "data/stockml"),
        ({"XDG_DATA_HOME": "relative"}, (), "somebody/.local/share/stockml"),
        ({"XDG_DATA_HOME": "{tmp}/data", "STOCKML_HOME": "{tmp}/mine"}, (), "mine"),
        ({"STOCKML_HOME": "{tmp}/mine"}, ("--home", "{tmp}/named"), "named"),
    ],
)
def test_where_a_home_is_named(command: Runner, tmp_path: Path, env, options, where: str) -> None:
    env = {name: value.format(tmp=tmp_path) for name, value in env.items()}
    words = [word.format(tmp=tmp_path) for word in options]
    ran = command("stockml-predict", "--init", "--source", "sample", *words, **env)
    assert ran.code == 0 and ran.out.startswith(f"{tmp_path / where}/stockml.toml: written; both commands now need no")
    assert [path.name for path in tmp_path.rglob("stockml.toml")] == ["stockml.toml"]


@pytest.mark.parametrize("name", ["stockml-train", "stockml-predict"])
def test_help_names_the_commands_as_they_are_called(command: Runner, name: str) -> None:
    told = command(name, "--help")
    assert told.code == 0 and told.err == "" and told.out.startswith(f"usage: {name} ")
    assert ".py" not in told.out and f"\n    {name}\n" in told.out
    assert command(name, "--version").out == f"{name} {stockml.__version__}\n"


@pytest.mark.parametrize("command", [installed_commands.train, installed_commands.predict])
def test_without_the_libraries_they_say_so(command: Callable[[], int], monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # as it was, afterwards
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.setattr(bootstrap, "NEEDED", ("numpy", "no_such_library"))
    assert command() == 3
    assert capsys.readouterr() == (
        "",
        f"The libraries of stockml are not installed in {sys.prefix}; run `pip install` there again.\n",
    )


def test_helper_processes_find_the_installed_package(installed: Path, tmp_path: Path) -> None:
    code = (
        "from stockml.core.installation import IS_INSTALLED, PROJECT, TRAIN\n"
        "from stockml.trainers.process_pool import ProcessRunner\n"
        "with ProcessRunner(1, ['stockml.core.installation']) as runner:\n"
        "    print(list(runner.map(repr, [1])), IS_INSTALLED, PROJECT, TRAIN)\n"
    )
    words = [str(installed / "venv/bin/python"), "-c", code]
    told = subprocess.run(words, capture_output=True, text=True, env=BARE, cwd=tmp_path, check=True).stdout
    assert told == f"[(0, '1')] True {site(installed)} stockml-train\n"


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--symbols", "../x"), 2, "is not a symbol"),
        (("--top", "0"), 2, "--top: '0' is not a whole number above 0"),
        (("--source", "sample", "--symbols", "SIM-NO"), 3, "SIM-NO: not in the simulated market"),
    ],
)
def test_failures_are_told_as_the_scripts_tell_them(command: Runner, options, code: int, words: str) -> None:
    ran = command("stockml-predict", *options)
    assert ran.code == code and words in ran.err and "Traceback" not in ran.err
