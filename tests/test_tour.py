"""The documented output, files and messages are those of this program; the daily commands work as written."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from fake_yahoo import FakeYahoo, site_folder
from scripts import BARE, PROJECT, log_of
from tools import needs
from waiting import wait_until

from stockml.commands.symbols import WATCHLIST

PAGES = ("README.md", *sorted(f"docs/{page.name}" for page in PROJECT.glob("docs/*.md")))


def shape(text: str) -> list[str]:
    """The words without what differs from machine to machine, day to day or as learning goes: figures and verdicts."""
    text = re.sub(r"\b[0-9a-f]{16}\b", "seal", " ".join(text.split()))
    plain = re.sub(r"[-+]?\d[\d,]*(\.\d+)?", "#", text)
    plain = re.sub(r"\b(hit|miss)\b", "verdict", re.sub(r"\b(rise|fall)\b", "move", plain))
    return sorted(re.sub(r"above all for \w+(, read the other way round)?", "", plain).split())


def assert_the_blocks_show_what_is_printed(pages: Sequence[str], prices: str, home: Path) -> None:
    """Every console block of the pages is run again, in its order, in one home."""
    import refresh_docs

    for page in pages:
        blocks = refresh_docs.BLOCK.findall((PROJECT / page).read_text())
        assert blocks, page
        for block in blocks:
            again = refresh_docs.refreshed(block, prices=prices, home=str(home))
            assert shape(again) == shape(block), page


@pytest.fixture
def refreshed_pages(monkeypatch: pytest.MonkeyPatch) -> Sequence[str]:
    """The pages whose output `make docs` renews."""
    monkeypatch.syspath_prepend(PROJECT / "examples")
    import refresh_docs

    return refresh_docs.PAGES


def test_every_page_with_output_is_renewed_and_run_again(refreshed_pages: Sequence[str]) -> None:
    counts = {page: (PROJECT / page).read_text().count("```console\n") for page in (*PAGES, "CONTRIBUTING.md")}
    assert {page for page, count in counts.items() if count} == set(refreshed_pages)
    assert sum(counts.values()) == 3 + 7


def test_the_readme_shows_what_is_printed_on_the_simulated_market(
    refreshed_pages: Sequence[str], tmp_path: Path
) -> None:
    assert_the_blocks_show_what_is_printed(["README.md"], "PRICES", tmp_path)


def test_the_tour_shows_what_is_printed(refreshed_pages: Sequence[str], nse_folder: Path, tmp_path: Path) -> None:
    real = [page for page in refreshed_pages if page != "README.md"]
    assert_the_blocks_show_what_is_printed(real, str(nse_folder), tmp_path)


def test_every_file_of_the_tree_has_a_true_line_or_a_word_on_how_to_open_it() -> None:
    page = (PROJECT / "docs/files-and-log.md").read_text()
    (tree,) = re.findall(r"```\n(ml_training_data/\n.*?)```", page, flags=re.S)
    shown = page.replace(tree, "")
    for name in re.findall(r"([\w.]+\.(?:json|jsonl|csv))\b", tree):
        stem = name.replace("YYYYMMDD_HHMMSS", "*")
        assert stem in shown, name
    for name in ("lstm_model.h5", "xgb_model.pkl", "report.html"):
        (line,) = [line for line in tree.splitlines() if name in line]
        assert re.search(r"opens with|HTML report", line)


def quoted(page: str) -> list[str]:
    """The messages in the first column of a page's tables."""
    cells = re.findall(r'^\| ("[^|]*") \|', (PROJECT / page).read_text(), flags=re.M)
    return [message for cell in cells for message in re.findall('"([^"]*)"', cell)]


@pytest.mark.parametrize(("page", "fewest"), [("README.md", 8), ("docs/troubleshooting.md", 8)])
def test_every_quoted_message_is_a_message_of_the_program(page: str, fewest: int) -> None:
    scripts = [PROJECT / name for name in ("train_models.py", "realtime_predictor.py", ".ci/install")]
    sources = [*(PROJECT / "stockml").rglob("*.py"), *scripts]
    program = " ".join("".join(re.sub(r'"\s+f?"', "", path.read_text()) for path in sources).split())
    messages = quoted(page)
    assert len(messages) >= fewest
    for message in messages:
        assert all(part.strip(" ,") in program for part in message.split("...")), message


def test_the_messages_of_the_readme_are_explained_in_full() -> None:
    assert set(quoted("README.md")) <= set(quoted("docs/troubleshooting.md"))


def test_the_daily_commands_work_as_written(yahoo: FakeYahoo, tmp_path: Path) -> None:
    """With a `python` that has none of the libraries, as in a shell where no environment is activated."""
    found = shutil.which("python3.11", path="/usr/bin:/usr/local/bin")
    if found is None:
        pytest.skip("needs a Python beside the environment's: apt-get install python3.11")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python").symlink_to(found)
    home = tmp_path / "home"
    env = {
        "PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin",
        "STOCKML_HOME": str(home),
        "PYTHONPATH": str(site_folder(yahoo, tmp_path / "site")),
    }
    for command in (
        "python train_models.py",
        "python realtime_predictor.py",
        "python realtime_predictor.py --verify-only",
    ):
        done = subprocess.run(
            ["bash", "-c", command], capture_output=True, text=True, env=BARE | env, cwd=PROJECT, check=False
        )
        assert (done.returncode, done.stderr) == (0, ""), command
    assert {line["symbol"] for line in log_of(home)} == set(WATCHLIST)
    assert {path.name for path in (home / "ml_training_data/models").iterdir()} == {
        symbol.replace(".", "_") for symbol in WATCHLIST
    }


@needs("tail", "jq")
def test_predictions_are_watched_with_tail_and_jq(trained_home: Path) -> None:
    from scripts import predict

    log = trained_home / "realtime_predictions/predictions.jsonl"
    log.parent.mkdir()
    log.touch()
    command = "tail -f realtime_predictions/predictions.jsonl | jq --unbuffered"
    shown = trained_home / "shown"
    with shown.open("w") as out:
        watching = subprocess.Popen(["bash", "-c", command], stdout=out, cwd=trained_home, start_new_session=True)
    try:
        assert predict("--source", "sample", "--home", trained_home, "--as-of", "2026-03-02").code == 0
        wait_until(lambda: len(log_of(trained_home)) == shown.read_text().count('"prediction_date"') == 3, "the third")
    finally:
        os.killpg(watching.pid, signal.SIGTERM)
        watching.wait()
