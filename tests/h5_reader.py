"""Reads networks back from Keras `.h5` files, to compare them with the package's own copies."""

from __future__ import annotations

import io
from typing import Any

import h5py
import numpy as np

from stockml.models.lstm import Network, check_shapes


def read_h5(content: bytes) -> Network:
    """The network in a Keras `.h5` file; ValueError where it is not one of this shape."""
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            group = file["model_weights"]
            paths = [f"{name}/{path}" for name in group.attrs["layer_names"] for path in _weight_names(group[name])]
            weights = tuple(np.asarray(group[path], dtype=np.float32) for path in paths)
    except (OSError, KeyError) as error:
        raise ValueError(f"not a Keras .h5 file ({error}); train the stock again") from None
    check_shapes(weights)
    return Network(weights)


def _weight_names(group: Any) -> list[str]:
    names = group.attrs["weight_names"]
    return [name.decode() if isinstance(name, bytes) else str(name) for name in names]
