"""Both engines: the same gradients, the same training but for rounding, files that Keras opens; and the choice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from conftest import made_up_prices
from h5_reader import read_h5

from stockml.core.paths import Home
from stockml.models import lstm
from stockml.models.bundle_store import LSTM_FILE, XGB_FILE, load_bundle
from stockml.models.lstm import Network
from stockml.trainers import engine_choice, engines, pipeline
from stockml.trainers.engine import NetworkTask
from stockml.trainers.engine_choice import CPU, GPU, NUMPY, TENSORFLOW, EngineChoice, EngineMissingError, choose
from stockml.trainers.engines import engine_of
from stockml.trainers.global_model import GlobalModelSettings
from stockml.trainers.lstm_trainer import LSTMTrainer, OptimizerSettings, Samples
from stockml.trainers.numpy_engine import NumPyEngine
from stockml.trainers.pipeline import TrainingContext, TrainingSettings, train

INPUTS, HORIZON = 4, 5
SETTINGS = OptimizerSettings(batch=16, huber=0.7, clip=0.5)


def network(seed: int) -> Network:
    """Every weight away from its start, so that no gate is idle."""
    rng = np.random.default_rng(seed)
    shapes = lstm.weight_shapes(INPUTS, HORIZON)
    return Network(tuple((rng.standard_normal(shape) * 0.15).astype(np.float32) for shape in shapes))


def samples(count: int, seed: int) -> Samples:
    rng = np.random.default_rng(seed)
    days = rng.standard_normal((count + lstm.WINDOW_SESSIONS, INPUTS)).astype(np.float32)
    targets = rng.standard_normal((count, HORIZON)).astype(np.float32)
    return Samples(days, np.arange(count) + lstm.WINDOW_SESSIONS, targets)


@pytest.fixture(scope="module")
def tensorflow() -> Any:
    pytest.importorskip("tensorflow")
    return engine_of(EngineChoice(TENSORFLOW))


def test_gradients_with_dropout_are_those_of_numpy(tensorflow: Any) -> None:
    networks, parts = [network(1), network(2)], [samples(16, 3), samples(16, 4)]
    losses, gradients = tensorflow.gradients(networks, parts, [5, 6], SETTINGS)
    trainer = LSTMTrainer(INPUTS, HORIZON, SETTINGS)
    for number, seed in enumerate((5, 6)):
        trainer.start(networks[number])
        loss, expected = trainer.gradients(parts[number], np.random.default_rng(seed))
        assert losses[number] == pytest.approx(loss, rel=1e-5)
        for mine, theirs in zip(gradients[number], expected, strict=True):
            np.testing.assert_allclose(mine, theirs, atol=1e-5 * float(np.abs(theirs).max()))


def test_networks_trained_together_become_what_numpy_makes_of_each(tensorflow: Any) -> None:
    """Of 40, 16 and 33 samples, so that two wait for the first; and the wait changes none of them."""
    tasks = [NetworkTask(network(n), samples(c, n), (2e-3, 1e-3), n) for n, c in enumerate((40, 16, 33))]
    together = tensorflow.train(tasks, SETTINGS)
    for task, found, other in zip(tasks, together, engine_of(EngineChoice()).train(tasks, SETTINGS), strict=True):
        assert max(float(np.abs(a - b).max()) for a, b in zip(found.weights, task.network.weights, strict=True)) > 2e-3
        for mine, theirs in zip(found.weights, other.weights, strict=True):
            np.testing.assert_allclose(mine, theirs, atol=2e-5)
    again = tensorflow.train(tasks, SETTINGS)
    for one, other in zip(together, again, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one.weights, other.weights, strict=True))


class Here:
    """A runner of this process, in place of processes; also as the one that has the GPU."""

    def __init__(self, *_: object) -> None: ...

    def __enter__(self) -> Here:
        return self

    def __exit__(self, *_: object) -> None: ...

    def map(self, function: Callable[[Any], Any], tasks: Any) -> Iterator[tuple[int, Any]]:
        for number, task in enumerate(tasks):
            yield number, function(task)


def test_a_training_by_either_engine_differs_in_rounding_alone(
    tensorflow: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As on a GPU: the shards together, then all stocks together, finished by other processes than tuned them."""
    monkeypatch.setattr(pipeline, "ProcessRunner", Here)
    tables = {symbol: made_up_prices(260, seed=n, symbol=symbol) for n, symbol in enumerate(("AAA.NS", "BBB.NS"))}
    settings = TrainingSettings(pool=GlobalModelSettings(rounds=(1e-3,), shards=2))
    by_engine = {}
    for engine in (EngineChoice(), EngineChoice(TENSORFLOW, GPU)):
        results = train(tables, replace(settings, engine=engine), TrainingContext(runner=Here()))
        by_engine[engine.name] = {result.symbol: result for result in results}
        assert set(by_engine[engine.name]) == set(tables)
    for symbol, found in by_engine[TENSORFLOW].items():
        other = by_engine[NUMPY][symbol]
        assert found.metrics["lstm_mae"] == pytest.approx(other.metrics["lstm_mae"], rel=1e-4)
        assert found.files[XGB_FILE] == other.files[XGB_FILE]
        assert found.metrics["engine"] == {"name": "tensorflow", "device": "cpu"}
        assert other.metrics["engine"] == {"name": "numpy", "device": "cpu"}
        assert set(found.metrics["libraries"]) - set(other.metrics["libraries"]) >= {"keras"}
        for home, result in ((Home(tmp_path / "one"), found), (Home(tmp_path / "other"), other)):
            pipeline.save(home, result, trained_at="2026-07-01T16:00:00")
        here, there = (read_h5(result.files[LSTM_FILE]) for result in (found, other))
        for mine, theirs in zip(here.weights[:-2], there.weights, strict=False):  # the last are scaled, perhaps by 0
            np.testing.assert_allclose(mine, theirs, atol=2e-5)
        inputs = np.random.default_rng(7).standard_normal((9, lstm.WINDOW_SESSIONS, INPUTS)).astype(np.float32)
        np.testing.assert_allclose(here.predict(inputs), there.predict(inputs), atol=1e-4)
        for name, network in (("one", here), ("other", there)):
            loaded = load_bundle(Home(tmp_path / name), symbol).network
            np.testing.assert_array_equal(loaded.predict(inputs), network.predict(inputs))
    again = tensorflow.to_h5(here)
    assert again == by_engine[TENSORFLOW]["BBB.NS"].files[LSTM_FILE]
    import keras

    (tmp_path / "saved.h5").write_bytes(again)
    model = keras.models.load_model(tmp_path / "saved.h5")
    np.testing.assert_allclose(model.predict(inputs, verbose=0), here.predict(inputs), atol=1e-5)


def test_a_group_that_the_gpu_fails_at_leaves_each_of_its_stocks_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "ProcessRunner", FailsToTune)
    monkeypatch.setattr(engines, "engine_of", lambda choice: NumPyEngine())
    tables = {symbol: made_up_prices(260, seed=n, symbol=symbol) for n, symbol in enumerate(("AAA.NS", "BBB.NS"))}
    settings = TrainingSettings(pool=GlobalModelSettings(rounds=(), shards=2), engine=EngineChoice(TENSORFLOW, GPU))
    results = list(train(tables, settings, TrainingContext(runner=WithExceptions())))
    assert [result.message for result in results] == [
        f"{symbol}: training failed (memory ran out); the last models, if any, stay" for symbol in tables
    ]


class WithExceptions(Here):
    """As the real runners, it returns exceptions as results."""

    def map(self, function: Callable[[Any], Any], tasks: Any) -> Iterator[tuple[int, Any]]:
        for number, task in enumerate(tasks):
            try:
                yield number, function(task)
            except Exception as error:
                yield number, error


class FailsToTune(Here):
    def map(self, function: Callable[[Any], Any], tasks: Any) -> Iterator[tuple[int, Any]]:
        return ((number, MemoryError()) for number, _ in enumerate(tasks))


# ---- the choice, found without loading anything ----


WITH_CUDA = {"tensorflow": "2.21.0", "keras": "3.15.0", "nvidia-cudnn-cu12": "9.3"}
FOR_CPUS = {"tensorflow-cpu": "2.21.0", "keras": "3.15.0"}
NO_CUDA = {"tensorflow": "2.21.0", "keras": "3.15.0"}


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Makes a machine of these distributions, with or without a GPU."""

    def made(installed: dict[str, str], *, gpu: bool) -> None:
        def version(name: str) -> str:
            if name not in installed:
                raise engine_choice.PackageNotFoundError(name)
            return installed[name]

        spec = SimpleNamespace() if "keras" in installed else None
        wanted = ['nvidia-cudnn-cu12<10,>=9.3; extra == "and-cuda"', "numpy>=1.26"]
        monkeypatch.setattr(engine_choice, "version", version)
        monkeypatch.setattr(engine_choice, "requires", lambda name: wanted)
        monkeypatch.setattr(engine_choice, "find_spec", lambda name: spec)
        monkeypatch.setattr(engine_choice, "gpu_present", lambda: gpu)
        monkeypatch.setattr("ctypes.util.find_library", lambda name: None)

    choose.cache_clear()
    yield made
    choose.cache_clear()


@pytest.mark.parametrize(
    ("installed", "gpu", "wanted", "expected"),
    [
        (WITH_CUDA, True, "auto", "tensorflow on gpu: a GPU is present, and the installed TensorFlow can use it"),
        (WITH_CUDA, False, "auto", "numpy on cpu: no NVIDIA GPU is present"),
        (FOR_CPUS, True, "auto", "numpy on cpu: an NVIDIA GPU is present, but the installed TensorFlow is for CPUs"),
        (NO_CUDA, True, "auto", "numpy on cpu: an NVIDIA GPU is present, but TensorFlow would lack nvidia-cudnn-cu12"),
        ({}, True, "auto", "numpy on cpu: an NVIDIA GPU is present, but TensorFlow is not installed"),
        (WITH_CUDA, True, "numpy", "numpy on cpu: as asked"),
        (WITH_CUDA, True, "tensorflow", "tensorflow on gpu: as asked"),
        (FOR_CPUS, False, "tensorflow", "tensorflow on cpu: as asked; no NVIDIA GPU is present"),
    ],
)
def test_the_engine_follows_from_the_gpu_and_the_installed_build(
    machine: Callable[..., None], installed: dict[str, str], gpu: bool, wanted: str, expected: str
) -> None:
    machine(installed, gpu=gpu)
    choice, why = choose(wanted)
    assert f"{choice.name} on {choice.device}: {why}" == expected


def test_the_workers_of_a_cluster_train_on_their_processors(machine: Callable[..., None]) -> None:
    machine(WITH_CUDA, gpu=True)
    assert choose("auto", is_cluster=True)[0] == EngineChoice()
    assert choose("tensorflow", is_cluster=True)[0] == EngineChoice(TENSORFLOW, CPU)


def test_an_engine_that_is_not_installed_is_refused_in_a_sentence(machine: Callable[..., None]) -> None:
    machine({}, gpu=True)
    with pytest.raises(EngineMissingError, match=r"^--engine tensorflow: TensorFlow is not installed here; install "):
        choose("tensorflow")


@pytest.mark.parametrize(
    ("file", "hidden", "expected"),
    [
        ("dev/nvidia0", None, True),
        ("proc/driver/nvidia/gpus/0000:01:00.0", None, True),
        ("usr/lib/wsl/lib/libcuda.so.1", None, True),
        ("dev/nvidia0", "0", True),
        ("dev/nvidiactl", None, False),
        ("dev/null", None, False),
        ("dev/nvidia0", "", False),
        ("dev/nvidia0", "-1", False),
    ],
)
def test_a_gpu_shows_in_the_file_system_unless_it_is_hidden(
    file: str, hidden: str | None, expected: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).touch()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if hidden is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    assert engine_choice.gpu_present(tmp_path) is expected
