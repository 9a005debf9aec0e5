"""Imports TensorFlow and Keras, for all other modules, without the messages of native code at start-up."""

import os

from seq2seq.native_output import native_stderr_closed

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
with native_stderr_closed():
    import keras
    import tensorflow as tf
    from keras import ops

__all__ = ["keras", "ops", "tf"]
