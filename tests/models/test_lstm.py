"""The LSTM against Keras, and against itself: what is saved, what is learned, and that a day stands on its own."""

from __future__ import annotations

import os
from types import ModuleType

import numpy as np
import pytest
from h5_reader import read_h5

from stockml.models import lstm
from stockml.models.lstm import Network, Scaler, weight_shapes
from stockml.trainers import lstm_layer
from stockml.trainers.h5_file import to_h5
from stockml.trainers.lstm_layer import LayerPass
from stockml.trainers.lstm_trainer import (
    LSTMTrainer,
    OptimizerSettings,
    Samples,
    batch_forecasts,
    fresh_network,
    trainer_of,
)

INPUTS, HORIZON = 8, 5


@pytest.fixture(scope="module")
def keras() -> ModuleType:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    return pytest.importorskip("keras")


def random_network(seed: int = 0) -> Network:
    """Every weight away from its start, so that no gate is idle."""
    rng = np.random.default_rng(seed)
    return Network(
        tuple((rng.standard_normal(s) * 0.15).astype(np.float32) for s in lstm.weight_shapes(INPUTS, HORIZON))
    )


def random_windows(count: int, seed: int = 1) -> lstm.Float32:
    shape = (count, lstm.WINDOW_SESSIONS, INPUTS)
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def random_samples(count: int, seed: int = 2) -> Samples:
    targets = np.random.default_rng(seed).standard_normal((count, HORIZON)).astype(np.float32)
    rows = np.arange(1, count + 1) * lstm.WINDOW_SESSIONS - 1
    return Samples(random_windows(count).reshape(-1, INPUTS), rows, targets)


def keras_model(keras: ModuleType, network: Network):
    layers = [keras.Input((lstm.WINDOW_SESSIONS, INPUTS))]
    for number in range(lstm.LAYERS):
        layers += [keras.layers.LSTM(lstm.UNITS, return_sequences=number < 2), keras.layers.Dropout(lstm.DROPOUT)]
    model = keras.Sequential([*layers, keras.layers.Dense(HORIZON)])
    model.set_weights(network.weights)
    return model


def test_gradients_equal_those_of_keras(keras: ModuleType) -> None:
    import tensorflow as tf

    network, samples = random_network(), random_samples(64)
    trainer = LSTMTrainer(INPUTS, HORIZON, OptimizerSettings(batch=64, huber=0.7))
    trainer.start(network)
    loss, gradients = trainer.gradients(samples)

    model = keras_model(keras, network)
    huber = keras.losses.Huber(delta=0.7, reduction=None)
    with tf.GradientTape() as tape:
        keras_loss = tf.reduce_mean(huber(samples.targets, model(random_windows(64), training=False)))
    keras_gradients = tape.gradient(keras_loss, model.trainable_weights)

    assert loss == pytest.approx(float(keras_loss), rel=1e-5)
    for mine, theirs in zip(gradients, keras_gradients, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5 * float(np.abs(theirs).max()) + 1e-8)


def test_an_update_equals_that_of_keras_adam(keras: ModuleType) -> None:
    network, samples = random_network(), random_samples(64)
    settings = OptimizerSettings(batch=64, clip=1e9)
    trainer = LSTMTrainer(INPUTS, HORIZON, settings)
    trainer.start(network)
    adam = keras.optimizers.Adam(1e-3)
    variables = [keras.Variable(weights) for weights in network.weights]
    for _ in range(3):
        _, gradients = trainer.gradients(samples)
        adam.apply(gradients, variables)
        trainer.update(1e-3)
    for mine, theirs in zip(trainer.network().weights, variables, strict=True):
        np.testing.assert_allclose(mine, theirs.numpy(), atol=2e-6)


def test_saved_network_opens_in_keras_and_predicts_the_same(keras: ModuleType, tmp_path) -> None:
    network, windows = random_network(), random_windows(40)
    (tmp_path / "lstm_model.h5").write_bytes(to_h5(network))
    model = keras.models.load_model(tmp_path / "lstm_model.h5")
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds == ["LSTM", "Dropout", "LSTM", "Dropout", "LSTM", "Dropout", "Dense"]
    assert [layer.units for layer in model.layers if hasattr(layer, "return_sequences")] == [128, 128, 128]
    assert {layer.rate for layer in model.layers if hasattr(layer, "rate")} == {0.2}
    np.testing.assert_allclose(network.predict(windows), model.predict(windows, verbose=0), atol=1e-6)


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")  # Keras's own
def test_a_file_saved_by_keras_is_read(keras: ModuleType, tmp_path) -> None:
    network = random_network()
    keras_model(keras, network).save(tmp_path / "model.h5")
    read = read_h5((tmp_path / "model.h5").read_bytes())
    assert all(np.array_equal(mine, theirs) for mine, theirs in zip(read.weights, network.weights, strict=True))


def test_saved_twice_gives_the_same_bytes_and_reads_back() -> None:
    network = random_network()
    content = to_h5(network)
    assert content == to_h5(network)
    for read, written in zip(read_h5(content).weights, network.weights, strict=True):
        np.testing.assert_array_equal(read, written)


@pytest.mark.parametrize("horizon", [1, HORIZON, 20])
def test_networks_of_any_shape_are_written_whole_one_after_the_other(horizon: int) -> None:
    shapes = weight_shapes(INPUTS, horizon)
    for number in (1, 2):
        weights = [np.full(shape, number, np.float32) + np.arange(shape[-1], dtype=np.float32) for shape in shapes]
        for read, written in zip(read_h5(to_h5(Network(tuple(weights)))).weights, weights, strict=True):
            np.testing.assert_array_equal(read, written)


@pytest.mark.parametrize("content", [b"", b"not a model", to_h5(random_network())[:50_000]])
def test_an_unreadable_file_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"not a Keras \.h5 file"):
        read_h5(content)


def test_a_network_of_another_shape_is_not_written() -> None:
    with pytest.raises(ValueError, match="not 3 LSTM layers of 128"):
        to_h5(Network((*random_network().weights[:-1], np.zeros(4, dtype=np.float32))))


def plain_forecast(network: Network, window: lstm.Float32) -> lstm.Float32:
    """The formulas of an LSTM as they stand in the books, one window and one gate at a time."""

    def sigmoid(x: lstm.Float32) -> lstm.Float32:
        return 1 / (1 + np.exp(-x.astype(np.float64)))

    sequence = window.astype(np.float64)
    for layer in range(lstm.LAYERS):
        kernel, recurrent, bias = network.weights[3 * layer : 3 * layer + 3]
        hidden, cell, outputs = np.zeros(lstm.UNITS), np.zeros(lstm.UNITS), []
        for day in sequence:
            enter, forget, new, leave = np.split(day @ kernel + hidden @ recurrent + bias, 4)
            cell = sigmoid(forget) * cell + sigmoid(enter) * np.tanh(new)
            hidden = sigmoid(leave) * np.tanh(cell)
            outputs.append(hidden)
        sequence = np.stack(outputs)
    return sequence[-1] @ network.weights[-2] + network.weights[-1]


def test_a_forecast_is_that_of_the_plain_formulas() -> None:
    network, windows = random_network(), random_windows(11)
    plain = np.stack([plain_forecast(network, window) for window in windows])
    np.testing.assert_allclose(network.predict(windows), plain, atol=2e-6)


@pytest.mark.parametrize("rows", [slice(0, 1), slice(7, 8), slice(3, 36), slice(36, 37), slice(0, 37, 8)])
def test_a_window_in_its_place_forecasts_the_same_bits_among_any_others(rows: slice) -> None:
    network, windows = random_network(), random_windows(37)
    places = lstm.places_of(np.datetime64("2026-01-01") + np.arange(37) * 3 // 2)
    np.testing.assert_array_equal(network.predict(windows, places)[rows], network.predict(windows[rows], places[rows]))
    np.testing.assert_allclose(network.predict(windows), network.predict(windows, places), rtol=1e-5, atol=1e-6)


def test_sessions_in_a_row_fill_their_blocks_and_a_day_keeps_its_place() -> None:
    days = np.busday_offset("2026-01-01", np.arange(160))
    places = lstm.places_of(days)
    assert set(np.bincount(places)) <= {19, 20, 21}
    np.testing.assert_array_equal(lstm.places_of(days[55:]), places[55:])


def test_no_windows_give_no_forecasts() -> None:
    assert random_network().predict(random_windows(0)).shape == (0, HORIZON)


def test_a_fresh_network_forecasts_no_change() -> None:
    assert not fresh_network(INPUTS, HORIZON, seed=3).predict(random_windows(5)).any()


def test_scaled_outputs_are_the_networks_own_times_the_factors() -> None:
    network, windows = random_network(), random_windows(9)
    factors, offsets = np.linspace(0.1, 2, HORIZON), np.linspace(-1, 1, HORIZON)
    expected = network.predict(windows) * factors + offsets
    np.testing.assert_allclose(network.scaled(factors, offsets).predict(windows), expected, atol=1e-5)


def test_a_network_of_which_nothing_is_believed_forecasts_its_offsets_to_the_bit() -> None:
    offsets = np.array([0.1, -0.2, 0.3, 0.0, 1e-9])
    network = random_network().scaled(np.zeros(HORIZON), offsets)
    whole = np.concatenate([network._forward(block) for block in random_windows(16).reshape(2, 8, -1, INPUTS)])
    np.testing.assert_array_equal(network.predict(random_windows(16)), whole)
    assert network.predict(random_windows(3)).shape == (3, HORIZON)
    np.testing.assert_array_equal(batch_forecasts(network, random_windows(16)), whole)


@pytest.mark.parametrize("count", [0, 1, 64, 100])
def test_forecasts_in_batches_are_the_networks_but_for_rounding(count: int) -> None:
    network = random_network()
    trainer_of(INPUTS, HORIZON, OptimizerSettings()).epoch(random_samples(70), np.random.default_rng(0), 0.1)
    forecasts = batch_forecasts(network, random_windows(count))
    np.testing.assert_allclose(forecasts, network.predict(random_windows(count)), atol=1e-6)
    np.testing.assert_array_equal(forecasts, batch_forecasts(network, random_windows(count)))


def test_the_same_seed_learns_the_same_weights_in_buffers_used_before() -> None:
    samples, settings = random_samples(150), OptimizerSettings(batch=64)
    used = LSTMTrainer(INPUTS, HORIZON, settings)
    used.start(random_network())
    used.epoch(samples, np.random.default_rng(9), 1e-3)
    learned = []
    for trainer in (used, LSTMTrainer(INPUTS, HORIZON, settings)):
        trainer.start(fresh_network(INPUTS, HORIZON, seed=5))
        trainer.epoch(samples, np.random.default_rng(7), 1e-3)
        learned.append(trainer.network().weights)
    for one, other in zip(*learned, strict=True):
        np.testing.assert_array_equal(one, other)


def test_gradients_with_dropout_follow_the_loss_with_the_same_units_silenced() -> None:
    network, samples = random_network(), random_samples(64)
    trainer = LSTMTrainer(INPUTS, HORIZON, OptimizerSettings(batch=64))
    trainer.start(network)
    plain, _ = trainer.gradients(samples)
    loss, gradients = trainer.gradients(samples, np.random.default_rng(4))
    length = sum(float((g**2).sum()) for g in gradients)  # the loss's fall along its own gradient
    step = 0.01 / length**0.5
    ends = []
    for sign in (1, -1):
        moved = (w + np.float32(sign * step) * g for w, g in zip(network.weights, gradients, strict=True))
        trainer.start(Network(tuple(moved)))
        ends.append(trainer.gradients(samples, np.random.default_rng(4))[0])
    assert loss != pytest.approx(plain, rel=1e-3)
    assert (ends[0] - ends[1]) / (2 * step) == pytest.approx(length, rel=0.01)  # central difference in float32


def test_dropout_silences_a_fifth_of_each_layer_and_keeps_its_mean() -> None:
    shape = (lstm.WINDOW_SESSIONS, 64, lstm.UNITS)
    slopes = np.zeros((*shape[:2], lstm_layer.GATE_WIDTH), dtype=np.float32)
    layer = LayerPass(64, INPUTS, slopes, is_last=False)
    layer.inputs[...] = random_windows(64).transpose(1, 0, 2)
    weights = np.random.default_rng(3).standard_normal((lstm.UNITS + INPUTS + 1, lstm_layer.GATE_WIDTH)) * 0.05
    whole, dropped = np.zeros((2, *shape), dtype=np.float32)
    for rng, out in ((None, whole), (np.random.default_rng(0), dropped)):
        layer.drop_out(rng)
        layer.forward(weights.astype(np.float32), out)
    silent = dropped == 0
    assert silent.mean() == pytest.approx(0.2, abs=0.005)
    np.testing.assert_allclose(dropped[~silent], whole[~silent] * 1.25, rtol=1e-6)


@pytest.mark.parametrize("kernels", ["SkylakeX", "Haswell", ""])
def test_products_in_pieces_and_whole_ones_give_the_same_gradients(
    kernels: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples, found = random_samples(64), []
    for name in (lstm_layer._blas_kernels(), kernels):
        monkeypatch.setattr(lstm_layer, "_blas_kernels", lambda name=name: name)
        trainer = LSTMTrainer(INPUTS, HORIZON, OptimizerSettings(batch=64))
        trainer.start(random_network())
        found.append(trainer.gradients(samples, np.random.default_rng(4))[1])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6 * float(np.abs(one).max()))


def test_the_trainers_units_change_no_bit_of_a_network() -> None:
    trainer = LSTMTrainer(INPUTS, HORIZON, OptimizerSettings())
    trainer.start(random_network())
    for mine, theirs in zip(trainer.network().weights, random_network().weights, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_tiny_pattern_is_memorised() -> None:
    samples = random_samples(64)
    trainer = LSTMTrainer(INPUTS, HORIZON, OptimizerSettings(batch=64))
    trainer.start(fresh_network(INPUTS, HORIZON, seed=0))
    before, _ = trainer.gradients(samples)
    rng = np.random.default_rng(0)
    for _ in range(150):
        trainer.epoch(samples, rng, 3e-3)
    after, _ = trainer.gradients(samples)
    assert after < before / 5


def test_windows_end_on_their_row_and_are_complete_only_without_gaps() -> None:
    days = 60
    scaled = np.arange(days * INPUTS, dtype=np.float32).reshape(days, INPUTS)
    scaled[25, 3] = np.nan
    complete = lstm.complete_windows(scaled)
    assert np.flatnonzero(complete).tolist() == [*range(19, 25), *range(45, 60)]
    cut = lstm.windows(scaled, np.flatnonzero(complete))
    np.testing.assert_array_equal(cut[:, -1], scaled[complete])
    np.testing.assert_array_equal(cut[6, 0], scaled[26])


def test_the_scaler_centres_clips_and_survives_a_flat_input() -> None:
    values = np.column_stack([np.r_[np.zeros(99), 1000.0], np.full(100, 7.0), np.arange(100.0)])
    scaled = Scaler.fit(values).apply(values)
    assert scaled[-1, 0] == lstm.CLIP
    assert not scaled[:, 1].any()
    assert scaled[:, 2].mean() == pytest.approx(0, abs=1e-6)
    assert scaled[:, 2].std() == pytest.approx(1, abs=1e-6)
