"""The README against the program: options, the JSON schema, the picture of the package, cron lines, commands."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import jsonschema
import pytest
from commands import BARE, PROJECT, predict, train

README = (PROJECT / "README.md").read_text()
SIM = ("--source", "sample")
DAY, TARGET = "2026-03-02", "2026-03-09"


def schema() -> dict:
    (text,) = re.findall(r"```json\n(\{\n  \"type\".*?)```", README, flags=re.S)
    return json.loads(text)


def options_of(script: str) -> set[str]:
    told = (train if script.startswith("train") else predict)("--help").out
    usage = told[: told.index("\nexamples:")]
    return set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", re.sub(r"default: .*?\)", "", usage))) - {"-only"}


@pytest.mark.parametrize("script", ["train_models.py", "realtime_predictor.py"])
def test_every_option_is_in_the_readme(script: str) -> None:
    missing = {option for option in options_of(script) if f"`{option}" not in README and f"{option}`" not in README}
    assert not missing


def test_every_option_in_the_readme_exists() -> None:
    rows = re.findall(r"^\| (`-.*?) \|", README, flags=re.M)
    named = {option for row in rows for option in re.findall(r"--?[a-z][a-z-]*", row)}
    assert named and named <= options_of("train_models.py") | options_of("realtime_predictor.py")


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


def test_what_the_predictor_prints_follows_the_schema(tmp_path: Path) -> None:
    options = (*SIM, "--symbols", "SIM-ALPHA", "SIM-NOBODY", "--home", tmp_path, "--json")
    for day in (DAY, TARGET):
        told = predict(*options, "--as-of", day).json
        jsonschema.validate(told, schema(), cls=jsonschema.Draft202012Validator)
    assert len(told["settled"]) == 1 and told["settled"][0]["status"] == "verified"
    assert told["exit_code"] == 1 and told["failures"][0]["symbol"] == "SIM-NOBODY"


def test_what_training_prints_follows_the_schema(tmp_path: Path) -> None:
    ran = train(*SIM, "--symbols", "SIM-ALPHA", "--as-of", DAY, "--home", tmp_path, "--json")
    jsonschema.validate(ran.json, schema(), cls=jsonschema.Draft202012Validator)
    assert ran.json["models"][0]["symbol"] == "SIM-ALPHA"


def test_what_a_replay_prints_follows_the_schema(tmp_path: Path) -> None:
    days = ("--replay", "2026-02-23", DAY)
    told = predict(*days, *SIM, "--symbols", "SIM-ALPHA", "--home", tmp_path, "--json").json
    jsonschema.validate(told, schema(), cls=jsonschema.Draft202012Validator)
    assert told["weeks"] and told["overall"]["predictions"] == 1


def test_the_schema_refuses_what_is_not_documented(tmp_path: Path) -> None:
    told = predict(*SIM, "--symbols", "SIM-ALPHA", "--as-of", DAY, "--home", tmp_path, "--json").json
    told["predictions"][0]["surprise"] = 1
    with pytest.raises(jsonschema.ValidationError, match="surprise"):
        jsonschema.validate(told, schema(), cls=jsonschema.Draft202012Validator)


def test_the_picture_names_every_module() -> None:
    picture = re.search(r"^stockml/ .*?```", README, flags=re.S | re.M)
    assert picture
    named = set(re.findall(r"[a-z_]+", picture[0]))
    modules = {path.stem for path in (PROJECT / "stockml").glob("*.py")} - {"__init__"}
    assert not modules - named


def test_the_verified_line_in_the_readme_is_a_line() -> None:
    from stockml.records import Prediction

    (line,) = re.findall(r"^(\{\"symbol\".*\})$", README, flags=re.M)
    assert Prediction.from_record(json.loads(line)).status == "verified"


def test_the_cron_lines_run_as_they_are(tmp_path: Path) -> None:
    """Each command of the crontab, with the path put in, in cron's near-empty environment, on the simulated market."""
    lines = [line for line in README.splitlines() if re.match(r"^[\d*]+ \d+ \S+ \S+ \S+ /path/to/", line)]
    assert len(lines) == 3
    for line in lines:
        command = line.split(maxsplit=5)[5].replace("/path/to", str(PROJECT))
        command += f" --source sample --home {tmp_path} --as-of {DAY}"
        if "train_models" in command:
            command += " --symbols SIM-ALPHA"
        done = subprocess.run(
            ["/bin/sh", "-c", command], capture_output=True, text=True, env=BARE, cwd="/", check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
