"""What a figure or a red test depends on beside the code: the processor, the BLAS kernels, the library versions."""

from __future__ import annotations

import os
import platform
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from stockml.core.library_versions import installed_build

LIBRARIES = ("numpy", "scipy", "pandas", "scikit-learn", "xgboost", "tensorflow", "h5py", "exchange_calendars")


def processor() -> str:
    """Its name, as Linux knows it, the cores this process may use, and the widest instructions it has."""
    path = Path("/proc/cpuinfo")
    told = dict(re.findall(r"^(\w[\w ]*?)\s*: (.*)$", path.read_text(), flags=re.M)) if path.exists() else {}
    name = f"{told.get('model name', platform.machine())} (family {told.get('cpu family')}, model {told.get('model')})"
    widest = next((each for each in ("avx512f", "avx2", "avx") if each in told.get("flags", "").split()), "no AVX")
    return f"{name}, {len(os.sched_getaffinity(0))} cores, {widest}"


def blas() -> str:
    """Each BLAS that is loaded with NumPy and SciPy: its version, its kernels, its threads."""
    import numpy as np  # noqa: F401 - brings its BLAS
    import scipy.linalg  # noqa: F401 - brings its own
    from threadpoolctl import threadpool_info

    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    told = {f"{p['internal_api']} {p['version']} ({p['architecture']}, {p['num_threads']} threads)" for p in pools}
    asked = [f"{name}={os.environ[name]}" for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE") if name in os.environ]
    return ", ".join([*sorted(told), *asked])


def versions() -> str:
    """Python's and the libraries', as installed; `xgboost-cpu` is XGBoost without its GPU parts."""
    builds = [" ".join(installed_build(name) or (name, "missing")) for name in LIBRARIES]
    return ", ".join([f"Python {platform.python_version()}", *builds])


def main() -> None:
    print(f"Processor: {processor()}\nBLAS: {blas()}\nVersions: {versions()}")


if __name__ == "__main__":
    main()
