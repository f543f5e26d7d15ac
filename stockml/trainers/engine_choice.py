"""Choice of the engine that trains the LSTM, and of its device, without loading any: standard library only.

`numpy` starts at once; `tensorflow` is for a GPU, where it trains many stocks at a time.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

from stockml.core.library_versions import library_versions

T = TypeVar("T")

AUTO, NUMPY, TENSORFLOW = "auto", "numpy", "tensorflow"
ENGINES = (AUTO, NUMPY, TENSORFLOW)
CPU, GPU = "cpu", "gpu"
TOGETHER_ON_GPU = 64  # trained together there; some 4 GB of its memory
_BUILDS = ("tensorflow", "tensorflow-cpu")  # distributions of the same module; the first can use a GPU
_CUDA = ("cudart", "cublas", "cudnn")  # the least that TensorFlow loads, where the system has it and not pip
_HIDDEN = re.compile(r"\s*(-.*)?")  # values of CUDA_VISIBLE_DEVICES that show no GPU


class EngineMissingError(Exception):
    """The engine asked for is not installed; the message is one plain sentence."""


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """An engine and the device that it trains on."""

    name: str = NUMPY
    device: str = CPU

    @property
    def group(self) -> int:
        """Networks that one task trains."""
        return TOGETHER_ON_GPU if self.device == GPU else 1

    def groups(self, of: Sequence[T]) -> list[Sequence[T]]:
        """The networks to be trained, or their stocks, in groups that one task trains."""
        return [of[start : start + self.group] for start in range(0, len(of), self.group)]

    @property
    def is_apart(self) -> bool:
        """True where all of its tasks are left to one process, since a GPU is not shared."""
        return self.device == GPU

    def versions(self) -> dict[str, str]:
        """The version of each library that the engine computes with."""
        names = ("tensorflow", "keras") if self.name == TENSORFLOW else ("numpy",)
        found = library_versions(names)
        return {name: found[name] for name in names}


@cache
def choose(wanted: str, *, is_cluster: bool = False) -> tuple[EngineChoice, str]:
    """The engine of a training, and the reason for it in words.

    Parameters
    ----------
    wanted : str
        One of ENGINES; `auto` takes TensorFlow where a GPU is present and the installed build can use it.
    is_cluster : bool
        True where workers of a cluster train, which are compared by their processors and not by their GPUs.

    Raises
    ------
    EngineMissingError
        Where TensorFlow is wanted and not installed.
    """
    if wanted == NUMPY:
        return EngineChoice(), "as asked"
    if wanted == TENSORFLOW and not _is_installed():
        raise EngineMissingError(
            f"--engine tensorflow: TensorFlow is not installed here; install it with {sys.executable} -m pip install "
            "tensorflow-cpu, or leave --engine out"
        )
    without = "workers of a cluster train on their processors" if is_cluster else _without_gpu()
    if wanted == TENSORFLOW:
        why = f"as asked; {without}" if without else "as asked"
        return EngineChoice(TENSORFLOW, CPU if without else GPU), why
    if without:
        return EngineChoice(), without
    return EngineChoice(TENSORFLOW, GPU), "a GPU is present, and the installed TensorFlow can use it"


def _is_installed() -> bool:
    return all(find_spec(name) is not None for name in ("tensorflow", "keras")) and _has_any(_BUILDS)


def _without_gpu() -> str:
    """The reason why TensorFlow could use no GPU here; empty where it could."""
    if not gpu_present():
        return "no NVIDIA GPU is present"
    if not _is_installed():
        return "an NVIDIA GPU is present, but TensorFlow is not installed"
    if not _has_any(_BUILDS[:1]):
        return "an NVIDIA GPU is present, but the installed TensorFlow is for CPUs"
    if missing := _missing_cuda():
        return f"an NVIDIA GPU is present, but TensorFlow would lack {', '.join(missing)}"
    return ""


def gpu_present(root: Path = Path("/")) -> bool:
    """True where the driver shows an NVIDIA GPU that CUDA_VISIBLE_DEVICES does not hide.

    Parameters
    ----------
    root : Path
        Of the file system.
    """
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    if hidden is not None and _HIDDEN.fullmatch(hidden):
        return False
    devices = [*root.glob("dev/nvidia[0-9]*"), *root.glob("proc/driver/nvidia/gpus/*")]
    return bool(devices) or (root / "usr/lib/wsl/lib/libcuda.so.1").exists()


def _missing_cuda() -> list[str]:
    """The distributions of CUDA that TensorFlow's extra and-cuda names and that are not here, nor in the system."""
    from ctypes.util import find_library

    wanted = [line for line in requires("tensorflow") or () if re.search(r"extra\s*==\s*.and-cuda", line)]
    names = [found[0] for line in wanted if (found := re.match(r"[\w.-]+", line))]
    missing = [name for name in names if not _has(name)]
    if missing and all(find_library(name) for name in _CUDA):
        return []
    return missing


def _has_any(names: Sequence[str]) -> bool:
    return any(_has(name) for name in names)


def _has(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True
