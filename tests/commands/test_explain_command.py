"""--explain with the id of a logged forecast: from the log alone, without a fetch, and nothing is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from report_helpers import LAST_DAY, made_up_home, weekdays_until
from scripts import PROJECT, files_under

import realtime_predictor
from stockml.core.paths import Home

DAY = str(weekdays_until(LAST_DAY, 30)[10])
ID = f"MADE-00.XY:{DAY}:5"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return made_up_home(tmp_path / "home", 5, 30)[0]


@pytest.fixture
def explain(home: Home, capsys: pytest.CaptureFixture[str]) -> Any:
    def told(*options: str) -> tuple[int, str, str]:
        try:
            code = realtime_predictor.main(["--home", str(home.root), "--explain", *options])
        except SystemExit as error:
            code = int(str(error.code))
        return code, *capsys.readouterr()

    return told


def test_a_logged_forecast_is_told_from_the_log_alone(
    home: Home, explain: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files_under(home.root)
    monkeypatch.setattr("stockml.data.fetch.fetch_prices", None)  # prices of csv are not Yahoo's
    code, text, err = explain(ID.lower())
    assert (code, err) == (0, "")
    assert [line[:2] for line in text.splitlines() if line[1:3] == ". "] == [f"{at}." for at in range(1, 7)]
    line = next(line for line in map(json.loads, home.log.read_text().splitlines()) if line["id"] == ID)
    words = " ".join(text.split())
    assert f"It was logged as {ID} on {DAY}" in words and f"an error of {line['error_pct']:.2f} %" in words
    assert "gap: not known; no prices of its source are at hand; name it by --source csv:DIR." in words
    assert "4 other stocks of its exchange went" in words
    assert files_under(home.root) == before


def test_the_json_follows_the_schema(explain: Any) -> None:
    schema = json.loads((PROJECT / "docs/json-schema.json").read_text())
    for id_, is_settled in ((ID, True), (f"MADE-00.XY:{LAST_DAY}:5", False)):
        told = json.loads(explain(id_, "--json")[1])
        jsonschema.validate(told, schema, cls=jsonschema.Draft202012Validator)
        assert told["prediction"]["id"] == id_ and (told["outcome"] is not None) is is_settled


def test_a_past_day_knows_no_later_outcome(explain: Any) -> None:
    code, text, _ = explain(ID, "--as-of", DAY)
    assert code == 0 and "It is not known yet" in text and "verified is" not in text
    assert explain(f"MADE-00.XY:{LAST_DAY}:5", "--as-of", DAY)[0] == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("MADE-00.XY:2020-01-01:5",), "the nearest of MADE-00.XY: MADE-00.XY:"),
        ((f"MADE-00.XY:{DAY}:20",), f"the nearest of MADE-00.XY: {ID}, "),
        (("OTHER.XY:2026-01-02:5",), "the log has no prediction of OTHER.XY"),
        (("MADE-00.XY:yesterday:5",), "is no id of a prediction; write SYMBOL:YYYY-MM-DD:SESSIONS"),
        (("MADE-00.XY:2026-01-02",), "is no id of a prediction"),
        (("MADE-00.XY:2026-01-02:0",), "is no id of a prediction"),
        (("../x:2026-01-02:5",), "is no id of a prediction"),
        ((ID, "--verify-only"), "--explain with an id and --verify-only do not go together"),
        ((ID, "--symbols", "MADE-00.XY"), "--explain with an id and --symbols do not go together"),
        ((ID, "--horizons", "5"), "--explain with an id and --horizons do not go together"),
    ],
)
def test_what_cannot_be_told_is_one_sentence(home: Home, explain: Any, options: tuple[str, ...], words: str) -> None:
    before = files_under(home.root)
    code, text, err = explain(*options)
    assert (code, text) == (2, "") and words in err
    assert files_under(home.root) == before


def test_prices_at_hand_tell_the_rest(home: Home, explain: Any, tmp_path: Path) -> None:
    days = weekdays_until(LAST_DAY, 120)
    rows = [
        f"{day},{price},{price + 1},{price - 1},{price},1000\n"
        for day, price in zip(days, [100, 101] * 60, strict=True)
    ]
    (tmp_path / "MADE-00.XY.csv").write_text("Date,Open,High,Low,Close,Volume\n" + "".join(rows))
    text = " ".join(explain(ID, "--source", f"csv:{tmp_path}")[1].split())
    assert "gap: no; the widest was" in text
    assert "announcement: not known; no days of results of MADE-00.XY are kept" in text
