"""Runs the commands of the console blocks in README.md and docs/, and puts what they print below them.

make docs PRICES=DIR    a folder of SYMBOL.csv files with the symbols and days that docs/tour.md names
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
PAGES = ("README.md", "docs/tour.md", "docs/files-and-log.md")  # in one home, in this order
BLOCK = re.compile(r"(?<=```console\n).*?(?=```)", re.S)
VERIFIED_LINE = re.compile(r"(?<=```json\n)\{\"symbol\".*?\}(?=\n```)")


def printed(command: str, *, prices: str, home: str) -> str:
    """What a command prints beside what the scripts wrote, with the folders of this run named as in the pages."""
    run = command.replace("./", f"{PROJECT}/").replace("PRICES", prices)
    env = {**os.environ, "STOCKML_HOME": home, "COLUMNS": "160"}
    done = subprocess.run(["bash", "-c", run], capture_output=True, text=True, env=env, cwd=home, check=True)
    lines = [line.rstrip() for line in (done.stdout + done.stderr).splitlines()]
    return "\n".join(lines).replace(f"{home}/", "").replace(prices, "PRICES")


def refreshed(block: str, *, prices: str, home: str) -> str:
    """The block with its commands' output as it is now."""
    commands = [line[2:] for line in block.splitlines() if line.startswith("$ ")]
    return "".join(f"$ {command}\n{printed(command, prices=prices, home=home)}\n" for command in commands)


def main(prices: str) -> None:
    with tempfile.TemporaryDirectory() as home:
        for page in (PROJECT / name for name in PAGES):
            text = BLOCK.sub(lambda block: refreshed(block[0], prices=prices, home=home), page.read_text())
            if VERIFIED_LINE.search(text):  # the first of the tour's log, which the page before has written
                first = (Path(home) / "realtime_predictions/predictions.jsonl").read_text().splitlines()[0].strip()
                text = VERIFIED_LINE.sub(lambda _, line=first: line, text)
            page.write_text(text)


if __name__ == "__main__":
    main(str(Path(sys.argv[1]).resolve()))
