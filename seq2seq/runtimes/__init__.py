"""What turns a model into `start` and `step`; importing this package imports neither Keras nor TensorFlow."""
