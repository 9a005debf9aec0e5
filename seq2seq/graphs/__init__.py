"""Weights -> ONNX graphs: an encoder, and a decoder's step."""
