"""Keras `.h5` files of an LSTM network, written without Keras so that a trainer needs only h5py."""

from __future__ import annotations

import io
import json
from functools import lru_cache
from typing import Any

import numpy as np

from stockml.models.lstm import DROPOUT, LAYERS, UNITS, WINDOW_SESSIONS, Float32, Network, check_shapes, weight_shapes


def to_h5(network: Network) -> bytes:
    """Serialise a network as an uncompiled Keras Sequential; the same network gives the same bytes.

    The files of networks of one shape differ in their weights alone, which are written into a copy of one file: h5py
    would take twenty times as long. ValueError for weights of other shapes.
    """
    check_shapes(network.weights)
    empty, places = _file_of_zeros(network.inputs, network.horizon)
    content = bytearray(empty)
    for at, weights in zip(places, network.weights, strict=True):
        content[at : at + weights.nbytes] = weights.astype("<f4").tobytes()
    return bytes(content)


@lru_cache(maxsize=4)
def _file_of_zeros(inputs: int, horizon: int) -> tuple[bytes, list[int]]:
    """The file of a network whose weights are all 0, and the place of each array of weights in it."""
    import h5py

    network = Network(tuple(np.zeros(shape, np.float32) for shape in weight_shapes(inputs, horizon)))
    layers = _keras_layers(network)
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.attrs["backend"] = "tensorflow"
        file.attrs["keras_version"] = "3.15.0"  # the version that defines this format
        config = {"name": "sequential", "layers": layers}
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": config})
        group = file.create_group("model_weights")
        names = [layer["config"]["name"] for layer in layers[1:]]
        group.attrs["layer_names"] = names
        group.create_group("top_level_model_weights").attrs["weight_names"] = []
        for name in names:
            group.create_group(name).attrs["weight_names"] = []
        places = []
        for name, arrays in _by_layer(network).items():
            group[name].attrs["weight_names"] = list(arrays)
            for path, array in arrays.items():
                places.append(group[name].create_dataset(path, data=array).id.get_offset())
    return buffer.getvalue(), places


def _by_layer(network: Network) -> dict[str, dict[str, Float32]]:
    """Keras's name of each layer with weights -> path -> array."""
    by_layer = {}
    for layer in range(LAYERS):
        name = _lstm_name(layer)
        parts = zip(("kernel", "recurrent_kernel", "bias"), network.weights[3 * layer :], strict=False)
        by_layer[name] = {f"sequential/{name}/lstm_cell/{part}": array for part, array in parts}
    kernel, bias = network.weights[-2:]
    by_layer["dense"] = {"sequential/dense/kernel": kernel, "sequential/dense/bias": bias}
    return by_layer


def _lstm_name(layer: int) -> str:
    return f"lstm_{layer}" if layer else "lstm"


def _keras_layers(network: Network) -> list[dict[str, Any]]:
    shape = [None, WINDOW_SESSIONS, network.inputs]
    layers: list[dict[str, Any]] = [
        {"class_name": "InputLayer", "config": {"batch_shape": shape, "dtype": "float32", "name": "input_layer"}}
    ]
    for layer in range(LAYERS):
        sequences = layer < LAYERS - 1
        lstm = {"name": _lstm_name(layer), "units": UNITS, "return_sequences": sequences}
        dropout = {"name": f"dropout_{layer}" if layer else "dropout", "rate": DROPOUT}
        layers += [{"class_name": "LSTM", "config": lstm}, {"class_name": "Dropout", "config": dropout}]
    return [*layers, {"class_name": "Dense", "config": {"name": "dense", "units": network.horizon}}]
