"""What `make install` does, with stand-ins for pip and uv: which installs, from where, and one build over another."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from scripts import BARE, PROJECT, Ran

LOCK = """numpy==2.4.6 \\
    --hash=sha256:00
tensorflow-cpu==2.21.0 ; sys_platform == 'linux' \\
    --hash=sha256:00
"""
NOTES = """#!/bin/sh
echo "{name} $*" >>{log}
env | grep -E '^(UV_|SSL_CERT_FILE|ALL_PROXY|PYTHONDONT)' | sed 's/^/   /' >>{log}
{actions}
"""
TELLS_SETTINGS = 'case "$*" in *"config list"*) cat {settings};; esac'


class StandIn:
    """A virtual environment whose pip and uv only note how they were called, and fail where they are to."""

    def __init__(self, folder: Path, *installed: str) -> None:
        self.venv, self.log, self.lock = folder / "venv", folder / "log", folder / "made-up.lock"
        self.site = self.venv / "lib/python3.11/site-packages"
        self.settings = folder / "settings"
        self.settings.write_text("")
        self.lock.write_text(LOCK)
        for name in installed:
            (self.site / f"{name}-1.0.dist-info").mkdir(parents=True)
        (self.venv / "bin").mkdir(parents=True)
        self.program("python", TELLS_SETTINGS.format(settings=self.settings))
        self.program("uv", "exit 0")

    def program(self, name: str, actions: str) -> None:
        path = self.venv / "bin" / name
        path.write_text(NOTES.format(name=name, log=self.log, actions=actions))
        path.chmod(0o755)

    def install(self, **variables: str) -> Ran:
        words = [sys.executable, str(PROJECT / ".ci/install"), str(self.venv), str(self.lock)]
        done = subprocess.run(words, capture_output=True, text=True, env=BARE | variables, cwd="/", check=False)
        return Ran(done.returncode, done.stdout, done.stderr)

    @property
    def calls(self) -> list[str]:
        """Who was asked to do what, settings aside."""
        found = [line.split() for line in self.log.read_text().splitlines() if not line.startswith("   ")]
        acts = ({"install", "uninstall"} & set(words) for words in found)
        return [f"{words[0]} {act.pop()}" for words, act in zip(found, acts, strict=True) if act]


def test_pip_installs_uv_and_uv_the_rest_with_hashes_and_bytecode(tmp_path: Path) -> None:
    made = StandIn(tmp_path, "numpy")
    told = made.install(PYTHONDONTWRITEBYTECODE="1")
    assert (told.code, told.err, made.calls) == (0, "", ["python install", "uv install"])
    log = made.log.read_text()
    first, last, compiling = (line for line in log.splitlines() if re.search(" install | compileall ", line))
    assert "--require-hashes" in first and first.endswith("requirements-uv.lock")
    assert "--require-hashes" in last and str(made.lock) in last
    assert compiling.startswith("python -m compileall") and compiling.endswith(str(made.site))
    assert "PYTHONDONT" not in log


@pytest.mark.parametrize(
    ("program", "actions", "calls", "words"),
    [
        ("python", 'case "$*" in *uv.lock*) exit 1;; esac', ["python install", "python install"], "uv cannot be had"),
        ("uv", "exit 1", ["python install", "uv install", "python install"], "uv could not install made-up.lock"),
        ("uv", None, ["python install", "python install"], "uv cannot be started"),
    ],
)
def test_where_uv_fails_pip_installs(
    tmp_path: Path, program: str, actions: str | None, calls: list[str], words: str
) -> None:
    made = StandIn(tmp_path)
    if actions is None:
        (made.venv / "bin" / program).unlink()
    else:
        made.program(program, actions)
    told = made.install()
    assert (told.code, made.calls) == (0, calls) and words in told.err and "Traceback" not in told.err


def test_where_nothing_can_install_that_is_the_exit_code(tmp_path: Path) -> None:
    made = StandIn(tmp_path)
    made.program("python", "exit 1")
    told = made.install()
    assert told.code == 1 and told.err.splitlines()[-1].startswith(f"{made.lock} could not be installed")


@pytest.mark.parametrize(
    ("settings", "variables", "known"),
    [
        ("global.index-url='https://one.invalid/simple'", {}, {"UV_INDEX_URL": "https://one.invalid/simple"}),
        ("global.index-url='https://one.invalid'\n:env:.index-url='two'", {}, {"UV_INDEX_URL": "two"}),
        ("install.index-url='two'\nglobal.index-url='one'", {}, {"UV_INDEX_URL": "two"}),
        ("global.index-url='one'", {"UV_INDEX_URL": "mine"}, {"UV_INDEX_URL": "mine"}),
        (
            "global.extra-index-url='\\nfile:///a/simple\\nfile:///b/simple'",
            {},
            {"UV_EXTRA_INDEX_URL": "file:///a/simple file:///b/simple", "UV_INDEX_STRATEGY": "unsafe-best-match"},
        ),
        ("global.find-links='/a /b'", {}, {"UV_FIND_LINKS": "/a,/b"}),
        (
            "global.cert='/a.pem'\nglobal.proxy='http://p.invalid:1'\n:env:.default-timeout='180'",
            {},
            {"SSL_CERT_FILE": "/a.pem", "ALL_PROXY": "http://p.invalid:1", "UV_HTTP_TIMEOUT": "180"},
        ),
        ("download.index-url='one'\nglobal.quiet='1'\nno setting\nglobal.cert=", {}, {}),
    ],
)
def test_uv_is_told_where_pip_gets_packages(
    tmp_path: Path, settings: str, variables: dict[str, str], known: dict[str, str]
) -> None:
    made = StandIn(tmp_path)
    made.settings.write_text(settings + "\n")
    assert made.install(**variables).code == 0
    told = made.log.read_text().split("uv pip install")[1]
    assert dict(line.strip().split("=", 1) for line in told.splitlines()[1:]) == known


@pytest.mark.parametrize(
    ("installed", "removed"),
    [
        (("numpy", "tensorflow_cpu", "xgboost_cpu"), None),
        (("numpy", "tensorflow"), None),
        (("xgboost", "xgboost_cpu", "tensorflow_cpu"), "xgboost xgboost-cpu"),
        (
            ("tensorflow", "tensorflow_cpu", "nvidia_nccl_cu12", "xgboost"),
            "nvidia-nccl-cu12 tensorflow tensorflow-cpu",
        ),
    ],
)
@pytest.mark.parametrize("without_uv", [False, True])
def test_of_two_builds_over_each_other_both_are_removed_and_the_lock_s_is_installed_again(
    tmp_path: Path, installed: tuple[str, ...], removed: str | None, without_uv: bool
) -> None:
    made = StandIn(tmp_path, *installed)
    if without_uv:
        (made.venv / "bin/uv").unlink()
    assert made.install().code == 0
    by = "python" if without_uv else "uv"
    again = [f"{by} uninstall", f"{by} install"] if removed else []
    assert made.calls == ["python install", f"{by} install", *again]
    if removed:
        (line,) = (line for line in made.log.read_text().splitlines() if "uninstall" in line)
        assert line.endswith(removed)


def test_what_no_program_loads_is_removed_and_nothing_else(tmp_path: Path) -> None:
    made = StandIn(tmp_path)
    files = ("tensorflow/include/a.h", "tensorflow/python/a.py", "clang/native/libclang.so", "clang/cindex.py")
    for name in files:
        (made.site / name).parent.mkdir(parents=True, exist_ok=True)
        (made.site / name).write_text("")
    assert made.install().code == 0
    assert [(made.site / name).exists() for name in files] == [False, True, False, True]


def locked(name: str) -> dict[str, str]:
    """The versions in a lock; where several Pythons have their own, the last one's."""
    return dict(re.findall(r"^([a-z0-9-]+)==([^\s;]+)", (PROJECT / name).read_text(), flags=re.M))


def test_the_locks_agree_with_each_other() -> None:
    installer, plain, gpu, dev = (locked(f"requirements{which}.lock") for which in ("-uv", "", "-gpu", "-dev"))
    assert installer.items() <= dev.items() and plain.items() <= dev.items()
    builds = {"tensorflow-cpu", "xgboost-cpu", "xgboost"}
    assert {name: number for name, number in plain.items() if name not in builds}.items() <= gpu.items()
    assert {"tensorflow-cpu", "xgboost-cpu"} <= set(plain) and not {"tensorflow-cpu", "xgboost-cpu"} & set(gpu)
    assert not [name for name in plain if name.startswith("nvidia-")]
