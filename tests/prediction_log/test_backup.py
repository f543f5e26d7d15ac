"""Backups that are whole or refused, and a record that is the old one or the new one wherever a restore is cut."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import signal
import stat
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from log_driver import KILL_BEFORE, KILL_IN_APPEND, KILL_MIDWAY, Fault, in_child
from log_helpers import AT, Tally, feedback_bytes, records, run_day, settled_ids

from stockml.accuracy.tracker import Feedback
from stockml.core.paths import Home
from stockml.prediction_log.backup import back_up, unpacked
from stockml.prediction_log.log import PredictionLog
from stockml.prediction_log.restore import RECORD, alone, put_in_place, unready_folder
from stockml.storage.archive import MANIFEST, ArchiveError

pytestmark = pytest.mark.usefixtures("in_haste")

NOW = datetime(2026, 2, 1, 12, tzinfo=UTC)
DAYS = 8
LOG = "realtime_predictions/predictions.jsonl"


def lived(home: Home, days: int = DAYS) -> Home:
    for day in range(days):
        run_day(home, day)
    home.exchanges.write_text('{"TCS.NS": "XBOM"}\n')
    return home


def copied(home: Home, path: Path) -> Path:
    log = PredictionLog(home.log)
    with log.locked():
        back_up(home, log, path, NOW)
    return path


def restore(home: Home, path: Path) -> Path | None:
    with alone(home.log, 60):
        backup = unpacked(path, unready_folder(home.log))
        return put_in_place(home.log, backup.names, "now")


def kept(home: Home) -> dict[str, bytes]:
    """Everything that must survive, without what is known of the log beside it."""
    found = {name: home.root / name for name in RECORD if "/." not in name}
    return {name: path.read_bytes() for name, path in found.items() if path.exists()}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return lived(Home(tmp_path_factory.mktemp("source")))


@pytest.fixture(scope="module")
def backup(source: Home, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copied(source, tmp_path_factory.mktemp("backups") / "record.zip")


# ---- there and back ----


def test_a_restored_record_goes_on_as_if_nothing_had_happened(source: Home, backup: Path, tmp_path: Path) -> None:
    home, calm = Home(tmp_path / "home"), Home(Path(shutil.copytree(source.root, tmp_path / "calm")))
    assert restore(home, backup) is None and kept(home) == kept(source)
    PredictionLog(home.log).check()
    for day in (DAYS, DAYS + 1):
        run_day(home, day)
        run_day(calm, day)
    assert kept(home) == kept(calm)


def test_the_record_that_was_there_is_moved_aside_whole(source: Home, backup: Path, tmp_path: Path) -> None:
    home = lived(Home(tmp_path / "home"), 5)
    home.log.with_name("predictions.rejected.jsonl").write_text("set aside earlier\n")
    before = kept(home)
    aside = restore(home, backup)
    assert aside is not None and kept(Home(aside)) == before
    assert kept(home) == kept(source) and not home.log.with_name(".restore").exists()
    again = restore(home, backup)
    assert again is not None and again != aside and kept(Home(again)) == kept(source)


def test_a_lost_log_comes_back_although_it_was_known_and_a_run_refuses_it(
    source: Home, backup: Path, tmp_path: Path
) -> None:
    for number, spoil in enumerate((Path.unlink, partial(os.truncate, length=0), lambda log: log.write_bytes(b"x\n"))):
        home = Home(Path(shutil.copytree(source.root, tmp_path / str(number))))
        spoil(home.log)
        restore(home, backup)
        PredictionLog(home.log).check()
        run_day(home, DAYS)
        assert len(records(home.log)) == 2 * (DAYS + 1)


def test_a_log_that_is_a_link_keeps_what_it_leads_to(source: Home, backup: Path, tmp_path: Path) -> None:
    home = Home(Path(shutil.copytree(source.root, tmp_path / "home")))
    elsewhere = home.log.rename(tmp_path / "elsewhere.jsonl")
    home.log.symlink_to(elsewhere)
    aside = restore(home, backup)
    assert aside is not None and (aside / LOG).is_symlink() and not home.log.is_symlink()
    assert elsewhere.read_bytes() == home.log.read_bytes() == source.log.read_bytes()


def test_a_backup_tells_what_it_lacks(source: Home, backup: Path, tmp_path: Path) -> None:
    found = unpacked(backup, tmp_path / "unpacked")
    assert found.predictions == 2 * DAYS and found.kinds == {"csv"} and found.made_at == "2026-02-01T12:00:00Z"
    assert found.lacks(source.log) == (0, "")
    newer = Home(Path(shutil.copytree(source.root, tmp_path / "newer")))
    run_day(newer, DAYS)
    assert found.lacks(newer.log) == (2, "2026-01-13")
    assert found.lacks(tmp_path / "nothing") == (0, "")


# ---- hostile and damaged archives ----


def rewritten(backup: Path, path: Path, change: Callable[[dict[str, bytes]], object]) -> Path:
    """A copy of the backup whose members were changed, its manifest agreeing only where `change` saw to it."""
    with zipfile.ZipFile(backup) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def listed(members: dict[str, bytes], name: str, content: bytes) -> None:
    """Add a member that the manifest lists truly."""
    manifest = json.loads(members[MANIFEST])
    manifest["files"][name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    members |= {name: content, MANIFEST: json.dumps(manifest).encode()}


def said(members: dict[str, bytes], **what: object) -> None:
    members[MANIFEST] = json.dumps(json.loads(members[MANIFEST]) | what).encode()


def claimed(members: dict[str, bytes], name: str, length: int) -> None:
    """Let the manifest claim another length of a member."""
    files = json.loads(members[MANIFEST])["files"]
    said(members, files=files | {name: files[name] | {"bytes": length}})


def unlisted(members: dict[str, bytes], name: str) -> None:
    """Take a member out, and out of the manifest."""
    del members[name]
    said(members, files={key: value for key, value in json.loads(members[MANIFEST])["files"].items() if key != name})


CHANGED: dict[str, tuple[Callable[[dict[str, bytes]], object], str]] = {
    "a path upwards": (lambda m: listed(m, "../evil", b"x"), "'../evil', which is no file of a backup"),
    "an absolute path": (lambda m: listed(m, "/tmp/evil", b"x"), "'/tmp/evil', which is no file of a backup"),
    "another file of the home": (lambda m: listed(m, "realtime_predictor.py", b"x"), "which is no file of a backup"),
    "a model": (lambda m: listed(m, "ml_training_data/models/A/xgb_model.pkl", b"x"), "which is no file of a backup"),
    "one byte of the log": (lambda m: m.update({LOG: m[LOG][:-9] + b"x" + m[LOG][-8:]}), "is not as it was written"),
    "a shorter log": (lambda m: m.update({LOG: m[LOG][:-1]}), "is not as it was written"),
    "a longer log": (lambda m: m.update({LOG: m[LOG] + b"\n"}), "is not as it was written"),
    "no log": (lambda m: unlisted(m, LOG), "no prediction log"),
    "a missing file": (lambda m: m.pop(LOG), "does not hold the files that its manifest.json lists"),
    "a file that is not listed": (lambda m: m.update({"stockml.toml": b""}), "does not hold the files"),
    "no manifest": (lambda m: m.pop(MANIFEST), "holds no manifest.json"),
    "a manifest of another kind": (lambda m: m.update({MANIFEST: b"[]"}), "manifest.json that is not an object"),
    "a manifest that is no JSON": (lambda m: m.update({MANIFEST: b"{"}), "manifest.json that is not JSON"),
    "a manifest without end": (lambda m: m.update({MANIFEST: b" " * 10_000_000}), "manifest.json that is longer than"),
    "a newer format": (lambda m: said(m, format=2), "format 2, which a newer version wrote"),
    "no format": (lambda m: said(m, format=None), "is no backup of a prediction log"),
    "lines that do not read": (lambda m: listed(m, LOG, m[LOG] + b"nonsense\n"), "whose line 17 does not read"),
    "lines of a newer version": (
        lambda m: listed(m, LOG, m[LOG].replace(b'"format": 2,', b'"format": 3,')),
        "a newer version wrote",
    ),
    "a claim of terabytes": (
        lambda m: claimed(m, LOG, 10**13),
        "over 200 times its size",
    ),
    "more than it lists": (lambda m: m.update({LOG: m[LOG] + bytes(20_000_000)}), "is not as it was written"),
}


@pytest.mark.parametrize("name", CHANGED)
def test_a_hostile_or_damaged_backup_is_refused_and_touches_nothing(
    source: Home, backup: Path, tmp_path: Path, name: str
) -> None:
    change, words = CHANGED[name]
    path = rewritten(backup, tmp_path / "changed.zip", change)
    home = Home(Path(shutil.copytree(source.root, tmp_path / "box" / "home")))
    with pytest.raises(ArchiveError, match=words.replace(".", r"\.")):
        restore(home, path)
    assert kept(home) == kept(source)
    assert sorted(found.name for found in tmp_path.rglob("*evil*")) == []


@pytest.mark.parametrize(("kind", "word"), [(stat.S_IFLNK, "link"), (stat.S_IFIFO, "FIFO"), (stat.S_IFCHR, "device")])
def test_a_member_that_is_no_plain_file_is_refused(backup: Path, tmp_path: Path, kind: int, word: str) -> None:
    path = tmp_path / f"{word}.zip"
    with zipfile.ZipFile(backup) as archive, zipfile.ZipFile(path, "w") as changed:
        for member in archive.infolist():
            content = archive.read(member)
            if member.filename == LOG:
                member.external_attr = (kind | 0o777) << 16
            changed.writestr(member, content)
    with pytest.raises(ArchiveError, match="something else than a plain file"):
        unpacked(path, tmp_path / "unpacked")


def test_any_cut_or_changed_byte_is_refused_or_does_no_harm(source: Home, backup: Path, tmp_path: Path) -> None:
    whole, path = backup.read_bytes(), tmp_path / "changed.zip"
    for number, at in enumerate(range(0, len(whole), 397)):
        changed = whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :]
        for content in (whole[:at], changed, whole[:at] + whole[at + 1 :]):
            path.write_bytes(content)
            folder = tmp_path / "unpacked"
            shutil.rmtree(folder, ignore_errors=True)
            try:
                unpacked(path, folder)
            except ArchiveError:
                continue
            assert (folder / LOG).read_bytes() == source.log.read_bytes(), number


def test_an_archive_that_claims_a_great_directory_is_refused_before_it_is_read(backup: Path, tmp_path: Path) -> None:
    content = bytearray(backup.read_bytes())
    content[-10:-6] = (1 << 30).to_bytes(4, "little")
    path = tmp_path / "great.zip"
    path.write_bytes(content)
    with pytest.raises(ArchiveError, match="claims a directory of 1,073,741,824 bytes"):
        unpacked(path, tmp_path / "unpacked")


# ---- cut at each step ----


def faults(action: Callable[[], object], fresh: Callable[[], None], what: str | int) -> Iterator[int]:
    """The calls of an action, from 1, each after the action ran on what `fresh` made, with a fault at that call."""
    fresh()
    calls = in_child(action)["calls"]
    for at, name in enumerate(calls, start=1):
        if what == KILL_MIDWAY and name != "pwrite":
            continue
        fresh()
        done = in_child(action, Fault(what, at, lasts=isinstance(what, int)))
        left = name == "rmdir" and done["code"] == 0  # an empty folder that stays is the next start's to take away
        assert left or done["code"] == (3 if isinstance(what, int) else -signal.SIGKILL), f"call {at}: {done}"
        yield at


@pytest.mark.parametrize("what", [KILL_BEFORE, KILL_MIDWAY, errno.ENOSPC])
def test_a_restore_cut_at_each_call_leaves_the_old_record_or_the_new(
    source: Home, backup: Path, tmp_path: Path, what: str | int
) -> None:
    old = lived(Home(tmp_path / "old"), 5)
    old.log.with_name("predictions.rejected.jsonl").write_text("set aside earlier\n")
    home, ends = Home(tmp_path / "home"), set()

    def fresh() -> None:
        shutil.rmtree(home.root, ignore_errors=True)
        shutil.copytree(old.root, home.root)

    for at in faults(lambda: restore(home, backup), fresh, what):
        PredictionLog(home.log).check()
        assert home.log.read_bytes() in (old.log.read_bytes(), source.log.read_bytes()), f"call {at}"
        with PredictionLog(home.log).locked() as log:
            Feedback(home.feedback, Tally).update(log)
        is_new = home.log.read_bytes() == source.log.read_bytes()
        assert kept(home) == kept(source if is_new else old), f"call {at}"
        asides = list(home.log.parent.glob("before-restore-*"))
        assert [kept(Home(aside)) for aside in asides] == ([kept(old)] if is_new else []), f"call {at}"
        ends.add(is_new)
    assert ends == {False, True} or what == KILL_MIDWAY


def test_a_restore_killed_again_and_again_while_it_is_finished(source: Home, backup: Path, tmp_path: Path) -> None:
    home = lived(Home(tmp_path / "home"), 5)
    old = kept(home)
    calls = in_child(lambda: restore(home, backup), Fault(KILL_BEFORE, 10**6))["calls"]
    shutil.rmtree(home.root)
    lived(home, 5)
    committed = calls.index("rename") + 2
    assert in_child(lambda: restore(home, backup), Fault(KILL_BEFORE, committed))["code"] == -signal.SIGKILL

    def finish() -> None:
        with alone(home.log, 60):
            pass

    for at in range(1, len(calls)):
        if in_child(finish, Fault(KILL_BEFORE, at))["code"] == 0:
            break
    (aside,) = home.log.parent.glob("before-restore-*")
    assert kept(home) == kept(source) and kept(Home(aside)) == old


def test_what_an_interrupted_run_began_moves_aside_with_its_log(source: Home, backup: Path, tmp_path: Path) -> None:
    home = lived(Home(tmp_path / "home"), 5)
    assert in_child(lambda: run_day(home, 5) and None, Fault(KILL_IN_APPEND, 0))["code"] == -signal.SIGKILL
    assert home.log.with_name(".predictions.journal").exists()
    aside = restore(home, backup)
    assert kept(home) == kept(source) and aside is not None
    with PredictionLog(home.log).locked() as log:
        assert len(log.read().pending) + len(list(log.read().settled)) == 2 * DAYS
    with PredictionLog(aside / LOG).locked() as log:  # the old record is whole: its run can still be finished there
        assert len(log.read().pending) + len(list(log.read().settled)) == 2 * 6


@pytest.mark.parametrize("what", [KILL_BEFORE, errno.ENOSPC, errno.EIO])
def test_a_backup_cut_at_each_call_leaves_a_whole_one_or_none(source: Home, tmp_path: Path, what: str | int) -> None:
    path = tmp_path / "record.zip"
    for at in faults(lambda: copied(source, path), lambda: path.unlink(missing_ok=True), what):
        if path.exists():
            assert unpacked(path, tmp_path / f"unpacked{at}").predictions == 2 * DAYS
            path.unlink()
        copied(source, path)


@pytest.mark.parametrize("what", [KILL_BEFORE, KILL_MIDWAY, errno.ENOSPC])
def test_a_reopening_cut_at_each_call_is_done_or_not_and_never_half(
    source: Home, tmp_path: Path, what: str | int
) -> None:
    ids = settled_ids(source)[:3]
    home, statuses = Home(tmp_path / "home"), set()

    def fresh() -> None:
        shutil.rmtree(home.root, ignore_errors=True)
        shutil.copytree(source.root, home.root)

    def reopen() -> None:
        with PredictionLog(home.log).locked() as log:
            log.reopen(dict.fromkeys(ids, AT))
            Feedback(home.feedback, Tally).update(log)

    for at in faults(reopen, fresh, what):
        with PredictionLog(home.log).locked() as log:
            Feedback(home.feedback, Tally).update(log)
        found = {record["status"] for record in records(home.log) if record["id"] in ids}
        assert len(found) == 1 and len(records(home.log)) == 2 * DAYS, f"call {at}"
        before = feedback_bytes(home)
        for path in home.feedback.iterdir():
            path.unlink()
        with PredictionLog(home.log).locked() as log:
            Feedback(home.feedback, Tally).update(log)
        assert feedback_bytes(home) == before, f"call {at}"
        statuses |= found
    assert "pending" in statuses
