"""TensorFlow and Keras loaded as training needs them: reproducible, on one thread, without a word on stderr."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from stockml.trainers.engine_choice import CPU

_ENVIRONMENT = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_NUM_INTRAOP_THREADS": "1",  # as every process of a training; sums keep their order
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_ENABLE_ONEDNN_OPTS": "0",  # its sums differ between processors that are otherwise alike
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",  # else it takes all of the GPU's memory at once
    "KERAS_BACKEND": "tensorflow",
    "KERAS_HOME": os.devnull,  # no settings of the user's, and no file of them written
}


def load(device: str) -> tuple[Any, Any]:
    """The modules tensorflow and keras.

    Parameters
    ----------
    device : str
        cpu or gpu. The first call of a process decides: on the CPU no GPU is even looked at.
    """
    os.environ.update(_ENVIRONMENT)
    if device == CPU:
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    with _quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import keras
        import tensorflow as tf

        tf.config.list_physical_devices()  # looks for GPUs, and has its say about it
    for name in ("absl", "tensorflow"):
        logging.getLogger(name).setLevel(logging.ERROR)
    tf.config.experimental.enable_op_determinism()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    return tf, keras


@contextmanager
def _quiet() -> Iterator[None]:
    """Without stderr, to which C++ code writes before it has read any setting."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
