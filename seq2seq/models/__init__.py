"""Keras models in the functional API; importing a module of this package imports TensorFlow."""
