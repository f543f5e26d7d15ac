"""The rate of the LSTM's training step beside that of a large matrix product, of one version or more, on all cores.

python benchmarks/speed/step_speed.py FOLDER...    folders of versions of the project; by itself it measures this one

Each core has a process of one thread for each version. Product and steps take turns, spell by spell. Rates are by the
seconds of a core that were used, so that other programs take no share; they still take caches and memory.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from timing import PROJECT, PYTHON, verdict

SHARE_OF_PRODUCT = 0.65
PRODUCT_SIZE, SPELLS, SPELL_SECONDS = 2048, 7, 1.5
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
PRODUCT, STEP = "product", "step"
FORECASTS = {"batches": "in batches, of days that are only scored", "blocks": "in blocks of 8, as live"}


def main() -> None:
    if sys.argv[1:2] == ["--spells"]:
        spells(Path(sys.argv[2]))
    else:
        versions = {str(folder): folder for folder in map(Path, sys.argv[1:])}
        arithmetic(versions or {"this version": PROJECT})


def arithmetic(versions: Mapping[str, Path]) -> None:
    """Print the rates of each version, with this processor's own kernels and as if it had AVX2 alone."""
    for kernels, environment in (("its own", {}), ("AVX2", as_with_avx2())):
        if environment is None:
            continue
        cores = os.cpu_count() or 1
        name, rates = measured(versions, environment, cores)
        product = statistics.median(rates[PRODUCT])
        print(f"{kernels} kernels ({name}), {cores} cores: matrix product {product:.0f} GFLOP/s")
        for version in versions:
            share = statistics.median(a / b for a, b in zip(rates[version], rates[PRODUCT], strict=True))
            print(f"  LSTM step {statistics.median(rates[version]):.0f} GFLOP/s, {version}")
            told = f"share of the product, {kernels} kernels, {version}"
            print(verdict(told, share, SHARE_OF_PRODUCT, "", at_most=False), flush=True)
            for way, words in FORECASTS.items():
                print(f"  forecasts {words}: {rates[version + way][0]:.0f} GFLOP/s", flush=True)


def as_with_avx2() -> dict[str, str] | None:
    """The environment of a processor without AVX-512; None where this one has none anyway, or not AVX2."""
    import numpy as np

    flags = re.search(r"^flags\s*:(.*)$", Path("/proc/cpuinfo").read_text(), flags=re.M)
    if flags is None or not {"avx2", "avx512f"} <= set(flags[1].split()):
        return None
    found = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])  # type: ignore[call-overload]
    beyond = " ".join(name for name in found if name == "X86_V4" or name.startswith("AVX512"))
    return {"OPENBLAS_CORETYPE": "Haswell", "NPY_DISABLE_CPU_FEATURES": beyond}


def measured(
    versions: Mapping[str, Path], environment: Mapping[str, str], cores: int
) -> tuple[str, dict[str, list[float]]]:
    """Name of the kernels, and GFLOP/s of all cores by spell: of the product, of each version and its forecasts."""
    rates: dict[str, list[float]] = {name: [] for name in (PRODUCT, *versions)}
    with ExitStack() as stack:
        crews = {
            name: [stack.enter_context(spell_process(folder, environment)) for _ in range(cores)]
            for name, folder in versions.items()
        }
        kernels = next(ask_all(crew, "name")[0] for crew in crews.values())
        for spell in range(SPELLS):
            rates[PRODUCT].append(sum(map(float, ask_all(next(iter(crews.values())), PRODUCT))))
            for name in list(crews) if spell % 2 == 0 else reversed(crews):
                rates[name].append(sum(map(float, ask_all(crews[name], STEP))))
        rates |= {
            name + way: [sum(map(float, ask_all(crew, way)))] for name, crew in crews.items() for way in FORECASTS
        }
    return kernels, rates


@contextmanager
def spell_process(folder: Path, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    command = [PYTHON, __file__, "--spells", folder]
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with subprocess.Popen(
        [str(part) for part in command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=kept | ONE_THREAD | environment,
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def ask_all(crew: Sequence[subprocess.Popen[str]], what: str) -> list[str]:
    """Ask all for the same at once; their answers."""
    for process in crew:
        assert process.stdin is not None
        process.stdin.write(what + "\n")
        process.stdin.flush()
    return [process.stdout.readline().strip() for process in crew if process.stdout is not None]


# ---- in a process of one version ----


def spells(folder: Path) -> None:
    """Answer each line on stdin by GFLOP/s, or by the name of the kernels."""
    sys.path.insert(0, str(folder))
    import numpy as np
    from threadpoolctl import threadpool_info

    from stockml.models.lstm import INPUTS, Network, windows
    from stockml.trainers import lstm_trainer
    from stockml.trainers.lstm_trainer import LSTMTrainer, OptimizerSettings, Samples, fresh_network

    assert Path(sys.modules["stockml"].__file__ or "").is_relative_to(folder)
    rng = np.random.default_rng(0)
    matrix = rng.standard_normal((PRODUCT_SIZE, PRODUCT_SIZE)).astype(np.float32)
    out = np.empty_like(matrix)
    settings = OptimizerSettings()
    trainer = LSTMTrainer(len(INPUTS), 5, settings)
    trainer.start(fresh_network(len(INPUTS), 5, seed=0))
    count = 4 * settings.batch
    days = rng.standard_normal((count + 20, len(INPUTS))).astype(np.float32)
    samples = Samples(days, np.arange(20, count + 20), rng.standard_normal((count, 5)).astype(np.float32))
    trained = Network(tuple(weights + np.float32(0.01) for weights in fresh_network(len(INPUTS), 5, seed=0).weights))
    inputs = windows(samples.inputs, samples.rows)
    in_batches = getattr(lstm_trainer, "batch_forecasts", Network.predict)  # a version before had none
    forward = count * flop_forward(len(INPUTS))
    jobs = {
        PRODUCT: (lambda: np.matmul(matrix, matrix, out=out), 2.0 * PRODUCT_SIZE**3),
        STEP: (lambda: trainer.epoch(samples, rng, 1e-3), count * flop_a_window(len(INPUTS))),
        "batches": (lambda: in_batches(trained, inputs), forward),
        "blocks": (lambda: trained.predict(inputs), forward),
    }
    for job, _ in jobs.values():
        job()
    for line in sys.stdin:
        if line.strip() == "name":
            print(next(pool["architecture"] for pool in threadpool_info() if pool["user_api"] == "blas"), flush=True)
            continue
        job, flop = jobs[line.strip()]
        end, begin, done = time.perf_counter() + SPELL_SECONDS, time.thread_time(), 0
        while time.perf_counter() < end:
            job()
            done += 1
        print(done * flop / (time.thread_time() - begin) / 1e9, flush=True)


def flop_a_window(inputs: int) -> float:
    """Multiplications and additions of the matrix products alone, forward and back, for one window.

    Of a plain implementation: products with the zeros before the first day, which may be left out, are counted.
    """
    from stockml.models.lstm import UNITS, WINDOW_SESSIONS

    return 3 * flop_forward(inputs) - WINDOW_SESSIONS * 2.0 * inputs * 4 * UNITS  # nothing flows back into the inputs


def flop_forward(inputs: int) -> float:
    """The same of the forward pass alone."""
    from stockml.models.lstm import LAYERS, UNITS, WINDOW_SESSIONS

    sizes = (inputs, *[UNITS] * (LAYERS - 1))
    return WINDOW_SESSIONS * sum(2.0 * (size + UNITS) * 4 * UNITS for size in sizes)


if __name__ == "__main__":
    main()
