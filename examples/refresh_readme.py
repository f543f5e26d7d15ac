"""Runs the commands of README.md's console blocks, on real prices, and puts what they print below them.

make readme PRICES=DIR    a folder of SYMBOL.csv files with the symbols and days that the README names
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
README = PROJECT / "README.md"
BLOCK = re.compile(r"(?<=```console\n).*?(?=```)", re.S)
VERIFIED_LINE = re.compile(r"(?<=```json\n)\{\"symbol\".*?\}(?=\n```)")


def printed(command: str, *, prices: str, home: str) -> str:
    """What a command prints beside what the scripts wrote, with the folders of this run named as in the README."""
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
    text = README.read_text()
    with tempfile.TemporaryDirectory() as home:
        text = BLOCK.sub(lambda block: refreshed(block[0], prices=prices, home=home), text)
        first = (Path(home) / "realtime_predictions/predictions.jsonl").read_text().splitlines()[0].strip()
    README.write_text(VERIFIED_LINE.sub(lambda _: first, text))


if __name__ == "__main__":
    main(str(Path(sys.argv[1]).resolve()))
