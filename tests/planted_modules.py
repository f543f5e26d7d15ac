"""Modules of other people in a folder in which a run is started: none may be executed."""

from __future__ import annotations

from pathlib import Path

PLANTED = ("signal", "queue", "numpy", "pandas", "socket", "random", "joblib")


def plant(folder: Path) -> Path:
    """Fill a folder with modules that write down their name when executed, and another checkout's package.

    The file that then exists is returned.
    """
    executed = folder / "executed"
    code = f"open({str(executed)!r}, 'a').write(__name__ + chr(10))\nraise ImportError('planted')\n"
    for name in PLANTED:
        (folder / f"{name}.py").write_text(code)
    for package in ("stockml", "stockml/trainers", "stockml/replay"):
        (folder / package).mkdir()
        (folder / package / "__init__.py").write_text(code)
    return executed
