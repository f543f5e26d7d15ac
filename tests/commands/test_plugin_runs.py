"""Runs with plug-ins installed: what they say is logged and learned, and one that fails costs its stock alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from planted_plugins import forecaster, plant, signal
from scripts import files_under, log_of

from realtime_predictor import main
from train_models import main as train_main

SIM = ("--source", "sample", "--symbols", "SIM-ALPHA", "SIM-BETA")
GONE_UP = 'float(prices.frame["adj_close"].iloc[-1] - prices.frame["adj_close"].iloc[-6]) / 2'
BACK = 'float(prices.frame["close"].iloc[-21] - 100) / 9 * horizon / 5'
BOTH = {"signals": {"gone_up": signal(GONE_UP)}, "forecasters": {"back": forecaster("50 / len(prices.frame)")}}


def run(*options: object) -> int:
    return main([str(option) for option in options])


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of installed packages, empty."""
    folder = tmp_path / "packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    return folder


def written(home: Path) -> dict[str, bytes]:
    learned = {
        name: data for name, data in files_under(home / "realtime_predictions/feedback").items() if "/." not in name
    }
    return {"log": (home / "realtime_predictions/predictions.jsonl").read_bytes(), **learned}


def test_an_opinion_is_logged_starts_without_weight_and_is_learned(packages: Path, tmp_path: Path, capsys) -> None:
    plant(packages, BOTH)
    assert run(*SIM, "--replay", "2026-02-16", "2026-03-06", "--home", tmp_path / "home") == 0
    lines = log_of(tmp_path / "home")
    assert all({"plugin_back", "plugin_gone_up"} <= set(line["evidence"]["opinions"]) for line in lines)
    first = dict(lines[0]["signals"])
    assert not {"plugin_back", "plugin_gone_up"} & set(first)
    assert dict(lines[-1]["signals"])["plugin_gone_up"] != 0
    state = json.loads((tmp_path / "home/realtime_predictions/feedback/learned.json").read_text())
    assert "plugin_gone_up" in json.dumps(state)

    capsys.readouterr()
    options = ("--source", "sample", "--as-of", "2026-03-06", "--home", tmp_path / "home")
    assert run(*options, "--status") in (0, 1)
    assert "Plug-ins      back (2 stocks), gone_up (2 stocks)\n" in capsys.readouterr().out
    run(*options, "--status", "--json")
    assert json.loads(capsys.readouterr().out)["plugins"] == {"back": 2, "gone_up": 2}
    assert run(*options, "--explain", lines[-1]["id"]) == 0
    assert "the plug-in gone_up" in capsys.readouterr().out

    # no longer installed: the log is read, proved and learned from all the same, and predicted without them
    shutil.rmtree(packages)
    shutil.rmtree(tmp_path / "home/realtime_predictions/feedback")
    shutil.rmtree(tmp_path / "home/replay")
    assert run(*SIM, "--as-of", "2026-03-09", "--home", tmp_path / "home") == 0
    assert not any(name.startswith("plugin_") for name in log_of(tmp_path / "home")[-1]["evidence"]["opinions"])
    capsys.readouterr()
    assert run("--source", "sample", "--audit", "--home", tmp_path / "home") == 0, capsys.readouterr()
    assert run("--source", "sample", "--export", tmp_path / "log.csv", "--home", tmp_path / "home") == 0
    assert "plugin_gone_up" in (tmp_path / "log.csv").read_text().splitlines()[0]


def test_a_replay_leaves_what_live_runs_of_its_days_leave(packages: Path, tmp_path: Path) -> None:
    picky = '[][0] if prices.symbol == "SIM-BETA" and prices.data_through.day == 18 else ' + BACK
    plant(packages, {"signals": {"gone_up": signal(GONE_UP), "picky": signal(picky)}})
    for day, code in (("17", 0), ("18", 1), ("19", 0)):
        asked = (*SIM, "--quiet", "--horizons", 5, 1, "--as-of", f"2026-02-{day}", "--home", tmp_path / "live")
        assert run(*asked) == code
    assert run(*SIM, "-q", "--horizons", 5, 1, "--replay", "2026-02-17", "2026-02-19", "--home", tmp_path / "all") == 1
    assert written(tmp_path / "live") == written(tmp_path / "all")
    assert "SIM-BETA:2026-02-18:5" not in {line["id"] for line in log_of(tmp_path / "all")}


def test_one_that_raises_fails_its_stock_alone_by_name(packages: Path, tmp_path: Path, capsys) -> None:
    plant(packages, {"signals": {"picky": signal('1 / (prices.symbol != "SIM-BETA")')}})
    assert run(*SIM, "--as-of", "2026-02-16", "--home", tmp_path / "home", "--json") == 1
    told = capsys.readouterr()
    failures = json.loads(told.out)["failures"]
    text = "SIM-BETA: the plug-in picky failed (ZeroDivisionError: division by zero); repair or uninstall it"
    assert [(failure["kind"], failure["message"]) for failure in failures] == [("plugin", text)]
    assert text in told.err and "Traceback" not in told.err
    assert [line["symbol"] for line in log_of(tmp_path / "home")] == ["SIM-ALPHA"]
    assert run(*SIM, "--verify-only", "--as-of", "2026-02-27", "--home", tmp_path / "home") == 0
    assert run(*SIM, "--replay", "2026-02-16", "2026-02-17", "--home", tmp_path / "replay") == 1
    assert (
        "SIM-BETA: left out on 2 days (plugin); on the last of them: SIM-BETA: the plug-in" in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("groups", "told"),
    [
        ({"signals": {"mine": "import no_such"}}, "the signal mine of the package my-own 1.0 cannot be imported"),
        ({"signals": {"mine": signal(1)}, "forecasters": {"mine": forecaster(1)}}, "have one name; uninstall one"),
        ({"forecasters": {"mine": signal(1)}}, "the forecaster mine of the package my-own 1.0 has no method fit"),
        ({"signals": {"Mine": signal(1)}}, "calls a signal 'Mine', which is no name"),
    ],
    ids=["import", "namesake", "member", "name"],
)
@pytest.mark.parametrize(
    "option", [(), ("--self-check",), ("--replay", "2026-02-16", "2026-02-17"), ("--explain", "SIM-ALPHA")]
)
def test_one_that_no_run_can_use_ends_it_before_anything_is_written(
    groups, told: str, option: tuple[str, ...], packages: Path, capsys
) -> None:
    tmp_path = packages.parent
    plant(packages, groups, "my-own")
    as_of = () if "--replay" in option else ("--as-of", "2026-02-16")
    assert run(*SIM, *option, *as_of, "--home", tmp_path / "home") == 2
    err = capsys.readouterr().err
    assert told in err and err.count("\n") <= 2 and not (tmp_path / "home").exists()


def test_what_asks_no_plug_in_is_not_hindered_by_a_broken_one(packages: Path, tmp_path: Path) -> None:
    plant(packages, {"signals": {"mine": "raise SystemExit('imported')"}, "sources": {"base": "raise SystemExit"}})
    for options in (["--status"], ["--verify-only"], ["--report", str(tmp_path / "page.html")]):
        assert run("--source", "sample", "--as-of", "2026-02-16", *options, "--home", tmp_path / "home") in (0, 3)
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0


def test_a_replay_is_not_carried_on_with_other_plug_ins(packages: Path, tmp_path: Path, capsys) -> None:
    asked = (*SIM, "--replay", "2026-02-16", "2026-02-17", "--home", tmp_path / "home")
    assert run(*asked) == 0
    plant(packages, {"signals": {"mine": signal(1)}})
    assert run(*asked) == 2
    assert "holds a replay whose plug-ins is None, not mine; repeat" in capsys.readouterr().err


REMEMBERS = """
class Plugin:
    newest = {}
    def opinion(self, prices, horizon):
        known = self.newest.setdefault(prices.symbol, prices)
        if known.data_through < prices.data_through:
            known = self.newest[prices.symbol] = prices
        return float(known.frame["close"].iloc[-9] - 100)
"""


def test_the_look_ahead_check_names_one_that_sees_the_future(packages: Path, tmp_path: Path, capsys) -> None:
    plant(packages, {"signals": {"peeks": REMEMBERS, "fair": signal(GONE_UP)}})
    assert run(*SIM, "--self-check", "--as-of", "2026-02-16", "--home", tmp_path / "home") == 1
    told = capsys.readouterr()
    assert "Look-ahead bias: plugin_peeks changed when later days were cut off." in told.err
    row = next(line.split() for line in told.out.splitlines() if line.startswith("plugin_fair"))
    assert row == ["plugin_fair", "16", "0"]


SOURCE = """
from stockml.data.simulated_market import sample_bars
class Plugin:
    def __init__(self, argument):
        if argument == "bad":
            raise ValueError("no such place")
        print("reading", argument)
    def bars(self, symbol, start, end):
        if symbol == "LOST":
            raise ConnectionError("line down")
        return None if symbol == "NONE" else sample_bars("SIM-ALPHA", start, end)
"""


def test_prices_of_a_plug_in_are_predicted_from_settled_and_audited(packages: Path, tmp_path: Path, capsys) -> None:
    plant(packages, {"sources": {"base": SOURCE}})
    home = tmp_path / "home"
    assert run("--init", "--source", "BASE:some place", "--symbols", "AAPL", "--home", home) == 0
    assert '\nsource = "BASE:some place"\n' in (home / "stockml.toml").read_text()
    capsys.readouterr()
    assert run("--as-of", "2026-02-16", "--home", home, "--json") == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["source"] == "base" and "reading" not in told.out
    assert run("--as-of", "2026-02-24", "--verify-only", "--home", home) == 0
    (line,) = log_of(home)
    assert (line["source"], line["status"]) == ("base", "verified")
    capsys.readouterr()
    assert run("--audit", "--home", home) == 0, capsys.readouterr()
    assert run("--as-of", "2026-02-24", "--symbols", "AAPL", "NONE", "LOST", "--home", home) == 1
    err = capsys.readouterr().err
    assert "NONE: not known to the price source base; correct the symbol" in err
    assert "LOST: the price source base failed (ConnectionError: line down); try again later" in err
    assert (
        run(
            "--source",
            "base",
            "--replay",
            "2026-02-16",
            "2026-02-18",
            "--home",
            tmp_path / "replay",
            "--symbols",
            "AAPL",
        )
        == 0
    )


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("base:bad", "the price source base of the package my-own 1.0 cannot be made (ValueError: no such place)"),
        ("basse", "'basse' is none of yahoo, csv:DIR, base and sample; did you mean base?"),
        ("sampel", "did you mean sample?"),
    ],
)
@pytest.mark.parametrize("script", [main, train_main])
def test_a_source_that_is_none_ends_the_run_before_anything_is_written(
    source: str, told: str, script, packages: Path, capsys
) -> None:
    tmp_path = packages.parent
    plant(packages, {"sources": {"base": SOURCE}}, "my-own")
    asked = ["--source", source, "--symbols", "AAPL", "--exchange", "XNYS", "--home", str(tmp_path / "home")]
    assert script(asked) == 2
    assert told in capsys.readouterr().err and not (tmp_path / "home").exists()


def test_settings_and_environment_name_it_too(packages: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    plant(packages, {"sources": {"base": SOURCE}})
    (tmp_path / "stockml.toml").write_text('symbols = ["AAPL"]\nsource = "bass:x"\n')
    assert run("--as-of", "2026-02-16", "--home", tmp_path) == 2
    assert "stockml.toml, line 2: the source 'bass:x' is none of" in capsys.readouterr().err
    monkeypatch.setenv("STOCKML_SOURCE", "base:y")
    (tmp_path / "stockml.toml").write_text('symbols = ["AAPL"]\n')
    assert run("--as-of", "2026-02-16", "--home", tmp_path, "--dry-run", "--json") == 0
    assert json.loads(capsys.readouterr().out)["source"] == "base"
