"""The Python face: documented, typed, quick to import; it does what the commands do, prints nothing and never exits."""

from __future__ import annotations

import inspect
import logging
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from scripts import BARE, PROJECT, files_under, log_of, predict

import stockml

PAGE = (PROJECT / "docs/api.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, flags=re.S)
FUNCTIONS = ("train", "predict", "verify", "replay", "read_log")
DAY, TARGET = "2026-03-02", "2026-03-09"


@pytest.fixture(autouse=True)
def silent(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """No call of the face prints."""
    yield
    assert capfd.readouterr() == ("", "")


def told(code: str) -> str:
    words = [sys.executable, "-c", code]
    return subprocess.run(words, capture_output=True, text=True, env=BARE, cwd=PROJECT, check=True).stdout


# ---- names ----


def test_to_import_it_loads_nothing_but_itself() -> None:
    code = (
        "import sys; before = set(sys.modules); import stockml; new = set(sys.modules) - before\n"
        "print(sorted(name for name in new if name.split('.')[0] not in sys.stdlib_module_names))"
    )
    assert told(code) == "['stockml', 'stockml.replay']\n"


def test_to_use_a_name_loads_no_array_library() -> None:
    code = "import sys, stockml; stockml.predict; print([name for name in ('numpy', 'pandas') if name in sys.modules])"
    assert told(code) == "[]\n"


@pytest.mark.parametrize("first", ["import stockml.replay.replay_home", "import stockml.replay", ""])
def test_replay_is_the_function_whatever_was_imported_first(first: str) -> None:
    code = (
        f"{first}\nimport stockml\nfrom stockml import replay\nfrom stockml.replay.replay_home import ReplayError\n"
        "import stockml.replay.replay_home\nprint(replay is stockml.replay, stockml.replay.__module__)"
    )
    assert told(code) == "True stockml.api\n"


def test_the_names_are_those_of_the_face_and_each_is_documented() -> None:
    from stockml import api

    assert stockml.__all__ == api.__all__ == sorted(stockml.__all__)
    assert set(stockml.__all__) <= set(dir(stockml))
    table = re.findall(r"^\| (`[\w`, ]+`) \|", PAGE, flags=re.M)
    assert {name for row in table for name in re.findall(r"\w+", row)} == set(stockml.__all__)
    for name in stockml.__all__:
        assert getattr(stockml, name) is getattr(api, name)
        assert inspect.getdoc(getattr(stockml, name))
        assert any(name in example for example in EXAMPLES) or f"`{name}`" in PAGE
    with pytest.raises(AttributeError, match="module 'stockml' has no attribute 'nothing'"):
        stockml.nothing  # noqa: B018


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_says_its_types_and_errors(name: str) -> None:
    function: Callable[..., Any] = getattr(stockml, name)
    signature = inspect.signature(function)
    assert all(parameter.annotation is not parameter.empty for parameter in signature.parameters.values())
    assert signature.return_annotation is not signature.empty and signature.return_annotation != "int"
    text = inspect.getdoc(function) or ""
    assert "Raises\n------\n" in text or "errors are those of" in text


# ---- what they do ----


def test_the_examples_of_the_page_run_as_they_stand(tmp_path: Path, monkeypatch, capfd) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for example in EXAMPLES:
        exec(example, names)  # noqa: S102 - of our own page
    printed, messages = capfd.readouterr()
    assert messages == ""
    assert "trial/realtime_predictions/predictions.jsonl\n" in printed
    assert "SIM-NOBODY: not in the simulated market" in printed and "nothing was tried" not in printed
    (model,) = names["training"].models
    assert (model.symbol, names["training"].session_file.parent.name) == ("SIM-ALPHA", "metrics")
    assert [line.symbol for line in names["log"]] == ["SIM-ALPHA", "SIM-BETA"]
    assert {line.status for line in names["day"].settled} == {"verified"} and names["score"].total == 1
    assert names["past"].days == 11 and names["curve"].overall.predictions == names["past"].logged - 5
    assert {line["status"] for line in log_of(tmp_path / "trial")} == {"verified"}


def test_it_logs_what_the_command_logs(tmp_path: Path) -> None:
    symbols = ["SIM-ALPHA", "SIM-BETA"]
    day = stockml.predict(symbols, home=tmp_path / "a", source="sample", as_of=DAY, horizons=[5, 2])
    ran = predict(
        "--symbols", *symbols, "--home", tmp_path / "b", "--source", "sample", "--as-of", DAY, "--horizons", 5, 2
    )
    assert log_of(tmp_path / "a") == log_of(tmp_path / "b") == [line.to_record() for line in day.predictions]
    assert list(day.logged) == [line.id for line in day.predictions] and len(day.logged) == 4
    assert list(day.notices) == ran.err.splitlines() != []
    mine, theirs = (set(files_under(tmp_path / name)) for name in "ab")
    assert mine == theirs
    again = stockml.verify(home=str(tmp_path / "a"), source="sample", as_of=date(2026, 3, 9))
    assert not again.predictions and len(again.settled) == 4 and again.record.of(5).total.total == 2
    assert {line.id for line in stockml.read_log(stockml.Home(tmp_path / "a"))} == set(day.logged)


@pytest.mark.parametrize("place", [str, Path, stockml.Home, lambda path: stockml.Home(str(path))])
def test_a_home_is_a_path_a_text_or_a_home(tmp_path: Path, place: Callable[[Path], Any]) -> None:
    assert len(stockml.predict("SIM-ALPHA", home=place(tmp_path), source="sample", as_of=DAY).logged) == 1
    assert len(stockml.read_log(place(tmp_path))) == 1 and stockml.Home(tmp_path).log.is_file()


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    day = stockml.predict("sim-alpha", home=tmp_path, source="sample", as_of=DAY, dry_run=True)
    assert len(day.predictions) == 1 and not day.logged and not files_under(tmp_path)


def test_settings_and_environment_count_as_for_the_commands(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "stockml.toml").write_text('source = "sample"\nsymbols = ["SIM-ALPHA"]\nhorizons = [3]\n')
    monkeypatch.setenv("STOCKML_HOME", str(tmp_path))
    (prediction,) = stockml.predict(as_of=DAY).predictions
    assert prediction.id == f"SIM-ALPHA:{DAY}:3"
    assert stockml.read_log() == [prediction]


def test_a_stock_that_fails_is_told_and_harms_no_other(tmp_path: Path) -> None:
    day = stockml.predict(["SIM-ALPHA", "SIM-NO"], home=tmp_path, source="sample", as_of=DAY)
    assert [line.symbol for line in day.predictions] == ["SIM-ALPHA"]
    assert [(one.symbol, one.kind) for one in day.failures] == [("SIM-NO", "unknown_symbol")]
    assert "SIM-NO" in day.failures[0].message


def test_messages_go_to_the_logger(tmp_path: Path, caplog) -> None:
    with caplog.at_level(logging.WARNING, "stockml"):
        day = stockml.predict("SIM-ALPHA", home=tmp_path, source="sample", as_of=DAY)
    assert [record.getMessage() for record in caplog.records] == list(day.notices) != []


def test_a_damaged_line_of_the_log_is_left_out_and_told(tmp_path: Path, caplog) -> None:
    stockml.predict(["SIM-ALPHA", "SIM-BETA"], home=tmp_path, source="sample", as_of=DAY)
    path = stockml.Home(tmp_path).log
    _, second = path.read_text().splitlines(keepends=True)
    path.write_text(f"nonsense\n{second}")
    with caplog.at_level(logging.WARNING, "stockml"):
        kept = stockml.read_log(tmp_path)
    assert [line.symbol for line in kept] == ["SIM-BETA"] and "left out" in caplog.text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"horizons": [0]}, "horizons: '0' is not a whole number above 0"),
        ({"horizons": []}, "horizons: expected at least one argument"),
        ({"horizons": [-5]}, "horizons: -5 begins with a hyphen; correct the spelling"),
        ({"as_of": "yesterday"}, "as_of: 'yesterday' is not a day since 1900"),
        ({"as_of": "2099-01-01"}, "2099-01-01: is still to come"),
        ({"source": "oracle"}, "the source 'oracle' is none of yahoo, csv:DIR and sample"),
        ({"symbols": "../x"}, "'../x' is not a symbol"),
        ({"symbols": ["--help"]}, "symbols: --help begins with a hyphen"),
        ({"symbols": []}, "symbols: expected at least one argument"),
        ({"source": "sample", "home": "\udcff"}, "the name is not valid UTF-8"),
    ],
)
def test_a_wrong_argument_is_refused_in_one_sentence_and_nothing_is_written(
    tmp_path: Path, arguments, words: str
) -> None:
    for function in (stockml.predict, stockml.train):
        with pytest.raises(stockml.UsageError) as error:
            function(**{"home": tmp_path, **arguments})
        assert words in str(error.value) and "\n" not in str(error.value)
    assert not files_under(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"years": 0}, "years: '0' is not a whole number above 0"),
        ({"seed": -1}, "seed: '-1' is not a whole number from 0"),
        ({"jobs": "all"}, "jobs: 'all' is not a whole number above 0"),
        ({"only_stale": 0.5}, "only_stale: '0.5' is not a whole number above 0"),
    ],
)
def test_so_are_the_arguments_of_training(tmp_path: Path, arguments, words: str) -> None:
    with pytest.raises(stockml.UsageError, match=re.escape(words)):
        stockml.train(home=tmp_path, source="sample", **arguments)


def test_and_those_of_a_replay(tmp_path: Path) -> None:
    with pytest.raises(stockml.UsageError, match="ends before it starts"):
        stockml.replay(TARGET, DAY, "SIM-ALPHA", home=tmp_path, source="sample")
    with pytest.raises(stockml.UsageError, match="replay: 'x' is not a day"):
        stockml.replay("x", DAY, "SIM-ALPHA", home=tmp_path, source="sample")
    assert not files_under(tmp_path)


@pytest.mark.parametrize("name", ["predict", "train", "replay"])
def test_where_every_stock_fails_nothing_was_done(tmp_path: Path, name: str) -> None:
    arguments: dict[str, Any] = {"symbols": ["SIM-NO", "SIM-NONE"], "home": tmp_path, "source": "sample"}
    days = {"start": DAY, "end": TARGET} if name == "replay" else {"as_of": DAY}
    with pytest.raises(stockml.NotDoneError, match=r"SIM-NO: not in .* \(and 1 other failure\)"):
        getattr(stockml, name)(**arguments, **days)


def test_a_file_that_cannot_be_written_or_a_log_that_was_changed_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "realtime_predictions").write_text("a file")
    with pytest.raises(stockml.StorageError, match="a file stands where a folder is needed"):
        stockml.predict("SIM-ALPHA", home=tmp_path, source="sample", as_of=DAY)
    assert stockml.read_log(tmp_path / "new") == []


def test_a_run_before_leaves_nothing_behind(tmp_path: Path) -> None:
    """A failure tells of what its own run has written alone."""
    stockml.predict("SIM-ALPHA", home=tmp_path / "a", source="sample", as_of=DAY)
    (tmp_path / "b").write_text("a file")
    with pytest.raises(stockml.StorageError) as error:
        stockml.predict("SIM-ALPHA", home=tmp_path / "b", source="sample", as_of=DAY)
    assert "logged" not in str(error.value)


def test_its_results_are_values() -> None:
    from stockml.commands import run_results

    values = [stockml.TrainingRun, stockml.TrainedModel, stockml.DailyRun, stockml.ReplayRun]
    assert all(value.__module__ == run_results.__name__ for value in values)
    assert all(value.__dataclass_params__.frozen for value in values)  # type: ignore[attr-defined]
