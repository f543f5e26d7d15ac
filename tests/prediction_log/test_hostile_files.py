"""Files beside the log that somebody else has written, behind right checksums: none is believed, none ends a run."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from log_helpers import CHECKPOINT, INDEX, records, run_day

from stockml.core.paths import Home
from stockml.prediction_log.index import Stamp
from stockml.prediction_log.log import PredictionLog
from stockml.prediction_log.restore import finish_restore
from stockml.prediction_log.seals import last_witness, witness_path, witnesses
from stockml.storage.files import StorageError, sealed, unsealed

pytestmark = pytest.mark.usefixtures("in_haste")


@pytest.fixture(scope="module")
def four_lines(tmp_path_factory: pytest.TempPathFactory, in_haste: None) -> Path:
    home = Home(tmp_path_factory.mktemp("hostile"))
    for day in range(2):
        run_day(home, day)
    return home.root


@pytest.fixture
def home(four_lines: Path, tmp_path: Path) -> Home:
    return Home(Path(shutil.copytree(four_lines, tmp_path / "home")))


HOSTILE: dict[str, Callable[[dict[str, Any]], Any]] = {
    "no version": lambda values: values.pop("version"),
    "another version": lambda values: values.update(version=99),
    "no stamp": lambda values: values.pop("stamp"),
    "a stamp of texts": lambda values: values.update(stamp=["1", "2", "3"]),
    "kinds that are no texts": lambda values: values.update(kinds=[[]]),
    "no day": lambda values: values.update(last_settled=5),
    "known lines that are none": lambda values: values["known"].update(spread=["../../x"]),
    "more known lines than lines": lambda values: values["known"].update(count=1),
    "a step of 0": lambda values: values["known"].update(step=0),
    "a state of feedback without an end": lambda values: values.update(folded=["x", 5]),
    "a fingerprint that is none": lambda values: values.update(lines="z" * 32),
    "another key": lambda values: values.update(more=1),
}


@pytest.mark.parametrize("edit", HOSTILE.values(), ids=HOSTILE)
def test_a_checkpoint_that_no_run_wrote_is_as_if_not_there(home: Home, edit: Callable[[dict[str, Any]], Any]) -> None:
    path = home.log.with_name(CHECKPOINT)
    values = json.loads(unsealed(path.read_bytes()) or b"")
    values |= {"stamp": Stamp.of(home.log), "rows": Stamp.of(home.log.with_name(INDEX))}
    edit(values)
    path.write_bytes(sealed(json.dumps(values).encode()))
    assert PredictionLog(home.log).count == 4
    run_day(home, 2)
    assert len(records(home.log)) == 6


@pytest.mark.parametrize(
    "script",
    [
        "DROP TABLE lines; CREATE VIEW lines AS WITH RECURSIVE n(at) AS (SELECT 0 UNION ALL SELECT at + 1 FROM n) "
        "SELECT at, 1 AS width, 1 AS series, 20260105 AS made, 1 AS target, 0 AS state, NULL AS settled FROM n",
        "CREATE TRIGGER t AFTER INSERT ON lines BEGIN DELETE FROM lines; END",
        "DROP TABLE lines",
        "UPDATE lines SET at = at + 1000000",
        "UPDATE lines SET width = -1",
        "UPDATE lines SET made = 'soon'",
        "UPDATE lines SET series = 99",
        "UPDATE series SET horizon = 'five'",
        "UPDATE series SET latest = 1e308",
        "DELETE FROM lines",
    ],
)
def test_an_index_that_no_run_wrote_is_made_again(home: Home, script: str) -> None:
    path = home.log.with_name(CHECKPOINT)
    values = json.loads(unsealed(path.read_bytes()) or b"")
    with closing(sqlite3.connect(home.log.with_name(INDEX))) as database:
        database.executescript(script)
    values |= {"stamp": Stamp.of(home.log), "rows": Stamp.of(home.log.with_name(INDEX))}
    path.write_bytes(sealed(json.dumps(values).encode()))
    before = home.log.read_bytes()
    run_day(home, 2)
    assert home.log.read_bytes().startswith(before) and len(records(home.log)) >= 6


@pytest.mark.parametrize(
    "plan",
    [
        {"names": [], "aside": "../../x"},
        {"names": [], "aside": "/tmp/x"},
        {"names": [], "aside": "before-restore-x/../../../x"},
        {"names": [5], "aside": "before-restore-1"},
        {"names": []},
        {"names": [], "aside": "before-restore-1", "more": 1},
        [],
        "text",
    ],
)
def test_a_plan_that_no_restore_wrote_is_refused_and_moves_nothing(home: Home, plan: object) -> None:
    staging = home.log.with_name(".restore")
    staging.mkdir()
    (staging / "plan.json").write_bytes(sealed(json.dumps(plan).encode()))
    before = sorted(home.root.parent.rglob("*"))
    with pytest.raises(StorageError, match=r"\.restore: its plan\.json is damaged; move the folder away"):
        finish_restore(home.log)
    assert sorted(home.root.parent.rglob("*")) == before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"at": "soon"}, "not a time like"),
        ({"count": 0}, "has 0 for count"),
        ({"count": 10**400}, "has a number of many digits for count, not a whole number"),
        ({"seal": "x"}, "has 'x' for seal"),
        ({"bytes": -1}, "has -1 for bytes"),
        ({"as_of": "2026-02-30"}, "as_of is '2026-02-30'"),
    ],
)
def test_a_head_that_no_run_wrote_is_told_by_its_value(home: Home, change: dict[str, Any], words: str) -> None:
    good = {"at": "2026-03-01T12:00:00Z", "count": 4, "seal": "0" * 64, "bytes": 100}
    path = witness_path(home.log)
    path.write_text("".join(json.dumps(one) + "\n" for one in (good, good | change)))
    (_, first), (_, second) = witnesses(home.log)
    assert not isinstance(first, str) and isinstance(second, str) and words in second
    assert last_witness(home.log) == first
