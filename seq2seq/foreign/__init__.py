"""Reads what other programs wrote: arrays, Keras models, their graphs and vocabularies."""
