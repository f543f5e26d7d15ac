"""Killed, refused, cut short or out of space at any call that changes the disk: the next run leaves what it should.

Each case copies a log, lets a real process come to grief in it, runs the same day again, and compares every byte that
the log, the lines set aside and feedback/ hold with those of a run that nothing happened to.
"""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from log_driver import CUT_SHORT, KILL_BEFORE, KILL_MIDWAY, Fault, Victims
from log_helpers import CHECKPOINT, feedback_bytes, run_day

from stockml.core.paths import Home

pytestmark = pytest.mark.usefixtures("in_haste")

TODAY = 10


def days_before(home: Home) -> None:
    """A log with settled and waiting lines; its checkpoint holds."""
    for day in range(TODAY):
        run_day(home, day)


def damaged(home: Home) -> None:
    """The same, with a line nobody can read, one without room, one doubled, two joined, and the last one cut."""
    days_before(home)
    lines = home.log.read_bytes().splitlines(keepends=True)
    lines[3] = b"\xff\xfe" + lines[3]
    lines[12] = lines[12].rstrip() + b"\n"
    lines[14] = lines[14].removesuffix(b"\n")
    home.log.write_bytes(b"".join([*lines[:-1], lines[5], lines[-1][:-400]]))


def first_day(home: Home) -> None:
    """Nothing at all."""
    home.root.mkdir(parents=True, exist_ok=True)


@dataclass(frozen=True)
class Scene:
    """A home to come to grief in, what it holds after a day that goes well, and the calls that such a day takes."""

    before: Path
    after: dict[str, bytes]
    calls: list[str]

    def places(self, what: str | int) -> list[int]:
        """The calls, from 1, at which a fault makes a difference: half a write can only be done by a write."""
        return [at for at, name in enumerate(self.calls, start=1) if what != KILL_MIDWAY or name in ("pwrite", "sql")]

    def copy(self, to: Path) -> Home:
        """A copy of the home whose checkpoint, if it had one, holds again."""
        home = Home(Path(shutil.copytree(self.before, to)))
        checkpoint = home.log.with_name(CHECKPOINT)
        if checkpoint.exists():
            checkpoint.unlink()
            run_day(home, TODAY - 1)
        return home


def kept(home: Home) -> dict[str, bytes]:
    """Everything that must survive: the log, the lines set aside, what was learned."""
    found = {path.name: path.read_bytes() for path in home.log.parent.glob("predictions*.jsonl")}
    return found | feedback_bytes(home)


def differing(one: dict[str, bytes], other: dict[str, bytes]) -> list[str]:
    """Names of files that are not the same; their texts would take pytest minutes to compare."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


@pytest.fixture(scope="module")
def victims() -> Iterator[Victims]:
    with closing(Victims()) as victims:
        yield victims


@pytest.fixture(scope="module", params=[days_before, damaged, first_day], ids=lambda prepare: prepare.__name__)
def scene(request: pytest.FixtureRequest, victims: Victims, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    before = tmp_path_factory.mktemp("before")
    request.param(Home(before))
    if request.param is damaged:
        Home(before).log.with_name(CHECKPOINT).unlink()
    scene = Scene(before, {}, [])
    home = scene.copy(tmp_path_factory.mktemp("after") / "home")
    said = victims.run(home, TODAY, None)
    assert said["code"] == 0
    return Scene(before, kept(home), said["calls"])


@pytest.mark.parametrize("what", [KILL_BEFORE, KILL_MIDWAY])
def test_killed_at_each_call_in_turn(victims: Victims, scene: Scene, tmp_path: Path, what: str) -> None:
    for at in scene.places(what):  # after a call is before the next; after the last there is nothing left to do
        home = scene.copy(tmp_path / str(at))
        assert victims.run(home, TODAY, Fault(what, at))["code"] == -signal.SIGKILL
        run_day(home, TODAY)
        assert differing(kept(home), scene.after) == [], f"{what} call {at}"


@pytest.mark.parametrize(("what", "lasts"), [(errno.ENOSPC, True), (errno.ENOSPC, False), (errno.EIO, False)])
def test_refused_at_each_call_in_turn(victims: Victims, scene: Scene, tmp_path: Path, what: int, lasts: bool) -> None:
    for at in scene.places(what):
        home = scene.copy(tmp_path / str(at))
        said = victims.run(home, TODAY, Fault(what, at, lasts))
        if said["code"] == 0 and scene.calls[at - 1] == "sql":
            continue  # the index could not be asked, so the log was read
        assert said["code"] == 3, f"call {at}: {said}"
        assert str(home.root) in said["message"] and "run again" in said["message"], f"call {at}: {said}"
        run_day(home, TODAY)
        assert differing(kept(home), scene.after) == [], f"call {at}: {said}"


def test_a_read_only_disk_is_named_with_a_remedy_and_nothing_changes(
    victims: Victims, scene: Scene, tmp_path: Path
) -> None:
    home = scene.copy(tmp_path / "home")
    before = sorted(path for path in home.root.rglob("*"))
    said = victims.run(home, TODAY, Fault(errno.EROFS, 1, lasts=True))
    assert said["code"] == 3 and "Read-only file system" in said["message"] and "--home" in said["message"]
    assert sorted(path for path in home.root.rglob("*")) == before
    run_day(home, TODAY)
    assert differing(kept(home), scene.after) == []


def test_short_writes_are_carried_on(victims: Victims, scene: Scene, tmp_path: Path) -> None:
    home = scene.copy(tmp_path / "home")
    assert victims.run(home, TODAY, Fault(CUT_SHORT, 1, lasts=True))["code"] == 0
    assert differing(kept(home), scene.after) == []


def test_killed_again_and_again_while_recovering(victims: Victims, scene: Scene, tmp_path: Path) -> None:
    home = scene.copy(tmp_path / "home")
    for at in [*range(1, len(scene.calls)), *range(len(scene.calls), 0, -1)]:
        assert victims.run(home, TODAY, Fault(KILL_MIDWAY, at))["code"] in (-signal.SIGKILL, 0)
    run_day(home, TODAY)
    assert differing(kept(home), scene.after) == []


def test_killed_at_200_random_moments_inside_the_writing(victims: Victims, tmp_path: Path) -> None:
    dice = random.Random(4)
    longest, killed, number = length_of_a_run(victims, Home(tmp_path / "timed")), 0, -1
    while killed < 100 or number < 199:
        number += 1
        home, calm, day = Home(tmp_path / f"killed{number // 20}"), Home(tmp_path / f"calm{number // 20}"), number % 20
        pid = victims.start(home, day)
        time.sleep(dice.random() * longest)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        was_killed = victims.end()["code"] == -signal.SIGKILL
        killed += was_killed
        longest *= 1.02 if was_killed else 0.95  # a run takes longer or shorter as the machine gets busy or quiet
        run_day(home, day)
        run_day(calm, day)
        assert differing(kept(home), kept(calm)) == [], f"number {number}"


def length_of_a_run(victims: Victims, home: Home) -> float:
    """Seconds from the first look at the log to the last fsync; of two runs the second, when all is cached."""
    for day in (0, 5):
        victims.start(home, day)
        began = time.perf_counter()
        victims.end()
    return time.perf_counter() - began


@pytest.fixture(scope="module")
def real_victims() -> Iterator[Victims]:
    with closing(Victims(real=True)) as victims:
        yield victims


@pytest.fixture(scope="module")
def real_scene(real_victims: Victims, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """A home of the real predictor's, a week after its first prediction."""
    before = Home(tmp_path_factory.mktemp("real_before"))
    for day in range(7):
        assert real_victims.run(before, day, None)["code"] == 0
    home = Home(Path(shutil.copytree(before.root, tmp_path_factory.mktemp("real_after") / "home")))
    said = real_victims.run(home, 7, None)
    assert said["code"] == 0 and b'"verified"' in home.log.read_bytes()
    return Scene(before.root, kept(home), said["calls"])


@pytest.mark.parametrize("fault", [Fault(KILL_BEFORE, 0), Fault(KILL_MIDWAY, 0), Fault(errno.ENOSPC, 0, lasts=True)])
def test_the_real_predictor_killed_and_refused_at_each_call_in_turn(
    real_victims: Victims, real_scene: Scene, tmp_path: Path, fault: Fault
) -> None:
    for at in real_scene.places(fault.what):
        home = Home(Path(shutil.copytree(real_scene.before, tmp_path / str(at))))
        said = real_victims.run(home, 7, replace(fault, at=at))
        assert said["code"] == (3 if fault.lasts else -signal.SIGKILL), f"call {at}: {said}"
        assert real_victims.run(home, 7, None)["code"] == 0
        assert differing(kept(home), real_scene.after) == [], f"call {at}"
