"""Other processors: the numeric tests and the promises, under each BLAS kernel that this one can execute.

OpenBLAS takes the kernels that OPENBLAS_CORETYPE names, and NumPy leaves out the instructions that such a processor
lacks, so that one machine shows what others compute.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scripts import BARE, PROJECT, log_of, predict, train
from threadpoolctl import threadpool_info
from trained import TRAINED, TRAINED_AS_OF
from waiting import PATIENCE_SECONDS

# Each with the instructions its kernels need, as Linux names them, the microarchitecture level of the processors that
# have it (what NumPy uses beyond is left out), and what OpenBLAS may call it: some builds lack one, and take another.
KERNELS: dict[str, tuple[str, int, set[str]]] = {
    "Prescott": ("pni", 2, {"Prescott", "Katmai"}),
    "Nehalem": ("sse4_2", 2, {"Nehalem"}),
    "Sandybridge": ("avx", 2, {"Sandybridge"}),
    "Haswell": ("avx2", 3, {"Haswell"}),
    "Zen": ("avx2", 3, {"Zen", "Haswell"}),
    "SkylakeX": ("avx512f", 4, {"SkylakeX"}),
}
NUMERIC = ("indicators", "models", "signals", "trainers/test_forest.py", "replay/test_lookahead_check.py")
# With two threads those alone whose products are large enough to be shared, and whose promise is about bits.
THREADED = ("models", "replay/test_lookahead_check.py")
BITS = "(bits or formulas or see) and not command"
# A hundred epochs; commands, which are run below; processes that read and write, which no kernel changes.
SLOW = "not memorised and not command and not trainings_at_once and not mixes and not import_no"
SIM = ("--source", "sample", "--as-of", TRAINED_AS_OF)
SCORES = ("lstm_mae", "xgb_mae", "ensemble_mae", "naive_mae")
SCORE_TOLERANCE = 1e-3  # of a score; between the processors at hand they agreed to 1e-6


def as_on(kernel: str, threads: int = 1) -> dict[str, str]:
    """The environment in which NumPy computes as on such a processor; skips where this one cannot."""
    instructions, level, _ = KERNELS[kernel]
    flags = re.search(r"^flags\s*:(.*)$", Path("/proc/cpuinfo").read_text(), flags=re.M)
    if flags is None or instructions not in flags[1].split():
        pytest.skip(f"this processor lacks {instructions}, which the {kernel} kernels need")
    found = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])  # type: ignore[call-overload]
    return {
        "OPENBLAS_CORETYPE": kernel,
        "OPENBLAS_NUM_THREADS": str(threads),
        "OMP_NUM_THREADS": str(threads),
        "NPY_DISABLE_CPU_FEATURES": " ".join(name for name in found if _level(name) > level),
    }


def _level(feature: str) -> int:
    return 4 if feature == "X86_V4" or feature.startswith("AVX512") else 3


def probed(home: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    command = [sys.executable, str(PROJECT / "tests/kernel_probe.py"), str(home)]
    done = subprocess.run(command, capture_output=True, text=True, env=BARE | environment, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("kernel", KERNELS)
def test_the_numeric_tests_pass(kernel: str, threads: int) -> None:
    environment = as_on(kernel, threads)
    is_own = kernel in {pool.get("architecture") for pool in threadpool_info()}
    if threads == 1 and is_own and not environment["NPY_DISABLE_CPU_FEATURES"]:
        pytest.skip("this processor's own kernels, under which the suite itself runs them")
    places = [f"tests/{name}" for name in (NUMERIC if threads == 1 else THREADED)]
    outside = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    chosen = SLOW if threads == 1 else BITS
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-k", chosen, *places],
        capture_output=True,
        text=True,
        env=outside | environment,
        cwd=PROJECT,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-1000:]
    assert re.search(r"^\d+ passed", done.stdout.splitlines()[-1])


@pytest.mark.parametrize("kernel", KERNELS)
def test_one_trained_model_gives_the_same_logged_values(kernel: str, trained_home: Path) -> None:
    environment = as_on(kernel)
    reference, found, again = (
        probed(trained_home, {}),
        probed(trained_home, environment),
        probed(trained_home, environment),
    )
    assert found == again  # to the bit, on one machine
    assert KERNELS[kernel][2] & set(found["kernels"])
    for symbol in TRAINED:
        np.testing.assert_allclose(found[symbol]["indicators"], reference[symbol]["indicators"], rtol=1e-9, atol=1e-9)
        for name, unit in (("forecasts", 1e-6), ("confidence inputs", 1e-4)):  # the last digit that is logged of each
            for mine, theirs in zip(found[symbol][name], reference[symbol][name], strict=True):
                np.testing.assert_allclose(as_logged(mine, unit), as_logged(theirs, unit), rtol=0, atol=1.001 * unit)


def as_logged(values: Any, unit: float) -> np.ndarray:
    return np.round(np.asarray(values, dtype=float) / unit) * unit


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_run_logs_the_same_line(kernel: str, trained_home: Path, tmp_path: Path) -> None:
    there = tmp_path / "there"
    shutil.copytree(trained_home, there)
    for home, environment in ((trained_home, {}), (there, as_on(kernel))):
        assert predict(*SIM, "--home", home, env=environment).code == 0
    for mine, theirs in zip(log_of(there), log_of(trained_home), strict=True):
        for name, opinion in theirs["evidence"]["opinions"].items():
            assert mine["evidence"]["opinions"][name] == pytest.approx(opinion, rel=0, abs=1.001e-6)
        assert mine["predicted_change_pct"] == pytest.approx(theirs["predicted_change_pct"], rel=0, abs=0.01)
        assert mine["confidence"] == pytest.approx(theirs["confidence"], rel=0, abs=1.001e-4)
        for name in ("id", "target_date", "current_price", "market_regime", "model_trained_at"):
            assert mine[name] == theirs[name]


@pytest.mark.parametrize("kernel", KERNELS)
def test_training_scores_alike(kernel: str, trained_home: Path, tmp_path: Path) -> None:
    ran = train(*SIM, "--symbols", *TRAINED, "--home", tmp_path / "there", env=as_on(kernel))
    assert ran.code == 0
    for symbol in TRAINED:
        metrics = Path("ml_training_data/models", symbol.replace(".", "_"), "metrics.json")
        mine, theirs = (json.loads((home / metrics).read_text()) for home in (tmp_path / "there", trained_home))
        for score in SCORES:
            assert mine[score] == pytest.approx(theirs[score], rel=SCORE_TOLERANCE)


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_self_check_finds_nothing(kernel: str, trained_home: Path) -> None:
    ran = predict("--self-check", *SIM, "--home", trained_home, env=as_on(kernel))
    assert (ran.code, ran.err) == (0, "") and "No look-ahead bias found." in ran.out


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_self_check_finds_nothing_in_real_prices(
    kernel: str, real_home: Path, nse_folder: Path, tmp_path: Path
) -> None:
    home = Path(shutil.copytree(real_home, tmp_path / "home"))
    ran = predict(
        "--self-check", "--source", f"csv:{nse_folder}", "--as-of", "2026-07-10", "--home", home, env=as_on(kernel)
    )
    assert (ran.code, ran.err) == (0, "") and "No look-ahead bias found." in ran.out
