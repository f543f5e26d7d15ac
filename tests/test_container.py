"""Dockerfile, compose.yaml and the daily run in a container, as far as they can be checked without Docker.

`make image` builds the image where Docker is at hand.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from dockerfile import copied, instructions
from scripts import PROJECT

KNOWN = {"FROM", "ENV", "RUN", "COPY", "USER", "WORKDIR", "VOLUME", "CMD"}
COMPOSE: dict[str, Any] = yaml.safe_load((PROJECT / "compose.yaml").read_text())
DAILY = COMPOSE["services"]["daily"]


def commands() -> set[str]:
    """The programs of ours that the image has."""
    scripts = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["scripts"]
    return {*scripts, *(one.words[-1].rsplit("/")[-1] for one in instructions() if one.words[-1].startswith("/usr/"))}


def last(name: str) -> str:
    return [one.text for one in instructions() if one.name == name][-1]


def test_every_base_is_one_version_of_the_python_that_is_developed_on() -> None:
    bases = {one.words[0] for one in instructions() if one.name == "FROM"}
    (python,) = re.findall(r"^PYTHON \?= (python3\.\d+)$", (PROJECT / "Makefile").read_text(), flags=re.M)
    assert bases == {f"{python.replace('python', 'python:')}-slim-bookworm"}
    assert {one.name for one in instructions()} == KNOWN


def test_whoever_runs_it_is_not_root_and_owns_nothing_but_the_home() -> None:
    names = [one.name for one in instructions()]
    (user,) = (one.text for one in instructions() if one.name == "USER")
    assert user.isdecimal() and int(user) >= 10000 and f"--uid {user} " in last("RUN")
    assert not {"RUN", "COPY"} & set(names[names.index("USER") :])
    owned = re.findall(r"--owner \S+.*?(/\S+)", "\n".join(one.text for one in instructions()))
    assert owned == [last("VOLUME")] == [last("WORKDIR")] and f"STOCKML_HOME={owned[0]}" in last("ENV").split()


def test_nothing_is_installed_that_the_lock_does_not_know() -> None:
    installs = [one.text for one in instructions() if "pip install" in one.text]
    assert len(installs) == 2
    assert "--require-hashes --requirement /source/requirements.lock" in installs[0]
    assert "--no-deps --no-build-isolation" in installs[1]
    assert not [one for one in instructions() if "ADD" in one.name or "http" in one.text or "apt" in one.text]
    lock = (PROJECT / "requirements.lock").read_text()
    (needed,) = tomllib.loads((PROJECT / "pyproject.toml").read_text())["build-system"]["requires"]
    (locked,) = re.findall(r"^setuptools==(\d+)", lock, flags=re.M)
    assert int(locked) >= int(needed.removeprefix("setuptools>="))


def test_bytecode_is_compiled_while_it_can_be_written() -> None:
    assert not any("DONTWRITEBYTECODE" in one.text for one in instructions())
    assert all("--compile" in one.text for one in instructions() if "pip install" in one.text)


def is_sent(path: str) -> bool:
    """True for what .dockerignore leaves in: the last rule that matches a path or a folder above it decides."""
    answer = True
    for rule in (PROJECT / ".dockerignore").read_text().splitlines():
        pattern = rule.removeprefix("!")
        above = [path, *map(str, Path(path).parents)][:-1] if "/" in path else [path]
        if rule and not rule.startswith("#") and any(fnmatch(one, pattern) for one in above):
            answer = rule.startswith("!")
    return answer


def test_all_that_is_copied_is_sent_to_docker_and_little_else() -> None:
    assert {str(path) for path in copied() if not is_sent(str(path))} == set()
    listing = subprocess.run(["git", "ls-files"], capture_output=True, text=True, cwd=PROJECT, check=False)
    copies = {str(path) for path in copied()}
    for path in listing.stdout.split():
        assert not is_sent(path) or path in copies or path.startswith("stockml/"), path


PRIVATE = [
    ".git",
    ".env",
    ".venv/bin/python",
    "stockml.toml",
    "demo/stockml.toml",
    "realtime_predictions/predictions.jsonl",
    "ml_training_data/models",
    "stockml/core/__pycache__/paths.cpython-311.pyc",
    "build/lib",
]


@pytest.mark.parametrize("path", PRIVATE)
def test_neither_a_home_nor_a_secret_is_sent(path: str) -> None:
    assert not is_sent(path)


def test_compose_runs_the_image_daily_with_its_home_in_a_volume() -> None:
    assert set(COMPOSE) == {"services", "volumes"} and set(COMPOSE["services"]) == {"daily"}
    assert set(DAILY) == {"build", "image", "command", "environment", "volumes", "init", "restart"}
    (volume,) = DAILY["volumes"]
    name, place = volume.split(":")
    assert name in COMPOSE["volumes"] and place == last("VOLUME")
    assert ZoneInfo(DAILY["environment"]["TZ"]) and time.strptime(DAILY["environment"]["AT"], "%H:%M")
    assert (DAILY["init"], DAILY["restart"], DAILY["build"]) == (True, "unless-stopped", ".")
    assert {DAILY["command"][0], json.loads(last("CMD"))[0]} <= commands()


def test_the_image_is_named_alike_everywhere() -> None:
    pages = (PROJECT / "docs/cron-systemd.md").read_text(), (PROJECT / "Makefile").read_text()
    assert all(f"docker build --tag {DAILY['image']} ." in page for page in pages)


# ---- the daily run ----


def run_daily(folder: Path, **env: str) -> tuple[int, str, list[str]]:
    """The exit code, the messages and the programs that were run, up to the second evening."""
    kept = folder / "ran"
    programs = {
        "sleep": f'echo "sleep $1" >> {kept}',
        "stockml-train": f'echo "stockml-train $*" >> {kept}; exit 3',
        "stockml-predict": f'echo "stockml-predict $*" >> {kept}; [ $(wc -l < {kept}) -lt 6 ] || kill $PPID',
    }
    (folder / "bin").mkdir()
    for name, text in programs.items():
        (folder / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / "bin" / name).chmod(0o755)
    env = {"PATH": f"{folder / 'bin'}:/usr/bin:/bin", **env}
    ran = subprocess.run([PROJECT / "docker/daily"], capture_output=True, text=True, env=env, cwd="/", check=False)
    return ran.returncode, ran.stderr, kept.read_text().splitlines() if kept.exists() else []


@pytest.mark.parametrize("env", [{}, {"AT": "16:00", "TZ": "Asia/Kolkata"}, {"AT": "03:30", "TZ": "UTC"}])
def test_each_day_at_its_time_it_trains_what_is_stale_then_predicts(tmp_path: Path, env: dict[str, str]) -> None:
    before = int(time.time())
    code, told, ran = run_daily(tmp_path, **env)
    assert (code, told) == (-15, "")
    assert ran[1::3] == ["stockml-train --only-stale 30 --quiet"] * 2  # its failure keeps nobody from predicting
    assert ran[2::3] == ["stockml-predict --quiet"] * 2
    seconds = int(ran[0].removeprefix("sleep "))
    assert 0 < seconds <= 90_000  # a day may have 25 hours
    at = time.gmtime(before + seconds + (19800 if env.get("TZ") == "Asia/Kolkata" else 0))
    hours, minutes = map(int, env.get("AT", "16:00").split(":"))
    if "TZ" in env:
        late = (at.tm_hour * 60 + at.tm_min - hours * 60 - minutes) % 1440
        assert late in (1439, 0)  # the second at which it asked may be one after ours


@pytest.mark.parametrize("at", ["25:00", "noonish", "16:00:00:00"])
def test_a_time_that_is_none_is_refused(tmp_path: Path, at: str) -> None:
    assert run_daily(tmp_path, AT=at) == (2, f"AT={at} is no time of day; write one such as 16:00\n", [])
