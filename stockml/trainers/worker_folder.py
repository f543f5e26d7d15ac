"""On a worker: this program out of the folder that the worker was started in, where its Python has none installed.

The command `dask worker` does not put that folder among those that Python looks for modules in. Nothing but this
program is taken from it, and that only where it is byte for byte the one of the machine that asks.

Run on workers as text, before they have any of this program: so it imports nothing but the standard library.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from pathlib import Path

NAME = "stockml"


def package_digest(package: Path) -> str:
    """Digest of a package's code; that of nothing where there is none."""
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(str(path.relative_to(package)).encode() + path.read_bytes())
    return digest.hexdigest()[:8]


def take_program(wanted: str) -> None:
    """Load this program from the current folder if Python does not find it; ImportError where it is not there.

    Parameters
    ----------
    wanted : str
        The digest of its code.
    """
    if NAME in sys.modules or importlib.util.find_spec(NAME) is not None:
        return
    package = Path.cwd() / NAME
    begin = package / "__init__.py"
    if not begin.is_file():
        raise ImportError(
            f"its Python has no {NAME}, and its folder {package.parent} is no copy of the project; start it in one, or "
            "install the project there with pip"
        )
    if (digest := package_digest(package)) != wanted:
        raise ImportError(
            f"its folder {package.parent} is a copy of another version of the project ({digest}, not {wanted}); start "
            "it in a copy of this one"
        )
    spec = importlib.util.spec_from_file_location(NAME, begin, submodule_search_locations=[str(package)])
    assert spec is not None and spec.loader is not None
    sys.modules[NAME] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
