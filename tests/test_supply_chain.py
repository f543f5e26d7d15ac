"""The audit of the locks and the list of outdated dependencies, with and without an index; Renovate's files."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from scripts import BARE, PROJECT, Ran


def ran(script: str, *command: object) -> Ran:
    words = [sys.executable, str(PROJECT / ".ci" / script), *map(str, command)]
    done = subprocess.run(words, capture_output=True, text=True, env=BARE, cwd="/", check=False)
    return Ran(done.returncode, done.stdout, done.stderr)


def answering(folder: Path, text: str, code: int = 0) -> Path:
    """A program that prints this, whatever it is asked."""
    (folder / "answer").write_text(text)
    program = folder / "program"
    program.write_text(f"#!/bin/sh\ncat {folder / 'answer'}\nexit {code}\n")
    program.chmod(0o755)
    return program


def package(name: str, *ids: str) -> dict[str, Any]:
    return {"name": name, "version": "1.0", "vulns": [{"id": id_, "fix_versions": ["1.1"]} for id_ in ids]}


LOCKS = sorted(path.name for path in PROJECT.glob("requirements*.lock"))
SKIPPED = {"name": "other", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("packages", "code", "words"),
    [
        ([package("one"), package("two")], 0, "no vulnerability is known of 2 packages."),
        ([package("one"), SKIPPED], 0, "no vulnerability is known of 1 packages; 1 are not known to the index."),
        ([package("one", "CVE-1"), SKIPPED], 1, "one 1.0: CVE-1; mended in 1.1"),
        ([SKIPPED], 3, "could not be audited: the index knows none of its packages"),
    ],
)
def test_the_audit_tells_of_each_lock(tmp_path: Path, packages: list[dict[str, Any]], code: int, words: str) -> None:
    told = ran("audit", answering(tmp_path, json.dumps({"dependencies": packages, "fixes": []}), code=min(code, 1)))
    assert (told.code, told.err) == (code, "")
    for lock in LOCKS:
        assert f"{lock}: {words}" in told.out


@pytest.mark.parametrize("text", ["", "Traceback (most recent call last):", "[]", "null"])
def test_offline_the_audit_says_that_it_could_not(tmp_path: Path, text: str) -> None:
    told = ran("audit", answering(tmp_path, text, code=1))
    assert (told.code, told.out.count("could not be audited: no answer from the index")) == (3, len(LOCKS))
    assert ran("audit", "/proc/nonexistent").code == 3


def test_outdated_direct_dependencies_are_named_and_no_others(tmp_path: Path) -> None:
    newer = "numpy==99.0\nexchange-calendars==98.1 ; marker\npytz==97.0\n"
    told = ran("outdated", answering(tmp_path, newer))
    assert told.code == 0 and re.search(r": exchange-calendars \S+, newest 98\.1; numpy \S+, newest 99\.0\.$", told.out)


@pytest.mark.parametrize("command", ["/proc/nonexistent", "/bin/false"])
def test_where_nothing_can_be_asked_that_is_told_and_nothing_fails(command: str) -> None:
    told = ran("outdated", command)
    assert (told.code, "could not be asked for" in told.out) == (0, True)


def test_renovate_knows_every_file_of_requirements() -> None:
    settings = json.loads((PROJECT / "renovate.json").read_text())
    (pattern,) = settings["pip_requirements"]["managerFilePatterns"]
    files = [path.name for path in PROJECT.glob("requirements*")]
    assert len(files) >= 10 and all(re.search(pattern.strip("/"), name) for name in files)
    patterns = [each for rule in settings["packageRules"] for each in rule["matchFileNames"]]
    assert all(sum(fnmatchcase(name, each) for each in patterns) == 1 for name in files)
    pinned = settings["customManagers"][0]["matchStrings"][0].replace("(?<", "(?P<")
    assert re.search(pinned, (PROJECT / "Makefile").read_text())
