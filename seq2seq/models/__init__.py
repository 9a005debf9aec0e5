"""Keras models in the functional API; importing any module here imports TensorFlow."""
