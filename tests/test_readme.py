"""README.md and docs/ against the program: options, the JSON schema, cron lines, commands; and their size and links."""

from __future__ import annotations

import json
import re
import subprocess
from configparser import ConfigParser
from pathlib import Path

import jsonschema
import pytest
from scripts import BARE, PROJECT, predict, train
from tools import need
from trained import TRAINED

README = (PROJECT / "README.md").read_text()
OPTIONS, FILES, SCHEDULE, JSON_PAGE = (
    (PROJECT / "docs" / name).read_text() for name in ("options.md", "files-and-log.md", "cron-systemd.md", "json.md")
)
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", *(f"docs/{page.name}" for page in PROJECT.glob("docs/*.md")))
LARGEST_README = 9_000  # bytes
SIM = ("--source", "sample")
DAY, TARGET = "2026-03-02", "2026-03-09"


def schema() -> dict:
    return json.loads((PROJECT / "docs/json-schema.json").read_text())


def options_of(script: str) -> set[str]:
    told = (train if script.startswith("train") else predict)("--help").out
    usage = told[: told.index("\nexamples:")]
    return set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", re.sub(r"default: .*?\)", "", usage))) - {"-only"}


@pytest.mark.parametrize("script", ["train_models.py", "realtime_predictor.py"])
def test_every_option_is_documented(script: str) -> None:
    missing = {option for option in options_of(script) if f"`{option}" not in OPTIONS and f"{option}`" not in OPTIONS}
    assert not missing


def test_every_documented_option_exists() -> None:
    rows = re.findall(r"^\| (`-.*?) \|", OPTIONS, flags=re.M)
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


def test_what_a_status_prints_follows_the_schema(tmp_path: Path) -> None:
    for day in (DAY, TARGET, "2026-05-04"):  # nothing yet, a record, alarms
        told = predict(*SIM, "--home", tmp_path, "--as-of", day, "--status", "--report", "--json").json
        jsonschema.validate(told, schema(), cls=jsonschema.Draft202012Validator)
        predict(*SIM, "--symbols", "SIM-ALPHA", "--home", tmp_path, "--as-of", day)
    assert told["command"] == "status" and told["exit_code"] == 1 and told["alarms"]
    assert told["record"]["total_predictions"] == 1 and Path(told["report"]).is_file()


def test_the_json_page_names_the_properties_that_the_schema_requires() -> None:
    rows = {row[0]: row[1:] for row in re.findall(r"^\| `(\w+)` \| (.*) \| (.*) \|$", JSON_PAGE, flags=re.M)}
    assert set(rows) == set(schema()["properties"]["command"]["enum"])
    (common,) = re.findall(r"^The common properties are (.*?)\.", JSON_PAGE, flags=re.M | re.S)
    assert re.findall(r"`(\w+)`", common) == schema()["required"]
    branch, left = schema(), set(rows)
    while "if" in branch:
        command = branch["if"]["properties"]["command"]["const"]
        left.remove(command)
        assert set(re.findall(r"`(\w+)`", rows[command][1])) == set(branch["then"]["required"]), command
        branch = branch["else"]
    assert set(re.findall(r"`(\w+)`", rows[left.pop()][1])) == set(branch["required"]) and not left


def test_the_schema_refuses_what_is_not_documented(tmp_path: Path) -> None:
    told = predict(*SIM, "--symbols", "SIM-ALPHA", "--as-of", DAY, "--home", tmp_path, "--json").json
    told["predictions"][0]["surprise"] = 1
    with pytest.raises(jsonschema.ValidationError, match="surprise"):
        jsonschema.validate(told, schema(), cls=jsonschema.Draft202012Validator)


def test_the_verified_line_that_is_shown_is_a_line() -> None:
    from stockml.core.records import Prediction

    (line,) = re.findall(r"^(\{\"symbol\".*\})$", FILES, flags=re.M)
    assert Prediction.from_record(json.loads(line)).status == "verified"


# ---- size, links and names ----


def test_the_readme_stays_short() -> None:
    assert len((PROJECT / "README.md").read_bytes()) <= LARGEST_README


def prose(page: str) -> str:
    """A page without its code blocks."""
    return re.sub(r"^```.*?^```$", "", (PROJECT / page).read_text(), flags=re.M | re.S)


def anchors(page: str) -> set[str]:
    """What links can end in: the headings in lower case, without punctuation, with hyphens for spaces."""
    headings = re.findall(r"^#+ (.+)$", prose(page), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_every_relative_link_leads_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (PROJECT / page).parent / name if name else PROJECT / page
        assert path.is_file(), target
        assert not anchor or anchor in anchors(str(path.resolve().relative_to(PROJECT))), target


def test_the_readme_leads_to_every_page() -> None:
    linked = set(re.findall(r"\]\(([^)#\s]+)", README))
    assert set(PAGES) - {"README.md"} <= linked


@pytest.mark.parametrize("page", PAGES)
def test_every_path_of_the_project_that_is_named_exists(page: str) -> None:
    for name in re.findall(r"`((?:stockml|tests|examples|benchmarks|docs|completions)/[\w./-]*)`", prose(page)):
        assert (PROJECT / name).exists(), name


@pytest.mark.parametrize("page", PAGES)
def test_every_test_that_is_named_exists(page: str) -> None:
    tests = "".join(path.read_text() for path in (PROJECT / "tests").rglob("test_*.py"))
    for name in re.findall(r"`(test_\w+)`", prose(page)):
        assert f"def {name}(" in tests, name


@pytest.mark.parametrize("page", [page for page in PAGES if page.startswith("docs/")])
def test_each_page_opens_with_one_sentence_on_what_it_is_for(page: str) -> None:
    opening = (PROJECT / page).read_text().split("\n\n")[1]
    assert re.fullmatch(r"This page [^.]*\.", opening), opening


def test_the_commit_hooks_run_what_make_lint_runs() -> None:
    recipe = re.search(r"^lint:.*\n((?:\t.*\n)+)", (PROJECT / "Makefile").read_text(), flags=re.M)
    assert recipe
    linted = re.findall(r"^\t\$\(VENV\)/(.*)$", recipe[1], flags=re.M)
    hooks = (PROJECT / ".pre-commit-config.yaml").read_text()
    assert re.findall(r"^ +entry: \.venv/(.*)$", hooks, flags=re.M) == linted != []


# ---- cron and friends ----


def cron_lines() -> list[str]:
    """The commands of both crontabs that run the system, in the order in which they stand there."""
    lines = re.findall(r"^[\d*]+ \d+ \S+ \S+ \S+ (/path/to/(?!.*--backup).*)$", SCHEDULE, flags=re.M)
    assert len(lines) == 3 + 4
    return lines


def test_the_readme_s_cron_lines_are_among_those() -> None:
    lines = re.findall(r"^[\d*]+ \d+ \S+ \S+ \S+ /path/to/.*$", README, flags=re.M)
    assert len(lines) == 3 and set(lines) < set(SCHEDULE.splitlines())


def as_cron_runs(command: str, home: Path, *, day: str = DAY, symbols: str = "") -> tuple[int, str, str]:
    """What a documented command comes to on the simulated market, in cron's near-empty environment."""
    command = command.replace("/path/to/stocks.log", f"{home}/stocks.log").replace("/path/to", str(PROJECT))
    command += f" --source sample --home {home} --as-of {day} {symbols}"
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, env=BARE, cwd="/", check=False)
    return done.returncode, done.stdout, done.stderr


def test_a_good_run_of_each_cron_line_mails_a_short_table_or_when_quiet_nothing(tmp_path: Path) -> None:
    for command in cron_lines():
        symbols = "--symbols SIM-ALPHA" if "train_models" in command else ""
        code, out, err = as_cron_runs(command, tmp_path, symbols=symbols)
        assert (code, err) == (0, ""), command
        lines = out.splitlines()
        assert not lines if "--quiet" in command else 0 < len(lines) < 10, command
        assert out.isascii() and not re.search(
            r"error|warn|fail|traceback|\x1b|\r", out.replace("absolute error", ""), re.I
        )
    assert (tmp_path / "stocks.log").exists()


def test_a_day_on_which_stocks_are_verified_and_predicted_mails_tables_and_no_message(trained_home: Path) -> None:
    daily = cron_lines()[1]
    as_cron_runs(daily, trained_home)
    code, out, err = as_cron_runs(daily, trained_home, day=TARGET)
    assert (code, err) == (0, "")
    assert [line.split(" (")[0] for line in out.splitlines() if "(simulated" in line] == [
        "Verified",
        "Record so far",
        "Predictions",
    ]
    assert len(out.splitlines()) == 3 * (2 + len(TRAINED)) + 3 and out.splitlines()[-1].startswith("Sealed: ")


def test_the_nightly_backup_is_dated_mails_nothing_and_comes_back(tmp_path: Path) -> None:
    predict(*SIM, "--symbols", "SIM-ALPHA", "--as-of", DAY, "--home", tmp_path / "home")
    (command,) = re.findall(r"^[\d*]+ \d+ \S+ \S+ \S+ (/path/to/.*--backup.*)$", SCHEDULE, flags=re.M)
    (tmp_path / "backups").mkdir()
    command = command.replace("/path/to/backups", str(tmp_path / "backups")).replace("/path/to", str(PROJECT))
    command = f"{command} --source sample --home {tmp_path / 'home'}".replace("\\%", "%")  # as cron unescapes it
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, env=BARE, cwd="/", check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (backup,) = (tmp_path / "backups").iterdir()
    assert re.fullmatch(r"stocks-\d{4}-\d\d-\d\d\.zip", backup.name)
    assert predict(*SIM, "--home", tmp_path / "new", "--restore", backup, "--quiet").code == 0


def test_quiet_cron_lines_mail_what_wants_somebody(tmp_path: Path) -> None:
    *_, daily, _, monitor = cron_lines()
    code, out, err = as_cron_runs(daily, tmp_path, symbols="--symbols SIM-ALPHA SIM-NOBODY")
    assert (code, out) == (1, "") and err.startswith("SIM-NOBODY: not in the simulated market") and err.count("\n") == 1
    code, out, err = as_cron_runs(monitor, tmp_path, day="2026-05-04")
    assert (code, out) == (1, "")
    assert (
        "SIM-ALPHA:2026-03-02:5: still pending" in err and "see that realtime_predictor.py is started every day" in err
    )


def test_the_systemd_units_are_units_and_their_command_runs(tmp_path: Path) -> None:
    service, timer = re.findall(r"```ini\n(.*?)```", SCHEDULE, flags=re.S)
    told = ConfigParser(interpolation=None)
    told.optionxform = str  # type: ignore[assignment, method-assign]
    told.read_string(service)
    assert as_cron_runs(told["Service"]["ExecStart"], tmp_path, symbols="--symbols SIM-ALPHA")[0] == 0
    need("systemd-analyze")
    for name, text in (("stock-predict.service", service), ("stock-predict.timer", timer)):
        (tmp_path / name).write_text(text.replace("/path/to", str(PROJECT)))
        checked = subprocess.run(
            ["systemd-analyze", "verify", "--user", "--man=no", name],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            check=False,
        )
        assert name not in checked.stderr, checked.stderr
