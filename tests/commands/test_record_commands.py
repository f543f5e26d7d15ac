"""Whole commands: --reopen, --backup and --restore, what they refuse, and that the runs after them go on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import jsonschema
import pytest
from scripts import PROJECT, Ran, files_under, log_of, predict

SYMBOLS = ("SIM-ALPHA", "SIM-BETA", "SIM-GAMMA")
DAYS = ("2026-03-02", "2026-03-03", "2026-03-04", "2026-03-10")
NEXT = "2026-03-11"
FIRST, LAST = "SIM-ALPHA:2026-03-02:5", "SIM-ALPHA:2026-03-10:5"


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with settled and pending lines."""
    home = tmp_path_factory.mktemp("lived")
    for day in DAYS:
        assert day_of(home, day).code == 0
    return home


@pytest.fixture
def home(lived: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(lived, tmp_path / "home"))


def command(home: Path, *options: object) -> Ran:
    return predict("--source", "sample", "--home", home, *options)


def day_of(home: Path, day: str) -> Ran:
    return command(home, "--symbols", *SYMBOLS, "--as-of", day)


def record(home: Path) -> dict[str, bytes]:
    """What a run leaves that does not tell the wall clock."""
    volatile = (".lock", "last_run", "report", "checkpoint", "index", "seals", "known", ".spare", "before-restore")
    return {name: text for name, text in files_under(home).items() if not any(part in name for part in volatile)}


def checked(ran: Ran) -> dict[str, object]:
    told = ran.json
    schema = json.loads((PROJECT / "docs/json-schema.json").read_text())
    jsonschema.validate(told, schema, cls=jsonschema.Draft202012Validator)
    return told


# ---- --reopen ----


def test_a_reopened_line_is_settled_anew_by_the_next_run(home: Path) -> None:
    before = {line["id"]: line for line in log_of(home)}
    told = command(home, "--reopen", FIRST)
    assert (told.code, told.err) == (0, "")
    assert (
        f"{FIRST}: was verified on 2026-03-10 by a close of {before[FIRST]['actual_price']}, pending again" in told.out
    )
    after = {line["id"]: line for line in log_of(home)}
    assert after[FIRST]["status"] == "pending" and "actual_price" not in after[FIRST]
    assert {id_: line for id_, line in after.items() if id_ != FIRST} == {
        id_: line for id_, line in before.items() if id_ != FIRST
    }
    scores = json.loads((home / "realtime_predictions/feedback/accuracy_scores.json").read_text())
    assert scores["SIM-ALPHA"]["total_predictions"] == 1
    assert command(home, "--verify", "--as-of", DAYS[-1]).code == 0
    line = {line["id"]: line for line in log_of(home)}[FIRST]
    note = line.pop("reopened")
    assert line.pop("outcome_checksum") != before[FIRST].pop("outcome_checksum")  # it is over the note too
    assert line == before[FIRST] and (note["times"], note["actual_price"]) == (1, line["actual_price"])


def test_deleted_feedback_comes_back_the_same_after_reopening(home: Path) -> None:
    assert command(home, "--reopen", FIRST, "SIM-BETA:2026-03-03:5").code == 0
    before = record(home)
    shutil.rmtree(home / "realtime_predictions/feedback")
    assert command(home, "--verify-only", "--as-of", "2026-03-04").code == 0
    assert record(home) == before


@pytest.mark.parametrize("ids", [(FIRST.lower(),), (f"{FIRST},{FIRST}",), (FIRST, FIRST)])
def test_ids_are_read_in_any_case_and_parted_by_commas(home: Path, ids: tuple[str, ...]) -> None:
    told = checked(command(home, "--reopen", *ids, "--json"))
    assert told["reopened"] == [FIRST] and told["dry_run"] is False


WRONG = {
    "pending": ([LAST], f"{LAST}: pending already"),
    "of another day": (["SIM-ALPHA:2026-03-01:5"], "not in the log (did you mean"),
    "a symbol alone": (["SIM-BETA"], "did you mean SIM-BETA:2026-03-02:5 or SIM-BETA:2026-03-03:5?"),
    "misspelt": (["SIM-ALHPA:2026-03-02:5"], f"did you mean {FIRST}"),
    "nothing like one": (["xyz"], "--reopen xyz: not in the log; nothing"),
    "beside a good one": ([FIRST, LAST], f"{LAST}: pending already"),
    "many": ([f"X{number}" for number in range(9)], "6 other ids: not in the log"),
}


@pytest.mark.parametrize("name", WRONG)
def test_an_id_that_cannot_be_reopened_changes_nothing(home: Path, name: str) -> None:
    ids, words = WRONG[name]
    before = record(home)
    for options in ([], ["--dry-run"]):
        refused = command(home, "--reopen", *ids, *options)
        assert (refused.code, refused.out, refused.err.count("\n")) == (2, "", 1) and words in refused.err
    assert record(home) == before


def test_a_dry_reopening_says_what_it_would_do(home: Path) -> None:
    before = files_under(home)
    told = command(home, "--reopen", FIRST, "--dry-run")
    assert told.code == 0 and "would be pending again" in told.out and files_under(home) == before


def test_a_home_without_a_log_has_nothing_to_reopen(tmp_path: Path) -> None:
    refused = command(tmp_path / "new", "--reopen", FIRST)
    assert refused.code == 2 and "not in the log" in refused.err and not (tmp_path / "new").exists()


# ---- --backup and --restore ----


@pytest.fixture
def backup(home: Path, tmp_path: Path) -> Path:
    path = tmp_path / "record.zip"
    done = command(home, "--backup", path)
    assert (done.code, done.err) == (0, "") and "12 predictions" in done.out
    return path


def test_a_restored_home_goes_on_as_if_nothing_had_happened(home: Path, backup: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    told = checked(command(new, "--restore", backup, "--json"))
    assert (told["predictions"], told["moved_aside"]) == (12, None)
    assert record(new) == {name: text for name, text in record(home).items() if "ml_training_data" not in name}
    for one in (home, new):
        ran = day_of(one, NEXT)
        assert ran.code == 0 and "gone" not in ran.err
    assert log_of(new) == log_of(home)
    feedback = "realtime_predictions/feedback"
    assert files_under(new / feedback).keys() == files_under(home / feedback).keys()
    assert (new / feedback / "learned.json").read_bytes() == (home / feedback / "learned.json").read_bytes()


@pytest.mark.parametrize("lost", ["emptied", "gone", "sorted"])
def test_a_spoilt_log_comes_back(home: Path, backup: Path, lost: str) -> None:
    log = home / "realtime_predictions/predictions.jsonl"
    whole = log.read_bytes()
    log.unlink()
    if lost != "gone":
        log.write_bytes(b"" if lost == "emptied" else b"".join(sorted(whole.splitlines(keepends=True))))
    assert day_of(home, NEXT).code == 3
    restored = command(home, "--restore", backup)
    assert (restored.code, restored.err) == (0, "") and "The record that was here is now in" in restored.out
    assert log.read_bytes() == whole
    assert day_of(home, NEXT).code == 0 and len(log_of(home)) == 15


def test_a_restore_that_would_lose_predictions_is_refused_with_a_way_that_works(home: Path, backup: Path) -> None:
    assert day_of(home, NEXT).code == 0
    before = files_under(home)
    refused = command(home, "--restore", backup)
    assert (refused.code, refused.out, refused.err.count("\n")) == (2, "", 1)
    assert f"lacks 3 predictions of the present log, up to {NEXT}" in refused.err
    assert {name: text for name, text in files_under(home).items() if ".lock" not in name} == {
        name: text for name, text in before.items() if ".lock" not in name
    }
    (home / "realtime_predictions").rename(home / f"realtime_predictions.{NEXT}")
    assert command(home, "--restore", backup).code == 0 and len(log_of(home)) == 12


def test_a_reopened_line_is_reopened_in_a_restored_home(home: Path, tmp_path: Path) -> None:
    assert command(home, "--reopen", FIRST).code == 0
    checked(command(home, "--backup", tmp_path / "b.zip", "--json"))
    assert command(tmp_path / "new", "--restore", tmp_path / "b.zip").code == 0
    assert log_of(tmp_path / "new") == log_of(home)


def test_a_dry_restore_writes_nothing(home: Path, backup: Path, tmp_path: Path) -> None:
    told = command(tmp_path / "new", "--restore", backup, "--dry-run")
    assert told.code == 0 and "would be restored" in told.out and not (tmp_path / "new").exists()


def test_a_backup_replaces_no_file_and_makes_no_folder(home: Path, backup: Path, tmp_path: Path) -> None:
    whole = backup.read_bytes()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for path, words in (
        (backup, "is there already"),
        (home / "realtime_predictions/predictions.jsonl", "is there already"),
        (tmp_path, "is there already"),
        (tmp_path / "link", "is there already"),
        (tmp_path / "not" / "mounted.zip", f"there is no folder {tmp_path / 'not'}"),
    ):
        refused = command(home, "--backup", path)
        assert (refused.code, refused.out, refused.err.count("\n")) == (2, "", 1) and words in refused.err
    assert backup.read_bytes() == whole and not (tmp_path / "not").exists()


def test_a_home_without_a_log_is_told_so(tmp_path: Path) -> None:
    refused = command(tmp_path / "new", "--backup", tmp_path / "b.zip")
    assert refused.code == 3 and "no prediction log to back up" in refused.err
    assert list(tmp_path.iterdir()) == []


NO_BACKUPS = {
    "text": (b"x" * 100, "is no backup, or only the beginning of one"),
    "empty": (b"", "is no backup, or only the beginning of one"),
    "a log": (b'{"symbol": "TCS.NS"}\n', "is no backup, or only the beginning of one"),
}


@pytest.mark.parametrize("name", NO_BACKUPS)
def test_a_file_that_is_no_backup_is_refused(home: Path, tmp_path: Path, name: str) -> None:
    content, words = NO_BACKUPS[name]
    (tmp_path / "b.zip").write_bytes(content)
    before = record(home)
    refused = command(home, "--restore", tmp_path / "b.zip")
    assert (refused.code, refused.out, refused.err.count("\n")) == (2, "", 1) and words in refused.err
    assert record(home) == before


def test_a_backup_of_a_simulated_market_meets_no_real_prices(home: Path, backup: Path, tmp_path: Path) -> None:
    models = tmp_path / "real/ml_training_data/models/TCS_NS"
    models.mkdir(parents=True)
    (models / "metrics.json").write_text('{"source": "yahoo"}')
    refused = predict("--home", tmp_path / "real", "--restore", backup)
    assert refused.code == 2 and "never share a home" in refused.err
    assert not (tmp_path / "real/realtime_predictions/predictions.jsonl").exists()


@pytest.mark.parametrize("option", [("--reopen", FIRST), ("--backup", "b.zip"), ("--restore", "b.zip")])
@pytest.mark.parametrize(
    "other",
    [
        *(("--verify-only",), ("--status",), ("--report",), ("--explain", "SIM-ALPHA"), ("--as-of", "2026-03-02")),
        *(("--replay", "2026-03-02", "2026-03-03"), ("--self-check",), ("--symbols", "SIM-ALPHA")),
    ],
    ids=lambda other: other[0],
)
def test_options_that_do_not_go_together_are_refused(
    lived: Path, option: tuple[str, ...], other: tuple[str, ...]
) -> None:
    refused = command(lived, *option, *other)
    assert refused.code == 2 and f"{option[0]} and {other[0]} do not go together" in refused.err


@pytest.mark.parametrize(
    ("one", "two"), [("--reopen", "--backup"), ("--backup", "--restore"), ("--restore", "--reopen")]
)
def test_the_three_exclude_each_other(lived: Path, one: str, two: str) -> None:
    refused = command(lived, one, "x", two, "y")
    assert refused.code == 2 and "do not go together" in refused.err
