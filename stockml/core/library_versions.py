"""The installed versions of Python and of libraries, by the names that `import` and `pip install` know them by."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

CPU_BUILD = "-cpu"  # ends the name under which TensorFlow and XGBoost are installed without their GPU parts


def library_versions(names: Sequence[str]) -> dict[str, str]:
    """Python's version and each library's, whichever of its builds is installed.

    Parameters
    ----------
    names : sequence of str
        Distributions; `xgboost` stands for `xgboost-cpu` too, the same modules of the same project.

    Returns
    -------
    dict of str to str
        `python`, then the names as given; "missing" where none is installed.
    """
    found = {name: installed_build(name) for name in names}
    return {
        "python": platform.python_version(),
        **{name: build[1] if build else "missing" for name, build in found.items()},
    }


def installed_build(name: str) -> tuple[str, str] | None:
    """The name and the version of a library's build that is installed; None where none is."""
    for build in (name, name + CPU_BUILD):
        try:
            return build, version(build)
        except PackageNotFoundError:
            continue
    return None
