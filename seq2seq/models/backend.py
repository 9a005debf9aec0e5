"""Imports TensorFlow and Keras, for all other modules, without the messages of native code at start-up."""

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def native_stderr_closed() -> Iterator[None]:
    """Drops what native code writes to file descriptor 2; TensorFlow logs there before its settings apply."""
    sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # the process has no stderr
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
with native_stderr_closed():
    import keras
    import tensorflow as tf
    from keras import ops

__all__ = ["keras", "ops", "tf"]
